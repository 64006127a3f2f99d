// Mender: what a node does about rows of its disk that turned out to be unreadable, and about damaged values.
//
// An unreadable row (it does not match its checksum, or does not decode) held a record and a promise that nobody knows
// any more. What is unreadable is forgotten, by the rule for everything that is forgotten (node/membership/standing.h),
// in this order:
//  1. the partition loses its vote, in the shard, before anybody is answered (node/serve/shard.h);
//  2. if it had one the incarnation is raised, so that votes given while the row could be read, still under way, are
//     dropped once one of after it is heard; and what was read from peers in the partition does not count any more;
//  3. when both are durable, the row is erased, if it is still unreadable then: the key is absent, and no vote says so;
//  4. repair reads all peers anew, which brings the key back, and the partition votes again by the usual rule.
// A crash between 3 and 4 finds the vote lost; one before 3 finds the row unreadable, and all of it begins again.
// Where no other node owns the partition nobody could bring the key back, so its row stays: an error, not "nothing".
// Stretches that an engine cannot name keys of fail the listing, and stay an operator's business.
//
// A damaged value is less: its version, and so the vote, is sound. The value is fetched from whoever of the owners has
// this ballot or a newer one, soon after it was found damaged, and again later until somebody has. If all other owners
// say that they have none, and an active one among them, nobody was ever told that two have it: it is forgotten like an
// unreadable row, and what the others have comes back in its place. Else the key could not be read for ever. A sole
// active owner forgets no value: what was answered when there were more may be nowhere else but in a copy that is not
// handed off yet, and target owners have only what they read here. It stays an error until it is written again.
// On the node's first loop. Bounded: what finds no place in the queues is found again by the next who reads it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/membership/standing.h"
#include "node/repair/repair.h"
#include "node/serve/fetcher.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"

namespace tako::node {

class Mender {
 public:
  struct Parts {
    std::string id;
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
    Standing* standing = nullptr;
    Repairer* repairer = nullptr;
    Fetcher* fetcher = nullptr;
  };
  struct Counters {
    std::uint64_t rows_forgotten = 0;
    std::uint64_t values_damaged = 0;  // reported by a store, each once until it is dealt with
    std::uint64_t values_mended = 0;
    std::uint64_t values_given_up = 0;  // for now: nobody who could be asked had them
    std::uint64_t values_lost = 0;      // nobody had them, and all could be asked
  };

  // REQUIRES: what the parts point to outlives it
  explicit Mender(Parts parts);

  void adopt(std::shared_ptr<const model::Placement> placement);
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  // `voted`: in its partition, until it was found.
  void unreadable(std::string key, bool voted);
  void damaged(std::string key, model::Ballot ballot);

  const Counters& counters() const { return counters_; }

 private:
  static constexpr std::size_t kKeysMax = 1024;  // in each queue
  static constexpr int kAttemptsMax = 10;        // to fetch a value

  struct Damaged {
    model::Ballot ballot;
    int attempts = 0;
    TimePoint next{};
  };

  Task<> run();
  Task<> forget_unreadable();
  Task<> mend_due();
  enum class Outcome : std::uint8_t { kMended, kNobodyHasIt, kLater };
  Task<Outcome> mend(std::string key, model::Ballot ballot);
  // kNobodyHasIt: this one has not.
  Task<Outcome> fetch(std::string key, model::Ballot ballot, net::Peer from);
  struct Others {
    std::vector<net::Peer> owners;
    bool active = false;  // one of them is an active owner
  };
  Others others(const model::Placement& placement, model::Partition partition) const;
  Shard& shard_of(const std::string& key) const;

  runtime::Loop& loop() const { return parts_.shards->loop(); }

  const Parts parts_;
  std::shared_ptr<const model::Placement> placement_;
  std::deque<std::string> unreadable_;
  PartitionSet lost_;        // partitions of rows found unreadable since the last forget_unreadable()
  bool lost_votes_ = false;  // ... and one of them voted
  std::map<std::string, Damaged> damaged_;
  bool running_ = false;
  runtime::Signal kick_;
  runtime::Gate gate_;
  Counters counters_;
};

}  // namespace tako::node
