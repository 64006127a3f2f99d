// KeyLocks and KeyLock: one at a time in a key, in the order of asking. On one loop; nothing here blocks a thread.
//
// The table has an entry only for a key that is held. A KeyLock lives in the frame of the coroutine that locks and
// lets go in its destructor, handing the key to the first who waits. There are no deadlocks, since nobody who holds one
// waits for another.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "base/result.h"
#include "runtime/sync.h"

namespace tako::store {

class KeyLock;

class KeyLocks {
 public:
  static constexpr std::size_t kWaitersMax = 4096;  // at one key

  explicit KeyLocks(runtime::Loop& loop) : loop_(loop) {}
  ~KeyLocks() { ASSERT(held_.empty()); }

  std::size_t keys_held() const { return held_.size(); }

 private:
  friend class KeyLock;
  runtime::Loop& loop_;
  std::map<std::string, std::deque<KeyLock*>> held_;  // and who waits for it
};

class KeyLock {
 public:
  // REQUIRES: table and key outlive the lock
  KeyLock(KeyLocks& table, const std::string& key) : table_(table), key_(key), signal_(table.loop_) {}
  ~KeyLock();
  KeyLock(const KeyLock&) = delete;
  KeyLock& operator=(const KeyLock&) = delete;

  // Waits its turn. kOverloaded: too many wait; kStopping: the loop stops.
  runtime::Task<Status> acquire();
  // False: somebody holds it. For work that can leave the key to the next time.
  bool try_lock();

 private:
  KeyLocks& table_;
  const std::string& key_;
  bool held_ = false;
  runtime::Signal signal_;
};

}  // namespace tako::store
