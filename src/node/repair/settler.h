// Settler: has those keys agreed on that repair alone cannot make equal, because a promise is in the way (protocol
// rules 18 and 23).
//
// A proposer that stopped half-way leaves a promise: replicas that gave it refuse copies of what is below, and a node
// that catches up may not take such a value for chosen. Somebody has to settle the key: to prepare a ballot above the
// promise and have a majority accept the newest value under it. That is what the agreement does, which a node is given
// (replication/replicator.h: agree()). What a settled key leaves is a record above all that was promised, and copies of
// that go through; so the next pass finishes what this one had to leave.
// And what a settled key may have cost: a write that was answered at a level below a majority, and that the majority
// which settled the key did not know of, is replaced by an older version under a higher ballot. It was never chosen, so
// no strict operation has seen it; it takes effect now, again as if written, above what replaced it. Versions tell: any
// that was built on it is newer.
// It is kept in memory only until then: each replica that had it does the same.
// Harmless beside everything else, since it is a strict read of one more client. On the node's first loop. Bounded in
// keys; what finds no place is found again by the next pass.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "model/record.h"
#include "runtime/sync.h"

namespace tako::node {

using runtime::Task;

class Settler {
 public:
  static constexpr std::size_t kKeysMax = 4096;
  static constexpr std::size_t kAtOnce = 8;
  static constexpr std::size_t kRescuesMax = 256;  // each with a value of up to a piece

  // The ballot under which a majority holds what is newest, above `promise` and all that this majority has promised,
  // and no older a version than `rescued`. None: there was no agreement in time.
  using Agreement = std::function<Task<std::optional<model::Ballot>>(
      std::string key, std::optional<model::Record> rescued, model::Ballot promise, TimePoint deadline)>;

  struct Counters {
    std::uint64_t settled = 0;
    std::uint64_t rescued = 0;
    std::uint64_t failed = 0;  // no majority, or too much else goes on: the next pass asks again
  };

  // Without an agreement nothing is settled.
  Settler(runtime::Loop& loop, Agreement agreement)
      : loop_(loop), agreement_(std::move(agreement)), turns_(loop, kAtOnce), gate_(loop) {}

  // `promise`: the one that is in the way. It may be one replica's alone, and of a clock far ahead of all others: then
  // no majority tells of it.
  void note(std::string key, model::Ballot promise);
  // At once, for who waits for it.
  Task<std::optional<model::Ballot>> settle_now(std::string key, model::Ballot promise);
  void rescue(std::string key, model::Record record);
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  const Counters& counters() const { return counters_; }

 private:
  Task<> settle(std::string key, model::Ballot promise);
  Task<> bring_back(std::string key, model::Record record);

  runtime::Loop& loop_;
  const Agreement agreement_;
  std::set<std::string> keys_;  // noted, and not settled yet
  std::size_t rescues_ = 0;     // under way
  runtime::Slots turns_;
  runtime::Gate gate_;
  Counters counters_;
};

}  // namespace tako::node
