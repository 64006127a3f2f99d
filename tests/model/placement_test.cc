#include "model/placement.h"

#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "base/random.h"

using namespace tako;
using namespace tako::model;

namespace {

// `buckets` buckets from number `first` on, of two nodes each: b3 holds n5 and n6.
Deployment deployment(const std::string& name, unsigned first, unsigned buckets, unsigned per_key) {
  Deployment d;
  d.name = name;
  d.buckets_per_key = per_key;
  for (unsigned b = first; b < first + buckets; ++b) {
    BucketSpec bucket;
    bucket.id = "b" + std::to_string(b);
    for (unsigned n = 2 * b - 1; n <= 2 * b; ++n) {
      NodeSpec node;
      node.id = "n" + std::to_string(n);
      node.host = "localhost";
      node.port = static_cast<std::uint16_t>(4710 + n);
      bucket.nodes.push_back(node);
    }
    d.buckets.push_back(bucket);
  }
  return d;
}

Configuration config_of(Deployment active, std::optional<Deployment> target = std::nullopt) {
  Configuration config;
  config.active = active.name;
  config.deployments.push_back(std::move(active));
  if (target) {
    config.target = target->name;
    config.deployments.push_back(std::move(*target));
  }
  const Result<Configuration> result = checked(config);
  REQUIRE_MESSAGE(result.ok(), result.error().message);
  return *result;
}

std::set<NodeIndex> nodes_of(const Placement& placement, Partition p, std::uint8_t deployments) {
  std::set<NodeIndex> nodes;
  for (const Replica& replica : placement.replicas(p)) {
    if (replica.deployments & deployments) nodes.insert(replica.node);
  }
  return nodes;
}

std::set<NodeIndex> members(const Placement& placement, const Deployment& d, const std::vector<std::string>& buckets) {
  std::set<NodeIndex> nodes;
  for (const BucketSpec& bucket : d.buckets) {
    if (std::find(buckets.begin(), buckets.end(), bucket.id) == buckets.end()) continue;
    for (const NodeSpec& node : bucket.nodes) nodes.insert(*placement.find(node.id));
  }
  return nodes;
}

// By the definition: who meets whom in which partition.
std::vector<std::set<NodeIndex>> peers_by_definition(const Placement& placement) {
  std::vector<std::set<NodeIndex>> peers(placement.nodes().size());
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const ReplicaSet set = placement.replicas(static_cast<Partition>(p));
    for (const Replica& a : set) {
      for (const Replica& b : set) {
        if (a.node != b.node) peers[a.node].insert(b.node);
      }
    }
  }
  return peers;
}

}  // namespace

TEST_CASE("a partition's replicas are all nodes of its buckets") {
  const auto placement = Placement::make(config_of(deployment("d", 1, 5, 2)));
  CHECK_FALSE(placement->has_target());
  CHECK(placement->nodes().size() == 10);
  CHECK(placement->buckets(0, false) == std::vector<std::string>{"b2", "b5"});
  CHECK(placement->buckets(0, true).empty());
  const ReplicaSet set = placement->replicas(0);
  REQUIRE(set.size() == 4);
  const char* expected[] = {"n3", "n4", "n9", "n10"};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(placement->nodes()[set[i].node].id == expected[i]);
    CHECK(set[i].deployments == kInActive);
  }
  const NodeIndex n3 = *placement->find("n3");
  const NodeIndex n1 = *placement->find("n1");
  CHECK(placement->owns(n3, 0));
  CHECK_FALSE(placement->owns(n1, 0));
  CHECK(placement->share(n3, *placement->find("n10"), 0));
  CHECK_FALSE(placement->share(n3, n1, 0));
  CHECK_FALSE(placement->find("n11"));
  CHECK(placement->nodes()[n3].port == 4713);
  CHECK(placement->nodes()[n3].active);
  CHECK_FALSE(placement->nodes()[n3].target);
}

TEST_CASE("a bucket of twice the weight of the others owns twice as many partitions") {
  Configuration config = config_of(deployment("d", 1, 5, 1));
  config.deployments[0].buckets[1].weight = 2 * config.deployments[0].points_per_bucket;
  const auto placement = Placement::make(config);
  std::map<std::string, int> owned;
  for (std::uint32_t p = 0; p < kPartitions; ++p) ++owned[placement->buckets(static_cast<Partition>(p), false)[0]];
  CHECK(owned["b2"] > 2 * owned["b1"] * 95 / 100);
  CHECK(owned["b2"] < 2 * owned["b1"] * 105 / 100);
  CHECK(owned["b3"] < owned["b1"] * 105 / 100);
}

TEST_CASE("during a reconfiguration the replicas are those of both deployments, each node once") {
  const auto placement = Placement::make(config_of(deployment("d1", 1, 4, 2), deployment("d2", 2, 5, 3)));
  REQUIRE(placement->has_target());
  CHECK(placement->nodes().size() == 12);
  const Configuration& config = placement->config();
  const NodeIndex leaver = *placement->find("n1");
  const NodeIndex newcomer = *placement->find("n12");
  CHECK((placement->nodes()[leaver].active && !placement->nodes()[leaver].target));
  CHECK((!placement->nodes()[newcomer].active && placement->nodes()[newcomer].target));
  CHECK(&placement->policy() == config.target_deployment());

  std::size_t in_both = 0;
  bool sound = true;
  for (std::uint32_t i = 0; i < kPartitions; ++i) {
    const auto p = static_cast<Partition>(i);
    const ReplicaSet set = placement->replicas(p);
    std::set<NodeIndex> once;
    bool active_is_over = false;
    for (const Replica& replica : set) {
      sound = sound && once.insert(replica.node).second && placement->owns(replica.node, p);
      const bool active = (replica.deployments & kInActive) != 0;
      sound = sound && !(active && active_is_over);
      active_is_over = active_is_over || !active;
      if (replica.deployments == (kInActive | kInTarget)) ++in_both;
    }
    const auto owners = [&](const Deployment& d, bool target) {
      return members(*placement, d, placement->buckets(p, target));
    };
    sound = sound && nodes_of(*placement, p, kInActive) == owners(config.active_deployment(), false);
    sound = sound && nodes_of(*placement, p, kInTarget) == owners(*config.target_deployment(), true);
  }
  CHECK(sound);
  CHECK(in_both > 0);
}

TEST_CASE("a partition is owned by exactly its replicas") {
  const auto placement = Placement::make(config_of(deployment("d1", 1, 6, 2), deployment("d2", 3, 6, 2)));
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    const auto p = static_cast<Partition>(random.below(kPartitions));
    const std::set<NodeIndex> replicas = nodes_of(*placement, p, kInActive | kInTarget);
    for (std::size_t n = 0; n < placement->nodes().size(); ++n) {
      const auto node = static_cast<NodeIndex>(n);
      CHECK(placement->owns(node, p) == (replicas.count(node) == 1));
      CHECK(placement->share(node, 0, p) == (replicas.count(node) == 1 && replicas.count(0) == 1));
    }
  }
}

TEST_CASE("peers are exactly the nodes that share a partition, in both directions") {
  const Configuration configurations[] = {
      config_of(deployment("d1", 1, 1, 3)),
      config_of(deployment("d1", 1, 4, 1)),
      config_of(deployment("d1", 1, 20, 2)),
      config_of(deployment("d1", 1, 4, 1), deployment("d2", 3, 4, 1)),
      config_of(deployment("d1", 1, 2, 2), deployment("d2", 3, 1, 1)),
      config_of(deployment("d1", 1, 300, 2), deployment("d2", 2, 300, 2)),
  };
  for (const Configuration& config : configurations) {
    const auto placement = Placement::make(config);
    CAPTURE(placement->nodes().size());
    const std::vector<std::set<NodeIndex>> expected = peers_by_definition(*placement);
    for (std::size_t n = 0; n < expected.size(); n += 1 + expected.size() / 40) {
      const std::vector<NodeIndex> peers = placement->peers(static_cast<NodeIndex>(n));
      CHECK(std::is_sorted(peers.begin(), peers.end()));
      CHECK(std::set<NodeIndex>(peers.begin(), peers.end()) == expected[n]);
      CHECK(peers.size() == expected[n].size());
    }
  }
}

TEST_CASE("the same buckets as target move nothing, whatever nodes they hold") {
  Deployment next = deployment("d2", 1, 5, 2);
  next.buckets[2].nodes.pop_back();
  const auto placement = Placement::make(config_of(deployment("d1", 1, 5, 2), next));
  for (std::uint32_t p = 0; p < kPartitions; p += 97) {
    CHECK(placement->buckets(static_cast<Partition>(p), false) == placement->buckets(static_cast<Partition>(p), true));
  }
  const NodeIndex dropped = *placement->find("n6");
  CHECK_FALSE(placement->nodes()[dropped].target);
}

TEST_CASE("the zones of nodes keep a partition's buckets apart") {
  Deployment d = deployment("d", 1, 9, 2);
  for (std::size_t b = 0; b < d.buckets.size(); ++b) {
    for (NodeSpec& node : d.buckets[b].nodes) node.zone = "z" + std::to_string(b % 3);
  }
  const auto placement = Placement::make(config_of(d));
  bool apart = true;
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const std::vector<std::string> buckets = placement->buckets(static_cast<Partition>(p), false);
    apart = apart && (std::stoi(buckets[0].substr(1)) - 1) % 3 != (std::stoi(buckets[1].substr(1)) - 1) % 3;
  }
  CHECK(apart);
}

TEST_CASE("a bucket of many nodes and a target overlap without losing a bit") {
  Deployment d = deployment("d1", 1, 1, 1);
  for (std::uint16_t port = 1; port <= 60; ++port) {
    d.buckets[0].nodes.push_back({"m" + std::to_string(port), "other", port, 0, ""});
  }
  Deployment e = d;
  e.name = "d2";
  const auto placement = Placement::make(config_of(d, e));
  const ReplicaSet set = placement->replicas(7);
  CHECK(set.size() == 62);
  CHECK(std::all_of(set.begin(), set.end(), [](const Replica& r) { return r.deployments == (kInActive | kInTarget); }));
}
