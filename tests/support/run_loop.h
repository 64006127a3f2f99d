// RealLoop and VirtualLoop: a loop for a test, with run(f): f() makes a Task<T>, run drives it to its end, returns T.
//
// RealLoop has the system's clock, worker threads and I/O; VirtualLoop has a clock that jumps to the next timer as
// soon as nothing else is ready, so that it sleeps never and replays by its seed. Both live on the test's thread.
//
//   VirtualLoop world(seed);
//   const bool in_time = world.run([&]() -> Task<bool> { co_return co_await world.loop().sleep(seconds(5)); });
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/sync.h"
#include "runtime/workers.h"
#include "support/scheduler.h"

namespace tako::test {


// What a driven task left behind: void or a value, or an exception.
template <class T>
struct Outcome {
  std::optional<T> value;
  std::exception_ptr exception;
  bool done = false;

  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Outcome<void> {
  std::exception_ptr exception;
  bool done = false;

  void take() {
    if (exception) std::rethrow_exception(exception);
  }
};

template <class T, class F>
void start(asio::io_context& io, F& make, Outcome<T>& outcome) {
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(io, make(), [&outcome](std::exception_ptr e) {
      outcome.exception = e;
      outcome.done = true;
    });
  } else {
    asio::co_spawn(io, make(), [&outcome](std::exception_ptr e, T value) {
      outcome.exception = e;
      outcome.value = std::move(value);
      outcome.done = true;
    });
  }
}

template <class F>
using TaskValue = typename std::invoke_result_t<F&>::value_type;

class RealLoop {
 public:
  explicit RealLoop(unsigned workers = 2, std::uint64_t seed = 1)
      : workers_(workers), loop_(io_, clock_, seed) {
    loop_.adopt_this_thread();
  }
  ~RealLoop() { workers_.join(); }

  runtime::Loop& loop() { return loop_; }
  runtime::Workers& workers() { return workers_; }

  template <class F>
  TaskValue<F> run(F make) {
    const runtime::Loop::Turn turn(loop_);
    Outcome<TaskValue<F>> outcome;
    const auto guard = asio::make_work_guard(io_);
    io_.restart();
    start<TaskValue<F>>(io_, make, outcome);
    while (!outcome.done) io_.run_one();
    return outcome.take();
  }

 private:
  asio::io_context io_{1};
  runtime::SystemClock clock_;
  runtime::Workers workers_;
  runtime::Loop loop_;
};

class VirtualLoop {
 public:
  explicit VirtualLoop(std::uint64_t seed = 1) : scheduler_(clock_, seed), loop_(scheduler_, clock_, seed) {}

  runtime::Loop& loop() { return loop_; }
  runtime::Workers& workers() { return workers_; }
  VirtualClock& clock() { return clock_; }
  // For more loops beside this one.
  Scheduler& scheduler() { return scheduler_; }

  // Throws if the task waits for something that never comes.
  template <class F>
  TaskValue<F> run(F make) {
    Outcome<TaskValue<F>> outcome;
    start<TaskValue<F>>(loop_.io(), make, outcome);
    scheduler_.woken(loop_);
    for (scheduler_.drain(); !outcome.done; scheduler_.drain()) {
      if (!step()) throw std::runtime_error("the task waits for ever");
    }
    return outcome.take();
  }

  // Runs what is ready, and moves to the next timer. False: there is none.
  bool step() {
    scheduler_.drain();
    const auto next = scheduler_.next_moment();
    if (!next || *next == TimePoint::max()) return false;
    return scheduler_.step(*next);
  }

 private:
  VirtualClock clock_;
  runtime::Workers workers_{0};
  Scheduler scheduler_;
  SimLoop loop_;
};

}  // namespace tako::test
