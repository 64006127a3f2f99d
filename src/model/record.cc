#include "model/record.h"

#include <algorithm>

#include "base/hash.h"
#include "model/checksum.h"

namespace tako::model {

std::uint64_t position_of(std::string_view key) { return xxh3_64(key); }

Record make_value(Version version, Bytes value, std::string content_type) {
  Record record;
  record.ballot = record.version = record.root = version;
  record.size = value.size();
  record.checksum = checksum_of(value.view());
  record.content_type = std::move(content_type);
  record.value = std::move(value);
  return record;
}

Record make_tombstone(Version version) {
  Record record;
  record.ballot = record.version = record.root = version;
  record.kind = Kind::kTombstone;
  return record;
}

Timestamp ends_at(const Record& record) {
  if (record.tombstone()) return record.ballot.timestamp;
  if (record.expires_at == 0 || record.expires_at > kNeverEnds - kExpiryMargin) return kNeverEnds;
  return std::max(record.ballot.timestamp, record.expires_at + kExpiryMargin);
}

bool gone(const std::optional<Record>& record, Timestamp now) {
  return !record || record->tombstone() || (record->expires_at != 0 && record->expires_at <= now);
}

}  // namespace tako::model
