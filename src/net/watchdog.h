// Watchdog: one moving deadline per connection, in place of a timer per operation.
//
// set() mostly only stores a number: the one timer is armed again when it fires early. Lives on one loop, in the
// object it watches; `fire` closes what is being waited on. A loop that stops fires it too.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "runtime/loop.h"

namespace tako::net {

class Watchdog {
 public:
  Watchdog(runtime::Loop& loop, std::function<void()> fire) : loop_(loop), fire_(std::move(fire)) {}
  ~Watchdog() { disarm(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void set(TimePoint deadline) {
    deadline_ = deadline;
    if (timer_ && timer_->first <= deadline) return;
    disarm();
    arm(deadline);
  }

  void set_in(Duration duration) { set(loop_.now() + duration); }

  // Nothing is waited for. The timer may still run, to no effect.
  void clear() { deadline_ = TimePoint::max(); }
  bool watching() const { return deadline_ != TimePoint::max(); }

 private:
  void arm(TimePoint at) { timer_ = loop_.add_timer(at, [this] { on_timer(); }); }

  void disarm() {
    if (timer_) loop_.cancel_timer(*std::exchange(timer_, std::nullopt));
  }

  void on_timer() {
    timer_.reset();
    if (!watching()) return;
    if (loop_.stopping() || loop_.now() >= deadline_) return fire_();
    arm(deadline_);
  }

  runtime::Loop& loop_;
  const std::function<void()> fire_;
  TimePoint deadline_ = TimePoint::max();
  std::optional<runtime::TimerQueue::Id> timer_;
};

}  // namespace tako::net
