// TimerQueue: deadlines in (time, insertion) order. Owned by one Loop and used on it only.
//
// The real loop drives it with one Asio timer, the simulator by moving its clock to next(). Two timers of the same
// instant fire in the order they were set, so that a history replays.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/time.h"

namespace tako::runtime {

class TimerQueue {
 public:
  using Id = std::pair<TimePoint, std::uint64_t>;

  Id add(TimePoint at, std::function<void()> fire) {
    const Id id{at, ++sequence_};
    entries_.emplace(id, std::move(fire));
    return id;
  }

  void cancel(const Id& id) { entries_.erase(id); }

  std::optional<TimePoint> next() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.begin()->first.first;
  }

  // Fires what is due at `now`, and of that only what was there when it was called.
  void fire_due(TimePoint now) {
    const std::uint64_t last = sequence_;
    while (!entries_.empty()) {
      const auto first = entries_.begin();
      if (first->first.first > now || first->first.second > last) return;
      auto fire = std::move(first->second);
      entries_.erase(first);
      fire();
    }
  }

  // Fires all that was there when it was called, whatever they add or cancel meanwhile.
  void fire_all() {
    const std::uint64_t last = sequence_;
    for (auto it = entries_.begin(); it != entries_.end();) {
      const Id id = it->first;
      if (id.second > last) {
        ++it;
        continue;
      }
      auto fire = std::move(it->second);
      entries_.erase(it);
      fire();
      it = entries_.upper_bound(id);
    }
  }

  std::size_t size() const { return entries_.size(); }

 private:
  std::map<Id, std::function<void()>> entries_;
  std::uint64_t sequence_ = 0;
};

}  // namespace tako::runtime
