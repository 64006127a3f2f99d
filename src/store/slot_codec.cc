// slot key  := position: u64 big-endian, key
// slot      := u8 format, promise: version?, flag record_follows, [pieces: varint, [id], record]
//              (version? and record: wire/cluster/record_codec.h. Format 2: pieces > 0, the value is in so many
//              pieces that `id` names. Format 1: pieces = 0, no id)
// id        := high: u64, low: u64, big-endian
// piece key := position: u64, key length: u16, key, id, index: u32, big-endian
// piece     := checksum: u64 big-endian, up to model::kPieceBytes of the value
// staged    := "staged/", position: u64, key length: u16, key, id, big-endian
#include "store/slot_codec.h"

#include <utility>

#include "wire/cluster/record_codec.h"

namespace tako::store {
namespace {

constexpr std::uint8_t kSlotFormat = 1;
constexpr std::uint8_t kSlotInPiecesFormat = 2;
constexpr std::string_view kStagedPrefix = "staged/";
constexpr std::string_view kStagedEnd = "staged0";  // '0' comes after '/'
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kChecksumBytes = 8;

void put_big_endian(std::string& out, std::uint64_t value, unsigned count) {
  for (unsigned i = count; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t take_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

void put_id(std::string& out, const model::UploadId& id) {
  put_big_endian(out, id.high, 8);
  put_big_endian(out, id.low, 8);
}

model::UploadId take_id(std::string_view bytes) {
  return {take_big_endian(bytes.substr(0, 8)), take_big_endian(bytes.substr(8, 8))};
}

}  // namespace

std::string slot_key(std::uint64_t position, std::string_view key) {
  std::string out;
  out.reserve(8 + key.size());
  put_big_endian(out, position, 8);
  out.append(key);
  return out;
}

SlotKey slot_key_at(std::string_view row_key) {
  SlotKey at;
  for (std::size_t i = 0; i < 8; ++i) {
    at.position = at.position << 8 | (i < row_key.size() ? static_cast<unsigned char>(row_key[i]) : 0);
  }
  if (row_key.size() > 8) at.key = row_key.substr(8);
  return at;
}

std::optional<SlotKey> parse_slot_key(std::string_view row_key) {
  if (row_key.size() < 8 || row_key.size() > 8 + model::kKeyBytesMax) return std::nullopt;
  return slot_key_at(row_key);
}

std::string pieces_begin(std::uint64_t position, std::string_view key) {
  std::string out;
  out.reserve(8 + 2 + key.size() + 20);
  put_big_endian(out, position, 8);
  put_big_endian(out, key.size(), 2);
  out.append(key);
  return out;
}

// A piece's key is 20 bytes longer than where its key's pieces begin.
std::string pieces_end(std::uint64_t position, std::string_view key) {
  return pieces_begin(position, key) + std::string(21, '\xff');
}

std::string piece_key(std::uint64_t position, std::string_view key, const model::UploadId& id, std::uint32_t index) {
  std::string out = pieces_begin(position, key);
  put_id(out, id);
  put_big_endian(out, index, 4);
  return out;
}

std::string encode_piece(std::uint64_t checksum, std::string_view piece) {
  std::string row;
  row.reserve(kChecksumBytes + piece.size());
  put_big_endian(row, checksum, kChecksumBytes);
  row.append(piece);
  return row;
}

std::optional<StoredPiece> decode_piece(std::string row) {
  if (row.size() < kChecksumBytes) return std::nullopt;
  const Bytes all(std::move(row));
  const std::uint64_t checksum = take_big_endian(all.view().substr(0, kChecksumBytes));
  return StoredPiece{checksum, all.slice(kChecksumBytes, all.size() - kChecksumBytes)};
}

std::string staged_key(std::uint64_t position, std::string_view key, const model::UploadId& local) {
  std::string out(kStagedPrefix);
  out += pieces_begin(position, key);
  put_id(out, local);
  return out;
}

std::string staged_begin() { return std::string(kStagedPrefix); }
std::string staged_end() { return std::string(kStagedEnd); }

std::optional<StagedKey> parse_staged_key(std::string_view row_key) {
  const std::size_t head = kStagedPrefix.size() + 8 + 2;
  if (!row_key.starts_with(kStagedPrefix) || row_key.size() < head + kIdBytes) return std::nullopt;
  const std::string_view key = row_key.substr(head, row_key.size() - head - kIdBytes);
  if (take_big_endian(row_key.substr(head - 2, 2)) != key.size()) return std::nullopt;
  return StagedKey{std::string(key), take_id(row_key.substr(row_key.size() - kIdBytes))};
}

std::string encode_slot(const StoredSlot& stored) {
  const auto& record = stored.slot.record;
  ASSERT(stored.pieces == 0 || (record && !record->value));
  const std::size_t value_bytes = record && record->value ? record->value->size() : 0;
  wire::Writer out(32 + wire::kRecordHeadBytesMax + value_bytes);
  out.u8(stored.pieces > 0 ? kSlotInPiecesFormat : kSlotFormat);
  wire::encode_version(out, stored.slot.promise);
  out.flag(record.has_value());
  if (record) {
    out.varint(stored.pieces);
    if (stored.pieces > 0) {
      std::string id;
      put_id(id, stored.pieces_id);
      out.raw(id);
    }
    wire::encode_record(out, *record);
  }
  return out.take();
}

Result<StoredSlot> decode_slot(std::string row) {
  wire::Reader in{Bytes(std::move(row))};
  StoredSlot stored;
  const std::uint8_t format = in.u8();
  if (format != kSlotFormat && format != kSlotInPiecesFormat) in.fail("a format that this version does not know");
  stored.slot.promise = wire::decode_version(in);
  if (in.flag()) {
    stored.pieces = static_cast<std::uint32_t>(in.varint(model::kPiecesMax));
    if (stored.pieces > 0) stored.pieces_id = take_id(in.raw(kIdBytes));
    stored.slot.record = wire::decode_record(in);
    const model::Record& record = *stored.slot.record;
    if (stored.pieces > 0 && stored.pieces != model::pieces_of(record.size)) in.fail("pieces of another size");
    const bool value_somewhere = record.value.has_value() != (stored.pieces > 0);
    if (value_somewhere == record.tombstone()) in.fail("a value that should be elsewhere");
  }
  if ((format == kSlotInPiecesFormat) != (stored.pieces > 0)) in.fail("a value in another format's place");
  const Status status = in.finish("slot");
  if (!status) return {ErrorCode::kCorrupt, "a stored slot does not decode: " + status.error().message};
  return stored;
}

}  // namespace tako::store
