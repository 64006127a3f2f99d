#include "replication/replicator.h"

#include "base/plant.h"
#include "replication/replicating.h"

namespace tako::replication {

using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

constexpr Duration kStalePoll = milliseconds(20);

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

wire::Request request_by(const model::Placement& placement) {
  wire::Request request;
  request.config = wire::ConfigStamp{placement.config().counter, placement.config().hash};
  return request;
}

Error no_configuration() {
  return {ErrorCode::kUnavailable, "this proxy has no configuration yet; is a coordinator running?"};
}

Error outdated() {
  return {ErrorCode::kStale,
          "replicas of this key have a newer configuration than this proxy; can it call_context a coordinator?"};
}

Replicator::Replicator(runtime::Loop& loop, net::Transport& transport, const runtime::Clock& clock,
                       std::shared_ptr<VersionMark> mark)
    : loop_(loop),
      transport_(transport),
      clock_(clock, loop.random().next(), std::move(mark)),
      gate_(loop),
      places_(loop) {}

Replicator::Counters& Replicator::Counters::operator+=(const Counters& other) {
  reads += other.reads;
  writes += other.writes;
  writes_lost += other.writes_lost;
  writes_again += other.writes_again;
  updates += other.updates;
  updates_ahead += other.updates_ahead;
  contended += other.contended;
  unavailable += other.unavailable;
  timeouts += other.timeouts;
  repairs += other.repairs;
  completed += other.completed;
  repairs_skipped += other.repairs_skipped;
  return *this;
}

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
                           TimePoint deadline, std::string value_from, model::Ballot promise) {
  wire::Write write;
  write.key = key;
  write.record = record;
  write.value_from = std::move(value_from);
  write.promise = promise;
  wire::Request request = request_by(*round->placement);
  request.body = std::move(write);
  loop_.spawn(gate_, call_write(round, i, std::move(request), record.ballot, deadline));
}

Task<> Replicator::call_write(Shared round, std::size_t i, wire::Request request, model::Ballot ballot,
                              TimePoint deadline) {
  auto answer = co_await transport_.call(round->peer(i), std::move(request), deadline);
  round->heard_write(i, ballot, std::move(answer));
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

}  // namespace tako::replication
