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

Loop::Loop(asio::io_context& io, const Clock& clock, std::uint64_t seed, Driver* driver)
    : io_(io), clock_(clock), random_(seed), driver_(driver) {
  if (!driver_) alarm_.emplace(io);
}

Loop::~Loop() {
  if (current_ == this) current_ = nullptr;
}

void Loop::spawn(Gate& gate, Task<> task) {
  gate.enter();
  asio::co_spawn(io_, std::move(task), [&gate](std::exception_ptr exception) {
    if (exception) die_of(exception);
    gate.leave();
  });
  if (driver_) driver_->woken(*this);
}

Task<> Loop::visit(Task<> task) {
  if (driver_) return visit_by_hand(std::move(task));
  return asio::co_spawn(executor(), std::move(task), use_task);
}

// --- between loops that are driven by hand ----------------------------------------------------------------------

using VisitHandler = asio::async_result<asio::use_awaitable_t<Executor>, void(std::exception_ptr)>::handler_type;

struct Loop::Visit {
  Task<> task;
  VisitHandler handler;
};

void Loop::arrive(std::function<void()> message) {
  const bool at_once = !foreign() || stopping_ || current_->stopping_;
  const Duration way = at_once ? Duration::zero() : driver_->crossing(*current_, *this);
  if (way > Duration::zero()) {
    add_timer(now() + way, [this, message = std::move(message)]() mutable { post(std::move(message)); });
    return;
  }
  asio::post(io_, std::move(message));
  driver_->woken(*this);
}

Task<> Loop::visit_by_hand(Task<> task) {
  ASSERT(current_);
  Loop& home = *current_;
  auto leave = [this, &home](VisitHandler handler, Task<> work) {
    auto visit = std::make_shared<Visit>(Visit{std::move(work), std::move(handler)});
    arrive([this, &home, visit] {
      auto back = [&home, visit](std::exception_ptr exception) {
        home.arrive([visit, exception] { std::move(visit->handler)(exception); });
      };
      asio::co_spawn(io_, std::move(visit->task), std::move(back));
      driver_->woken(*this);
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(std::exception_ptr)>(leave, use_task,
                                                                                               std::move(task));
}

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
  if (driver_) {
    driver_->timer_set(*this, at);
  } else if (!armed_ || at < *armed_) {
    arm();
  }
  return id;
}

void Loop::arm() {
  const auto next = timers_.next();
  if (!next) {
    armed_.reset();
    return;
  }
  armed_ = next;
  alarm_->expires_after(std::clamp<Duration>(*next - now(), Duration::zero(), kAlarmMax));
  alarm_->async_wait([this](const asio::error_code& error) {
    if (error) return;  // armed anew, or the loop is gone
    armed_.reset();
    timers_.fire_due(now());
    arm();
  });
}

void Loop::stop() {
  const Turn turn(*this);
  stopping_ = true;
  timers_.fire_all();
  if (!driver_) {
    armed_.reset();
    alarm_->cancel();
  }
}

}  // namespace tako::runtime
