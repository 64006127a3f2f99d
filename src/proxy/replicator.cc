#include "proxy/replicator.h"

#include "base/plant.h"

namespace tako::proxy {

using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

// A replica that has not said its version in this time is not reachable, as far as a `latest` read goes.
constexpr Duration kReachableWithin = seconds(2);
constexpr Duration kReachableWithinShort = milliseconds(200);
constexpr Duration kRepairDeadline = seconds(30);
constexpr std::size_t kRepairsMax = 64;  // at once, each with its value
constexpr int kAttemptsMax = 16;         // of one request, beside its deadline
constexpr Duration kStalePoll = milliseconds(20);

wire::Request request_by(const model::Placement& placement) {
  wire::Request request;
  request.config = wire::ConfigStamp{placement.config().counter, placement.config().hash};
  return request;
}

Error no_configuration() {
  return {ErrorCode::kUnavailable, "this proxy has no configuration yet; is a coordinator running?"};
}

// Who answers «stale» can be reached, and may hold something newer than all who answered otherwise.
Error outdated() {
  return {ErrorCode::kStale,
          "replicas of this key have a newer configuration than this proxy; can it reach a coordinator?"};
}

std::string count_of(const Round& round, State state) {
  std::size_t count = 0;
  for (const auto& reply : round.replies) count += reply.state == state;
  return std::to_string(count) + " of " + std::to_string(round.replies.size());
}

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
      state.state = reply.ballot == answer.record->ballot ? "current" : "older";
      state.timestamp = reply.version.timestamp;
    } else if (reply.state == State::kAbsent) {
      state.state = reply.votes ? "absent" : "no_vote";
    } else {
      state.state = "unreachable";
    }
    answer.replicas.push_back(std::move(state));
  }
  return answer;
}

}  // namespace

Replicator::Replicator(runtime::Loop& loop, net::Transport& transport, const runtime::Clock& clock,
                       std::shared_ptr<VersionMark> mark)
    : loop_(loop), transport_(transport), clock_(clock, loop.random().next(), std::move(mark)), gate_(loop) {}

Replicator::Shared Replicator::new_round(const std::string& key) {
  return std::make_shared<Round>(loop_, placement_, key);
}

void Replicator::ask_read(const Shared& round, std::size_t i, const std::string& key, bool want_value,
                          TimePoint deadline) {
  wire::Read read;
  read.key = key;
  read.want_value = want_value;
  wire::Request request = request_by(*round->placement);
  request.body = std::move(read);
  loop_.spawn(gate_, call_read(round, i, std::move(request), deadline));
}

Task<> Replicator::call_read(Shared round, std::size_t i, wire::Request request, TimePoint deadline) {
  auto answer = co_await transport_.call(round->peer(i), std::move(request), deadline);
  round->heard_read(i, std::move(answer));
}

void Replicator::ask_write(const Shared& round, std::size_t i, const std::string& key, const model::Record& record,
                           TimePoint deadline) {
  wire::Write write;
  write.key = key;
  write.record = record;
  wire::Request request = request_by(*round->placement);
  request.body = std::move(write);
  loop_.spawn(gate_, call_write(round, i, std::move(request), record.ballot, deadline));
}

Task<> Replicator::call_write(Shared round, std::size_t i, wire::Request request, model::Ballot ballot,
                              TimePoint deadline) {
  auto answer = co_await transport_.call(round->peer(i), std::move(request), deadline);
  round->heard_write(i, ballot, std::move(answer));
}

// --- writes ---------------------------------------------------------------------------------------------------

Task<Verdict> Replicator::wait_for_write(Shared round, model::WriteLevel level, TimePoint deadline) {
  Verdict verdict = model::judge_write(level, round->replies);
  // A «no» waits for the last replies too: whether anybody stored it decides what may be done next.
  while (verdict != Verdict::kYes && round->pending()) {
    const bool woken = co_await round->changed.wait(deadline);
    if (!woken) break;
    verdict = model::judge_write(level, round->replies);
  }
  co_return verdict;
}

Task<Result<WriteAnswer>> Replicator::write(std::string key, Draft draft, model::WriteLevel level, TimePoint deadline) {
  ++counters_.writes;
  model::Version version = draft.timestamp ? clock_.given(*draft.timestamp) : clock_.next();
  if (draft.timestamp && planted(Plant::kVersionReused)) version.writer = 1;
  model::Record record = draft.tombstone
                             ? model::make_tombstone(version)
                             : model::make_value(version, std::move(draft.value), std::move(draft.content_type));
  bool perhaps_stored = false;  // this very ballot, under an earlier configuration
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (!placement_) co_return no_configuration();
    const Shared round = new_round(key);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) ask_write(round, i, key, record, deadline);
    const Verdict verdict = co_await wait_for_write(round, level, deadline);
    clock_.learn(round->highest);
    if (verdict == Verdict::kYes) co_return WriteAnswer{record.version, true};
    if (round->stale) {
      const bool renewed = co_await wait_for_newer(round->placement, deadline);
      perhaps_stored |= !model::nobody_has_it(round->replies);
      if (renewed) continue;  // the same ballot, to the newer configuration's replicas
    }
    const bool refused = round->highest >= record.ballot && !draft.timestamp && !round->pending();
    const bool nowhere = !perhaps_stored && model::nobody_has_it(round->replies);
    if (refused && (nowhere || planted(Plant::kRetryAfterRefusal))) {
      ++counters_.writes_again;
      version = clock_.next(round->highest);
      record.ballot = record.version = record.root = version;
      continue;
    }
    co_return write_failed(*round, key, record, level, deadline);
  }
  co_return Error(ErrorCode::kTimeout,
                  "the key is written too fast by others; it is unknown which write stands: read it again");
}

Result<WriteAnswer> Replicator::write_failed(const Round& round, const std::string& key, const model::Record& record,
                                             model::WriteLevel level, TimePoint deadline) {
  const bool plain = level != model::WriteLevel::kQuorum;
  model::Version newer;
  for (const auto& reply : round.replies) {
    if (reply.state == State::kRefused && reply.version > newer) newer = reply.version;
  }
  if (plain && newer > record.version && model::superseded_at(level, round.replies)) {
    ++counters_.writes_lost;
    return WriteAnswer{newer, false};
  }
  if (round.no_space) {
    return {ErrorCode::kNoSpace, "the disks of too many replicas are full (stored on " +
                                     count_of(round, State::kStored) + "); free some space and write again"};
  }
  if (newer > record.version) {
    complete(key);
    return {ErrorCode::kTimeout,
            "others write this key at the same time; it is unknown which write stands: read it again"};
  }
  if (round.pending() || loop_.now() >= deadline) {
    ++counters_.timeouts;
    return {ErrorCode::kTimeout,
            "stored on " + count_of(round, State::kStored) +
                " replicas before the time was up; it is unknown whether the write stands: write it again"};
  }
  ++counters_.unavailable;
  return {ErrorCode::kUnavailable, "stored on " + count_of(round, State::kStored) +
                                       " replicas, which is too few; the write may or may not stand: write it again (" +
                                       round.problem + ")"};
}

// A newer write that few hold stands in the way of every later one: some replicas refuse those, the others store them.
// Once all have it all refuse, and the next write goes above it. So it is finished for its author, as by a quorum read;
// its timestamp may be far ahead, and then nobody else would for as long.
void Replicator::complete(const std::string& key) {
  if (repairs_running_ >= kRepairsMax) {
    ++counters_.repairs_skipped;
    return;
  }
  ++repairs_running_;
  auto finish = [](Replicator* self, std::string of) -> Task<> {
    const auto read =
        co_await self->read(std::move(of), model::ReadLevel::kQuorum, false, self->loop_.now() + kRepairDeadline);
    if (read) ++self->counters_.completed;
    --self->repairs_running_;
  };
  loop_.spawn(gate_, finish(this, key));
}

// Somebody refused us because of a newer configuration: it is on its way here too.
Task<bool> Replicator::wait_for_newer(std::shared_ptr<const model::Placement> than, TimePoint deadline) {
  if (planted(Plant::kStaleIgnored)) co_return false;
  while (placement_ == than) {
    if (loop_.stopping() || loop_.now() >= deadline) co_return false;
    co_await loop_.sleep(kStalePoll);
  }
  co_return true;
}

// --- reads ----------------------------------------------------------------------------------------------------

// Whom to ask for the value: somebody reachable, another one each time.
std::size_t Replicator::value_from(const Round& round) {
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
  for (int attempt = 0; attempt < kAttemptsMax && loop_.now() < deadline; ++attempt) {
    if (!placement_) co_return no_configuration();
    const Shared round = new_round(key);
    const std::size_t from = value_from(*round);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) ask_read(round, i, key, want_value && i == from, deadline);
    const Verdict verdict = co_await wait_for_read(round, level, deadline);
    clock_.learn(round->highest);
    const bool passed_over = round->stale && level == model::ReadLevel::kLatest;
    if (round->stale && (passed_over || verdict != Verdict::kYes)) {
      const TimePoint patience = verdict == Verdict::kYes ? reachable_until(deadline) : deadline;
      const bool renewed = co_await wait_for_newer(round->placement, patience);
      if (renewed) continue;
    }
    if (verdict != Verdict::kYes) co_return read_failed(*round, verdict);
    if (passed_over) co_return outdated();
    if (buggify(loop_.random(), "proxy/read_again")) continue;

    ReadAnswer answer;
    answer.silent = round->silent();
    const auto best = model::newest(round->replies);
    if (best) answer.record = round->records[*best];
    const bool needs_value = answer.record && !answer.record->tombstone() && !answer.record->value;
    if (needs_value && (want_value || level == model::ReadLevel::kQuorum)) {
      auto fetched = co_await fetch_value(round, key, answer.record->ballot, deadline);
      if (!fetched && fetched.code() == ErrorCode::kConflict) continue;  // overwritten meanwhile
      if (!fetched) co_return fetched.error();
      answer.record = std::move(*fetched);
    }
    const bool unsettled = answer.record && (!model::settled(answer.record->ballot, round->replies) ||
                                             buggify(loop_.random(), "proxy/settle_anyway"));
    if (level == model::ReadLevel::kQuorum && unsettled && !planted(Plant::kNoSettle)) {
      const bool settled = co_await settle(round, key, *answer.record, deadline);
      if (!settled && round->stale) co_await wait_for_newer(round->placement, deadline);
      if (!settled) continue;
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
    const auto& reply = round->replies[i];
    if (reply.state != State::kPresent || reply.ballot != ballot) continue;
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

Task<bool> Replicator::settle(Shared round, std::string key, model::Record newest, TimePoint deadline) {
  const Shared writing = std::make_shared<Round>(loop_, round->placement, key);
  for (std::size_t i = 0; i < round->replies.size(); ++i) {
    const auto& reply = round->replies[i];
    const bool holds = reply.state == State::kPresent && reply.ballot == newest.ballot;
    if (holds) {
      writing->take_over(i, *round);
    } else {
      ask_write(writing, i, key, newest, deadline);
    }
  }
  while (!model::settled(newest.ballot, writing->replies) && writing->pending()) {
    const bool woken = co_await writing->changed.wait(deadline);
    if (!woken) break;
  }
  clock_.learn(writing->highest);
  round->stale |= writing->stale;
  co_return model::settled(newest.ballot, writing->replies);
}

// --- read repair ----------------------------------------------------------------------------------------------

void Replicator::repair(const Shared& round, const std::string& key, const std::optional<model::Record>& newest) {
  if (!newest || !round->placement->policy().read_repair) return;
  bool behind = round->pending();
  for (std::size_t i = 0; i < round->replies.size(); ++i) behind |= round->behind(i, newest->ballot);
  if (!behind) return;
  if (repairs_running_ >= kRepairsMax || buggify(loop_.random(), "proxy/repairs_full")) {
    ++counters_.repairs_skipped;
    return;
  }
  ++repairs_running_;
  loop_.spawn(gate_, finish_and_repair(round, key, newest));
}

Task<> Replicator::finish_and_repair(Shared round, std::string key, std::optional<model::Record> newest) {
  const TimePoint deadline = loop_.now() + kRepairDeadline;
  while (round->pending()) {
    const bool woken = co_await round->changed.wait(deadline);
    if (!woken) break;
  }
  const auto best = model::newest(round->replies);
  if (best && round->replies[*best].ballot > newest->ballot) newest = round->records[*best];
  bool behind = false;
  for (std::size_t i = 0; i < round->replies.size(); ++i) behind |= round->behind(i, newest->ballot);
  if (behind && !newest->tombstone() && !newest->value) {
    auto fetched = co_await fetch_value(round, key, newest->ballot, deadline);
    behind = fetched.ok();
    if (fetched) newest = std::move(*fetched);
  }
  for (std::size_t i = 0; behind && i < round->replies.size() && !loop_.stopping(); ++i) {
    if (!round->behind(i, newest->ballot) || (i == 0 && planted(Plant::kReadRepairSkips))) continue;
    wire::Write write;
    write.key = key;
    write.record = *newest;
    write.source = wire::Write::Source::kCopy;
    wire::Request request = request_by(*round->placement);
    request.body = std::move(write);
    auto answer = co_await transport_.call(round->peer(i), std::move(request), deadline);
    if (answer) ++counters_.repairs;
  }
  --repairs_running_;
}

// --- stat -----------------------------------------------------------------------------------------------------

Task<Result<StatAnswer>> Replicator::stat(std::string key, TimePoint deadline) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (!placement_) co_return no_configuration();
    const Shared round = new_round(key);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) ask_read(round, i, key, false, deadline);
    const Verdict verdict = co_await wait_for_read(round, model::ReadLevel::kLatest, deadline);
    if (round->stale) {
      const bool renewed = co_await wait_for_newer(round->placement, reachable_until(deadline));
      if (renewed) continue;
      co_return outdated();
    }
    if (verdict != Verdict::kYes) co_return read_failed(*round, verdict);
    StatAnswer answer = describe(*round);
    repair(round, key, answer.record);
    co_return answer;
  }
  co_return outdated();
}

}  // namespace tako::proxy
