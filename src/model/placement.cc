#include "model/placement.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/check.h"

namespace tako::model {
namespace {

// A bucket's zone is that of its nodes; one that spans several is a zone of its own kind ('/' is in no zone's name).
std::string zone_of(const BucketSpec& bucket) {
  std::set<std::string> zones;
  for (const NodeSpec& node : bucket.nodes) {
    if (!node.zone.empty()) zones.insert(node.zone);
  }
  std::string joined;
  for (const std::string& zone : zones) joined += (joined.empty() ? "" : "/") + zone;
  return joined;
}

}  // namespace

std::shared_ptr<const Placement> Placement::make(Configuration configuration, const Placement* like) {
  return std::shared_ptr<const Placement>(new Placement(std::move(configuration), like));
}

Placement::Placement(Configuration configuration, const Placement* like) : config_(std::move(configuration)) {
  add_side(active_, config_.active_deployment(), like);
  if (const Deployment* target = config_.target_deployment()) add_side(target_, *target, like);
  active_.bucket_of.resize(nodes_.size(), kNoBucket);
  target_.bucket_of.resize(nodes_.size(), kNoBucket);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].active = active_.bucket_of[n] != kNoBucket;
    nodes_[n].target = target_.bucket_of[n] != kNoBucket;
  }
  policy_ = target_.spec != nullptr ? target_.spec : active_.spec;
  share_sets();
}

// Partitions with the same rows have the same replicas: in a small cluster there are a few sets, in the largest one for
// each partition.
void Placement::share_sets() {
  std::unordered_map<std::string, std::uint32_t> known;
  set_of_.resize(kPartitions);
  std::string rows;
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const auto partition = static_cast<Partition>(p);
    rows.clear();
    for (const Side* side : {&active_, &target_}) {
      if (side->spec == nullptr) continue;
      const auto row = side->ring.row(partition);
      rows.append(reinterpret_cast<const char*>(row.data()), row.size_bytes());
    }
    const auto [found, fresh] = known.try_emplace(rows, static_cast<std::uint32_t>(sets_.size()));
    if (fresh) {
      const std::vector<Replica> set = make_set(partition);
      sets_.push_back({static_cast<std::uint32_t>(replicas_.size()), static_cast<std::uint32_t>(set.size())});
      replicas_.insert(replicas_.end(), set.begin(), set.end());
    }
    set_of_[p] = found->second;
  }
}

const RingTable* Placement::ring_of(const Deployment& deployment) const {
  for (const Side* side : {&active_, &target_}) {
    const bool same = side->spec != nullptr && side->spec->buckets == deployment.buckets &&
                      side->spec->buckets_per_key == deployment.buckets_per_key &&
                      side->spec->points_per_bucket == deployment.points_per_bucket;
    if (same) return &side->ring;
  }
  return nullptr;
}

void Placement::add_side(Side& side, const Deployment& deployment, const Placement* like) {
  side.spec = &deployment;
  std::vector<RingBucket> buckets;
  for (const BucketSpec& bucket : deployment.buckets) {
    const auto number = static_cast<std::uint16_t>(side.members.size());
    side.members.emplace_back();
    for (const NodeSpec& spec : bucket.nodes) {
      const NodeIndex node = add_node(spec);
      side.members.back().push_back(node);
      if (side.bucket_of.size() <= node) side.bucket_of.resize(node + std::size_t{1}, kNoBucket);
      side.bucket_of[node] = number;
    }
    const std::uint64_t weight = bucket.weight == 0 ? deployment.points_per_bucket : bucket.weight;
    buckets.push_back({bucket.id, weight, zone_of(bucket)});
  }
  const RingTable* known = like ? like->ring_of(deployment) : nullptr;
  side.ring = known ? *known : make_ring(buckets, deployment.buckets_per_key);
}

NodeIndex Placement::add_node(const NodeSpec& spec) {
  const auto [found, fresh] = index_of_.try_emplace(spec.id, static_cast<NodeIndex>(nodes_.size()));
  if (fresh) {
    ASSERT(nodes_.size() < 0xffff);
    nodes_.push_back({spec.id, spec.host, spec.port, spec.http_port, false, false});
  } else if (nodes_[found->second].http_port == 0) {
    nodes_[found->second].http_port = spec.http_port;
  }
  return found->second;
}

std::optional<NodeIndex> Placement::find(std::string_view node_id) const {
  const auto found = index_of_.find(std::string(node_id));
  if (found == index_of_.end()) return std::nullopt;
  return found->second;
}

bool Placement::Side::owns(NodeIndex node, Partition p) const {
  if (spec == nullptr) return false;
  ASSERT(node < bucket_of.size());
  const auto row = ring.row(p);
  return bucket_of[node] != kNoBucket && std::find(row.begin(), row.end(), bucket_of[node]) != row.end();
}

std::vector<Replica> Placement::make_set(Partition p) const {
  std::vector<Replica> set;
  for (const std::uint16_t bucket : active_.ring.row(p)) {
    for (const NodeIndex node : active_.members[bucket]) set.push_back({node, kInActive});
  }
  if (target_.spec == nullptr) return set;
  for (const std::uint16_t bucket : target_.ring.row(p)) {
    for (const NodeIndex node : target_.members[bucket]) {
      // It is in the set already if the active deployment has it in this row; no search is needed to know that.
      if (!active_.owns(node, p)) {
        set.push_back({node, kInTarget});
        continue;
      }
      const auto known = std::find_if(set.begin(), set.end(), [&](const Replica& r) { return r.node == node; });
      known->deployments |= kInTarget;
    }
  }
  return set;
}

std::vector<NodeIndex> Placement::peers(NodeIndex node) const {
  std::vector<bool> active_buckets(active_.members.size());
  std::vector<bool> target_buckets(target_.members.size());
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const auto partition = static_cast<Partition>(p);
    if (!owns(node, partition)) continue;
    for (const std::uint16_t bucket : active_.ring.row(partition)) active_buckets[bucket] = true;
    if (!has_target()) continue;
    for (const std::uint16_t bucket : target_.ring.row(partition)) target_buckets[bucket] = true;
  }
  std::vector<bool> met(nodes_.size());
  const auto meet = [&](const Side& side, const std::vector<bool>& buckets) {
    for (std::size_t b = 0; b < buckets.size(); ++b) {
      if (!buckets[b]) continue;
      for (const NodeIndex member : side.members[b]) met[member] = true;
    }
  };
  meet(active_, active_buckets);
  meet(target_, target_buckets);
  std::vector<NodeIndex> peers;
  for (std::size_t n = 0; n < met.size(); ++n) {
    if (met[n] && n != node) peers.push_back(static_cast<NodeIndex>(n));
  }
  return peers;
}

std::vector<std::string> Placement::buckets(Partition p, bool target) const {
  const Side& side = target ? target_ : active_;
  std::vector<std::string> ids;
  if (side.spec == nullptr) return ids;
  for (const std::uint16_t bucket : side.ring.row(p)) ids.push_back(side.spec->buckets[bucket].id);
  return ids;
}

}  // namespace tako::model
