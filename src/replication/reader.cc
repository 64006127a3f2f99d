#include "replication/reader.h"

#include <algorithm>

#include "base/plant.h"

namespace tako::replication {

using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

// The first value that came, whoever's it is.
std::optional<Bytes> any_value(const Round& round) {
  for (const auto& record : round.records) {
    if (record && record->value) return record->value;
  }
  return std::nullopt;
}

StatAnswer describe(const Round& round) {
  StatAnswer answer;
  const auto best = model::newest(round.replies);
  if (best) answer.record = round.records[*best];
  for (std::size_t i = 0; i < round.replies.size(); ++i) {
    const auto& reply = round.replies[i];
    ReplicaState state;
    state.node = std::string(round.peer(i).id);
    if (reply.state == State::kPresent) {
      const bool current = answer.record && reply.ballot == answer.record->ballot;
      state.state = current ? "current" : "older";
      state.timestamp = reply.version.timestamp;
    } else if (reply.state == State::kAbsent) {
      state.state = reply.informed ? "absent" : "no_vote";
    } else {
      state.state = "unreachable";
    }
    answer.replicas.push_back(std::move(state));
  }
  return answer;
}

}  // namespace

Task<Result<ReadAnswer>> Reader::read(std::string key, model::ReadLevel level, bool want_value, TimePoint deadline) {
  ++context_.counters.reads;
  const TimePoint votes_until = std::min(deadline, context_.loop.now() + kVotesWithin);
  for (int attempt = 0; attempt < kAttemptsMax && context_.loop.now() < deadline; ++attempt) {
    if (!context_.placement) co_return no_configuration();
    const SharedRound round = rounds_.begin(key);
    const std::size_t from = rounds_.whom_to_ask(*round);
    for (std::size_t i = 0; i < round->replicas.size(); ++i)
      rounds_.ask_read(round, i, key, want_value && i == from, deadline);
    const Verdict verdict = co_await rounds_.wait_for_read(round, level, deadline);
    context_.clock.learn(round->highest);
    const bool passed_over = round->stale && level == model::ReadLevel::kLatest;
    if (round->stale && (passed_over || verdict != Verdict::kYes)) {
      const TimePoint patience = verdict == Verdict::kYes ? rounds_.reachable_until(deadline) : deadline;
      const bool renewed = co_await rounds_.wait_for_newer(round->placement, patience);
      if (renewed) continue;
    }
    const bool votes_missing = level == model::ReadLevel::kQuorum && verdict == Verdict::kNo && round->without_vote();
    if (votes_missing && context_.loop.now() < votes_until && !context_.loop.stopping()) {
      co_await context_.loop.sleep(kVotesPause);
      continue;
    }
    if (verdict != Verdict::kYes) co_return rounds_.failed(*round, verdict);
    if (passed_over) co_return outdated();
    if (buggify(context_.loop.random(), "proxy/read_again")) continue;

    ReadAnswer answer;
    answer.silent = round->silent();
    answer.round = round;
    const auto best = model::newest(round->replies);
    if (best) answer.record = round->records[*best];
    // To settle it, too: replicas take a small value from here, and a large one from one another.
    const bool needs_value = answer.record && lacks_value(*answer.record);
    if (needs_value && (want_value || level == model::ReadLevel::kQuorum)) {
      auto fetched = co_await rounds_.fetch_value(round, key, answer.record->ballot, deadline);
      if (!fetched && fetched.code() == ErrorCode::kConflict) continue;  // overwritten meanwhile
      if (!fetched && round->stale) {
        const bool renewed = co_await rounds_.wait_for_newer(round->placement, deadline);
        if (renewed) continue;
      }
      if (!fetched) co_return fetched.error();
      answer.record = std::move(*fetched);
    }
    const bool unsettled = answer.record && (!model::settled(answer.record->ballot, round->replies) ||
                                             buggify(context_.loop.random(), "proxy/settle_anyway"));
    if (level == model::ReadLevel::kQuorum && unsettled && !planted(Plant::kNoSettle)) {
      const bool settled = co_await repairs_.settle(round, key, *answer.record, deadline);
      if (!settled && round->stale) {
        co_await rounds_.wait_for_newer(round->placement, deadline);
      } else if (!settled) {
        // A promise is in the way of its own ballot, or something newer came.
        co_await proposer_.agree(key, std::nullopt, round->highest, deadline);
      }
      if (!settled) continue;
    }
    const bool over = level == model::ReadLevel::kQuorum && answer.record && !answer.record->tombstone() &&
                      updater_.expired(*answer.record, round->highest);
    if (over && !planted(Plant::kExpiryByClock)) {
      const auto leave = [](const std::optional<model::Record>&) {
        return Result<std::optional<Mutation>>(std::nullopt);
      };
      const auto absence = co_await updater_.update(key, leave, false, deadline);
      if (!absence) co_return absence.error();
      continue;  // what is there now: the tombstone, or something that came after it
    }
    repairs_.repair(round, key, answer.record);
    const bool has_value = answer.record && answer.record->value;
    if (has_value && planted(Plant::kValueOfAnother)) answer.record->value = any_value(*round);
    co_return answer;
  }
  ++context_.counters.timeouts;
  co_return Error(ErrorCode::kTimeout, "no agreement on this key before the time was up; read it again");
}

Task<Result<StatAnswer>> Reader::stat(std::string key, TimePoint deadline) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (!context_.placement) co_return no_configuration();
    const SharedRound round = rounds_.begin(key);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) rounds_.ask_read(round, i, key, false, deadline);
    const Verdict verdict = co_await rounds_.wait_for_read(round, model::ReadLevel::kLatest, deadline);
    if (round->stale) {
      const bool renewed = co_await rounds_.wait_for_newer(round->placement, rounds_.reachable_until(deadline));
      if (renewed) continue;
      co_return outdated();
    }
    if (verdict != Verdict::kYes) co_return rounds_.failed(*round, verdict);
    StatAnswer answer = describe(*round);
    repairs_.repair(round, key, answer.record);
    co_return answer;
  }
  co_return outdated();
}

Task<std::optional<Download::Found>> Reader::look_again(std::string key, TimePoint deadline) {
  auto answer = co_await read(std::move(key), model::ReadLevel::kLatest, false, deadline);
  if (!answer || !answer->record) co_return std::nullopt;
  Download::Found found;
  found.record = std::move(*answer->record);
  found.round = std::move(answer->round);
  co_return found;
}

std::unique_ptr<net::ByteSource> Reader::open(std::string key, const ReadAnswer& answer, std::uint64_t begin,
                                              std::uint64_t end, Duration step) {
  ASSERT(answer.record && answer.round && begin <= end && end <= answer.record->size);
  Download::Plan plan;
  plan.key = std::move(key);
  plan.record = answer.record->without_value();
  plan.round = answer.round;
  plan.begin = begin;
  plan.end = end;
  plan.step = step;
  plan.placement = [this] { return context_.placement; };
  plan.look = [this, key = plan.key](TimePoint deadline) { return look_again(key, deadline); };
  return std::make_unique<Download>(context_, std::move(plan));
}

}  // namespace tako::replication
