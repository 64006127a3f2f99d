// Repair by digests: what agrees costs a message, what differs is found and nothing else is listed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "node/world.h"

namespace tako::test {
namespace {

const Shape kThree = {"d1", "", {{"d1", {1, 2, 3}}}, "1d"};
const Shape kTwo = {"d1", "", {{"d1", {1, 2}}}, "1d"};

struct Watched {
  explicit Watched(int nodes, const Shape& shape) : cluster(nodes, placement_of(1, shape)) {
    cluster.let_pass = [this](const wire::Request& request, std::string_view) {
      if (const auto* list = std::get_if<wire::List>(&request.body)) lists.push_back(*list);
      reads += std::holds_alternative<wire::Read>(request.body);
      if (const auto* digest = std::get_if<wire::DigestQuery>(&request.body)) {
        ++digests;
        deeper += digest->level != wire::DigestQuery::Level::kRoot;
      }
      return true;
    };
    REQUIRE(cluster.run_until([this] { return cluster.all_vote(); }));
    cluster.run_for(seconds(10));
  }
  void forget() {
    lists.clear();
    digests = deeper = reads = 0;
  }

  // The first so many nodes.
  void fill(std::size_t nodes) {
    for (int i = 0; i < 50; ++i) {
      for (std::size_t n = 1; n <= nodes; ++n) REQUIRE(cluster[n].put("k" + std::to_string(i), "v", 7));
    }
  }

  Cluster cluster;
  std::vector<wire::List> lists;
  std::size_t digests = 0;
  std::size_t deeper = 0;
  std::size_t reads = 0;
};

using Action = wire::RepairQuery::Action;

wire::RepairReply repair(Machine& machine, Action action) {
  const wire::Reply reply = machine.ask(wire::RepairQuery{action});
  return std::get<wire::RepairReply>(reply.body);
}

TEST_CASE("replicas that agree exchange the roots of their digests every few seconds, and list nothing") {
  Watched world(3, kThree);
  world.fill(3);
  world.cluster.run_for(seconds(10));
  world.forget();
  world.cluster.run_for(seconds(15));
  CHECK(world.lists.empty());
  CHECK(world.deeper == 0);
  CHECK(world.digests >= 3 * 3);
  CHECK(world.digests <= 3 * 6);
  for (std::size_t n = 1; n <= 3; ++n) {
    const auto agreed = world.cluster[n].node->repairer().oldest_agreement();
    REQUIRE(agreed.has_value());
    CHECK(*agreed < seconds(5));
  }
}

TEST_CASE("a difference is found within seconds, and only its partition is listed") {
  Watched world(3, kThree);
  world.fill(3);
  world.cluster.run_for(seconds(10));
  world.forget();
  for (std::size_t n = 1; n <= 3; ++n) {
    CAPTURE(n);
    const std::string key = "only " + std::to_string(n);
    REQUIRE(world.cluster[n].put(key, "new", 9));
    world.cluster.run_for(seconds(10));
    for (std::size_t other = 1; other <= 3; ++other) CHECK(world.cluster[other].get(key) == "new");
    const std::uint64_t partition = model::partition_of(key);
    REQUIRE(!world.lists.empty());
    for (const wire::List& list : world.lists) {
      CHECK((list.position >> 48) == partition);
      CHECK((list.position_last >> 48) == partition);
    }
    world.forget();
  }
}

TEST_CASE("a node that was killed counts its partitions anew, and lists nothing if it has missed nothing") {
  Watched world(3, kThree);
  world.fill(3);
  world.cluster.run_for(seconds(10));
  world.forget();
  world.cluster[2].kill();
  world.cluster[2].boot();
  world.cluster.run_for(seconds(15));
  CHECK(world.lists.empty());
  CHECK(world.cluster[2].partitions_unknown() == 0);
  CHECK(world.cluster[2].held().values == 50);
  const auto agreed = world.cluster[2].node->repairer().oldest_agreement();
  REQUIRE(agreed.has_value());
  CHECK(*agreed < seconds(5));
}

TEST_CASE("what a node missed while it was away comes soon after it is back") {
  Watched world(3, kThree);
  world.cluster[3].kill();
  world.fill(2);
  world.cluster.run_for(seconds(60));
  world.cluster[3].boot();
  world.cluster.run_for(seconds(5));
  for (int i = 0; i < 50; ++i) CHECK(world.cluster[3].get("k" + std::to_string(i)) == "v");
}

TEST_CASE("a wiped node takes its keys page by page with their values, and asks by itself for large ones alone") {
  Watched world(3, kThree);
  world.fill(3);
  const std::string large(20'000, 'x');  // has no place in its row
  for (std::size_t n = 1; n <= 3; ++n) REQUIRE(world.cluster[n].put("large", large, 7));
  for (std::size_t n = 1; n <= 3; ++n) REQUIRE(world.cluster[n].remove("gone", 7));
  world.cluster[3].kill();
  world.cluster[3].disk.wipe();
  world.forget();
  world.cluster[3].boot();
  REQUIRE(world.cluster.run_until([&] { return world.cluster[3].votes(); }));
  for (int i = 0; i < 50; ++i) CHECK(world.cluster[3].get("k" + std::to_string(i)) == "v");
  CHECK(world.cluster[3].get("large") == large);
  CHECK(world.cluster[3].get("gone") == "deleted");
  CHECK(world.reads == 1);
  REQUIRE(!world.lists.empty());
  CHECK(std::all_of(world.lists.begin(), world.lists.end(), [](const wire::List& list) { return list.values; }));
}

TEST_CASE("what lacks little does not have values sent that it has") {
  Watched world(2, kTwo);
  for (int i = 0; i < 3000; ++i) {
    for (std::size_t n = 1; n <= 2; ++n) {
      if (n == 1 || i % 100 != 0) REQUIRE(world.cluster[n].put("k" + std::to_string(i), "v", 7));
    }
  }
  world.forget();
  repair(world.cluster[2], Action::kRepair);
  world.cluster.run_for(seconds(60));
  CHECK(world.cluster[2].get("k0") == "v");
  CHECK(world.reads == 30);
  CHECK(!world.lists.empty());
  CHECK(std::none_of(world.lists.begin(), world.lists.end(), [](const wire::List& list) { return list.values; }));
}

TEST_CASE("an operator's cycle lists everything once with each peer, and says what it found") {
  Watched world(3, kThree);
  world.fill(3);
  world.cluster.run_for(seconds(10));
  const auto progress = [&](Action action = Action::kProgress) { return repair(world.cluster[1], action); };
  CHECK(progress().cycle == 0);

  REQUIRE(world.cluster[1].put("fresh", "new", 9));
  progress(Action::kDryRun);
  REQUIRE(world.cluster.run_until([&] { return progress().peers_done == 2; }));
  const wire::RepairReply looked = progress();
  CHECK(looked.dry_run);
  CHECK(looked.partitions == 2 * model::kPartitions);
  CHECK(looked.partitions_left == 0);
  CHECK(looked.keys_compared == 2 * 51);
  CHECK(looked.keys_differing <= 2);  // digests may have been faster
  CHECK(looked.keys_pushed + looked.keys_pulled == 0);

  world.cluster.run_for(seconds(10));
  world.forget();
  progress(Action::kRepair);
  REQUIRE(world.cluster.run_until([&] { return progress().peers_done == 2; }));
  const wire::RepairReply done = progress();
  CHECK(done.cycle == 2);
  CHECK(done.keys_compared == 2 * 51);
  CHECK(done.keys_differing == 0);
  CHECK(!world.lists.empty());
}

TEST_CASE("an operator's cycle counts what differed, and what was copied because of it") {
  Watched world(3, kThree);
  world.fill(3);
  world.cluster.run_for(seconds(10));
  world.cluster.let_pass = [](const wire::Request& request, std::string_view) {
    return !std::holds_alternative<wire::DigestQuery>(request.body);
  };
  const auto progress = [&](Action action = Action::kProgress) { return repair(world.cluster[1], action); };
  REQUIRE(world.cluster[1].put("fresh", "new", 9));

  progress(Action::kDryRun);
  REQUIRE(world.cluster.run_until([&] { return progress().peers_done == 2; }));
  CHECK(progress().keys_differing == 2);
  CHECK(progress().keys_pushed == 0);
  CHECK(world.cluster[2].get("fresh") == "-");

  progress(Action::kRepair);
  REQUIRE(world.cluster.run_until([&] { return progress().peers_done == 2; }));
  CHECK(progress().keys_differing == 2);
  CHECK(progress().keys_pushed == 2);
  CHECK(progress().bytes_pushed == 2 * 3);
  CHECK(progress().keys_pulled == 0);
  for (const std::size_t n : {2u, 3u}) CHECK(world.cluster[n].get("fresh") == "new");
}

TEST_CASE("a dry run that is asked of a node which has just begun waits until it has met its peers") {
  Watched world(3, kThree);
  world.fill(3);
  world.cluster[1].kill();
  world.cluster[1].cut_off = true;
  world.cluster[1].boot();
  repair(world.cluster[1], Action::kDryRun);
  world.cluster.settle();
  world.cluster[1].cut_off = false;
  const auto progress = [&] { return repair(world.cluster[1], Action::kProgress); };
  CHECK(world.cluster.run_until([&] { return progress().peers_done == 2; }, seconds(30)));
  CHECK(progress().keys_compared == 2 * 50);
}

TEST_CASE("a cycle names the peers that are away, and ends with them when they are back") {
  Watched world(3, kThree);
  world.cluster[3].kill();
  world.cluster.run_for(seconds(5));
  const auto progress = [&](Action action = Action::kProgress) { return repair(world.cluster[1], action); };
  progress(Action::kRepair);
  REQUIRE(world.cluster.run_until([&] { return progress().peers_done == 1; }));
  CHECK(progress().peers_away == 1);
  world.cluster[3].boot();
  CHECK(world.cluster.run_until([&] { return progress().peers_done == 2; }));
}

// By hand: node_test -ns -tc="figures*"
TEST_CASE("figures: a million keys in agreement, then a thousand that differ" * doctest::skip()) {
  Watched world(2, kTwo);
  const auto cpu = [] { return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  constexpr int kKeys = 1'000'000;
  for (int i = 0; i < kKeys; ++i) {
    for (std::size_t n = 1; n <= 2; ++n) REQUIRE(world.cluster[n].put("key " + std::to_string(i), "value", 7));
  }
  world.cluster.run_for(seconds(10));
  world.forget();
  world.cluster.count_bytes = true;
  world.cluster.bytes = 0;
  double begin = cpu();
  world.cluster.run_for(seconds(300));
  const auto exchanges = static_cast<double>(world.digests);
  std::printf(
      "in agreement: %.0f exchanges, %.3f ms of CPU each on both sides together (all else included), %.0f bytes\n",
      exchanges, (cpu() - begin) / exchanges, static_cast<double>(world.cluster.bytes) / exchanges);
  CHECK(world.lists.empty());
  for (const int differ : {10, 100, 1000}) {
    for (int i = 0; i < differ; ++i)
      REQUIRE(world.cluster[1].put("key " + std::to_string(1000 * i), "newer", 8u + static_cast<unsigned>(differ)));
    world.forget();
    world.cluster.bytes = 0;
    begin = cpu();
    const TimePoint from = world.cluster.clock.now();
    const auto equal = [&] {
      return world.cluster[2].held().sum == world.cluster[1].held().sum;
    };
    REQUIRE(world.cluster.run_until(equal));
    const double took = std::chrono::duration<double>(world.cluster.clock.now() - from).count();
    std::printf("%d keys differ: equal after %.1f s, %.0f ms of CPU, %zu bytes, %zu listings, %zu digests\n", differ,
                took, cpu() - begin, world.cluster.bytes, world.lists.size(), world.digests);
  }
}

}  // namespace
}  // namespace tako::test
