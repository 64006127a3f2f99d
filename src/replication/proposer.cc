#include "replication/proposer.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "replication/commit.h"

namespace tako::replication {

using model::Ballot;
using model::Record;
using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

constexpr Duration kPauseMax = milliseconds(200);
constexpr Duration kRoundMax = seconds(5);  // of prepare or accept, before it is looked at again

}  // namespace

bool stored_by_majority(const Round& round) {
  return model::judge_write(model::WriteLevel::kQuorum, round.replies) == Verdict::kYes;
}

Task<> Proposer::back_off(Duration& pause) {
  co_await context_.loop.sleep(Duration(1 + context_.loop.random().below(static_cast<std::uint64_t>(pause.count()))));
  pause = std::min(2 * pause, kPauseMax);
}

// --- prepare --------------------------------------------------------------------------------------------------

Task<Result<Proposer::Prepared>> Proposer::prepare(std::string key, bool want_value, TimePoint deadline, Ballot above) {
  Duration pause = kPauseMin;
  const TimePoint votes_until = std::min(deadline, context_.loop.now() + kVotesWithin);
  while (context_.loop.now() < deadline && !context_.loop.stopping()) {
    if (!context_.placement) co_return no_configuration();
    const SharedRound round = rounds_.begin(key);
    Prepared prepared;
    prepared.round = round;
    prepared.ballot = context_.clock.next(above);
    const std::size_t from = rounds_.whom_to_ask(*round);
    const TimePoint until = std::min(deadline, context_.loop.now() + kRoundMax);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) {
      rounds_.ask_prepare(round, i, key, prepared.ballot, want_value && i == from, until);
    }
    const Verdict verdict = co_await rounds_.wait_for_promises(round, until);
    context_.clock.learn(round->highest);
    above = std::max(above, round->highest);
    if (verdict == Verdict::kYes) {
      const bool found = co_await complete_value(prepared, key, want_value, deadline);
      if (found) co_return prepared;
    }
    if (round->stale) {
      const bool renewed = co_await rounds_.wait_for_newer(round->placement, deadline);
      if (!renewed) co_return outdated();
      continue;
    }
    const bool refused = std::any_of(round->replies.begin(), round->replies.end(),
                                     [](const auto& reply) { return reply.state == State::kRefused; });
    if (verdict == Verdict::kNo && !refused && context_.loop.now() >= votes_until) {
      co_return rounds_.failed(*round, verdict);
    }
    ++context_.counters.contended;
    if (verdict == Verdict::kNo && !refused) pause = kVotesPause;
    co_await back_off(pause);
  }
  ++context_.counters.timeouts;
  co_return Error(ErrorCode::kTimeout, "no agreement on this key before the time was up; try again");
}

// What is newest there, with its value where that has to be at hand. False: it is not to be had just now.
Task<bool> Proposer::complete_value(Prepared& prepared, std::string key, bool want_value, TimePoint deadline) {
  const Round& round = *prepared.round;
  const auto best = model::newest(round.replies);
  if (best) prepared.newest = round.records[*best];
  prepared.floor = best ? 0 : model::deciding_floor(round.replies);
  // Only a node without vote names what is above the ballot: a voter refuses. What is decided on it would lie below it.
  const bool above = best && round.replies[*best].ballot > prepared.ballot;
  if (above && !planted(Plant::kBuildsOnHigher)) co_return false;
  prepared.settled = model::settled(best ? round.replies[*best].ballot : Ballot(), round.replies);
  // Where it has to be written again, too.
  const bool needed = prepared.newest && lacks_value(*prepared.newest) && (want_value || !prepared.settled);
  if (!needed) co_return true;
  auto fetched = co_await rounds_.fetch_value(prepared.round, std::move(key), prepared.newest->ballot, deadline);
  if (!fetched) co_return false;
  prepared.newest = std::move(*fetched);
  co_return true;
}

// --- accept ---------------------------------------------------------------------------------------------------

// Under a prepared ballot, or one promised ahead. `from`: who holds the value, if it is large and held by anybody.
Task<SharedRound> Proposer::accept(SharedRound before, std::string key, Acceptance what, TimePoint deadline) {
  const SharedRound round = std::make_shared<Round>(context_.loop, before->placement, key);
  round->learn_from(*before);
  deadline = std::min(deadline, context_.loop.now() + kRoundMax);
  if (what.upload) {
    auto commit = std::make_shared<Commit>(context_, round, what.upload, key, what.record, deadline);
    commit->begin();
  } else {
    for (std::size_t i = 0; i < round->replicas.size(); ++i) {
      rounds_.ask_write(round, i, key, what.record, deadline, what.from, what.promise);
    }
  }
  (void)co_await rounds_.wait_for_write(round, model::WriteLevel::kQuorum, deadline);
  context_.clock.learn(round->highest);
  co_return round;
}

// The newest, or that there is nothing, under the prepared ballot.
Task<bool> Proposer::propose_again(Prepared& prepared, std::string key, TimePoint deadline) {
  Acceptance again;
  if (prepared.newest && lacks_value(*prepared.newest)) {
    auto fetched = co_await rounds_.fetch_value(prepared.round, key, prepared.newest->ballot, deadline);
    if (!fetched) co_return false;
    prepared.newest = std::move(*fetched);
  }
  if (prepared.newest) {
    again.record = *prepared.newest;
    again.from = rounds_.holder_of(*prepared.round, again.record);
  } else {
    again.record = model::make_tombstone(prepared.ballot);
  }
  again.record.ballot = prepared.ballot;
  const SharedRound round = co_await accept(prepared.round, std::move(key), std::move(again), deadline);
  co_return stored_by_majority(*round);
}

Task<std::optional<Ballot>> Proposer::agree(std::string key, std::optional<Record> rescued, Ballot promise,
                                            TimePoint deadline) {
  std::optional<Ballot> none;
  if (planted(Plant::kSettlesBelow)) promise = Ballot();
  auto prepared = co_await prepare(key, false, deadline, promise);
  if (!prepared) co_return none;
  const auto& newest = prepared->newest;
  // All owners had it when they agreed on a floor above it: what came after it did so with their knowledge.
  const bool covered = rescued && !newest && rescued->ballot.timestamp <= prepared->floor;
  if (covered) co_return model::ballot_of_floor(prepared->floor);
  const bool older = rescued && (!newest || newest->version < rescued->version);
  if (rescued && !older) co_return newest->ballot;
  if (rescued) prepared->newest = std::move(rescued);
  const bool agreed = co_await propose_again(*prepared, std::move(key), deadline);
  if (!agreed) co_return none;
  co_return prepared->ballot;
}

}  // namespace tako::replication
