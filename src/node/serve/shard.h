// Shard: one loop's part of a node: the Service that owns the partitions with partition % shards == index.
//
// It answers reads, writes and listings from its Store, by the rules of protocol.md that a replica has to keep: the
// acceptor's are in store/store.h, votes in node/membership/standing.h, and here those about configurations (rule 5): a
// request by an older configuration than ours is refused as stale, because a majority of the old one may no longer hold
// what the new one decides. That holds to the end: whatever a target owner reads here after this node has said that it
// goes by the newer configuration has to show every write that was counted under the older one (27). So a write or a
// promise is held to the configuration once more when it is in the store, and is no vote if that has changed meanwhile;
// and a listing counts from when it began: all loops go by the configuration then, and none has changed it since.
// What its store cannot read costs the partition's vote here at once, and is reported (node/integrity/mender.h); until
// the row is erased, answers about the key are errors, never "nothing".
// Pieces of large values are staged, freed and read under whatever configuration: there is no vote in them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "model/placement.h"
#include "net/transport.h"
#include "node/membership/standing.h"
#include "runtime/loop.h"
#include "store/store.h"

namespace tako::node {

class Fetcher;

// No operation lives longer: deadlines over it are refused at the edge, and an incarnation is named for this long.
inline constexpr Duration kOperationLifetimeMax = seconds(60);

class Shard final : public net::Service {
 public:
  // What only the first shard can answer is handed to this.
  class Front {
   public:
    virtual ~Front() = default;
    virtual Task<Result<wire::AnnounceReply>> announced(wire::Announce announce) = 0;
    virtual Task<wire::StatusReply> status() = 0;
    virtual Task<Result<wire::ArrivalReply>> arrival(wire::ArrivalQuery query) = 0;
    virtual Result<wire::RepairReply> repair(wire::RepairQuery query) = 0;
    virtual Task<Result<wire::DigestReply>> compared(wire::DigestQuery question, wire::ConfigStamp config) = 0;
    virtual Task<Result<wire::CollectReply>> collecting(wire::CollectQuery query, wire::ConfigStamp config) = 0;
    // Does every shard of the node go by this configuration, or a later one?
    virtual bool adopted_by_all(std::uint64_t counter) const = 0;
  };

  // Told on the shard's own loop what its store came upon.
  class Losses {
   public:
    virtual ~Losses() = default;
    // `voted`: until now, in the key's partition.
    virtual void unreadable(std::string key, bool voted) = 0;
    virtual void damaged(std::string key, model::Ballot ballot) = 0;
    virtual void overtaken(std::string key, model::Record record) = 0;
  };

  struct Parts {
    std::string id;
    runtime::Loop* loop = nullptr;
    store::Engine* engine = nullptr;
    store::Store::Part part;  // the partitions that are this shard's
    Standing* standing = nullptr;
    store::Floors* floors = nullptr;  // the node's
    Front* front = nullptr;  // of the first shard
    Losses* losses = nullptr;
  };

  // REQUIRES: what the parts point to outlives it
  explicit Shard(Parts parts);

  Task<wire::Reply> handle(wire::Request request, TimePoint deadline) override;

  // Before the loops run. REQUIRES: it outlives the shard's requests
  void fetch_with(Fetcher& fetcher) { fetcher_ = &fetcher; }

  // The following on this shard's loop only.
  // An older one than it goes by is ignored.
  void adopt(std::shared_ptr<const model::Placement> placement, std::shared_ptr<const Duties> duties);
  // A peer came back as another: named in replies until no operation can hold one of its old votes.
  void remember_renewed(const std::string& node, std::uint64_t incarnation);
  // What this peer is to take over of that.
  std::vector<wire::Incarnation> renewed_for(const std::string& peer) const;
  // The peer itself has said, while ours was `own`, that this is its incarnation: named beside a "stored" without vote.
  void remember_met(const std::string& node, std::uint64_t incarnation, std::uint64_t own);
  // A copy that this node pulled for itself.
  Task<Result<store::Accepted>> accept_copy(std::string key, model::Record record);
  // All at once, so that they go down together; the outcomes in the order of the copies.
  Task<std::vector<Result<store::Accepted>>> accept_copies(std::vector<store::Copy> copies);
  Task<Result<bool>> drop(std::string key, model::Ballot ballot);
  // as_voter: of those only in which this node votes at this moment. `since`: see Store.
  Task<Status> raise_floors(std::vector<std::pair<model::Partition, Timestamp>> floors, std::uint64_t since,
                            bool as_voter);
  // See Store.
  Task<Result<bool>> erase_unreadable(std::string key);

  // From any loop: the version of the configuration that this shard goes by.
  std::uint64_t adopted() const { return adopted_.load(std::memory_order_acquire); }

  runtime::Loop& loop() { return loop_; }
  store::Store& store() { return store_; }
  const store::Store& store() const { return store_; }
  store::Engine& engine() { return engine_; }

  struct Counters {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t prepares = 0;
    std::uint64_t refused = 0;
    Counters& operator+=(const Counters& other) {
      reads += other.reads;
      writes += other.writes;
      prepares += other.prepares;
      refused += other.refused;
      return *this;
    }
  };
  const Counters& counters() const { return counters_; }

 private:
  Task<> accept_into(Result<store::Accepted>& outcome, store::Copy copy);
  Task<bool> front_serves(wire::Request& request, wire::Reply& reply);
  Task<Result<wire::ReadReply>> read(wire::Read request, wire::ConfigStamp config);
  Task<Result<wire::WriteReply>> write(wire::Write request, wire::ConfigStamp config, TimePoint deadline);
  Task<Result<store::Accepted>> take(wire::Write request, wire::ConfigStamp config, TimePoint deadline);
  Task<Result<wire::PieceStored>> write_piece(wire::WritePiece request);
  Task<Result<wire::Discarded>> discard(wire::Discard request);
  Task<Result<wire::PromiseReply>> prepare(wire::Prepare request, wire::ConfigStamp config);
  Task<Result<wire::PieceReply>> read_piece(wire::ReadPiece request);
  Task<Result<wire::ListReply>> list(wire::List request);

  Status check_configuration(const wire::ConfigStamp& theirs) const;
  Status overtaken(const wire::ConfigStamp& config) const;
  Status check_owner(const std::string& key, const wire::ConfigStamp& theirs) const;
  // What this replica's answer is worth: as it was when the work began, and still is when it ends. Who was not informed
  // then may have read what was there before.
  struct Worth {
    bool votes = false;
    bool informed = false;
  };
  Worth worth(model::Partition partition, const wire::ConfigStamp& asked_by) const;
  wire::Voter voter(model::Partition partition, const wire::ConfigStamp& asked_by, const Worth& at_begin);
  bool in_target_only(model::Partition partition) const;
  void report_losses(Losses& losses);
  bool shared_with_others(model::Partition partition) const;

  void name_lives(model::Partition partition, const wire::ConfigStamp& asked_by, wire::Voter& voter) const;

  struct Renewed {
    std::uint64_t incarnation = 0;
    TimePoint forget_at;
  };
  struct Met {
    std::uint64_t incarnation = 0;
    std::uint64_t own = 0;  // ours, when it was met: what is forgotten with it counts no more
  };

  const std::string id_;
  runtime::Loop& loop_;
  store::Engine& engine_;
  store::Store store_;
  Standing& standing_;
  Front* const front_;
  Fetcher* fetcher_ = nullptr;
  std::shared_ptr<const model::Placement> placement_;
  std::shared_ptr<const Duties> duties_;  // by it
  std::optional<model::NodeIndex> self_;
  wire::ConfigStamp stamp_;
  std::atomic<std::uint64_t> adopted_ = 0;  // stamp_.counter
  std::map<std::string, Renewed> renewed_;  // by node
  TimePoint renewed_until_;                 // the last of their forget_at
  std::map<std::string, Met> met_;
  Counters counters_;
};

}  // namespace tako::node
