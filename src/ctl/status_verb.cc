#include "ctl/status_verb.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "ctl/config_verbs.h"
#include "ctl/json_fields.h"
#include "ctl/table.h"

namespace tako::ctl {
namespace {

using nlohmann::json;

constexpr std::uint64_t kAgreedLateS = 600;

struct Node {
  std::string id;
  std::string address;
  std::string disk;
  std::string version;
  bool up = false;
  std::optional<std::uint64_t> items, bytes, voting, owned, agreed_s;

  bool disk_good() const { return disk == "ok" || disk == "-"; }
  // It has forgotten nothing, as far as it says.
  bool votes() const { return up && voting.value_or(0) >= owned.value_or(0); }
};

std::vector<Node> nodes_in(const json& status) {
  std::vector<Node> nodes;
  for (const json& entry : status.at("nodes")) {
    if (!entry.is_object()) continue;
    Node node;
    node.id = text_in(entry, "id");
    node.address = text_in(entry, "address");
    node.disk = text_in(entry, "disk");
    node.version = text_in(entry, "config_version");
    node.up = text_in(entry, "state") == "up";
    node.items = number_in(entry, "items");
    node.bytes = number_in(entry, "bytes");
    node.voting = number_in(entry, "voting_partitions");
    node.owned = number_in(entry, "owned_partitions");
    node.agreed_s = number_in(object_in(entry, "repair"), "seconds_since_agreement");
    nodes.push_back(std::move(node));
  }
  return nodes;
}

std::string catching_up(const Node& node) {
  if (!node.voting || !node.owned) return "-";
  if (*node.voting >= *node.owned) return "no";
  return std::to_string(*node.owned - *node.voting) + " of " + std::to_string(*node.owned);
}

// Since it was last found to hold what each of its peers holds.
std::string agreement(const Node& node) {
  if (!node.agreed_s) return "-";
  const std::uint64_t s = *node.agreed_s;
  if (s < 120) return std::to_string(s) + " s ago";
  return s < 7200 ? std::to_string(s / 60) + " min ago" : std::to_string(s / 3600) + " h ago";
}

std::string table_of(const std::vector<Node>& nodes, const std::string& version, bool colour) {
  Table table({"NODE", "ADDRESS", "STATE", "ITEMS", "BYTES", "CATCHING UP", "AGREED", "CONFIG", "DISK"});
  table.align(3, Align::kRight);
  table.align(4, Align::kRight);
  for (const Node& node : nodes) {
    const std::string behind = catching_up(node);
    const bool current = node.version == version || node.version == "-";
    table.add({node.id, node.address, Cell(node.up ? "up" : "down", node.up ? Tone::kGood : Tone::kBad),
               node.items ? std::to_string(*node.items) : "-", node.bytes ? bytes_of(*node.bytes) : "-",
               Cell(behind, behind == "no" || behind == "-" ? Tone::kPlain : Tone::kDoubtful),
               Cell(agreement(node), node.agreed_s.value_or(0) > kAgreedLateS ? Tone::kDoubtful : Tone::kPlain),
               Cell(node.version, current ? Tone::kPlain : Tone::kDoubtful),
               Cell(node.disk, node.disk_good() ? Tone::kPlain : Tone::kBad)});
  }
  return table.text(colour);
}

Cell words_of(int reserve) {
  if (reserve < 0) return Cell("some keys are out of reach", Tone::kBad);
  if (reserve == 0) return Cell("no further node can be lost", Tone::kDoubtful);
  return Cell(reserve == 1 ? "any one node can be lost" : "any " + std::to_string(reserve) + " nodes can be lost",
              Tone::kGood);
}

std::string head_of(const json& status, const std::vector<Node>& nodes, const std::optional<Reserve>& reserve,
                    bool colour) {
  const json& configuration = object_in(status, "configuration");
  const json& proxy = object_in(status, "proxy");
  std::string deployments = text_in(configuration, "active");
  const std::string target = text_in(configuration, "target", "");
  if (!target.empty()) deployments += ", moving to " + target;
  const auto down = std::count_if(nodes.begin(), nodes.end(), [](const Node& node) { return !node.up; });

  Table facts({"", ""});
  facts.add({"proxy", text_in(proxy, "id") + ", tako " + text_in(proxy, "version")});
  facts.add({"configuration", "version " + text_in(configuration, "version") + ", " + deployments});
  facts.add({"nodes", Cell(std::to_string(nodes.size() - static_cast<std::size_t>(down)) + " of " +
                               std::to_string(nodes.size()) + " up",
                           down ? Tone::kBad : Tone::kGood)});
  if (reserve) {
    facts.add({"reads and writes", words_of(reserve->plain)});
    facts.add({"strict ones", words_of(reserve->strict)});
  }
  return facts.text(colour);
}

}  // namespace

Reserve reserve_of(const model::Placement& placement, const std::set<std::string>& up,
                   const std::set<std::string>& voting) {
  std::vector<bool> is_up, is_voting;
  for (const auto& node : placement.nodes()) {
    is_up.push_back(up.contains(node.id));
    is_voting.push_back(is_up.back() && voting.contains(node.id));
  }
  Reserve reserve{std::numeric_limits<int>::max(), std::numeric_limits<int>::max()};
  for (std::uint32_t p = 0; p < model::kPartitions; ++p) {
    const model::ReplicaSet replicas = placement.replicas(static_cast<model::Partition>(p));
    for (const std::uint8_t deployment : {model::kInActive, model::kInTarget}) {
      int all = 0, reached = 0, voters = 0;
      for (const model::Replica& replica : replicas) {
        if (!(replica.deployments & deployment)) continue;
        ++all;
        reached += is_up[replica.node];
        voters += is_voting[replica.node];
      }
      if (all == 0) continue;
      reserve.plain = std::min(reserve.plain, reached - std::min(all, 2));
      reserve.strict = std::min(reserve.strict, voters - (all / 2 + 1));
    }
  }
  return reserve;
}

namespace {

struct Health {
  json status;
  std::vector<Node> nodes;
  std::optional<Reserve> reserve;
  std::vector<std::string> problems;  // none: all is well

  json reserve_json() const { return {{"plain", reserve->plain}, {"strict", reserve->strict}}; }
};

void judge(Health& health) {
  for (const Node& node : health.nodes) {
    if (!node.up) health.problems.push_back("node " + node.id + " is down");
    if (!node.disk_good()) health.problems.push_back("the disk of node " + node.id + " is " + node.disk);
  }
  if (!health.reserve) return;
  if (health.reserve->plain < 0) health.problems.push_back("some keys cannot be read or written");
  if (health.reserve->strict < 0) health.problems.push_back("some keys have no majority for strict operations");
}

Task<Result<Health>> health_of(ClusterClient& client) {
  const Result<std::string> text = co_await fetch_text(client, "/status", "application/json");
  if (!text) co_return text.error();
  Health health;
  health.status = parse_json(*text);
  const json& status = health.status;
  if (!status.is_object() || !status.contains("nodes") || !status["nodes"].is_array()) {
    co_return Error(ErrorCode::kInternal, "the proxy's answer is not the JSON of a status");
  }
  health.nodes = nodes_in(status);
  std::set<std::string> up, voting;
  for (const Node& node : health.nodes) {
    if (node.up) up.insert(node.id);
    if (node.votes()) voting.insert(node.id);
  }
  const Result<model::Configuration> configuration = co_await fetch_config(client);
  if (configuration) {
    const auto placement = model::Placement::make(*configuration);
    health.reserve = reserve_of(*placement, up, voting);
  }
  judge(health);
  co_return health;
}

}  // namespace

Task<int> show_status(Console& console, ClusterClient& client) {
  Result<Health> health = co_await health_of(client);
  if (!health) co_return fail(console, kExitNo, health.error().message);
  json& status = health->status;
  const int exit_code = health->problems.empty() ? kExitYes : kExitNo;
  if (console.json) {
    status["healthy"] = health->problems.empty();
    if (health->reserve) status["can_lose"] = health->reserve_json();
    co_return finish_json(console, status, exit_code);
  }
  const std::string version = text_in(object_in(status, "configuration"), "version");
  console.out << head_of(status, health->nodes, health->reserve, console.colour) << '\n'
              << table_of(health->nodes, version, console.colour);
  co_return finish(console, exit_code);
}

Task<int> check_cluster(Console& console, ClusterClient& client) {
  const Result<Health> health = co_await health_of(client);
  if (!health) co_return fail(console, kExitNo, health.error().message);
  const bool healthy = health->problems.empty();
  const int exit_code = healthy ? kExitYes : kExitNo;
  if (console.json) {
    json out = {{"healthy", healthy}, {"problems", health->problems}, {"can_lose", nullptr}};
    if (health->reserve) out["can_lose"] = health->reserve_json();
    co_return finish_json(console, out, exit_code);
  }
  std::string line = healthy ? "healthy" : "unhealthy";
  for (const std::string& problem : health->problems)
    line += (problem == health->problems.front() ? ": " : ", ") + problem;
  if (health->reserve) {
    line += "; reads and writes: " + words_of(health->reserve->plain).text +
            "; strict ones: " + words_of(health->reserve->strict).text;
  }
  console.out << line << '\n';
  co_return finish(console, exit_code);
}

}  // namespace tako::ctl
