// VirtualClock: time that moves only when a test or the simulator moves it.
#pragma once

#include <algorithm>

#include "runtime/clock.h"

namespace tako::test {

class VirtualClock final : public runtime::Clock {
 public:
  TimePoint now() const override { return now_; }
  Timestamp wall() const override { return wall_base_ + static_cast<Timestamp>(now_.time_since_epoch().count()); }
  void advance_to(TimePoint at) { now_ = std::max(now_, at); }

 private:
  TimePoint now_{seconds(1000)};
  Timestamp wall_base_ = 1'700'000'000'000'000;
};

}  // namespace tako::test
