// record  := u8 format = 1, u8 bits, version: stamp,
//            [ballot: stamp], [base: stamp], [root: stamp], [flags: u32], [expires_at: varint], [content_type: text],
//            size: varint, checksum: u64, [value: size bytes]
// bits    := 0 tombstone, 1 the value follows, 2 ballot is not version, 3 there is a base, 4 root is not version,
//            5 flags or expires_at are not 0 (both follow), 6 there is a content type; 7 is 0
// stamp   := timestamp: u64, writer: u64
// A part that its bit leaves out has the value that the bit says; a part that is there has another one.
#include "wire/cluster/record_codec.h"

namespace tako::wire {
namespace {

using model::Record;
using model::Version;

constexpr std::uint8_t kTombstone = 1 << 0;
constexpr std::uint8_t kValue = 1 << 1;
constexpr std::uint8_t kBallot = 1 << 2;
constexpr std::uint8_t kBase = 1 << 3;
constexpr std::uint8_t kRoot = 1 << 4;
constexpr std::uint8_t kExtras = 1 << 5;
constexpr std::uint8_t kContentType = 1 << 6;
constexpr std::uint8_t kUnused = 1 << 7;

void encode_stamp(Writer& out, const Version& version) {
  out.u64(version.timestamp);
  out.u64(version.writer);
}

Version decode_stamp(Reader& in) {
  Version version;
  version.timestamp = in.u64();
  version.writer = in.u64();
  return version;
}

// A stamp that `bit` says is there and is not `otherwise`.
Version decode_other(Reader& in, bool there, const Version& otherwise) {
  if (!there) return otherwise;
  const Version version = decode_stamp(in);
  if (version == otherwise) in.fail("a version that should have been left out");
  return version;
}

}  // namespace

void encode_record(Writer& out, const Record& record) {
  // A field that is added to Record and not here does not compile.
  [[maybe_unused]] const auto& [ballot, version, kind, base, root, flags, expires_at, content_type, size, checksum,
                                value] = record;
  ASSERT(!record.value || (record.value->size() == record.size && !record.tombstone()));
  std::uint8_t bits = 0;
  if (record.tombstone()) bits |= kTombstone;
  if (record.value) bits |= kValue;
  if (record.ballot != record.version) bits |= kBallot;
  if (record.base != Version{}) bits |= kBase;
  if (record.root != record.version) bits |= kRoot;
  if (record.flags != 0 || record.expires_at != 0) bits |= kExtras;
  if (!record.content_type.empty()) bits |= kContentType;

  out.u8(kRecordFormat);
  out.u8(bits);
  encode_stamp(out, record.version);
  if (bits & kBallot) encode_stamp(out, record.ballot);
  if (bits & kBase) encode_stamp(out, record.base);
  if (bits & kRoot) encode_stamp(out, record.root);
  if (bits & kExtras) {
    out.u32(record.flags);
    out.varint(record.expires_at);
  }
  if (bits & kContentType) out.text(record.content_type);
  out.varint(record.size);
  out.u64(record.checksum);
  if (record.value) out.raw(record.value->view());
}

Record decode_record(Reader& in) {
  Record record;
  if (in.u8() != kRecordFormat) in.fail("a record format that this version does not know: upgrade");
  const std::uint8_t bits = in.u8();
  if (bits & kUnused) in.fail("a record with unknown bits");
  if ((bits & kTombstone) && (bits & kValue)) in.fail("a tombstone with a value");
  record.kind = bits & kTombstone ? model::Kind::kTombstone : model::Kind::kValue;
  record.version = decode_stamp(in);
  record.ballot = decode_other(in, bits & kBallot, record.version);
  record.base = decode_other(in, bits & kBase, Version{});
  record.root = decode_other(in, bits & kRoot, record.version);
  if (bits & kExtras) {
    record.flags = in.u32();
    record.expires_at = in.varint();
    if (record.flags == 0 && record.expires_at == 0) in.fail("flags that should have been left out");
  }
  if (bits & kContentType) {
    record.content_type = in.text(model::kContentTypeBytesMax);
    if (record.content_type.empty()) in.fail("a content type that should have been left out");
  }
  record.size = in.varint(model::kValueBytesMax);
  record.checksum = in.u64();
  if ((bits & kValue) && record.size > model::kPieceBytes) in.fail("a value over its limit");
  if (bits & kValue) record.value = in.bytes(static_cast<std::size_t>(record.size));
  return record;
}

std::string encode_record(const Record& record) {
  Writer out(kRecordHeadBytesMax + record.content_type.size() + (record.value ? record.value->size() : 0));
  encode_record(out, record);
  return out.take();
}

Result<Record> decode_record(const Bytes& bytes) {
  Reader in(bytes);
  Record record = decode_record(in);
  const Status status = in.finish("record");
  if (!status.ok()) return status.error();
  return record;
}

void encode_version(Writer& out, const Version& version) {
  const bool there = version != Version{};
  out.flag(there);
  if (there) encode_stamp(out, version);
}

Version decode_version(Reader& in) { return decode_other(in, in.flag(), Version{}); }

}  // namespace tako::wire
