#include "runtime/sync.h"

#include <asio/async_result.hpp>

namespace tako::runtime {

void Signal::notify() {
  if (waiter_) {
    wake(true);
  } else {
    notified_ = true;
  }
}

Task<bool> Signal::wait(TimePoint deadline) {
  ASSERT(!waiter_);
  if (std::exchange(notified_, false)) co_return true;
  if (loop_.stopping()) co_return false;
  auto suspend = [this, deadline](auto handler) {
    waiter_.emplace(std::move(handler));
    timer_ = loop_.add_timer(deadline, [this] {
      timer_.reset();
      wake(false);
    });
  };
  const bool notified =
      co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(suspend, use_task);
  co_return notified;
}

// Resumed by a post, never inside the caller's stack: whoever notifies is not re-entered.
void Signal::wake(bool notified) {
  Handler handler = std::move(*waiter_);
  waiter_.reset();
  if (timer_) loop_.cancel_timer(*std::exchange(timer_, std::nullopt));
  loop_.post([handler = std::move(handler), notified]() mutable { std::move(handler)(notified); });
}

void Gate::leave() {
  ASSERT(inside_ > 0);
  if (--inside_ > 0 || !waiter_) return;
  Handler handler = std::move(*waiter_);
  waiter_.reset();
  loop_.post([handler = std::move(handler)]() mutable { std::move(handler)(); });
}

Task<> Gate::drained() {
  if (inside_ == 0) co_return;
  ASSERT(!waiter_);
  auto suspend = [this](auto handler) { waiter_.emplace(std::move(handler)); };
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(suspend, use_task);
}

bool Slots::try_acquire() {
  if (free_ == 0) return false;
  --free_;
  return true;
}

Task<bool> Slots::acquire(TimePoint deadline) {
  if (try_acquire()) co_return true;
  Signal signal(loop_);
  waiting_.push_back(&signal);
  const bool given = co_await signal.wait(deadline);
  if (given) co_return true;
  // A release may have named us between the deadline and this line: then the slot is ours after all.
  if (std::erase(waiting_, &signal) == 0) co_return true;
  co_return false;
}

void Slots::release() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  Signal* next = waiting_.front();
  waiting_.pop_front();
  next->notify();
}

}  // namespace tako::runtime
