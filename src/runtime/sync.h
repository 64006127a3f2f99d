// What tasks of one loop wait with: Signal (wake me), Gate (who is still inside).
//
// No mutex, no strand: both belong to one loop. Everything else that waits (a call, a quorum, a queue) is plain state
// beside a Signal.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/check.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace tako::runtime {

// A condition variable for one waiter, with a deadline. notify() before wait() is remembered, once.
//
//   while (!done) {
//     const bool woken = co_await signal.wait(deadline);
//     if (!woken) break;
//   }
class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}
  ~Signal() { ASSERT(!waiter_); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notify();

  // False: the deadline passed, or the loop is stopping. REQUIRES: nobody else waits.
  Task<bool> wait(TimePoint deadline);

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<Executor>, void(bool)>::handler_type;

  void wake(bool notified);

  Loop& loop_;
  std::optional<Handler> waiter_;
  std::optional<TimerQueue::Id> timer_;
  bool notified_ = false;
};

// Counts the tasks that use an object, so that it is destroyed after the last. (Seastar's gate.)
class Gate {
 public:
  explicit Gate(Loop& loop) : loop_(loop) {}
  ~Gate() { ASSERT(inside_ == 0 && !waiter_); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void enter() { ++inside_; }
  void leave();
  std::size_t inside() const { return inside_; }

  // Returns when nobody is inside. The one wait without a deadline, since it is for a loop that stops: what is inside
  // ends because every other wait has one. The owner lets nobody enter meanwhile.
  Task<> drained();

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;

  Loop& loop_;
  std::size_t inside_ = 0;
  std::optional<Handler> waiter_;
};

// Holds a Gate open for a scope.
class GatePass {
 public:
  explicit GatePass(Gate& gate) : gate_(&gate) { gate.enter(); }
  GatePass(GatePass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
  GatePass& operator=(GatePass&&) = delete;
  ~GatePass() {
    if (gate_) gate_->leave();
  }

 private:
  Gate* gate_;
};

// At most N at once; the others wait in order.
class Slots {
 public:
  Slots(Loop& loop, std::size_t count) : loop_(loop), free_(count) {}

  // False: the deadline passed or the loop is stopping; there is nothing to release then.
  Task<bool> acquire(TimePoint deadline);
  // False: none is free now.
  bool try_acquire();
  void release();
  std::size_t free() const { return free_; }

 private:
  Loop& loop_;
  std::size_t free_;
  std::deque<Signal*> waiting_;
};

}  // namespace tako::runtime
