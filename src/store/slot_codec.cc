// slot key  := position: u64 big-endian, key
// slot      := u8 format = 1, promise: version?, flag record_follows, [pieces: varint, record]
//              (version? and record: wire/record_codec.h; pieces > 0: the value is in so many pieces)
// piece key := position: u64, key length: u16, key, ballot timestamp: u64, ballot writer: u64, index: u32, big-endian
// piece     := up to Store::kPieceBytes of the value
#include "store/slot_codec.h"

#include <utility>

#include "wire/record_codec.h"

namespace tako::store {
namespace {

constexpr std::uint8_t kSlotFormat = 1;
constexpr std::uint64_t kPiecesMax = 1 << 20;

void put_big_endian(std::string& out, std::uint64_t value, unsigned count) {
  for (unsigned i = count; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
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

std::string piece_key(std::uint64_t position, std::string_view key, const model::Ballot& ballot, std::uint32_t index) {
  std::string out = pieces_begin(position, key);
  put_big_endian(out, ballot.timestamp, 8);
  put_big_endian(out, ballot.writer, 8);
  put_big_endian(out, index, 4);
  return out;
}

std::string encode_slot(const StoredSlot& stored) {
  const auto& record = stored.slot.record;
  ASSERT(stored.pieces == 0 || (record && !record->value));
  const std::size_t value_bytes = record && record->value ? record->value->size() : 0;
  wire::Writer out(32 + wire::kRecordHeadBytesMax + value_bytes);
  out.u8(kSlotFormat);
  wire::encode_version(out, stored.slot.promise);
  out.flag(record.has_value());
  if (record) {
    out.varint(stored.pieces);
    wire::encode_record(out, *record);
  }
  return out.take();
}

Result<StoredSlot> decode_slot(std::string row) {
  wire::Reader in{Bytes(std::move(row))};
  StoredSlot stored;
  if (in.u8() != kSlotFormat) in.fail("a format that this version does not know");
  stored.slot.promise = wire::decode_version(in);
  if (in.flag()) {
    stored.pieces = static_cast<std::uint32_t>(in.varint(kPiecesMax));
    stored.slot.record = wire::decode_record(in);
    const model::Record& record = *stored.slot.record;
    const bool value_somewhere = record.value.has_value() != (stored.pieces > 0);
    if (value_somewhere == record.tombstone()) in.fail("a value that should be elsewhere");
  }
  const Status status = in.finish("slot");
  if (!status) return {ErrorCode::kCorrupt, "a stored slot does not decode: " + status.error().message};
  return stored;
}

}  // namespace tako::store
