// The Replicator's repairs: a write that is completed by a read, and copies for replicas that are behind.
#include "base/plant.h"
#include "replication/replicating.h"

namespace tako::replication {

using State = model::ReplicaReply::State;

// From whom a replica fetches a large value: one that holds it, another one each time. Empty for a small one.
std::string Replicator::holder_of(const Round& round, const model::Record& record) {
  if (!record.in_pieces() || record.value) return {};
  std::vector<std::size_t> holders;
  for (std::size_t i = 0; i < round.replies.size(); ++i) {
    if (round.replies[i].holds(record.ballot) && !round.damaged[i]) holders.push_back(i);
  }
  if (holders.empty()) return {};
  return std::string(round.peer(holders[loop_.random().below(holders.size())]).id);
}

Task<bool> Replicator::settle(Shared round, std::string key, model::Record newest, TimePoint deadline) {
  const Shared writing = std::make_shared<Round>(loop_, round->placement, key);
  const std::string from = holder_of(*round, newest);
  for (std::size_t i = 0; i < round->replies.size(); ++i) {
    const auto& reply = round->replies[i];
    const bool holds = reply.state == State::kPresent && reply.ballot == newest.ballot;
    if (holds) {
      writing->take_over(i, *round);
    } else {
      ask_write(writing, i, key, newest, deadline, from);
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
  if (behind && lacks_value(*newest)) {
    auto fetched = co_await fetch_value(round, key, newest->ballot, deadline);
    behind = fetched.ok();
    if (fetched) newest = std::move(*fetched);
  }
  const std::string from = holder_of(*round, *newest);
  model::Ballot promised;  // the highest above what was to be stored
  for (std::size_t i = 0; behind && i < round->replies.size() && !loop_.stopping(); ++i) {
    if (!round->behind(i, newest->ballot) || (i == 0 && planted(Plant::kReadRepairSkips))) continue;
    wire::Write write;
    write.key = key;
    write.record = *newest;
    write.source = wire::Write::Source::kCopy;
    write.value_from = from;
    wire::Request request = request_by(*round->placement);
    request.body = std::move(write);
    auto called = co_await transport_.call(round->peer(i), std::move(request), deadline);
    const auto answer = net::expect<wire::WriteReply>(std::move(called));
    if (answer) ++counters_.repairs;
    if (answer && answer->stored < newest->ballot) promised = std::max(promised, answer->promise);
  }
  if (!promised.none()) co_await agree(std::move(key), std::nullopt, promised, deadline);
  --repairs_running_;
}

}  // namespace tako::replication
