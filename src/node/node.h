// Node: the owner of keys. One Shard for each loop, and on the first loop what the node does by itself: repair with
// its peers, hand-off of what belongs elsewhere, and its standing as a voter.
//
// A node is told a configuration by adopt() and knows nothing of where it comes from. Built before the loops run;
// start() first, then adopt(), stop() last; all on the first loop. In production and in the simulator alike: what it
// can do to the world is in Parts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/placement.h"
#include "net/switchboard.h"
#include "net/transport.h"
#include "node/gc/collector.h"
#include "node/integrity/mender.h"
#include "node/integrity/scrubber.h"
#include "node/membership/peer_memory.h"
#include "node/membership/standing.h"
#include "node/repair/handoff.h"
#include "node/repair/repair.h"
#include "node/repair/settler.h"
#include "node/serve/fetcher.h"
#include "node/serve/local_shards.h"
#include "node/serve/shard.h"

namespace tako::node {

class Node final : private Shard::Front, private Shard::Losses {
 public:
  struct LoopParts {
    runtime::Loop* loop = nullptr;
    store::Engine* engine = nullptr;
  };
  struct Parts {
    std::string id;
    std::vector<LoopParts> loops;
    net::Transport* transport = nullptr;  // of the first loop
    std::string boot_id;                  // of the machine's kernel, empty where it is unknown
    bool sync_always = false;
    // Every node of the cluster is known to be new (`tako cluster` made all their folders just now).
    bool newborn_cluster = false;
    Settler::Agreement agreement;  // of the first loop, by the same configuration
    Collector::Options collection;
  };

  // REQUIRES: what the parts point to outlives it
  explicit Node(Parts parts);
  ~Node() override;

  const std::string& id() const { return parts_.id; }
  // Where requests go, for a server or a switchboard.
  net::Shards shards() const;

  // Reads what the data folder says of this node. Requests are served afterwards only.
  Task<Status> start();
  void adopt(std::shared_ptr<const model::Placement> placement);
  // Ends what it does by itself. REQUIRES: the loops are stopping, and nobody sends requests any more
  Task<> stop();

  const Standing& standing() const { return standing_; }
  const Repairer& repairer() const { return *repairer_; }
  const Handoff& handoff() const { return *handoff_; }
  const Mender& mender() const { return *mender_; }
  const Scrubber& scrubber() const { return *scrubber_; }
  const Fetcher& fetcher() const { return *fetcher_; }
  const Collector& collector() const { return *collector_; }
  const store::Floors& floors() const { return floors_; }
  std::size_t loops() const { return shards_.size(); }
  // Of the partitions of the loop with this index; on that loop.
  const store::Digests& digests(std::size_t index) const { return shards_[index]->store().digests(); }
  store::Engine& engine() { return *parts_.loops.front().engine; }

 private:
  Task<Result<wire::AnnounceReply>> announced(wire::Announce announce) override;
  Task<wire::StatusReply> status() override;
  Task<Result<wire::ArrivalReply>> arrival(wire::ArrivalQuery query) override;
  Result<wire::RepairReply> repair(wire::RepairQuery query) override;
  Task<Result<wire::DigestReply>> compared(wire::DigestQuery question, wire::ConfigStamp config) override;
  Task<Result<wire::CollectReply>> collecting(wire::CollectQuery query, wire::ConfigStamp config) override;
  bool adopted_by_all(std::uint64_t counter) const override;
  void unreadable(std::string key, bool voted) override;
  void damaged(std::string key, model::Ballot ballot) override;
  void overtaken(std::string key, model::Record record) override;
  Task<> save_standing();
  Task<> sweep_uploads();
  Task<Status> load_floors();
  Task<Status> load_digests();
  Task<> count_unknown(Shard* shard);
  Task<> save_digests();
  struct Holdings {
    store::Digests::Totals totals;  // of what is counted
    std::size_t unknown = 0;        // partitions
    Shard::Counters requests;
  };
  static Task<Holdings> holdings_of(Shard* shard);
  Task<Holdings> holdings();
  Task<> tell_shards(std::string node, std::uint64_t incarnation);
  Task<> tell_shards_met(std::string node, std::uint64_t incarnation, std::uint64_t own);
  Task<bool> take_lives(std::string from, std::uint64_t own, wire::AnnounceReply reply);
  Shard& first() { return *shards_.front(); }

  Parts parts_;
  const std::uint64_t session_;
  Standing standing_;
  store::Floors floors_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<LocalShards> local_;  // the same
  std::unique_ptr<Fetcher> fetcher_;
  std::unique_ptr<Settler> settler_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<Repairer> repairer_;
  std::unique_ptr<Handoff> handoff_;
  std::unique_ptr<Mender> mender_;
  std::unique_ptr<Scrubber> scrubber_;
  std::unique_ptr<PeerMemory> peers_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> met_;  // incarnations, theirs and ours: see Shard
  std::shared_ptr<const model::Placement> placement_;
  std::shared_ptr<const Duties> duties_;  // by it
  runtime::Gate gate_;
};

}  // namespace tako::node
