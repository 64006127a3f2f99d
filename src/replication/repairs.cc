#include "replication/repairs.h"

#include <algorithm>

#include "base/plant.h"

namespace tako::replication {

using State = model::ReplicaReply::State;

Task<bool> Repairs::settle(SharedRound round, std::string key, model::Record newest, TimePoint deadline) {
  const SharedRound writing = std::make_shared<Round>(context_.loop, round->placement, key);
  const std::string from = rounds_.holder_of(*round, newest);
  for (std::size_t i = 0; i < round->replies.size(); ++i) {
    const auto& reply = round->replies[i];
    const bool holds = reply.state == State::kPresent && reply.ballot == newest.ballot;
    if (holds) {
      writing->take_over(i, *round);
    } else {
      rounds_.ask_write(writing, i, key, newest, deadline, from);
    }
  }
  while (!model::settled(newest.ballot, writing->replies) && writing->pending()) {
    const bool woken = co_await writing->changed.wait(deadline);
    if (!woken) break;
  }
  context_.clock.learn(writing->highest);
  round->stale |= writing->stale;
  co_return model::settled(newest.ballot, writing->replies);
}

void Repairs::repair(const SharedRound& round, const std::string& key, const std::optional<model::Record>& newest) {
  if (!newest || !round->placement->policy().read_repair) return;
  bool behind = round->pending();
  for (std::size_t i = 0; i < round->replies.size(); ++i) behind |= round->behind(i, newest->ballot);
  if (!behind) return;
  if (context_.repairs_running >= kRepairsMax || buggify(context_.loop.random(), "proxy/repairs_full")) {
    ++context_.counters.repairs_skipped;
    return;
  }
  ++context_.repairs_running;
  context_.loop.spawn(context_.gate, finish_and_repair(round, key, newest));
}

Task<> Repairs::finish_and_repair(SharedRound round, std::string key, std::optional<model::Record> newest) {
  const TimePoint deadline = context_.loop.now() + kRepairDeadline;
  while (round->pending()) {
    const bool woken = co_await round->changed.wait(deadline);
    if (!woken) break;
  }
  const auto best = model::newest(round->replies);
  if (best && round->replies[*best].ballot > newest->ballot) newest = round->records[*best];
  bool behind = false;
  for (std::size_t i = 0; i < round->replies.size(); ++i) behind |= round->behind(i, newest->ballot);
  if (behind && lacks_value(*newest)) {
    auto fetched = co_await rounds_.fetch_value(round, key, newest->ballot, deadline);
    behind = fetched.ok();
    if (fetched) newest = std::move(*fetched);
  }
  const std::string from = rounds_.holder_of(*round, *newest);
  model::Ballot promised;  // the highest above what was to be stored
  for (std::size_t i = 0; behind && i < round->replies.size() && !context_.loop.stopping(); ++i) {
    if (!round->behind(i, newest->ballot) || (i == 0 && planted(Plant::kReadRepairSkips))) continue;
    wire::Write write;
    write.key = key;
    write.record = *newest;
    write.source = wire::Write::Source::kCopy;
    write.value_from = from;
    const wire::ConfigStamp stamp = wire::stamp_of(*round->placement);
    const auto answer = co_await net::call(context_.transport, round->peer(i), stamp, std::move(write), deadline);
    if (answer) ++context_.counters.repairs;
    if (answer && answer->stored < newest->ballot) promised = std::max(promised, answer->promise);
  }
  if (!promised.none()) co_await proposer_.agree(std::move(key), std::nullopt, promised, deadline);
  --context_.repairs_running;
}

}  // namespace tako::replication
