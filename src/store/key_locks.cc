#include "store/key_locks.h"

#include <algorithm>

#include "base/plant.h"

namespace tako::store {

bool KeyLock::try_lock() {
  if (planted(Plant::kNoKeyLock)) return true;
  held_ = table_.held_.try_emplace(key_).second;
  return held_;
}

runtime::Task<Status> KeyLock::acquire() {
  if (try_lock()) co_return ok_status();
  std::deque<KeyLock*>& waiters = table_.held_[key_];  // lives until the last waiter has had the key
  const bool full = buggify(table_.loop_.random(), "key_locks/full");
  if (full || waiters.size() >= KeyLocks::kWaitersMax) {
    co_return Status(ErrorCode::kOverloaded, "too many writes to one key; try again later");
  }
  waiters.push_back(this);
  while (!held_) {
    const bool woken = co_await signal_.wait(TimePoint::max());
    if (woken || held_) continue;
    std::erase(waiters, this);
    co_return Status(ErrorCode::kStopping, "the node is stopping; try another one");
  }
  co_return ok_status();
}

KeyLock::~KeyLock() {
  if (!held_) return;
  const auto entry = table_.held_.find(key_);
  if (entry->second.empty()) {
    table_.held_.erase(entry);
    return;
  }
  KeyLock* next = entry->second.front();
  entry->second.pop_front();
  next->held_ = true;
  next->signal_.notify();
}

}  // namespace tako::store
