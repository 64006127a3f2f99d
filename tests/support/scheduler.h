// Scheduler: runs any number of loops on one thread in virtual time, by a seed. Each loop has a queue of its own, as
// each thread has in production. What crosses between loops takes a drawn time, so it arrives in a drawn order; and a
// loop may be slow or stuck while its neighbours run.
//
// The owner moves time: drain() runs what is ready now, step() goes on to the next timer. Loops register when they are
// made and leave when they are destroyed. REQUIRES: the scheduler and its clock outlive them
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <asio/io_context.hpp>

#include "base/random.h"
#include "runtime/loop.h"
#include "support/virtual_clock.h"

namespace tako::test {

using runtime::Task;

class Scheduler;

namespace detail {
struct OwnContext {
  asio::io_context context{ASIO_CONCURRENCY_HINT_UNSAFE};  // one thread: no locks
};
}  // namespace detail

class SimLoop final : private detail::OwnContext, public runtime::Loop {
 public:
  SimLoop(Scheduler& scheduler, const runtime::Clock& clock, std::uint64_t seed);
  ~SimLoop();

  // It runs nothing until it is let go: its process is stopped.
  void hold(bool held);
  // It runs nothing until then: it is stuck.
  void stall_until(TimePoint until) { stalled_until_ = std::max(stalled_until_, until); }
  void let_run();
  // What it sends arrives at once: it stands for the world, not for a thread.
  void be_the_world() { world_ = true; }
  // Whenever it has run, it does nothing for a drawn time up to this. Zero: it is as fast as the others.
  void slow_down(Duration pause_max) { pause_max_ = pause_max; }

 private:
  friend class Scheduler;
  Scheduler& scheduler_;
  bool world_ = false;
  bool held_ = false;
  bool ready_ = false;  // it is in the scheduler's list
  std::size_t place_;   // in the scheduler's list of all
  TimePoint stalled_until_ = TimePoint::min();
  Duration pause_max_ = Duration::zero();
};

class Scheduler final : public runtime::Loop::Driver {
 public:
  // Of messages between loops: most take up to `usual`, some up to `late`. Zero: none takes any time.
  struct Crossing {
    Duration usual = Duration::zero();
    Duration late = Duration::zero();
    std::uint32_t late_ppm = 0;
  };

  Scheduler(VirtualClock& clock, std::uint64_t seed) : clock_(clock), random_(seed) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void set_crossing(Crossing crossing) { crossing_ = crossing; }

  // All that can run now, until nothing can. Loops take turns in a drawn order. What runs may call it: whoever switches
  // a machine off lets its loops run to their end.
  void drain() {
    ready_.insert(ready_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    while (!ready_.empty()) {
      std::swap(ready_[ready_.size() == 1 ? 0 : random_.below(ready_.size())], ready_.back());
      SimLoop& loop = *ready_.back();
      ready_.pop_back();
      if (!runs(loop)) {
        waiting_.push_back(&loop);
        continue;
      }
      loop.ready_ = false;
      const runtime::Loop::Turn turn(loop);
      loop.io().restart();
      loop.io().poll();
      if (loop.pause_max_ > Duration::zero()) pause(loop);
    }
    std::swap(ready_, waiting_);
  }

  // Runs what is ready, then moves on to the next moment at which a loop has something to do. False: there is none up
  // to `limit`, which it is now.
  bool step(TimePoint limit) {
    drain();
    const auto next = next_moment();
    if (!next || *next > limit) {
      clock_.advance_to(limit);
      return false;
    }
    clock_.advance_to(*next);
    fire();
    return true;
  }

  // A bound for when something happens; none: nothing will.
  std::optional<TimePoint> next_moment() {
    TimePoint next = kNever;
    for (const SimLoop* loop : ready_) {
      if (!loop->held_) next = std::min(next, loop->stalled_until_);
    }
    for (std::size_t i = 0; i < loops_.size(); ++i) {
      if (fires_at_[i] >= next) continue;
      fires_at_[i] = when_it_fires(*loops_[i]);
      next = std::min(next, fires_at_[i]);
    }
    if (next == kNever) return std::nullopt;
    return next;
  }

  void woken(runtime::Loop& loop) override {
    auto& mine = static_cast<SimLoop&>(loop);
    if (std::exchange(mine.ready_, true)) return;
    ready_.push_back(&mine);
  }

  void timer_set(runtime::Loop& loop, TimePoint at) override { look_at(static_cast<SimLoop&>(loop), at); }

  Duration crossing(const runtime::Loop& from, const runtime::Loop&) override {
    if (crossing_.usual == Duration::zero() || static_cast<const SimLoop&>(from).world_) return Duration::zero();
    const Duration most = random_.chance_ppm(crossing_.late_ppm) ? crossing_.late : crossing_.usual;
    return Duration(random_.below(static_cast<std::uint64_t>(most.count()) + 1));
  }

 private:
  friend class SimLoop;
  static constexpr TimePoint kNever = TimePoint::max();

  void look_at(const SimLoop& loop, TimePoint at) { fires_at_[loop.place_] = std::min(fires_at_[loop.place_], at); }
  static TimePoint when_it_fires(const SimLoop& loop) {
    const auto timer = loop.held_ ? std::nullopt : loop.next_timer();
    return timer ? std::max(*timer, loop.stalled_until_) : kNever;
  }
  bool runs(const SimLoop& loop) const { return !loop.held_ && loop.stalled_until_ <= clock_.now(); }
  void pause(SimLoop& loop) {
    loop.stall_until(clock_.now() + Duration(random_.below(static_cast<std::uint64_t>(loop.pause_max_.count()) + 1)));
  }

  void fire() {
    const std::size_t count = loops_.size();
    for (std::size_t i = 0; i < count && i < loops_.size(); ++i) {
      if (fires_at_[i] > clock_.now()) continue;
      SimLoop& loop = *loops_[i];
      const auto timer = loop.next_timer();
      if (!timer || *timer > clock_.now() || !runs(loop)) continue;
      const runtime::Loop::Turn turn(loop);
      loop.fire_due();
    }
  }

  VirtualClock& clock_;
  Random random_;
  Crossing crossing_;
  std::vector<SimLoop*> loops_;
  // By loop: it fires no timer before that. There are many loops and as many moments: to ask each at each is slow.
  std::vector<TimePoint> fires_at_;
  std::vector<SimLoop*> ready_;
  std::vector<SimLoop*> waiting_;  // while it drains: ready, and held or stalled
};

inline SimLoop::SimLoop(Scheduler& scheduler, const runtime::Clock& clock, std::uint64_t seed)
    : Loop(context, clock, seed, &scheduler), scheduler_(scheduler), place_(scheduler.loops_.size()) {
  scheduler.loops_.push_back(this);
  scheduler.fires_at_.push_back(Scheduler::kNever);
}

inline SimLoop::~SimLoop() {
  auto& loops = scheduler_.loops_;
  loops.erase(loops.begin() + static_cast<std::ptrdiff_t>(place_));
  scheduler_.fires_at_.erase(scheduler_.fires_at_.begin() + static_cast<std::ptrdiff_t>(place_));
  for (std::size_t i = place_; i < loops.size(); ++i) loops[i]->place_ = i;
  std::erase(scheduler_.ready_, this);
  std::erase(scheduler_.waiting_, this);
}

inline void SimLoop::hold(bool held) {
  held_ = held;
  scheduler_.look_at(*this, TimePoint::min());
}

inline void SimLoop::let_run() {
  stalled_until_ = TimePoint::min();
  pause_max_ = Duration::zero();
  scheduler_.look_at(*this, TimePoint::min());
}

}  // namespace tako::test
