#include "control/arrival.h"

#include <utility>

#include "base/check.h"
#include "base/plant.h"
#include "control/history.h"
#include "runtime/sync.h"

namespace tako::control {
namespace {

constexpr std::size_t kNodesAtOnce = 64;
constexpr std::size_t kNamedMax = 3;  // in an error

struct Round {
  Round(runtime::Loop& loop, net::Transport& net) : transport(net), turns(loop, kNodesAtOnce), gate(loop) {}
  net::Transport& transport;
  wire::ArrivalQuery query;
  TimePoint deadline;
  std::shared_ptr<const model::Placement> placement;
  Answers answers;
  runtime::Slots turns;
  runtime::Gate gate;
};

runtime::Task<> ask(std::shared_ptr<Round> round, std::size_t index) {
  const bool turn = co_await round->turns.acquire(round->deadline);
  if (!turn) co_return;
  const auto& node = round->placement->nodes()[index];
  const wire::ConfigStamp stamp = wire::stamp_of(*round->placement);
  const net::Peer peer{node.id, node.host, node.port};
  auto answer = co_await net::call(round->transport, peer, stamp, round->query, round->deadline);
  round->turns.release();
  round->answers[index] = std::move(answer);
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNamedMax; ++i) out += (i ? ", " : "") + names[i];
  if (names.size() > kNamedMax) out += " and " + std::to_string(names.size() - kNamedMax) + " more";
  return out;
}

std::string lack_of(const std::string& id, const wire::ConfigStamp& stamp, const Result<wire::ArrivalReply>& answer) {
  if (!answer) return id + " does not answer";
  if (answer->adopted != stamp && !planted(Plant::kArrivalStale))
    return id + " has configuration " + std::to_string(answer->adopted.counter);
  if (answer->arrived < answer->owned) {
    return id + " has " + std::to_string(answer->arrived) + " of " + std::to_string(answer->owned) + " partitions";
  }
  return answer->durable ? "" : id + " cannot write";
}

}  // namespace

runtime::Task<Answers> ask_nodes(runtime::Loop& loop, net::Transport& transport,
                                 std::shared_ptr<const model::Placement> placement, wire::ArrivalQuery query,
                                 TimePoint deadline) {
  auto round = std::make_shared<Round>(loop, transport);
  round->query = query;
  round->deadline = deadline;
  round->placement = placement;
  round->answers.assign(placement->nodes().size(), Error(ErrorCode::kTimeout, "it was not asked in time"));
  for (std::size_t i = 0; i < round->answers.size(); ++i) loop.spawn(round->gate, ask(round, i));
  co_await round->gate.drained();
  co_return std::move(round->answers);
}

Arrival arrival_of(const model::Placement& placement, const Answers& answers) {
  ASSERT(answers.size() == placement.nodes().size());
  const wire::ConfigStamp stamp = wire::stamp_of(placement.config());
  Arrival arrival;
  std::vector<bool> fenced;
  for (std::size_t n = 0; n < answers.size(); ++n) {
    const auto& node = placement.nodes()[n];
    const auto& answer = answers[n];
    const bool current = answer && answer->adopted == stamp;
    fenced.push_back(current && answer->durable);
    if (node.active && !fenced.back()) arrival.behind.push_back(node.id);
    if (current) {
      arrival.owned += answer->owned;
      arrival.arrived += answer->arrived;
      arrival.read += answer->read;
      arrival.to_read += answer->to_read;
    }
    std::string lack = node.target ? lack_of(node.id, stamp, answer) : "";
    if (!lack.empty()) arrival.missing.push_back(std::move(lack));
  }
  std::vector<bool> enough(placement.sets());
  for (std::uint32_t set = 0; set < enough.size(); ++set) {
    std::size_t owners = 0;
    std::size_t refusing = 0;
    for (const model::Replica& replica : placement.set(set)) {
      if (!(replica.deployments & model::kInActive)) continue;
      ++owners;
      refusing += fenced[replica.node];
    }
    enough[set] = refusing >= owners / 2 + 1;
  }
  for (std::uint32_t p = 0; p < model::kPartitions; ++p) {
    arrival.unfenced += !enough[placement.set_of(static_cast<model::Partition>(p))];
  }
  return arrival;
}

Status may_promote(const model::Placement& placement, const Arrival& arrival) {
  if (planted(Plant::kPromotedEarly)) return ok_status();
  const std::string target = placement.config().target.value_or("the target");
  if (!arrival.missing.empty()) {
    return {ErrorCode::kConflict, target + " is not promoted: not everything has arrived (" + listed(arrival.missing) +
                                      "); wait (tako ctl deploy promote --wait) or undo it (tako ctl deploy abort)"};
  }
  if (arrival.unfenced > 0) {
    return {ErrorCode::kConflict, target + " is not promoted: in " + std::to_string(arrival.unfenced) +
                                      " partitions too few active nodes have this configuration on disk (not yet: " +
                                      listed(arrival.behind) + "); start them, and try again"};
  }
  return ok_status();
}

}  // namespace tako::control
