// Round: one question to all replicas of a key, and what they have said so far.
//
// Shared by the request that asks and the calls under way: a request is answered as soon as enough replicas have,
// and the rest of its calls go on without it. One loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/placement.h"
#include "model/verdict.h"
#include "net/transport.h"
#include "runtime/sync.h"

namespace tako::replication {

struct Round {
  Round(runtime::Loop& loop, std::shared_ptr<const model::Placement> by, const std::string& key);

  net::Peer peer(std::size_t i) const;
  bool pending() const;
  // Replicas that have not said what they hold, or could not.
  std::size_t silent() const;
  // Some replica has answered, or stored it, without a vote.
  bool without_vote() const;
  // Nobody waits for the rest any more: what is pending counts as failed.
  void give_up();

  // The next round of an operation begins with what this replica said in the one before, and all incarnations that
  // were named there. REQUIRES: the same key and placement
  void take_over(std::size_t i, const Round& from);

  // It answered, with less than this; or what it holds is damaged, and a copy mends it.
  bool behind(std::size_t i, const model::Ballot& ballot) const;

  // Takes a replica's answer, and wakes the request.
  void heard_read(std::size_t i, Result<wire::ReadReply> reply);
  void heard_write(std::size_t i, const model::Ballot& ballot, Result<wire::WriteReply> reply);
  void heard_promise(std::size_t i, Result<wire::PromiseReply> reply);
  // The next phase of an operation knows what was named in the one before. REQUIRES: the same key and placement
  void learn_from(const Round& before);

  const std::shared_ptr<const model::Placement> placement;
  const model::ReplicaSet replicas;                   // the placement's
  std::vector<model::ReplicaReply> replies;           // one for each replica
  std::vector<std::optional<model::Record>> records;  // what was read, with a value where one was asked for
  std::vector<bool> damaged;                          // it cannot read what it holds
  std::vector<model::Ballot> promises;                // written: what it has promised since
  model::Ballot highest;                              // stored or promised, of all that was named
  bool stale = false;                                 // somebody has a newer configuration
  bool no_space = false;
  std::string problem;  // the last error, for a person
  runtime::Signal changed;

 private:
  void failed(std::size_t i, const Error& error);
  void take_slot(std::size_t i, model::Slot slot);
  void note(const model::Ballot& seen);
  // Rule 8 and D5: a vote of an incarnation that is known to be over is none, and who has met whom.
  void weigh(std::size_t i, const wire::Voter& voter);
  void compare_lives();
  template <class Use>
  void for_each_named(const std::vector<wire::Incarnation>& lives, Use use) const;

  using Lives = std::vector<std::uint64_t>;  // incarnations, by replica; 0: not known
  Lives incarnations_;                       // that answered
  Lives newest_;                             // that somebody named
  // For each, those that it has met; empty: none. Empty as a whole until one names any: so nearly always.
  std::vector<Lives> met_;
};

using SharedRound = std::shared_ptr<Round>;

}  // namespace tako::replication
