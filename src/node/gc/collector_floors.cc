// The Collector: from being fenced to a floor, and what is dropped by it.
#include <algorithm>

#include "base/log.h"
#include "base/plant.h"
#include "node/gc/collector.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr Duration kPauseMax = seconds(1);

// Those of one store in which something has ended by its floor.
Task<std::vector<model::Partition>> due_on(Shard* shard, const store::Floors* floors, Timestamp by_clock) {
  const store::Digests& digests = shard->store().digests();
  std::vector<model::Partition> due;
  const PartitionSet candidates = digests.ending() & digests.known();
  candidates.for_each([&](model::Partition p) {
    const Timestamp floor = std::max(floors->of(p), by_clock);
    if (floor != 0 && digests.ends(p) <= floor) due.push_back(p);
  });
  co_return due;
}

}  // namespace

// --- sync -------------------------------------------------------------------------------------------------------

// What all owners are fenced for by now, further than we have synced: whatever is compared from here on counts.
void Collector::watch() {
  const bool early = planted(Plant::kFloorSyncEarly);
  PartitionSet fresh;
  const PartitionSet candidates = ((early ? interest_ : told_.whole) - watched_) - begun_anew_;
  candidates.for_each([&](model::Partition p) {
    // Early: at the next fence, which nobody has yet. Before the others alone would do no harm here: of each two the
    // one that is fenced later compares as well.
    const Timestamp fenced = early ? fence_ + static_cast<Timestamp>(parts_.options.step.count()) : told_.fence[p];
    if (fenced <= synced_[p]) return;
    fresh.set(p);
    watched_since_[p] = fenced;
  });
  if (fresh.none()) return;
  watched_ |= fresh;
  for (auto& [id, peer] : peers_) peer.agreed -= fresh;
  repairer_->begin_sweep(fresh);
}

// True: something new was found equal.
Task<bool> Collector::compare() {
  const auto duties = duties_;
  const auto placement = placement_;
  bool any = false;
  for (const auto& [index, shared] : duties->shared) {
    const auto& node = placement->nodes()[index];
    Peer& peer = peers_[node.id];
    peer.agreed |= repairer_->swept_with(node.id) & watched_;
    const PartitionSet begun = watched_;
    const PartitionSet open = (shared & begun) - peer.agreed;
    if (open.none()) continue;
    const std::uint64_t incarnation = peer.incarnation;
    const net::Peer to{node.id, node.host, node.port};
    const auto outcome = co_await comparer_.compare(to, shared, duties->stamp);
    if (!same(duties)) co_return any;
    Peer& now = peers_[node.id];
    if (!outcome.answered || outcome.busy || now.incarnation != incarnation) continue;
    // What was watched before and is watched still; not what began anew meanwhile.
    const PartitionSet equal = ((open & watched_) - outcome.differing) - outcome.unknown;
    any |= !equal.none();
    now.agreed |= equal;
  }
  co_return any;
}

bool Collector::count_synced() {
  check_incarnation();
  PartitionSet done = watched_;
  for (const auto& [index, shared] : duties_->shared) {
    if (planted(Plant::kFloorUnsynced)) break;
    done -= shared - peers_[placement_->nodes()[index].id].agreed;
  }
  done.for_each([this](model::Partition p) {
    if (!parts_.standing->votes(p)) return;
    synced_[p] = std::max(synced_[p], watched_since_[p]);
  });
  watched_ -= done;
  return !done.none();
}

// --- floors -----------------------------------------------------------------------------------------------------

// By what the others said in this turn, of themselves as they are now.
Task<bool> Collector::raise_floors() {
  Repairer::FloorList floors;
  const std::uint64_t since = parts_.floors->losses();
  interest_.for_each([&](model::Partition p) {
    Timestamp floor = std::min(told_.synced[p], synced_[p]);
    bool all = told_.whole[p] && !begun_anew_[p];
    if (planted(Plant::kFloorMajority)) {
      all = told_.votes_for[p] > placement_->replicas(p).size() / 2;
      floor = synced_[p];
    }
    if (planted(Plant::kFloorSyncEarly) && told_.fence[p] < floor) return;
    if (all && floor > parts_.floors->of(p)) floors.emplace_back(p, floor);
  });
  if (floors.empty()) co_return false;
  counters_.partitions += floors.size();
  co_return co_await raise(std::move(floors), since, true);
}

Task<bool> Collector::raise(Repairer::FloorList floors, std::uint64_t since, bool as_voter) {
  bool raised = true;
  for (std::size_t i = 0; i < parts_.shards->size(); ++i) {
    Shard& shard = parts_.shards->at(i);
    Repairer::FloorList part;
    for (const auto& one : floors) {
      if (parts_.shards->index_of(one.first) == i) part.push_back(one);
    }
    if (part.empty()) continue;
    auto raising = shard.raise_floors(std::move(part), since, as_voter);
    const Status status = co_await runtime::run_on(shard.loop(), std::move(raising));
    raised &= status.ok();
  }
  co_return raised;
}

Task<> Collector::take_floors(Repairer::FloorList floors, std::uint64_t since) {
  std::erase_if(floors, [this](const auto& one) { return one.second <= parts_.floors->of(one.first); });
  if (floors.empty()) co_return;
  const bool raised = co_await raise(std::move(floors), since, false);
  if (raised) kick_.notify();
}

// A peer has a floor that is above ours. If we have synced that far ourselves it is ours too; else, since an owner is
// away now perhaps, reading it brings what is missing, and the floor with it.
Task<bool> Collector::catch_up() {
  Repairer::FloorList ours;
  const std::uint64_t since = parts_.floors->losses();
  for (auto& [id, peer] : peers_) {
    PartitionSet behind;
    for (const auto& [p, floor] : peer.ahead) {
      if (floor <= parts_.floors->of(p) || begun_anew_[p]) continue;
      if (synced_[p] >= floor) {
        ours.emplace_back(p, floor);
      } else {
        behind.set(p);
      }
    }
    peer.ahead.clear();
    if (!behind.none()) repairer_->read_from(id, behind);
  }
  if (ours.empty()) co_return false;
  co_return co_await raise(std::move(ours), since, true);
}

// --- dropping ---------------------------------------------------------------------------------------------------

Task<bool> Collector::drop() {
  const Timestamp by_clock = planted(Plant::kTombstoneByClock) ? grid() : 0;
  const std::uint64_t before = counters_.rows + counters_.promises;
  for (Shard* shard : *parts_.shards) {
    auto look = due_on(shard, parts_.floors, by_clock);
    const auto due = co_await runtime::run_on(shard->loop(), std::move(look));
    for (const model::Partition p : due) {
      if (loop().stopping()) co_return false;
      const TimePoint began = loop().now();
      auto dropping = shard->store().drop_ended(p, std::max(parts_.floors->of(p), by_clock));
      const auto dropped = co_await runtime::run_on(shard->loop(), std::move(dropping));
      if (!dropped) co_return false;
      counters_.rows += dropped->rows;
      counters_.promises += dropped->promises;
      const Duration taken = std::min(loop().now() - began, kPauseMax);
      if (taken > Duration::zero()) co_await loop().sleep(taken);
    }
  }
  co_return counters_.rows + counters_.promises > before;
}

}  // namespace tako::node
