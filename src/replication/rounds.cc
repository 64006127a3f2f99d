#include "replication/rounds.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace tako::replication {

using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

constexpr Duration kStalePoll = milliseconds(20);
// A replica that has not said its version in this time is not reachable, as far as a `latest` read goes.
constexpr Duration kReachableWithin = seconds(2);
constexpr Duration kReachableWithinShort = milliseconds(200);

// For the questions that every client's request asks of all replicas at once. They do without net::call(), which is one
// more coroutine for each replica.
template <class Body>
wire::Request request(const Round& round, Body body) {
  wire::Request request;
  request.config = wire::stamp_of(*round.placement);
  request.body = std::move(body);
  return request;
}

}  // namespace

Error no_configuration() {
  return {ErrorCode::kUnavailable, "this proxy has no configuration yet; is a coordinator running?"};
}

Error outdated() {
  return {ErrorCode::kStale,
          "replicas of this key have a newer configuration than this proxy; can it reach a coordinator?"};
}

SharedRound Rounds::begin(const std::string& key) {
  return std::make_shared<Round>(context_.loop, context_.placement, key);
}

// --- asking ----------------------------------------------------------------------------------------------------

void Rounds::ask_read(const SharedRound& round, std::size_t i, const std::string& key, bool want_value,
                      TimePoint deadline) {
  wire::Read read;
  read.key = key;
  read.want_value = want_value;
  context_.loop.spawn(context_.gate, call_read(round, i, request(*round, std::move(read)), deadline));
}

Task<> Rounds::call_read(SharedRound round, std::size_t i, wire::Request request, TimePoint deadline) {
  auto answer = co_await context_.transport.call(round->peer(i), std::move(request), deadline);
  round->heard_read(i, net::expect<wire::ReadReply>(std::move(answer)));
}

void Rounds::ask_write(const SharedRound& round, std::size_t i, const std::string& key, const model::Record& record,
                       TimePoint deadline, std::string value_from, model::Ballot promise) {
  wire::Write write;
  write.key = key;
  write.record = record;
  write.value_from = std::move(value_from);
  write.promise = promise;
  context_.loop.spawn(context_.gate, call_write(round, i, request(*round, std::move(write)), record.ballot, deadline));
}

Task<> Rounds::call_write(SharedRound round, std::size_t i, wire::Request request, model::Ballot ballot,
                          TimePoint deadline) {
  auto answer = co_await context_.transport.call(round->peer(i), std::move(request), deadline);
  round->heard_write(i, ballot, net::expect<wire::WriteReply>(std::move(answer)));
}

void Rounds::ask_prepare(const SharedRound& round, std::size_t i, const std::string& key, const model::Ballot& ballot,
                         bool want_value, TimePoint deadline) {
  wire::Prepare prepare;
  prepare.key = key;
  prepare.ballot = ballot;
  prepare.want_value = want_value;
  context_.loop.spawn(context_.gate, call_prepare(round, i, request(*round, std::move(prepare)), deadline));
}

Task<> Rounds::call_prepare(SharedRound round, std::size_t i, wire::Request request, TimePoint deadline) {
  auto answer = co_await context_.transport.call(round->peer(i), std::move(request), deadline);
  round->heard_promise(i, net::expect<wire::PromiseReply>(std::move(answer)));
}

// Whom to ask for the value: somebody reachable, another one each time.
std::size_t Rounds::whom_to_ask(const Round& round) {
  const std::size_t count = round.replicas.size();
  const std::size_t begin = context_.loop.random().below(count);
  if (buggify(context_.loop.random(), "proxy/value_from_anyone")) return begin;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (begin + i) % count;
    if (context_.transport.reachable(round.peer(candidate))) return candidate;
  }
  return begin;
}

// --- waiting ---------------------------------------------------------------------------------------------------

Task<Verdict> Rounds::wait_for_read(SharedRound round, model::ReadLevel level, TimePoint deadline) {
  const bool hasty = level == model::ReadLevel::kOne && buggify(context_.loop.random(), "proxy/hasty");
  const TimePoint patience =
      hasty ? std::min(deadline, context_.loop.now() + kReachableWithinShort) : reachable_until(deadline);
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

Task<Verdict> Rounds::wait_for_write(SharedRound round, model::WriteLevel level, TimePoint deadline) {
  Verdict verdict = model::judge_write(level, round->replies);
  // A "no" waits for the last replies too: whether anybody stored it decides what may be done next.
  while (verdict != Verdict::kYes && round->pending()) {
    const bool woken = co_await round->changed.wait(deadline);
    if (!woken) break;
    verdict = model::judge_write(level, round->replies);
  }
  co_return verdict;
}

Task<Verdict> Rounds::wait_for_promises(SharedRound round, TimePoint deadline) {
  Verdict verdict = model::judge_promise(round->replies);
  while (verdict == Verdict::kWait) {
    const bool woken = co_await round->changed.wait(deadline);
    verdict = model::judge_promise(round->replies);
    if (!woken) break;
  }
  co_return verdict;
}

TimePoint Rounds::reachable_until(TimePoint deadline) const {
  return std::min(deadline, context_.loop.now() + kReachableWithin);
}

// Somebody refused us because of a newer configuration: it is on its way here too.
Task<bool> Rounds::wait_for_newer(std::shared_ptr<const model::Placement> than, TimePoint deadline) {
  if (planted(Plant::kStaleIgnored)) co_return false;
  while (context_.placement == than) {
    if (context_.loop.stopping() || context_.loop.now() >= deadline) co_return false;
    co_await context_.loop.sleep(kStalePoll);
  }
  co_return true;
}

// --- values ----------------------------------------------------------------------------------------------------

// The version was known, the value not: from one that holds this very ballot, or the next.
Task<Result<model::Record>> Rounds::fetch_value(SharedRound round, std::string key, model::Ballot ballot,
                                                TimePoint deadline) {
  std::string problem = "nobody who holds it can be reached";
  bool overwritten = false;
  for (std::size_t i = 0; i < round->replies.size(); ++i) {
    if (!round->replies[i].holds(ballot)) continue;
    const bool at_hand = round->records[i] && round->records[i]->value;
    if (at_hand && !buggify(context_.loop.random(), "proxy/fetch_anyway")) co_return *round->records[i];
    wire::Read read;
    read.key = key;
    const wire::ConfigStamp stamp = wire::stamp_of(*round->placement);
    auto answer = co_await net::call(context_.transport, round->peer(i), stamp, std::move(read), deadline);
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

// From whom a replica fetches a large value: one that holds it, another one each time. Empty for a small one.
std::string Rounds::holder_of(const Round& round, const model::Record& record) {
  if (!record.in_pieces() || record.value) return {};
  std::vector<std::size_t> holders;
  for (std::size_t i = 0; i < round.replies.size(); ++i) {
    if (round.replies[i].holds(record.ballot) && !round.damaged[i]) holders.push_back(i);
  }
  if (holders.empty()) return {};
  return std::string(round.peer(holders[context_.loop.random().below(holders.size())]).id);
}

Error Rounds::failed(const Round& round, Verdict verdict) {
  if (verdict == Verdict::kWait) {
    ++context_.counters.timeouts;
    return {ErrorCode::kTimeout, "too few replicas answered before the time was up; read it again"};
  }
  ++context_.counters.unavailable;
  const std::string why =
      round.problem.empty() ? "those that answered have lost their memory and are catching up" : round.problem;
  return {ErrorCode::kUnavailable, "too few replicas can answer for this key: " + why};
}

}  // namespace tako::replication
