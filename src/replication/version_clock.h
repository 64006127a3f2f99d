// VersionClock: issues versions, never one twice, and never one that is not above all it was told of.
//
// Any wall clock is good enough for safety: a version below what the replicas hold is refused by them, and the refusal
// teaches the clock. A foreign clock is followed for a minute at most (kFollowMax), or one bad machine would drag all
// versions into the future; above that, the key's own writes go above it, and others do not.
// One per loop; the writer is drawn at start, so two processes, or one before and after a restart, never collide.
// The loops of a process share the mark (VersionMark): a client whose requests land on different loops would else see
// its second write lose to its first, because one loop learned of a clock ahead of ours and the other did not.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>

#include "model/version.h"
#include "runtime/clock.h"

namespace tako::replication {

// The highest timestamp issued or learned.
using VersionMark = std::atomic<Timestamp>;

class VersionClock {
 public:
  static constexpr Timestamp kFollowMax = 60'000'000;  // microseconds ahead of our own clock

  VersionClock(const runtime::Clock& clock, std::uint64_t writer, std::shared_ptr<VersionMark> mark)
      : clock_(clock), writer_(writer), mark_(std::move(mark)) {}

  Timestamp wall() const { return clock_.wall(); }

  // Above `floor` (the highest ballot seen for the key), and all issued before.
  model::Version next(const model::Version& floor = {}) {
    Timestamp last = mark_->load();
    Timestamp base = 0;
    do {
      base = std::max(clock_.wall(), last + 1);
      if (floor.timestamp >= base) return model::Version{floor.timestamp + 1, writer_ + ++drawn_};
    } while (!mark_->compare_exchange_weak(last, base));
    return model::Version{base, writer_};
  }

  // With a client's own timestamp. The writer is new each time: the same timestamp twice is two versions.
  model::Version given(Timestamp timestamp) { return model::Version{timestamp, writer_ + ++drawn_}; }

  void learn(const model::Version& seen) {
    Timestamp last = mark_->load();
    while (seen.timestamp > last && seen.timestamp <= clock_.wall() + kFollowMax) {
      if (mark_->compare_exchange_weak(last, seen.timestamp)) break;
    }
  }

 private:
  const runtime::Clock& clock_;
  const std::uint64_t writer_;
  std::uint64_t drawn_ = 0;
  const std::shared_ptr<VersionMark> mark_;
};

}  // namespace tako::replication
