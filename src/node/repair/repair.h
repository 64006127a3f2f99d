// Repairer: background anti-entropy of one node, with each peer: what differs is found by digests, and what was found
// is compared key by key and exchanged, both ways, newest wins.
//
// Digests (comparer.h) are compared with each peer every few seconds, and at once when it (re)appears; one of the two
// asks for both, the other only when it was not asked for a while. The interval grows with the number of peers, so that
// a node asks no more than kComparisonsPerSecond whatever the size of the cluster. What differs twice, with a pause
// between, is put on the source's list (`todo`), and so is what nobody could say for a while because it was being
// counted.
// A pass (pass.h) is a merge of two listings in storage order, over what is on the list. All that is shared is put
// there each configured interval: the full cycle, which believes no digest.
// What a pass has read is also what makes a node that has forgotten a voter again (node/membership/standing.h): where a
// vote is missing the list does not wait for digests, since votes need promises too. A Source keeps, by partition,
// whether its peer has been read since we announced ourselves to it, and whether the peer was a voter then; when it
// becomes one later, and votes are missing here, it is read again.
// The announcements (every second, to each peer) tell of losses, and lift what suspends the votes after a start.
//
// On the node's first loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/membership/source.h"
#include "node/membership/standing.h"
#include "node/repair/comparer.h"
#include "node/repair/pass.h"
#include "node/serve/fetcher.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"

namespace tako::node {

class Repairer {
 public:
  using FloorList = Pass::FloorList;

  struct Parts {
    std::string id;
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
    Standing* standing = nullptr;
    Fetcher* fetcher = nullptr;
    Settler* settler = nullptr;
    const store::Floors* floors = nullptr;
    std::function<Task<>(FloorList floors, std::uint64_t since)> take_floors;  // see Collector
    std::function<Task<bool>(Timestamp fence)> raise_fence;  // durable, if true
    // What a peer knows of the others' incarnations, and its own; ours was `own` when it was asked. False: not taken.
    std::function<Task<bool>(std::string from, std::uint64_t own, wire::AnnounceReply reply)> take_lives;
    std::function<Task<>()> drop_ended;                      // of a copy that was not ours (handoff.h)
  };

  struct Counters {
    std::uint64_t passes = 0;
    std::uint64_t passes_failed = 0;
    std::uint64_t possible_losses = 0;  // partitions that became voters with fewer sources than are safe
    std::uint64_t rollbacks = 0;        // peers said that our disk went back in time
    Pass::Counters copied;
  };

  // REQUIRES: what the parts point to outlives it
  explicit Repairer(Parts parts);
  ~Repairer();

  // Starts and ends the tasks that follow peers. `duties`: this node's, by the placement.
  void adopt(std::shared_ptr<const model::Placement> placement, std::shared_ptr<const Duties> duties);
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  // The peer has announced itself, so it can be reached.
  void heard_from(const std::string& node);
  // Something was lost here: what was read of these partitions does not count any more, and is read again.
  void read_again(const PartitionSet& partitions);
  // A peer compares its digests with ours.
  Task<Result<wire::DigestReply>> compared(wire::DigestQuery question, wire::ConfigStamp config);
  // Of these, which have been compared with the peer to the end, nothing refused, by passes begun since begin_sweep()?
  void begin_sweep(const PartitionSet& partitions);
  PartitionSet swept_with(const std::string& node) const;
  // To be compared with this peer key by key.
  void read_from(const std::string& node, const PartitionSet& partitions);
  // Do we vote by what has been read? Asked for those of the partitions that are without vote.
  Task<> reconsider_votes(PartitionSet partitions);
  // Of those without vote here: too few of the other owners have one, as far as they said.
  PartitionSet unsettleable() const;
  std::vector<const PartitionSet*> what_was_read() const;

  // How much of these partitions was read for what this node owes itself by this configuration: each peer's copy of
  // each counts as one.
  struct Reading {
    std::uint64_t read = 0;
    std::uint64_t to_read = 0;
  };
  Reading reading(const PartitionSet& partitions) const;
  // Of these, those of which enough active owners were read by this configuration. REQUIRES: owned in both deployments
  PartitionSet read_active(const PartitionSet& partitions) const;

  // The cycle that an operator asks for: with all peers, key by key, believing no digest. One that is under way is
  // begun anew. kOverloaded: what is left of a dry run has not ended yet.
  Status begin_cycle(bool dry_run);
  wire::RepairReply cycle_progress() const;

  const Counters& counters() const { return counters_; }
  const Comparer::Counters& comparisons() const { return comparer_.counters(); }
  const PartitionSet& owned() const { return owned_; }
  std::size_t peers() const { return sources_.size(); }
  std::size_t peers_up() const;
  // Since the peer that has waited longest was compared to the end; none while one never was.
  std::optional<Duration> oldest_agreement() const;
  // Of each peer, for the operator.
  struct Peer {
    std::string id;
    const char* phase = "";
    std::optional<Duration> since_agreement;
    std::size_t partitions_shared = 0;
    std::size_t partitions_to_compare = 0;  // found to differ, or not known to be equal
  };
  std::vector<Peer> peer_states() const;

 private:
  Task<> follow(std::shared_ptr<Source> source);
  Task<bool> contact(Source& source);
  wire::Announce announcement() const;
  Task<> went_back(std::string peer, std::uint64_t known_incarnation);
  void learn(Source& source, const wire::AnnounceReply& reply);
  void lift_suspensions();
  bool lacks_votes_of(const Source& source) const;
  PartitionSet owed() const;
  void fill_todo(Source& source) const;
  bool informing(const Source& source) const;
  bool asks(const Source& source) const;
  Duration compare_interval() const;
  Task<> compare_with(Source& source);
  void not_known(Source& source, const PartitionSet& unknown);
  Task<> pass_with(Source& source);
  Pass::Parts parts_of_pass(const Source& source) const;
  Task<> look_through(std::shared_ptr<Source> copy, std::uint64_t cycle);
  Task<> look_at(Source& copy, std::uint64_t cycle);
  Task<bool> save_standing();
  std::vector<const Source*> sources_by_index() const;

  runtime::Loop& loop() const { return parts_.shards->loop(); }

  Parts parts_;
  std::shared_ptr<const model::Placement> placement_;
  PartitionSet owned_;
  PartitionSet staying_;  // owned in both deployments, while other owners come or go
  std::map<std::string, std::shared_ptr<Source>> sources_;
  std::set<std::string> confirmed_;  // peers that answered an announcement of this start, as one they expected
  Comparer comparer_;
  runtime::Slots passes_;
  runtime::Gate gate_;
  bool came_back_ = false;  // a peer remembers us as another: something was forgotten
  Counters counters_;
  struct Cycle {  // an operator's
    std::uint64_t number = 0;
    bool dry_run = false;
    std::vector<std::shared_ptr<Source>> sources;  // of a dry run: copies, which nothing else looks at
    Pass::Counters before;                         // of all passes, when it began
    Pass::Counters counted;                        // by a dry run
    std::size_t looking = 0;                       // tasks of dry runs
  };
  Cycle cycle_;
};

}  // namespace tako::node
