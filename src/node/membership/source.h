// Source: one peer of a node, as its Repairer knows it. And the question that all of them together answer: is this node
// informed of a partition (protocol rules 22, 25 and 27)? Of how many it has to have read is in Judge.
//
// What was read counts only if it was read after this node announced the incarnation it has now, under the
// configuration it has now, and if nothing of it was lost since. Whatever ends one of these says so here, at once,
// also while a pass is under way: what the pass has read by then is not counted either (`spoiled`).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/membership/duties.h"
#include "runtime/sync.h"

namespace tako::node {

struct Source {
  Source(runtime::Loop& loop, const model::Placement::Node& node)
      : id(node.id), host(node.host), port(node.port), kick(loop) {}

  net::Peer peer() const { return net::Peer{id, host, port}; }
  void forget_what_was_read(const PartitionSet& partitions) {
    pulled -= partitions;
    pulled_as_voter -= partitions;
    spoiled |= partitions;
    forget_sweep(partitions);
    due = true;
    pass_at = TimePoint();
  }

  void forget_sweep(const PartitionSet& partitions) {
    swept -= partitions;
    sweeping -= partitions;
  }

  const std::string id;
  const std::string host;
  const std::uint16_t port;
  runtime::Signal kick;
  PartitionSet shared;  // with this node

  bool gone = false;  // no peer any more
  bool up = false;
  bool due = true;
  bool blank = false;         // it said that it never voted
  std::uint64_t session = 0;  // its process
  std::uint64_t gains = 0;    // ... and how often it became a voter somewhere
  std::uint64_t incarnation = 0;
  std::uint64_t announced = 0;  // our incarnation, as it knows it
  std::uint64_t keys_listed = 0;

  // To be compared key by key, and not before `pass_at`; of that, all that is shared by a full cycle.
  PartitionSet todo;
  TimePoint pass_at{};
  bool full = false;
  std::optional<TimePoint> cycle_at;  // the next full cycle; none: the first is still to come
  bool owed = false;                  // to the cycle that an operator has asked for
  // Digests.
  TimePoint compare_at{};
  std::optional<TimePoint> asked_at;       // it compared with us
  std::optional<TimePoint> unknown_since;  // something is being counted, on either side
  std::optional<TimePoint> agreed_at;      // equal, by digests or by a full cycle

  // Since our announcement: read to the last key, and: it voted when it was read.
  PartitionSet pulled;
  PartitionSet pulled_as_voter;
  PartitionSet without_vote;  // as it said in the last pass
  PartitionSet spoiled;       // what the pass under way reads in these is not to be counted
  Timestamp fence = 0;        // of the peer, the highest it named
  // For the collector (node/gc/collector.h): compared to the end, with nothing refused, by passes that began after it
  // asked.
  PartitionSet swept;
  PartitionSet sweeping;  // in which the pass under way may be such a one
};

struct Informed {
  bool yes = false;
  bool possible_loss = false;  // all others were read, but fewer voters than a majority cannot avoid
};

// Asked about many partitions in a row, while nothing changes: what it worked out for one it remembers for others with
// the same replicas, of which the same was read.
class Judge {
 public:
  // `sources`: by node index, null for one that is no peer. `self`: the node that asks. REQUIRES: all outlive it
  Judge(const model::Placement& placement, model::NodeIndex self, std::vector<const Source*> sources);

  // In each deployment: of its N owners, with a majority of q, a member has read N - q + 1 voters; who is none of them
  // has read max(q, N - 1) voters; or all others were read, voters or not.
  Informed informed_of(model::Partition partition);
  // Has a node that owns it in both deployments, and votes, read enough of the other active owners to be counted in the
  // target alone (rule 27)?
  bool has_read_active(model::Partition partition) const;

 private:
  struct Known {
    std::uint64_t read = ~0ull;  // two bits a replica: pulled, pulled as a voter
    Informed informed;
  };
  Informed judge(model::ReplicaSet replicas, model::Partition partition) const;

  const model::Placement& placement_;
  const model::NodeIndex self_;
  const std::vector<const Source*> sources_;
  std::vector<Known> known_;  // the last, by set of replicas
};

// Do as many answer, of those for which `present` is true, as make a majority with `self`, in each live deployment?
bool majority_with(model::ReplicaSet replicas, model::NodeIndex self,
                   const std::function<bool(model::NodeIndex)>& present);

}  // namespace tako::node
