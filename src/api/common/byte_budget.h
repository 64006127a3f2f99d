// ByteBudget: how many bytes of something (bodies received, bodies being sent) a process holds, over all loops.
//
// The only thing that HTTP connections of different loops share: one relaxed atomic. ByteShare gives back what one
// connection took.
#pragma once

#include <atomic>
#include <cstddef>

namespace tako::api {

class ByteBudget {
 public:
  explicit ByteBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False, and nothing is taken, if it would exceed the budget.
  bool take(std::size_t bytes) {
    const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (before <= bytes_max_ && bytes <= bytes_max_ - before) return true;
    give(bytes);
    return false;
  }
  void give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  bool has(std::size_t bytes) const { return bytes <= bytes_max_ && used() <= bytes_max_ - bytes; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_ = 0;
};

class ByteShare {
 public:
  explicit ByteShare(ByteBudget& budget) : budget_(budget) {}
  ~ByteShare() { clear(); }
  ByteShare(const ByteShare&) = delete;
  ByteShare& operator=(const ByteShare&) = delete;

  ByteBudget& budget() { return budget_; }

  // False: the budget does not allow it, and the share is what it was.
  bool grow_to(std::size_t bytes) {
    if (bytes <= held_) return true;
    if (!budget_.take(bytes - held_)) return false;
    held_ = bytes;
    return true;
  }
  void clear() {
    if (held_ > 0) budget_.give(held_);
    held_ = 0;
  }

 private:
  ByteBudget& budget_;
  std::size_t held_ = 0;
};

// What the connections of all loops and protocols of a process share.
struct ByteBudgets {
  ByteBudgets(std::size_t received_max, std::size_t sending_max) : received(received_max), sending(sending_max) {}
  ByteBudget received;
  ByteBudget sending;
};

}  // namespace tako::api
