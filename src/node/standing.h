// Standing: which of a node's answers are votes. The amnesia rule (protocol rules 6 and 21 to 25).
//
// Why it is needed. A quorum read is right because two majorities share a replica that remembers. A replica whose disk
// was emptied, or went back in time, does not: asked after the loss it says «nothing» about a write it helped to
// choose, and with one other that never had it makes a majority for a history that did not happen. So a node that may
// have forgotten stores and serves at once, but is no voter in a partition until it is informed there again:
//
//  - it announces its incarnation to each source before it reads from it (21), so that a vote it gave before the loss,
//    still under way in some proxy, is not added to one it gives after: sources name the new incarnation in their
//    replies for as long as an operation can live, and the proxy drops the older vote;
//  - it reads all of the partition from N - q + 1 voters of the full replica set (22): every majority that ever chose
//    something has a member among those. Where fewer voters are left, only when all others have answered; what was
//    chosen on the lost disks alone is gone then, and that is reported;
//  - it takes the newest of each key; where a source has promised more than anyone stores, the partition has to be
//    settled first (23), and stays without vote here;
//  - then, partition by partition, it votes (24).
// A brand-new cluster is the case «all others have answered, all of them blank» (25), which costs one exchange of
// empty lists; a node alone has nobody to ask and votes at once. A target owner of a reconfiguration becomes a voter
// by the same path, which is also its «arrived» (27).
//
// One bit a partition: «informed». It is durable only after the data it stands for (the write-ahead log keeps order).
// The bits are read on all loops of the node and set on its first one: single words, so atomics do.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/record.h"
#include "store/engine.h"

namespace tako::node {

using runtime::Task;

class Standing {
 public:
  // What the data folder says, and whether it can be believed.
  struct Start {
    std::string boot_id;                  // of the kernel that runs now; empty: unknown
    bool sync_always = false;             // nothing acknowledged can be missing after a machine's crash
    std::uint64_t fresh_incarnation = 0;  // for a folder that has none, or is not believed
  };

  // Reads it from the engine; a folder without a mark is new. Writes the mark of this start before it returns.
  Task<Status> load(store::Engine& engine, Start start);

  // A clean stop: nothing acknowledged is missing, whatever happens to the machine from here on.
  Task<Status> save_clean_stop(store::Engine& engine);
  Task<Status> save(store::Engine& engine);

  bool votes(model::Partition partition) const {
    return (words_[partition >> 6].load(std::memory_order_relaxed) >> (partition & 63)) & 1;
  }
  void set_votes(model::Partition partition) {
    words_[partition >> 6].fetch_or(1ull << (partition & 63), std::memory_order_relaxed);
  }
  void set_votes_everywhere();

  // Never voted since its folder was made.
  bool blank() const;

  std::uint64_t incarnation() const { return incarnation_.load(std::memory_order_relaxed); }
  // A peer remembers a later incarnation than ours: ours has to be above it.
  void raise_incarnation(std::uint64_t above);

 private:
  std::string encode(bool clean) const;
  Status decode(const std::string& mark);

  static constexpr std::size_t kWords = model::kPartitions / 64;
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
  std::atomic<std::uint64_t> incarnation_{0};
  std::string boot_id_;         // of this start
  std::string marked_boot_id_;  // of the start that wrote the mark
  bool marked_clean_ = false;
};

}  // namespace tako::node
