// Record: one version of one key, as a replica stores it and as it travels. Slot: all a replica knows of a key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "model/version.h"

namespace tako::model {

constexpr std::size_t kKeyBytesMax = 1024;
constexpr std::size_t kContentTypeBytesMax = 255;

// A value of up to a piece travels whole, in one message; a larger one in pieces of exactly this, but for the last.
constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::uint64_t kValueBytesMax = 16ull << 30;
constexpr std::uint32_t kPiecesMax = kValueBytesMax / kPieceBytes;

constexpr std::uint32_t pieces_of(std::uint64_t size) {
  return static_cast<std::uint32_t>(size / kPieceBytes + (size % kPieceBytes != 0));
}
// REQUIRES: index < pieces_of(size)
constexpr std::size_t piece_size(std::uint64_t size, std::uint32_t index) {
  const std::uint64_t left = size - std::uint64_t{index} * kPieceBytes;
  return left < kPieceBytes ? static_cast<std::size_t>(left) : kPieceBytes;
}

// The ring: position = XXH3-64(key), its top 16 bits are the partition. Fixed for ever.
constexpr std::uint32_t kPartitions = 65'536;
using Partition = std::uint16_t;
std::uint64_t position_of(std::string_view key);
inline Partition partition_of_position(std::uint64_t position) { return static_cast<Partition>(position >> 48); }
inline Partition partition_of(std::string_view key) { return partition_of_position(position_of(key)); }

// Names the pieces of one value on their way to one or several replicas, before it has a version: drawn at random by
// whoever sends them, and never used twice.
struct UploadId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const UploadId&, const UploadId&) = default;
};

enum class Kind : std::uint8_t { kValue = 1, kTombstone = 2 };

struct Record {
  Ballot ballot;    // what replicas compare
  Version version;  // what users see; ballot >= version
  Kind kind = Kind::kValue;
  Version base;                // the version that a conditional write was decided on; none for a blind write
  Version root;                // the last blind write under this one: its own version for a blind write
  std::uint32_t flags = 0;     // memcached's, given back as they came
  Timestamp expires_at = 0;    // 0: never
  std::string content_type;    // empty: application/octet-stream
  std::uint64_t size = 0;      // of the whole value, also where `value` is left out
  std::uint64_t checksum = 0;  // of the value, from the proxy that received it: checksum.h
  std::optional<Bytes> value;  // absent where only the version was asked for, and for a tombstone

  bool tombstone() const { return kind == Kind::kTombstone; }
  bool in_pieces() const { return size > kPieceBytes; }  // as it travels
  Record without_value() const {
    Record head = *this;
    head.value.reset();
    return head;
  }
};

// A blind write of `value`, or a tombstone without one, under `version`.
Record make_value(Version version, Bytes value, std::string content_type = "");
Record make_tombstone(Version version);

// --- floors and fences (protocol rule 20; node/gc/collector.h) ------------------------------------------------------
// Both are times; a ballot is below one, or at it, by its timestamp. A *fence* F of a node: it takes nothing from
// proposers at ballots up to F any more. A *floor* F of a partition: of all that was ever written to it at ballots up
// to F its owners had the same when they agreed on F, and have since dropped what had ended. So a key that is absent
// there is a tombstone at F.

// The lowest floor under which a record is dropped: a tombstone's ballot; where a value expires, kExpiryMargin later,
// so that who decides under a ballot knows by that ballot alone what no floor below it can have dropped
// (replication/updater.h). kNeverEnds: it stays.
inline constexpr Timestamp kNeverEnds = ~Timestamp{0};
inline constexpr Timestamp kExpiryMargin = 60'000'000;
Timestamp ends_at(const Record& record);

// What "absent" stands for: above all ballots up to the floor.
constexpr Ballot ballot_of_floor(Timestamp floor) { return floor == 0 ? Ballot{} : Ballot{floor, ~std::uint64_t{0}}; }
// As a promise.
constexpr Ballot promise_of_fence(Timestamp fence) { return fence == 0 ? Ballot{} : Ballot{fence + 1, 0}; }

// What a replica knows of a key. No record: never written, or forgotten; the promise stays either way.
struct Slot {
  Ballot promise;  // nothing below it is stored; none if nothing was promised
  std::optional<Record> record;
  Timestamp floor = 0;  // of its partition, from before the slot was read; not stored with it

  Ballot ballot() const { return record ? record->ballot : Ballot{}; }
  // It is a tombstone at the floor, whether its row is still there or not.
  bool gone() const { return floor != 0 && (!record || ends_at(*record) <= floor); }
  // It holds that ballot, or something newer.
  bool covers(const Ballot& other) const {
    return ballot() >= other || (gone() && other.timestamp <= floor);
  }
};

// Whether users see nothing there: it is deleted, or has expired by `now`.
bool gone(const std::optional<Record>& record, Timestamp now);

}  // namespace tako::model
