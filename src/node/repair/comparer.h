// Comparer: in which partitions do two nodes differ? By their digests (store/digests.h), without reading a disk.
//
// The tree of wire::DigestQuery, over the partitions that both own: the roots first, in one message of some 40 bytes,
// which is all if they agree; else down, only below what differs. Some 2 KiB for the first step down, then 11 bytes
// each way for each of the 16 nodes below one that differs.
// A difference may be a write that one side has and the other has not yet: whoever acts on it looks a second time,
// after a pause, at just the partitions in question. "Equal" is said of sums that both know only: what is being counted
// is `unknown`, never equal. Sums cannot be compared across configurations, since what is shared is another set. Equal
// sums of different contents are a chance of 2^-64 a comparison, or somebody's work who can choose ballots; the full
// cycle by listings (repair.h) does not believe them.
//
// On the node's first loop; the digests are read on the loops that own them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/transport.h"
#include "node/membership/duties.h"
#include "node/serve/local_shards.h"

namespace tako::node {

class Comparer {
 public:
  using Level = wire::DigestQuery::Level;
  using Sums = std::vector<wire::DigestSum>;
  using Nodes = std::vector<std::uint16_t>;

  struct Parts {
    std::string id;
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
  };
  struct Outcome {
    bool answered = false;  // to the end; else nothing is known
    bool busy = false;      // the peer reads ours anyway
    PartitionSet differing;
    PartitionSet unknown;
    bool equal() const { return answered && !busy && differing.none() && unknown.none(); }
  };
  struct Counters {
    std::uint64_t comparisons = 0;
    std::uint64_t equal = 0;
  };

  // REQUIRES: what the parts point to outlives it
  explicit Comparer(Parts parts) : parts_(std::move(parts)) {}

  // `shared`: what both own under the configuration `stamp`.
  Task<Outcome> compare(net::Peer peer, PartitionSet shared, wire::ConfigStamp stamp);
  // The same of some of its partitions, one by one.
  Task<Outcome> look_again(net::Peer peer, PartitionSet suspects, wire::ConfigStamp stamp);
  // The other side. REQUIRES: the asker goes by our configuration
  Task<wire::DigestReply> answer(wire::DigestQuery question, PartitionSet shared);

  const Counters& counters() const { return counters_; }

 private:
  struct Verdicts {
    bool answered = false;
    Nodes differing;
    Nodes unknown;
  };

  Task<Sums> sums(PartitionSet shared, Level level, Nodes nodes);
  Task<Result<wire::DigestReply>> ask(net::Peer peer, wire::DigestQuery question, wire::ConfigStamp stamp);
  Task<Verdicts> compare_nodes(net::Peer peer, PartitionSet shared, wire::ConfigStamp stamp, Level level, Nodes nodes);

  runtime::Loop& loop() const { return parts_.shards->loop(); }

  const Parts parts_;
  Counters counters_;
};

}  // namespace tako::node
