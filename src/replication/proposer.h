// Proposer: prepare and accept over the replicas of a key (CASPaxos: Rystsov, 2018): the two phases of every
// linearizable operation, without what is decided between them (updater.h). Rules 10 to 16 of protocol.md.
//
// A ballot is prepared when a majority of voters in each deployment has promised it, durably: they refuse whatever is
// below it from then on, whoever sends it, a copy too. Part of a Replicator; on its loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "replication/rounds.h"
#include "replication/upload.h"

namespace tako::replication {

class Proposer {
 public:
  // A majority has promised the ballot.
  struct Prepared {
    SharedRound round;
    model::Ballot ballot;
    std::optional<model::Record> newest;  // of what they hold
    bool settled = false;                 // a majority holds exactly that, or nothing
    Timestamp floor = 0;                  // at which the key is a tombstone; 0: there is none that decides
  };
  // What is to be stored under a prepared ballot.
  struct Acceptance {
    model::Record record;
    std::string from;                // who has its value, if it is large and was stored before
    std::shared_ptr<Upload> upload;  // ... or where it was staged
    model::Ballot promise;           // asked for ahead
  };
  static constexpr Duration kPauseMin = milliseconds(2);

  // REQUIRES: both outlive it
  Proposer(Context& context, Rounds& rounds) : context_(context), rounds_(rounds) {}

  // `above`: what is known to be in the way. The newest comes with its value where that is wanted, or where it has to
  // be written again.
  Task<Result<Prepared>> prepare(std::string key, bool want_value, TimePoint deadline, model::Ballot above = {});
  // Under a prepared ballot, or one promised ahead. The round says what came of it. `before`: the round that prepared.
  Task<SharedRound> accept(SharedRound before, std::string key, Acceptance what, TimePoint deadline);
  // The newest, or a tombstone where there is nothing, under the prepared ballot. True: a majority holds it.
  Task<bool> propose_again(Prepared& prepared, std::string key, TimePoint deadline);
  // See Replicator::agree.
  Task<std::optional<model::Ballot>> agree(std::string key, std::optional<model::Record> rescued,
                                           model::Ballot promise, TimePoint deadline);
  // Sleeps for a random time up to the pause, which it doubles: so proposers that refuse one another get apart.
  Task<> back_off(Duration& pause);

 private:
  Task<bool> complete_value(Prepared& prepared, std::string key, bool want_value, TimePoint deadline);

  Context& context_;
  Rounds& rounds_;
};

// Did a majority of voters in each deployment store it?
bool stored_by_majority(const Round& round);

}  // namespace tako::replication
