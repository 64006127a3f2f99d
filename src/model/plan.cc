#include "model/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"

namespace tako::model {
namespace {

// By node, as the target says.
std::vector<std::string> zones_of(const Placement& placement) {
  std::map<std::string, std::string> zone;
  for (const BucketSpec& bucket : placement.config().target_deployment()->buckets) {
    for (const NodeSpec& node : bucket.nodes) zone[node.id] = node.zone;
  }
  std::vector<std::string> zones;
  for (const auto& node : placement.nodes()) zones.push_back(zone[node.id]);
  return zones;
}

std::string count(std::uint64_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

// What a set of replicas in the target is like.
struct Shape {
  unsigned before = 0;
  unsigned after = 0;
  unsigned stay = 0;
  bool one_zone = false;  // all of them, and there are others
};

class Planner {
 public:
  explicit Planner(const Placement& placement) : placement_(placement), zones_(zones_of(placement)) {
    for (const auto& node : placement.nodes()) {
      Plan::NodeShare share;
      share.id = node.id;
      plan_.nodes.push_back(std::move(share));
    }
    for (std::size_t n = 0; n < zones_.size(); ++n) {
      if (placement.nodes()[n].target) names_.insert(zones_[n]);
    }
  }

  Plan make() {
    std::vector<std::uint32_t> partitions(placement_.sets());
    for (std::uint32_t p = 0; p < kPartitions; ++p) ++partitions[placement_.set_of(static_cast<Partition>(p))];
    plan_.replicas_before = plan_.replicas_after = ~0u;
    for (std::uint32_t set = 0; set < partitions.size(); ++set) add(placement_.set(set), partitions[set]);
    for (const auto& node : plan_.nodes) plan_.copies += node.gains;
    judge();
    return std::move(plan_);
  }

 private:
  void add(const ReplicaSet& replicas, std::uint32_t partitions) {
    Shape shape;
    std::set<std::string> zones;
    for (const Replica& replica : replicas) {
      const bool active = replica.deployments & kInActive;
      const bool target = replica.deployments & kInTarget;
      Plan::NodeShare& node = plan_.nodes[replica.node];
      if (active) node.before += partitions;
      if (target) node.after += partitions;
      if (target && !active) node.gains += partitions;
      if (active && !target) node.loses += partitions;
      shape.before += active;
      shape.after += target;
      shape.stay += active && target;
      if (target) zones.insert(zones_[replica.node]);
    }
    plan_.replicas_before = std::min(plan_.replicas_before, shape.before);
    plan_.replicas_after = std::min(plan_.replicas_after, shape.after);
    if (shape.stay < shape.before || shape.stay < shape.after) plan_.moving += partitions;
    if (shape.stay == 0) plan_.strangers += partitions;
    if (shape.after == 1) alone_ += partitions;
    if (shape.after > 1 && names_.size() > 1 && zones.size() == 1) one_zone_ += partitions;
  }

  void judge() {
    std::vector<std::string>& dangers = plan_.dangers;
    if (alone_ > 0) {
      dangers.push_back(count(alone_, "partition has", "partitions have") +
                        " one replica only: with its node all its keys are lost");
    }
    if (plan_.replicas_after < plan_.replicas_before) {
      dangers.push_back("keys have " + count(plan_.replicas_after, "replica", "replicas") +
                        " at least, where they had " + std::to_string(plan_.replicas_before));
    }
    if (one_zone_ > 0) {
      dangers.push_back(count(one_zone_, "partition has", "partitions have") + " all replicas in one zone of " +
                        std::to_string(names_.size()));
    }
    const Deployment& target = *placement_.config().target_deployment();
    const std::size_t rows = std::min<std::size_t>(target.buckets_per_key, target.buckets.size());
    if (names_.size() > 1 && names_.size() < rows) {
      dangers.push_back("there are " + std::to_string(names_.size()) + " zones for " + std::to_string(rows) +
                        " buckets per key: losing a zone takes more than one replica of some keys");
    }
    if (plan_.strangers > 0) {
      dangers.push_back(count(plan_.strangers, "partition gets", "partitions get") +
                        " other replicas altogether: until promotion every read and write needs both");
    }
  }

  const Placement& placement_;
  const std::vector<std::string> zones_;  // by node
  std::set<std::string> names_;           // of the target's zones
  std::uint32_t alone_ = 0;
  std::uint32_t one_zone_ = 0;
  Plan plan_;
};

}  // namespace

Plan plan_of(const Placement& placement) {
  ASSERT(placement.has_target());
  return Planner(placement).make();
}

}  // namespace tako::model
