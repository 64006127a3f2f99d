// Floors: a node's fence, and the floors of its partitions (protocol rule 20). What they mean is in model/record.h, how
// they come about in node/gc/collector.h; here is where they are kept.
//
// One object a node, used by all its stores and read on all loops: single words, so atomics do. A floor is raised and
// reset by the store that owns the partition, when the row that says so is written (store_floor.cc). The fence is
// raised in memory first, so that nothing slips below it while it is being written; it is told when it is durable.
// A floor says that what is absent here is dead. When a row is taken away that may have been alive, because it was
// handed off or could not be read, the partition's floor goes with it, and comes back from the other owners.
// A floor that is yet to be raised rests on what was here when it was found to be right: when the partition was read to
// the end from a voter with that floor, or compared with all owners. Whoever finds that out may be slow: a pass goes on
// through two changes of the configuration, between which the partition was nobody's here and its copies were handed
// off. Raised then, the floor declares dead what the next pass brings: the copies are refused, the node is informed all
// the same, and its "absent" kills what is alive elsewhere. So losses are numbered, and each partition has the number
// of its last one: a floor is raised only where nothing was lost since the number that was read before the finding
// began. This covers every way in which a row goes, whatever the configurations were, and rests on no clock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/partition_set.h"
#include "model/record.h"

namespace tako::store {

class Floors {
 public:
  Floors() : floors_(model::kPartitions), lost_at_(model::kPartitions) {}
  Floors(const Floors&) = delete;
  Floors& operator=(const Floors&) = delete;

  Timestamp fence() const { return fence_.load(std::memory_order_relaxed); }
  Timestamp of(model::Partition p) const { return floors_[p].load(std::memory_order_relaxed); }
  // Of these, those that have a floor.
  model::PartitionSet among(const model::PartitionSet& partitions) const {
    model::PartitionSet some;
    for (std::size_t i = 0; i < model::PartitionSet::kWords; ++i) {
      some.set_word(i, partitions.word(i) & raised_[i].load(std::memory_order_relaxed));
    }
    return some;
  }
  // Rows that were taken away and may have been alive, so far.
  std::uint64_t losses() const { return losses_.load(std::memory_order_relaxed); }
  // The number of the partition's last one; 0: none.
  std::uint64_t lost_at(model::Partition p) const { return lost_at_[p].load(std::memory_order_relaxed); }

  void raise_fence(Timestamp fence) { raise(fence_, fence); }
  void raise(model::Partition p, Timestamp floor) {
    raise(floors_[p], floor);
    raised_[p / 64].fetch_or(1ull << (p % 64), std::memory_order_relaxed);
  }
  void reset(model::Partition p) {
    floors_[p].store(0, std::memory_order_relaxed);
    raised_[p / 64].fetch_and(~(1ull << (p % 64)), std::memory_order_relaxed);
  }
  // When the row is gone.
  void note_loss(model::Partition p) {
    lost_at_[p].store(losses_.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

 private:
  static void raise(std::atomic<Timestamp>& word, Timestamp to) {
    Timestamp now = word.load(std::memory_order_relaxed);
    while (now < to && !word.compare_exchange_weak(now, to, std::memory_order_relaxed)) {
    }
  }

  std::atomic<Timestamp> fence_{0};
  std::atomic<std::uint64_t> losses_{0};
  std::vector<std::atomic<Timestamp>> floors_;
  std::vector<std::atomic<std::uint64_t>> lost_at_;
  std::array<std::atomic<std::uint64_t>, model::PartitionSet::kWords> raised_{};  // have one
};

// Rows of the system family: `fence/<index of the store>` and `floor/<partition>`, numbers of two bytes, big-endian;
// their value is a time of eight.
std::string floor_row_key(model::Partition p);

}  // namespace tako::store
