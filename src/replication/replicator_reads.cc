// The Replicator's reads.
#include "base/plant.h"
#include "replication/replicating.h"

namespace tako::replication {

using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

// A replica that has not said its version in this time is not reachable, as far as a `latest` read goes.
constexpr Duration kReachableWithin = seconds(2);
constexpr Duration kReachableWithinShort = milliseconds(200);

// The first value that came, whoever's it is.
std::optional<Bytes> any_value(const Round& round) {
  for (const auto& record : round.records) {
    if (record && record->value) return record->value;
  }
  return std::nullopt;
}

}  // namespace

// Whom to ask for the value: somebody reachable, another one each time.
std::size_t Replicator::whom_to_ask(const Round& round) {
  const std::size_t count = round.replicas.size();
  const std::size_t begin = loop_.random().below(count);
  if (buggify(loop_.random(), "proxy/value_from_anyone")) return begin;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (begin + i) % count;
    if (transport_.reachable(round.peer(candidate))) return candidate;
  }
  return begin;
}

TimePoint Replicator::reachable_until(TimePoint deadline) const {
  return std::min(deadline, loop_.now() + kReachableWithin);
}

Task<Verdict> Replicator::wait_for_read(Shared round, model::ReadLevel level, TimePoint deadline) {
  const bool hasty = level == model::ReadLevel::kOne && buggify(loop_.random(), "proxy/hasty");
  const TimePoint patience =
      hasty ? std::min(deadline, loop_.now() + kReachableWithinShort) : reachable_until(deadline);
  const bool latest = level == model::ReadLevel::kLatest || level == model::ReadLevel::kOne;
  Verdict verdict = model::judge_read(level, round->replies);
  while (verdict == Verdict::kWait) {
    const bool woken = co_await round->changed.wait(latest ? patience : deadline);
    verdict = model::judge_read(level, round->replies);
    if (woken) continue;
    if (verdict == Verdict::kWait && latest) {
      round->give_up();
      verdict = model::judge_read(level, round->replies);
    }
    break;
  }
  co_return verdict;
}

Task<Result<ReadAnswer>> Replicator::read(std::string key, model::ReadLevel level, bool want_value,
                                          TimePoint deadline) {
  ++counters_.reads;
  const TimePoint votes_until = std::min(deadline, loop_.now() + kVotesWithin);
  for (int attempt = 0; attempt < kAttemptsMax && loop_.now() < deadline; ++attempt) {
    if (!placement_) co_return no_configuration();
    const Shared round = new_round(key);
    const std::size_t from = whom_to_ask(*round);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) ask_read(round, i, key, want_value && i == from, deadline);
    const Verdict verdict = co_await wait_for_read(round, level, deadline);
    clock_.learn(round->highest);
    const bool passed_over = round->stale && level == model::ReadLevel::kLatest;
    if (round->stale && (passed_over || verdict != Verdict::kYes)) {
      const TimePoint patience = verdict == Verdict::kYes ? reachable_until(deadline) : deadline;
      const bool renewed = co_await wait_for_newer(round->placement, patience);
      if (renewed) continue;
    }
    const bool votes_missing = level == model::ReadLevel::kQuorum && verdict == Verdict::kNo && round->without_vote();
    if (votes_missing && loop_.now() < votes_until && !loop_.stopping()) {
      co_await loop_.sleep(kVotesPause);
      continue;
    }
    if (verdict != Verdict::kYes) co_return read_failed(*round, verdict);
    if (passed_over) co_return outdated();
    if (buggify(loop_.random(), "proxy/read_again")) continue;

    ReadAnswer answer;
    answer.silent = round->silent();
    answer.round = round;
    const auto best = model::newest(round->replies);
    if (best) answer.record = round->records[*best];
    // To settle it, too: replicas take a small value from here, and a large one from one another.
    const bool needs_value = answer.record && lacks_value(*answer.record);
    if (needs_value && (want_value || level == model::ReadLevel::kQuorum)) {
      auto fetched = co_await fetch_value(round, key, answer.record->ballot, deadline);
      if (!fetched && fetched.code() == ErrorCode::kConflict) continue;  // overwritten meanwhile
      if (!fetched && round->stale) {
        const bool renewed = co_await wait_for_newer(round->placement, deadline);
        if (renewed) continue;
      }
      if (!fetched) co_return fetched.error();
      answer.record = std::move(*fetched);
    }
    const bool unsettled = answer.record && (!model::settled(answer.record->ballot, round->replies) ||
                                             buggify(loop_.random(), "proxy/settle_anyway"));
    if (level == model::ReadLevel::kQuorum && unsettled && !planted(Plant::kNoSettle)) {
      const bool settled = co_await settle(round, key, *answer.record, deadline);
      if (!settled && round->stale) {
        co_await wait_for_newer(round->placement, deadline);
      } else if (!settled) {
        // A promise is in the way of its own ballot, or something newer came.
        co_await agree(key, std::nullopt, round->highest, deadline);
      }
      if (!settled) continue;
    }
    const bool over =
        level == model::ReadLevel::kQuorum && answer.record && !answer.record->tombstone() &&
        expired(*answer.record, round->highest);
    if (over && !planted(Plant::kExpiryByClock)) {
      const auto leave = [](const std::optional<model::Record>&) {
        return Result<std::optional<Mutation>>(std::nullopt);
      };
      const auto absence = co_await update(key, leave, false, deadline);
      if (!absence) co_return absence.error();
      continue;  // what is there now: the tombstone, or something that came after it
    }
    repair(round, key, answer.record);
    const bool has_value = answer.record && answer.record->value;
    if (has_value && planted(Plant::kValueOfAnother)) answer.record->value = any_value(*round);
    co_return answer;
  }
  ++counters_.timeouts;
  co_return Error(ErrorCode::kTimeout, "no agreement on this key before the time was up; read it again");
}

Error Replicator::read_failed(const Round& round, Verdict verdict) {
  if (verdict == Verdict::kWait) {
    ++counters_.timeouts;
    return {ErrorCode::kTimeout, "too few replicas answered before the time was up; read it again"};
  }
  ++counters_.unavailable;
  const std::string why =
      round.problem.empty() ? "those that answered have lost their memory and are catching up" : round.problem;
  return {ErrorCode::kUnavailable, "too few replicas can answer for this key: " + why};
}

// The version was known, the value not: from one that holds this very ballot, or the next.
Task<Result<model::Record>> Replicator::fetch_value(Shared round, std::string key, model::Ballot ballot,
                                                    TimePoint deadline) {
  std::string problem = "nobody who holds it can be reached";
  bool overwritten = false;
  for (std::size_t i = 0; i < round->replies.size(); ++i) {
    if (!round->replies[i].holds(ballot)) continue;
    const bool at_hand = round->records[i] && round->records[i]->value;
    if (at_hand && !buggify(loop_.random(), "proxy/fetch_anyway")) co_return *round->records[i];
    wire::Read read;
    read.key = key;
    wire::Request request = request_by(*round->placement);
    request.body = std::move(read);
    auto called = co_await transport_.call(round->peer(i), std::move(request), deadline);
    auto answer = net::expect<wire::ReadReply>(std::move(called));
    if (!answer) {
      round->damaged[i] = answer.code() == ErrorCode::kCorrupt;
      round->stale |= answer.code() == ErrorCode::kStale;
      problem = answer.error().message;
    } else if (answer->slot.record && answer->slot.record->ballot == ballot) {
      co_return std::move(*answer->slot.record);
    } else {
      overwritten = true;
    }
  }
  if (overwritten) co_return Error(ErrorCode::kConflict, "the key was written meanwhile");
  co_return Error(ErrorCode::kUnavailable, "the value cannot be read: " + problem);
}

}  // namespace tako::replication
