#include "ctl/repair_verb.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "ctl/json_fields.h"
#include "ctl/table.h"
#include "model/placement.h"
#include "runtime/sync.h"

namespace tako::ctl {
namespace {

using nlohmann::json;
using Action = wire::RepairQuery::Action;

constexpr std::size_t kNodesAtOnce = 64;

struct Node {
  model::Placement::Node at;
  wire::RepairReply last;
  TimePoint heard{};
  TimePoint moved{};  // when it was last further than before
  bool done = false;
  std::string problem;  // it was given up, and why
};

struct Run {
  Run(net::Transport& net, runtime::Loop& on) : transport(net), loop(on), turns(on, kNodesAtOnce), gate(on) {}
  net::Transport& transport;
  runtime::Loop& loop;
  runtime::Slots turns;
  runtime::Gate gate;
  std::vector<Node> nodes;
};

void take(Node& node, const wire::RepairReply& reply, TimePoint now) {
  const bool anew = node.last.cycle != 0 && reply.cycle != node.last.cycle;
  if (anew) {
    node.problem = reply.cycle < node.last.cycle ? "it was restarted meanwhile" : "somebody else began a cycle";
    return;
  }
  if (reply.partitions_left != node.last.partitions_left || reply.peers_done != node.last.peers_done) node.moved = now;
  node.heard = now;
  node.last = reply;
  node.done = reply.peers_done == reply.peers;
  const bool only_away = !node.done && reply.peers_done + reply.peers_away == reply.peers;
  if (only_away && now - node.moved > kRepairAwayPatience) {
    node.problem = std::to_string(reply.peers_away) + " of its peers are away";
  }
}

Task<> ask(std::shared_ptr<Run> run, std::size_t index, Action action) {
  const bool turn = co_await run->turns.acquire(TimePoint::max());
  if (!turn) co_return;
  Node& node = run->nodes[index];
  const wire::RepairQuery query{action};
  const net::Peer peer{node.at.id, node.at.host, node.at.port};
  const wire::ConfigStamp any;
  const auto reply = co_await net::call(run->transport, peer, any, query, run->loop.now() + kRepairCallMax);
  run->turns.release();
  const TimePoint now = run->loop.now();
  if (reply) {
    take(node, *reply, now);
  } else if (action != Action::kProgress || now - node.heard > kRepairSilenceMax) {
    node.problem = reply.error().message;
  }
}

Task<> ask_all(std::shared_ptr<Run> run, Action action) {
  for (std::size_t i = 0; i < run->nodes.size(); ++i) {
    const Node& node = run->nodes[i];
    if (!node.done && node.problem.empty()) run->loop.spawn(run->gate, ask(run, i, action));
  }
  co_await run->gate.drained();
}

bool all_ended(const Run& run) {
  return std::all_of(run.nodes.begin(), run.nodes.end(),
                     [](const Node& node) { return node.done || !node.problem.empty(); });
}

std::string how_far(const Run& run) {
  std::uint64_t whole = 0, left = 0, differing = 0, copied = 0;
  std::size_t done = 0;
  for (const Node& node : run.nodes) {
    whole += node.last.partitions;
    left += node.last.partitions_left;
    differing += node.last.keys_differing;
    copied += node.last.keys_pulled + node.last.keys_pushed;
    done += node.done;
  }
  const std::uint64_t percent = whole ? 100 * (whole - std::min(left, whole)) / whole : 0;
  return std::to_string(done) + " of " + std::to_string(run.nodes.size()) + " nodes done, " + std::to_string(percent) +
         " % compared, " + std::to_string(differing) + " differences, " + std::to_string(copied) + " copies made";
}

json json_of(const Run& run, bool dry_run) {
  json out = {{"dry_run", dry_run}, {"nodes", json::array()}};
  for (const Node& node : run.nodes) {
    const wire::RepairReply& last = node.last;
    json entry = {{"id", node.at.id}, {"done", node.done}, {"peers", last.peers}, {"peers_done", last.peers_done}};
    entry["problem"] = node.problem.empty() ? json() : json(node.problem);
    entry["partitions"] = last.partitions;
    entry["partitions_left"] = last.partitions_left;
    entry["keys_compared"] = last.keys_compared;
    entry["keys_differing"] = last.keys_differing;
    entry["keys_pulled"] = last.keys_pulled;
    entry["keys_pushed"] = last.keys_pushed;
    entry["bytes_pulled"] = last.bytes_pulled;
    entry["bytes_pushed"] = last.bytes_pushed;
    entry["failures"] = last.failures;
    out["nodes"].push_back(std::move(entry));
  }
  return out;
}

std::string table_of(const Run& run, bool colour) {
  Table table({"NODE", "PEERS", "KEYS COMPARED", "DIFFERED", "PULLED", "PUSHED", "BYTES", "RESULT"});
  for (std::size_t column = 1; column < 7; ++column) table.align(column, Align::kRight);
  for (const Node& node : run.nodes) {
    const wire::RepairReply& last = node.last;
    const Cell result = node.done ? Cell("done", Tone::kGood) : Cell(printable(node.problem), Tone::kBad);
    table.add({printable(node.at.id), std::to_string(last.peers_done) + " of " + std::to_string(last.peers),
               std::to_string(last.keys_compared), std::to_string(last.keys_differing),
               std::to_string(last.keys_pulled), std::to_string(last.keys_pushed),
               bytes_of(last.bytes_pulled + last.bytes_pushed), result});
  }
  return table.text(colour);
}

int report(Console& console, const Run& run, bool dry_run) {
  const bool whole = std::all_of(run.nodes.begin(), run.nodes.end(), [](const Node& node) { return node.done; });
  const bool differs =
      std::any_of(run.nodes.begin(), run.nodes.end(), [](const Node& node) { return node.last.keys_differing > 0; });
  const int exit_code = whole && !(dry_run && differs) ? kExitYes : kExitNo;
  if (console.json) return finish_json(console, json_of(run, dry_run), exit_code);
  console.out << table_of(run, console.colour);
  return finish(console, exit_code);
}

}  // namespace

Task<int> repair_now(Console& console, net::Transport& transport, runtime::Loop& loop,
                     model::Configuration configuration, RepairOptions options) {
  const auto placement = model::Placement::make(configuration);
  auto run = std::make_shared<Run>(transport, loop);
  for (const auto& node : placement->nodes()) {
    if (!options.node.empty() && node.id != options.node) continue;
    run->nodes.emplace_back();
    run->nodes.back().at = node;
    run->nodes.back().heard = run->nodes.back().moved = loop.now();
  }
  if (run->nodes.empty()) {
    co_return fail(console, kExitUsage, "there is no node " + printable(options.node) + " in the configuration");
  }
  const TimePoint end = loop.now() + kRepairTimeMax;
  co_await ask_all(run, options.dry_run ? Action::kDryRun : Action::kRepair);
  while (!all_ended(*run) && loop.now() < end && !loop.stopping()) {
    redraw(console, how_far(*run));
    co_await loop.sleep(kRepairPause);
    co_await ask_all(run, Action::kProgress);
  }
  redraw(console, "");
  for (Node& node : run->nodes) {
    if (!node.done && node.problem.empty()) node.problem = "not waited for; it goes on";
  }
  co_return report(console, *run, options.dry_run);
}

}  // namespace tako::ctl
