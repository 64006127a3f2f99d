// Collector: forgets tombstones, and what has expired, when no older write, promise or copy of their keys can come any
// more (protocol rule 20). What a fence and a floor are: model/record.h; where they are kept: store/floors.h.
//
// Why it takes more than "all owners have the tombstone". After one owner has dropped it, a delayed write that is older
// reaches that one, is stored, and is answered, or resurrects what was deleted. So, for a partition and a time F:
//  1. fence: each owner takes nothing from proposers at ballots up to F any more, durably, and says so. What is at such
//     ballots from then on was on some owner's disk, or is on its way as a copy, before;
//  2. sync: when *all* owners have said so, each compares itself with each other one, begun after the last had said it.
//     One that has done so lacks nothing at ballots up to F that any owner had when all were fenced;
//  3. floor: when all have said of themselves that they are synced at F, all owners have the same there, and whatever
//     is not the newest of its key is dead. Each writes its floor down, and drops what has ended by it. A promise above
//     F stays: a proposer may have decided upon what was there, which was nothing.
// From then on "absent" is a tombstone at F, for everybody: acceptors refuse what is not above it (store/store.h),
// proxies count it as that (model/verdict.h), passes copy it over live records at such ballots (node/repair/pass.h):
// those can only be copies that were on their way, or stood on a disk that went back in time unnoticed. The fence is a
// promise like any other to a proposer, who comes back under a newer ballot (rules 10 and 11). No clock is believed for
// any of this; the grace only keeps writes that are slow, and not dead, from having to come back.
//
// Whose word counts. Owners by the same configuration, without a target deployment; of the incarnation that we know,
// since one that lost its disk has lost its fence; and voters in the partition, since one that is not informed has not
// got what it would compare. When any of this changes the partition begins anew. A peer that announces a new
// incarnation is forgotten here before it is answered, so before it reads anything from us (renewed()).
// A node that catches up, also as a target's owner, takes the fence of its sources before it votes, and their floors
// with what it reads; so does one that lags behind: whoever has a floor proves that all owners had synced
// (node/repair/pass.h).
// All of this is said of what is here when it is found out. By the time the floor is raised copies may have been handed
// off: the pass was slow, and the partition was nobody's here for a while. Then it is not raised (store/floors.h).
// Collection waits for so long after a configuration has taken partitions away from somebody, that those have handed
// off what they have: a floor would refuse a write that is left there alone, and was answered at a level of one. That
// wait goes by a clock, so nothing rests on it that was answered at `quorum`: with none at all a chosen write is on a
// majority of the new owners when they are promoted (28), and all of them have it when they are synced.
//
// How it goes on. A turn every few seconds while there is something to collect, here or at a peer who asks; else
// seldom. Each asks each other one in one small message. One turn raises the fence to the last point of a grid of times
// that lies a grace back, by this node's clock and by those of its peers, so that one clock ahead refuses nobody's
// writes; asks; compares digests, or counts the passes that were begun since (node/repair/repair.h) where they never
// are equal because of what is being written; raises floors; and drops, at half of the time, in partitions where
// something ends. On the node's first loop. Memory: some 35 bytes a partition, and a set of partitions a peer.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/membership/duties.h"
#include "node/membership/standing.h"
#include "node/repair/comparer.h"
#include "node/repair/repair.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"
#include "store/floors.h"

namespace tako::node {

class Collector {
 public:
  struct Options {
    Duration grace = hours(1);
    Duration step = minutes(10);  // of the grid
    Duration leavers_drain = hours(24);
    Duration turn = seconds(3);  // while something comes of it; else up to ten times as long
  };
  struct Parts {
    std::string id;
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
    const Standing* standing = nullptr;
    const store::Floors* floors = nullptr;
    Options options;
  };
  struct Counters {
    std::uint64_t turns = 0;
    std::uint64_t partitions = 0;  // floors raised
    std::uint64_t rows = 0;        // dropped
    std::uint64_t promises = 0;    // ... without a record
  };

  // REQUIRES: what the parts point to outlives it
  explicit Collector(Parts parts);

  // What was kept. REQUIRES: the stores have loaded their floors
  Task<Status> load();
  // REQUIRES: the repairer outlives it. `duties`: by the placement
  void adopt(std::shared_ptr<const model::Placement> placement, std::shared_ptr<const Duties> duties,
             Repairer& repairer);
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  // Durable when it returns true.
  Task<bool> raise_fence(Timestamp fence);
  // Of partitions that were just read from a voter which has them. `since`: Floors::losses() before that began
  Task<> take_floors(Repairer::FloorList floors, std::uint64_t since);

  Task<Result<wire::CollectReply>> asked(wire::CollectQuery query, wire::ConfigStamp config);
  // A peer is, or is about to be, of another incarnation.
  void renewed(const std::string& node, std::uint64_t incarnation);

  Timestamp fence() const { return fence_; }
  // For the operator: why nothing is collected just now; empty: it is, or there is nothing.
  const std::string& waits_for() const { return waits_for_; }
  std::size_t to_collect() const { return interest_.count(); }  // partitions, in the last turn
  const Counters& counters() const { return counters_; }

 private:
  struct Peer {
    std::uint64_t incarnation = 0;  // the latest known
    bool answered = false;          // in the last turn
    Timestamp clock = 0;
    PartitionSet agreed;        // of those watched: compared since
    Repairer::FloorList ahead;  // its floors, in this turn, that were above ours
  };
  // What all owners have said in this turn, of those that are of interest in it.
  struct Told {
    Told() : fence(model::kPartitions), synced(model::kPartitions), votes_for(model::kPartitions) {}
    PartitionSet whole;  // by all of them
    std::vector<Timestamp> fence;
    std::vector<Timestamp> synced;         // the lowest
    std::vector<std::uint16_t> votes_for;  // how many have synced as far as we have
  };

  Task<> run();
  Task<bool> turn();
  Timestamp grid() const;
  Timestamp next_fence() const;
  std::string reason_to_wait() const;
  Task<PartitionSet> ending_by(Timestamp floor);
  Task<> ask_all(PartitionSet interest);
  Task<bool> ask(std::string id, PartitionSet about);
  void hear(Peer& peer, const wire::CollectReply& reply, PartitionSet& said);
  void watch();
  Task<bool> compare();
  bool count_synced();
  Task<bool> raise_floors();
  Task<bool> raise(Repairer::FloorList floors, std::uint64_t since, bool as_voter);
  Task<bool> catch_up();
  Task<bool> drop();
  void begin_anew(const PartitionSet& partitions);
  void check_incarnation();
  Task<> save();
  bool same(const std::shared_ptr<const Duties>& duties) const { return duties == duties_ && !loop().stopping(); }

  runtime::Loop& loop() const { return parts_.shards->loop(); }

  const Parts parts_;
  Comparer comparer_;
  Repairer* repairer_ = nullptr;
  std::shared_ptr<const model::Placement> placement_;
  std::shared_ptr<const Duties> duties_;  // by it
  std::map<std::string, Peer> peers_;
  std::uint64_t incarnation_ = 0;  // of ours, in which the following hold
  std::vector<Timestamp> synced_;
  PartitionSet watched_;                  // all owners are fenced; to be compared with each
  std::vector<Timestamp> watched_since_;  // at which fence
  Told told_;
  PartitionSet begun_anew_;  // since this turn began to ask
  PartitionSet wanted_;      // peers have asked for these
  TimePoint wanted_until_{};
  PartitionSet interest_;
  Timestamp fence_ = 0;  // durable
  struct Kept {          // durable, when it is saved
    wire::ConfigStamp stamp;
    Timestamp leavers_until = 0;
  };
  std::optional<Kept> kept_;
  std::string waits_for_;
  bool running_ = false;
  bool saving_ = false;
  runtime::Signal kick_;
  runtime::Slots raising_;
  runtime::Gate gate_;
  Counters counters_;
};

}  // namespace tako::node
