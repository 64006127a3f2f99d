#include "store/engine/disk_space.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"

namespace tako::store {
namespace {

// A 32nd of the disk, within these bounds.
constexpr std::uint64_t kShare = 32;
constexpr std::uint64_t kFloorMin = 1 << 20;
constexpr std::uint64_t kFloorMax = 64 << 20;
constexpr std::uint64_t kBallastMin = 512 << 10;
constexpr std::uint64_t kBallastMax = 16 << 20;

struct Space {
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_free = 0;
};

std::optional<Space> space_of(const std::string& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return std::nullopt;
  Space space;
  space.bytes_total = std::uint64_t{info.f_blocks} * info.f_frsize;
  space.bytes_free = std::uint64_t{info.f_bavail} * info.f_frsize;
  return space;
}

}  // namespace

DiskSpace::DiskSpace(std::string folder) : folder_(std::move(folder)) {
  const auto space = space_of(folder_);
  if (!space) return;
  floor_ = std::clamp(space->bytes_total / kShare, kFloorMin, kFloorMax);
  ballast_ = std::clamp(space->bytes_total / kShare, kBallastMin, kBallastMax);
  struct stat info{};
  const bool there = ::stat(ballast_path().c_str(), &info) == 0 && std::uint64_t(info.st_size) >= ballast_;
  if (there) {
    if (space->bytes_free < floor_) become_low(space->bytes_free);
  } else if (space->bytes_free < 2 * floor_ + ballast_ || !make_ballast()) {
    become_low(space->bytes_free);
  }
}

std::uint64_t DiskSpace::bytes_free() const {
  const auto space = space_of(folder_);
  return space ? space->bytes_free : 0;
}

void DiskSpace::check(std::uint64_t owed) {
  if (floor_ == 0 || busy_.test_and_set(std::memory_order_acquire)) return;
  const auto space = space_of(folder_);
  if (space && !low() && space->bytes_free < floor_ + owed) {
    become_low(space->bytes_free);
  } else if (space && low() && space->bytes_free > 2 * floor_ + ballast_ + owed) {
    become_ample(space->bytes_free);
  }
  busy_.clear(std::memory_order_release);
}

void DiskSpace::become_low(std::uint64_t bytes_free) {
  low_ = true;
  ::unlink(ballast_path().c_str());
  log::warn("disk_nearly_full", {{"folder", folder_}, {"bytes_free", bytes_free}, {"writes", "refused"}});
}

void DiskSpace::become_ample(std::uint64_t bytes_free) {
  if (!make_ballast()) return;
  low_ = false;
  log::info("disk_has_room", {{"folder", folder_}, {"bytes_free", bytes_free}});
}

bool DiskSpace::make_ballast() {
  const int fd = ::open(ballast_path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const bool made = ::posix_fallocate(fd, 0, static_cast<off_t>(ballast_)) == 0;
  ::close(fd);
  if (!made) ::unlink(ballast_path().c_str());
  return made;
}

}  // namespace tako::store
