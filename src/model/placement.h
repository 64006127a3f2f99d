// Placement: one configuration, compiled: who keeps what. Immutable, made once per configuration and shared by all
// loops and requests as a std::shared_ptr<const Placement>; whoever works on a request keeps the one it began with.
//
// A partition's replicas are all nodes of its buckets, in the active deployment and, during a reconfiguration, in the
// target one too. A node is named by its index (NodeIndex), which means nothing under another configuration.
// Making one costs a ring per deployment (some 50 ms for 5,000 buckets): not for a hot path. Asking allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/config.h"
#include "model/record.h"
#include "model/replica.h"
#include "model/ring.h"

namespace tako::model {

using ReplicaSet = std::span<const Replica>;

class Placement {
 public:
  struct Node {
    std::string id;
    std::string host;
    std::uint16_t port = 0;
    std::uint16_t http_port = 0;  // 0: none
    bool active = false;          // it is in that deployment
    bool target = false;
  };

  // `like`: another one, often the one before: its rings are used where a deployment has the same buckets.
  // REQUIRES: a configuration from parse_config, or one that checked() let through.
  static std::shared_ptr<const Placement> make(Configuration configuration, const Placement* like = nullptr);

  const Configuration& config() const { return config_; }
  // The one whose repair settings hold: the target's where there is one.
  const Deployment& policy() const { return *policy_; }
  bool has_target() const { return target_.spec != nullptr; }

  // Of the active deployment in the order of the file, then those that only the target has.
  const std::vector<Node>& nodes() const { return nodes_; }
  std::optional<NodeIndex> find(std::string_view node_id) const;

  // Each node once: the active deployment's first, best bucket first. Good for the life of the placement.
  ReplicaSet replicas(Partition p) const { return set(set_of(p)); }
  // Partitions have few different sets of replicas in a small cluster: what depends on the set alone is worked out once
  // for each.
  std::size_t sets() const { return sets_.size(); }
  std::uint32_t set_of(Partition p) const { return set_of_[p]; }
  ReplicaSet set(std::uint32_t number) const {
    return ReplicaSet(replicas_).subspan(sets_[number].begin, sets_[number].size);
  }
  bool owns(NodeIndex node, Partition p) const { return active_.owns(node, p) || target_.owns(node, p); }
  bool share(NodeIndex a, NodeIndex b, Partition p) const { return owns(a, p) && owns(b, p); }

  // All other nodes with which it shares a partition, ascending: a is a peer of b exactly if b is one of a. Reads the
  // whole table.
  std::vector<NodeIndex> peers(NodeIndex node) const;

  // The ids of the partition's buckets, best first; none for the target where there is none.
  std::vector<std::string> buckets(Partition p, bool target) const;

 private:
  static constexpr std::uint16_t kNoBucket = 0xffff;

  // A deployment's part of it.
  struct Side {
    const Deployment* spec = nullptr;  // null: there is no such deployment, and nobody is in it
    RingTable ring;
    std::vector<std::vector<NodeIndex>> members;  // by bucket
    std::vector<std::uint16_t> bucket_of;         // by node

    bool owns(NodeIndex node, Partition p) const;
  };

  Placement(Configuration configuration, const Placement* like);
  void add_side(Side& side, const Deployment& deployment, const Placement* like);
  const RingTable* ring_of(const Deployment& deployment) const;
  NodeIndex add_node(const NodeSpec& spec);
  void share_sets();
  std::vector<Replica> make_set(Partition p) const;

  Configuration config_;
  const Deployment* policy_;
  std::vector<Node> nodes_;
  std::unordered_map<std::string, NodeIndex> index_of_;
  Side active_;
  Side target_;
  struct Stretch {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
  };
  std::vector<Replica> replicas_;      // set after set
  std::vector<Stretch> sets_;          // each different one
  std::vector<std::uint32_t> set_of_;  // by partition
};

}  // namespace tako::model
