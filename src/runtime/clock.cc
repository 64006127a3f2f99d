#include "runtime/clock.h"

#include <ctime>
#include <random>

namespace tako::runtime {
namespace {

std::uint64_t read_clock(clockid_t id) {
  timespec at{};
  clock_gettime(id, &at);
  return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(at.tv_nsec) / 1'000;
}

}  // namespace

TimePoint SystemClock::now() const { return TimePoint(Duration(read_clock(CLOCK_BOOTTIME))); }

Timestamp SystemClock::wall() const { return read_clock(CLOCK_REALTIME); }

std::uint64_t entropy() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace tako::runtime
