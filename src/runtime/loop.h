// Loop: one thread's event loop: time, timers, tasks and a random stream. An object belongs to one loop and is used on
// it only; between loops there are messages (post, run_on). check_here() is how an object says so.
//
// In production a loop has a thread of its own (Process). In the simulator and in tests all loops run on one thread and
// in virtual time. Each has a queue of its own there too (an io_context), so code on one loop cannot tell the
// difference: a Driver runs them in turn, and says how long a message takes from one loop to another.
// Every wait has a deadline, and stop() fires all timers: so nothing waits for ever.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <asio/basic_waitable_timer.hpp>
#include <asio/post.hpp>

#include "base/check.h"
#include "base/random.h"
#include "runtime/clock.h"
#include "runtime/task.h"
#include "runtime/timers.h"

namespace tako::runtime {

class Gate;

class Loop {
 public:
  // Runs loops by hand, all of them on one thread: poll() of their io_contexts, next_timer() and fire_due(), each
  // within a Turn. Messages between its loops may arrive in any order, whatever order they were sent in.
  class Driver {
   public:
    virtual ~Driver() = default;
    // The loop has something to run.
    virtual void woken(Loop& loop) = 0;
    // The loop has a timer more.
    virtual void timer_set(Loop& loop, TimePoint at) = 0;
    // How long a message takes from one loop to another.
    virtual Duration crossing(const Loop& from, const Loop& to) = 0;
  };

  // While it lives, this thread runs the loop.
  class Turn {
   public:
    explicit Turn(Loop& loop) : before_(std::exchange(current_, &loop)) {}
    ~Turn() { current_ = before_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Loop* const before_;
  };

  // Without a driver the io_context is run by a thread. REQUIRES: all outlive the loop
  Loop(asio::io_context& io, const Clock& clock, std::uint64_t seed, Driver* driver = nullptr);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  asio::io_context& io() { return io_; }
  Executor executor() { return io_.get_executor(); }
  TimePoint now() const { return clock_.now(); }
  Timestamp wall() const { return clock_.wall(); }
  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }

  // Runs `f` on this loop, later. From any thread.
  template <class F>
  void post(F f) {
    if (foreign()) {
      auto message = std::make_shared<F>(std::move(f));
      arrive([message] { std::move (*message)(); });
      return;
    }
    asio::post(io_, std::move(f));
    if (driver_) driver_->woken(*this);
  }

  // Runs the task on this loop. An exception that leaves it is a bug: the process ends with its text. The gate is open
  // until the task is done. On this loop only.
  void spawn(Gate& gate, Task<> task);

  // Runs the task on this loop, and resumes the caller on its own: run_on (run_on.h) is this with a result.
  Task<> visit(Task<> task);

  // False when the loop stopped before the time came.
  Task<bool> sleep(Duration duration);
  Task<bool> sleep_until(TimePoint at);

  TimerQueue::Id add_timer(TimePoint at, std::function<void()> fire);
  void cancel_timer(const TimerQueue::Id& id) { timers_.cancel(id); }

  // After stop() every wait returns at once, as if its deadline had passed. On this loop only.
  void stop();
  bool stopping() const { return stopping_; }

  // For whoever drives by hand.
  std::optional<TimePoint> next_timer() const { return timers_.next(); }
  void fire_due() { timers_.fire_due(now()); }

  // REQUIRES: called on this loop. Costs a comparison. What a driver's owner does between turns passes.
  void check_here() const { ASSERT(current_ == this || (driver_ && !current_)); }
  // For the thread that runs it, until its end.
  void adopt_this_thread() { current_ = this; }

 private:
  struct Visit;

  void arm();
  // Driven by hand, and called by another loop?
  bool foreign() const { return driver_ && current_ && current_ != this; }
  // The message comes to this loop from the one that runs now. Those that stop wait for nothing.
  void arrive(std::function<void()> message);
  Task<> visit_by_hand(Task<> task);

  static inline constinit thread_local Loop* current_ = nullptr;

  using AsioTimer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

  asio::io_context& io_;
  const Clock& clock_;
  Random random_;
  Driver* const driver_;
  TimerQueue timers_;
  std::optional<AsioTimer> alarm_;  // none where it is driven by hand
  std::optional<TimePoint> armed_;
  bool stopping_ = false;
};

}  // namespace tako::runtime
