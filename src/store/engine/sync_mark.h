// SyncMark: a number in a small file beside the database: the last write that is known to be on the platter.
//
// Written after a sync, so it is never above what was synced; read when the database is opened, so that a log that
// lost its end to a damaged sector is told from one that lost it to a power cut. The file itself is not synced: it is
// only ever too low. One thread at a time. mark := number, XXH3-64 of the number; both u64 little-endian.
#pragma once

#include <cstdint>
#include <string>

namespace tako::store {

class SyncMark {
 public:
  explicit SyncMark(std::string path) : path_(std::move(path)) {}

  // 0 if there is none, or none that is whole.
  std::uint64_t read() const;
  // Best effort: if it fails the mark stays low.
  void write(std::uint64_t number) const;

 private:
  const std::string path_;
};

}  // namespace tako::store
