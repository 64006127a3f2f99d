// Context: what the parts of one Replicator share: how they call replicas, by which configuration, with which clock,
// and what they count. Owned by the Replicator, which outlives its parts and all that is spawned through the gate. One
// loop.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "model/placement.h"
#include "net/transport.h"
#include "replication/piece_budget.h"
#include "replication/version_clock.h"
#include "runtime/sync.h"

namespace tako::replication {

using runtime::Task;

struct Counters {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t writes_lost = 0;   // to a newer version
  std::uint64_t writes_again = 0;  // refused by all, issued again
  std::uint64_t updates = 0;
  std::uint64_t updates_ahead = 0;  // in one round, by a promise given ahead
  std::uint64_t contended = 0;      // rounds that others were faster in
  std::uint64_t unavailable = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t repairs = 0;          // copies sent to replicas that were behind
  std::uint64_t completed = 0;        // writes of others that stood in the way of ours
  std::uint64_t repairs_skipped = 0;  // over the limit of repairs at once
  Counters& operator+=(const Counters& other);
};

struct Context {
  Context(runtime::Loop& l, net::Transport& t, const runtime::Clock& wall, std::shared_ptr<VersionMark> mark)
      : loop(l), transport(t), clock(wall, l.random().next(), std::move(mark)), gate(l), places(l) {}

  runtime::Loop& loop;
  net::Transport& transport;
  VersionClock clock;
  std::shared_ptr<const model::Placement> placement;  // none: there is no configuration yet
  runtime::Gate gate;
  PieceBudget places;
  std::size_t repairs_running = 0;
  Counters counters;
};

}  // namespace tako::replication
