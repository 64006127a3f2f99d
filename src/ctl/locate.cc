#include "ctl/locate.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "ctl/cluster_client.h"
#include "ctl/json_fields.h"
#include "ctl/table.h"
#include "model/placement.h"

namespace tako::ctl {
namespace {

using nlohmann::json;

struct Side {
  const model::Deployment* deployment = nullptr;
  const char* role = "";
  std::vector<const model::BucketSpec*> buckets;  // of the key, best first
};

Side side_of(const model::Placement& placement, model::Partition partition, bool target) {
  Side side;
  side.role = target ? "target" : "active";
  side.deployment = target ? placement.config().target_deployment() : &placement.config().active_deployment();
  for (const std::string& id : placement.buckets(partition, target)) {
    const auto named = [&id](const model::BucketSpec& bucket) { return bucket.id == id; };
    const auto& all = side.deployment->buckets;
    side.buckets.push_back(&*std::find_if(all.begin(), all.end(), named));
  }
  return side;
}

json to_json(const Side& side) {
  json buckets = json::array();
  for (const auto* bucket : side.buckets) {
    json nodes = json::array();
    for (const auto& node : bucket->nodes) {
      nodes.push_back({{"id", node.id}, {"address", node.host + ":" + std::to_string(node.port)}});
    }
    buckets.push_back({{"id", bucket->id}, {"nodes", std::move(nodes)}});
  }
  return {{"name", side.deployment->name}, {"role", side.role}, {"buckets", std::move(buckets)}};
}

}  // namespace

int locate(Console& console, const model::Configuration& configuration, const std::string& key) {
  const Result<std::string> usable = target_of("", key);
  if (!usable) return fail(console, kExitUsage, usable.error().message);
  const auto placement = model::Placement::make(configuration);
  const model::Partition partition = model::partition_of(key);
  std::vector<Side> sides{side_of(*placement, partition, false)};
  if (placement->has_target()) sides.push_back(side_of(*placement, partition, true));

  if (console.json) {
    json out = {{"key", key}, {"partition", partition}, {"version", configuration.counter}};
    for (const Side& side : sides) out["deployments"].push_back(to_json(side));
    return finish_json(console, out, kExitYes);
  }

  Table facts({"", ""});
  facts.add({"key", printable(key)});
  facts.add({"partition", std::to_string(partition) + " of " + std::to_string(model::kPartitions)});
  Table table({"DEPLOYMENT", "BUCKET", "NODE", "ADDRESS"});
  for (const Side& side : sides) {
    const std::string name = side.deployment->name + " (" + side.role + ")";
    for (const auto* bucket : side.buckets) {
      for (const auto& node : bucket->nodes) {
        table.add({name, bucket->id, node.id, node.host + ":" + std::to_string(node.port)});
      }
    }
  }
  console.out << facts.text(console.colour) << '\n' << table.text(console.colour);
  return finish(console, kExitYes);
}

}  // namespace tako::ctl
