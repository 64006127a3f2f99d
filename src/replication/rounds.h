// Rounds: asks the replicas of a key, and waits for enough of them (model/verdict.h says when it is enough). The
// lowest part of a Replicator: all others ask through it. Owned by the Replicator; on its loop.
#pragma once

#include <memory>
#include <string>

#include "replication/context.h"
#include "replication/operations.h"
#include "replication/round.h"

namespace tako::replication {

class Rounds {
 public:
  // REQUIRES: the context outlives it
  explicit Rounds(Context& context) : context_(context) {}

  // REQUIRES: there is a placement
  SharedRound begin(const std::string& key);

  // Ask the replica with index i. What it answers goes into the round, whoever waits for it, until the deadline.
  void ask_read(const SharedRound& round, std::size_t i, const std::string& key, bool want_value, TimePoint deadline);
  void ask_write(const SharedRound& round, std::size_t i, const std::string& key, const model::Record& record,
                 TimePoint deadline, std::string value_from = {}, model::Ballot promise = {});
  void ask_prepare(const SharedRound& round, std::size_t i, const std::string& key, const model::Ballot& ballot,
                   bool want_value, TimePoint deadline);
  // Whom to ask for the value: somebody reachable, another one each time.
  std::size_t whom_to_ask(const Round& round);

  Task<model::Verdict> wait_for_read(SharedRound round, model::ReadLevel level, TimePoint deadline);
  Task<model::Verdict> wait_for_write(SharedRound round, model::WriteLevel level, TimePoint deadline);
  Task<model::Verdict> wait_for_promises(SharedRound round, TimePoint deadline);
  // What has not answered by then is not reachable, as far as a `latest` read goes.
  TimePoint reachable_until(TimePoint deadline) const;
  // Somebody refused us because of a newer configuration: it is on its way here too. False: it did not come in time.
  Task<bool> wait_for_newer(std::shared_ptr<const model::Placement> than, TimePoint deadline);

  // The version was known, the value not: from one that holds this very ballot, or the next.
  Task<Result<model::Record>> fetch_value(SharedRound round, std::string key, model::Ballot ballot,
                                          TimePoint deadline);
  // From whom a replica fetches a large value: one that holds it, another one each time. Empty for a small one.
  std::string holder_of(const Round& round, const model::Record& record);
  // Why a round came to no answer. Counts it.
  Error failed(const Round& round, model::Verdict verdict);

 private:
  Task<> call_read(SharedRound round, std::size_t i, wire::Request request, TimePoint deadline);
  Task<> call_write(SharedRound round, std::size_t i, wire::Request request, model::Ballot ballot, TimePoint deadline);
  Task<> call_prepare(SharedRound round, std::size_t i, wire::Request request, TimePoint deadline);

  Context& context_;
};

// Of one request, beside its deadline.
inline constexpr int kAttemptsMax = 16;

// Replicas that answer without a vote may have one in a moment: they hear of a reconfiguration a little later than this
// proxy, or are about to have caught up.
inline constexpr Duration kVotesWithin = seconds(2);
inline constexpr Duration kVotesPause = milliseconds(200);

Error no_configuration();
// Who answers "stale" can be reached, and may hold something newer than all who answered otherwise.
Error outdated();

}  // namespace tako::replication
