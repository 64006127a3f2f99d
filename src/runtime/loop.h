// Loop: one thread's event loop: time, timers, tasks and a random stream. An object belongs to one loop and is used on
// it only; between loops there are messages (post, run_on).
//
// In production a loop has a thread of its own (Process). In the simulator many loops, one for each simulated machine,
// share one io_context and a virtual clock: they are driven by poll(), next_timer() and fire_due(), and stop() is how
// a machine dies. Every wait has a deadline, and stopping fires all timers: so nothing waits for ever.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include <asio/basic_waitable_timer.hpp>
#include <asio/post.hpp>

#include "base/random.h"
#include "runtime/clock.h"
#include "runtime/task.h"
#include "runtime/timers.h"

namespace tako::runtime {

class Gate;

class Loop {
 public:
  enum class Drive : unsigned char { kAsio, kByHand };

  // REQUIRES: io and clock outlive the loop
  Loop(asio::io_context& io, const Clock& clock, std::uint64_t seed, Drive drive = Drive::kAsio);
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
    asio::post(io_, std::move(f));
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

  // REQUIRES: called on this loop's thread. Costs a comparison; does nothing where the loop is driven by hand.
  void check_here() const;
  void adopt_this_thread() { thread_ = std::this_thread::get_id(); }

 private:
  void arm();

  using AsioTimer =
      asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

  asio::io_context& io_;
  const Clock& clock_;
  Random random_;
  const Drive drive_;
  TimerQueue timers_;
  AsioTimer alarm_;
  std::optional<TimePoint> armed_;
  bool stopping_ = false;
  std::thread::id thread_;
};

}  // namespace tako::runtime
