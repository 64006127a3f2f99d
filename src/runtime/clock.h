// Clock: the only source of time. One of the four seams (time, randomness, network, disk) behind which a simulated
// world can stand.
//
// now() is monotonic and goes on while the machine sleeps (deadlines must); wall() may jump in both directions and is
// trusted for nothing but as the lower bound of new versions. Safe from any thread.
#pragma once

#include "base/time.h"

namespace tako::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual Timestamp wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  Timestamp wall() const override;
};

// A seed from the operating system, for the Random of a production process.
std::uint64_t entropy();

}  // namespace tako::runtime
