#include "runtime/loop.h"

#include <algorithm>
#include <cstdio>
#include <exception>

#include <asio/co_spawn.hpp>

#include "runtime/sync.h"

namespace tako::runtime {
namespace {

// A wait without an end is TimePoint::max(), which does not fit into Asio's nanoseconds: it is armed again meanwhile.
constexpr Duration kAlarmMax = hours(1);

[[noreturn]] void die_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "a task ended with an exception, which is a bug: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "a task ended with an exception of no known type, which is a bug\n");
  }
  std::abort();
}

}  // namespace

Loop::Loop(asio::io_context& io, const Clock& clock, std::uint64_t seed, Drive drive)
    : io_(io), clock_(clock), random_(seed), drive_(drive), alarm_(io) {}

Loop::~Loop() = default;

void Loop::spawn(Gate& gate, Task<> task) {
  gate.enter();
  asio::co_spawn(io_, std::move(task), [&gate](std::exception_ptr exception) {
    if (exception) die_of(exception);
    gate.leave();
  });
}

Task<> Loop::visit(Task<> task) { return asio::co_spawn(executor(), std::move(task), use_task); }

Task<bool> Loop::sleep(Duration duration) {
  const TimePoint at = now() + duration;
  co_return co_await sleep_until(at);
}

Task<bool> Loop::sleep_until(TimePoint at) {
  Signal signal(*this);
  co_await signal.wait(at);
  co_return !stopping_;
}

TimerQueue::Id Loop::add_timer(TimePoint at, std::function<void()> fire) {
  const auto id = timers_.add(at, std::move(fire));
  if (drive_ == Drive::kAsio && (!armed_ || at < *armed_)) arm();
  return id;
}

void Loop::arm() {
  const auto next = timers_.next();
  if (!next) {
    armed_.reset();
    return;
  }
  armed_ = next;
  alarm_.expires_after(std::clamp<Duration>(*next - now(), Duration::zero(), kAlarmMax));
  alarm_.async_wait([this](const asio::error_code& error) {
    if (error) return;  // armed anew, or the loop is gone
    armed_.reset();
    timers_.fire_due(now());
    arm();
  });
}

void Loop::stop() {
  stopping_ = true;
  timers_.fire_all();
  if (drive_ == Drive::kAsio) {
    armed_.reset();
    alarm_.cancel();
  }
}

void Loop::check_here() const {
  if (drive_ == Drive::kAsio) ASSERT(thread_ == std::this_thread::get_id());
}

}  // namespace tako::runtime
