// DiskSpace: knows before the disk is full that it is going to be, and keeps something back for deletes.
//
// A log-structured database needs room to delete. So two things are held back: a floor of free space below which
// ordinary writes are refused, and a ballast, a file that is given up when the floor is reached, because others fill
// disks too. The ballast is made again when there is ample room. One for a database; safe from any thread: whoever
// finds another at it leaves it to that one. Nothing here waits but for the file system. Units: bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace tako::store {

class DiskSpace {
 public:
  // REQUIRES: the folder exists
  explicit DiskSpace(std::string folder);

  // Looks anew. `owed`: what the database will soon write of its own accord (tables from its memory).
  void check(std::uint64_t owed);

  bool low() const { return low_.load(std::memory_order_relaxed); }
  // Now; 0 if the file system does not say.
  std::uint64_t bytes_free() const;

 private:
  void become_low(std::uint64_t bytes_free);
  void become_ample(std::uint64_t bytes_free);
  bool make_ballast();
  std::string ballast_path() const { return folder_ + "/ballast"; }

  const std::string folder_;
  std::uint64_t floor_ = 0;
  std::uint64_t ballast_ = 0;
  std::atomic<bool> low_ = false;
  std::atomic_flag busy_;
};

}  // namespace tako::store
