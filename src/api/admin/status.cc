#include "api/admin/status.h"

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/json.h"

namespace tako::api {
namespace {

std::string hex(std::uint64_t number) { return model::to_string(model::Version{number, 0}).substr(0, 16); }

}  // namespace

nlohmann::json stat_json(const std::string& key, const replication::StatAnswer& answer) {
  nlohmann::json out;
  out["key"] = key;
  if (!is_utf8(key)) out["key_base64"] = base64_encode(key);
  const auto& record = answer.record;
  out["deleted"] = record && record->tombstone();
  out["timestamp"] = nullptr;
  out["size"] = nullptr;
  out["expires"] = nullptr;
  if (record) {
    out["timestamp"] = record->version.timestamp;
    out["version"] = model::to_string(record->version);
    if (!record->tombstone()) {
      out["size"] = record->size;
      out["content_type"] = record->content_type.empty() ? "application/octet-stream" : record->content_type;
    }
    if (record->expires_at != 0) out["expires"] = record->expires_at;
  }
  out["replicas"] = nlohmann::json::array();
  for (const replication::ReplicaState& replica : answer.replicas) {
    nlohmann::json at;
    at["node"] = replica.node;
    at["state"] = replica.state;
    at["timestamp"] = nullptr;
    if (replica.timestamp) at["timestamp"] = *replica.timestamp;
    out["replicas"].push_back(std::move(at));
  }
  return out;
}

struct StatusBoard::Gathering {
  explicit Gathering(runtime::Loop& loop) : gate(loop) {}
  std::shared_ptr<const model::Placement> placement;
  std::vector<nlohmann::json> nodes;
  runtime::Gate gate;
};

StatusBoard::StatusBoard(std::string proxy_id, runtime::Loop& loop, net::Transport& transport,
                         replication::Replicators& replicators, std::size_t index)
    : proxy_id_(std::move(proxy_id)),
      loop_(loop),
      transport_(transport),
      replicators_(replicators),
      replicator_(replicators.at(index)),
      turn_(loop, 1),
      questions_(loop, kNodesAtOnce) {}

Task<> StatusBoard::ask(std::shared_ptr<Gathering> gathering, std::size_t index) {
  const auto& node = gathering->placement->nodes()[index];
  nlohmann::json& out = gathering->nodes[index];
  const bool turn = co_await questions_.acquire(loop_.now() + kTurnDeadline);
  if (turn) {
    const wire::StatusQuery query;
    const net::Peer peer{node.id, node.host, node.port};
    const wire::ConfigStamp any;
    const auto reply = co_await net::call(transport_, peer, any, query, loop_.now() + kNodeDeadline);
    questions_.release();
    if (reply) {
      out = parse_json(reply->json);
      if (!out.is_object()) out = nlohmann::json::object();
      out["state"] = "up";
    } else {
      out["state"] = "down";
      out["problem"] = reply.error().message;
    }
  }
  out["id"] = node.id;
  out["address"] = node.host + ":" + std::to_string(node.port);
}

Task<Result<nlohmann::json>> StatusBoard::gather() {
  auto placement = replicator_.placement();
  if (!placement) co_return Error(ErrorCode::kUnavailable, "no configuration yet; is a coordinator running?");
  const bool turn = co_await turn_.acquire(loop_.now() + kTurnDeadline);
  if (!turn) co_return Error(ErrorCode::kOverloaded, "too many ask for the status; try again later");
  auto gathering = std::make_shared<Gathering>(loop_);
  gathering->placement = placement;
  gathering->nodes.resize(placement->nodes().size(), nlohmann::json::object());
  for (std::size_t i = 0; i < gathering->nodes.size(); ++i) loop_.spawn(gathering->gate, ask(gathering, i));
  co_await gathering->gate.drained();
  turn_.release();

  const model::Configuration& config = placement->config();
  const replication::Counters counters = co_await replicators_.counters();
  nlohmann::json out;
  out["proxy"] = {{"id", proxy_id_},
                  {"version", TAKO_VERSION},
                  {"reads", counters.reads},
                  {"writes", counters.writes},
                  {"writes_lost", counters.writes_lost},
                  {"writes_again", counters.writes_again},
                  {"unavailable", counters.unavailable},
                  {"timeouts", counters.timeouts},
                  {"repairs", counters.repairs},
                  {"repairs_skipped", counters.repairs_skipped}};
  out["configuration"] = {{"version", config.counter}, {"hash", hex(config.hash)}, {"active", config.active}};
  out["configuration"]["target"] = nullptr;
  if (config.target) out["configuration"]["target"] = *config.target;
  out["nodes"] = nlohmann::json::array();
  for (auto& node : gathering->nodes) out["nodes"].push_back(std::move(node));
  co_return out;
}

}  // namespace tako::api
