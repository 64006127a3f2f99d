// Placement: one configuration, compiled: who keeps what. Immutable, made once per configuration and shared by all
// loops and requests as a std::shared_ptr<const Placement>; whoever works on a request keeps the one it began with.
//
// A partition's replicas are all nodes of its buckets, in the active deployment and, during a reconfiguration, in the
// target one too. A node is named by its index (NodeIndex), which means nothing under another configuration.
// Making one costs a ring per deployment (some 50 ms for 5,000 buckets): not for a hot path. Asking allocates nothing,
// and gives a reference that lives as long as the placement.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/config.h"
#include "model/record.h"
#include "model/replica.h"
#include "model/ring.h"

namespace tako::model {

// A short vector that lives on the stack.
class ReplicaSet {
 public:
  static constexpr std::size_t kInline = 32;

  void add(Replica replica) {
    if (size_ < kInline) {
      inline_[size_] = replica;
    } else {
      if (size_ == kInline) overflow_.assign(inline_.begin(), inline_.end());
      overflow_.push_back(replica);
    }
    ++size_;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Replica* begin() const { return size_ <= kInline ? inline_.data() : overflow_.data(); }
  const Replica* end() const { return begin() + size_; }
  Replica* begin() { return size_ <= kInline ? inline_.data() : overflow_.data(); }
  Replica* end() { return begin() + size_; }
  const Replica& operator[](std::size_t i) const { return begin()[i]; }

 private:
  std::size_t size_ = 0;
  std::array<Replica, kInline> inline_{};
  std::vector<Replica> overflow_;  // all of them, once they are more than kInline
};

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

  // REQUIRES: a configuration from parse_config, or one that checked() let through.
  static std::shared_ptr<const Placement> make(Configuration configuration);

  const Configuration& config() const { return config_; }
  // The one whose repair settings hold: the target's where there is one.
  const Deployment& policy() const { return *policy_; }
  bool has_target() const { return target_.spec != nullptr; }

  // Of the active deployment in the order of the file, then those that only the target has.
  const std::vector<Node>& nodes() const { return nodes_; }
  std::optional<NodeIndex> find(std::string_view node_id) const;

  // Each node once: the active deployment's first, best bucket first.
  const ReplicaSet& replicas(Partition p) const { return sets_[set_of_[p]]; }
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

  explicit Placement(Configuration configuration);
  void add_side(Side& side, const Deployment& deployment);
  NodeIndex add_node(const NodeSpec& spec);
  void share_sets();
  ReplicaSet make_set(Partition p) const;

  Configuration config_;
  const Deployment* policy_;
  std::vector<Node> nodes_;
  std::unordered_map<std::string, NodeIndex> index_of_;
  Side active_;
  Side target_;
  std::vector<ReplicaSet> sets_;      // each different one
  std::vector<std::uint32_t> set_of_;  // by partition
};

}  // namespace tako::model
