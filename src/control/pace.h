// Pace: how fast a reconfiguration goes, for an estimate of the time it still takes; and how far it is, as JSON.
//
// It remembers the first count of a configuration that it was told of, which is all a restarted coordinator forgets.
// A value on the coordinator's loop. Estimates only: nothing is decided by it.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "control/arrival.h"

namespace tako::control {

class Pace {
 public:
  void note(const wire::ConfigStamp& configuration, TimePoint now, std::uint64_t read) {
    if (first_ && first_->of == configuration && first_->read <= read) return;
    first_ = First{configuration, now, read};
  }
  // None while nothing has moved since the first count.
  std::optional<Duration> left(TimePoint now, std::uint64_t read, std::uint64_t to_read) const;

 private:
  struct First {
    wire::ConfigStamp of;
    TimePoint at;
    std::uint64_t read = 0;
  };
  std::optional<First> first_;
};

// {"version", "active", "target", "phase": "settled" | "moving" | "arrived", "owned", "arrived", "read", "to_read",
//  "missing": [...], "missing_nodes", "unfenced", "behind": [...], "reason", "seconds_left"}; what is not known is null
//  or left out.
std::string progress_json(const model::Placement& placement, const std::optional<Arrival>& arrival, const Pace& pace,
                          TimePoint now);

}  // namespace tako::control
