#include <doctest/doctest.h>

#include "base/log.h"
#include "sim/world.h"

using namespace tako;
using namespace tako::sim;

namespace {

std::string deployment(const std::string& name, int buckets_per_key, int first_bucket, int last_bucket) {
  std::string text = "  " + name + ":\n    background_repair_interval: 30s\n    hash: {buckets_per_key: " +
                     std::to_string(buckets_per_key) + "}\n    buckets:\n";
  for (int bucket = first_bucket; bucket <= last_bucket; ++bucket) {
    text += "      b" + std::to_string(bucket) + ":\n";
    for (int node = 2 * bucket - 1; node <= 2 * bucket; ++node) {
      text += "        n" + std::to_string(node) + ": [localhost, " + std::to_string(4710 + node) + "]\n";
    }
  }
  return text;
}

std::string migration(int version, const std::string& active, const std::string& target) {
  std::string text = "version: " + std::to_string(version) + "\nactive_deployment: " + active + "\n";
  if (!target.empty()) text += "target_deployment: " + target + "\n";
  return text + "deployments:\n" + deployment("d1", 2, 1, 2) + deployment("d2", 2, 1, 3) + deployment("d3", 1, 3, 3) +
         deployment("all", 3, 1, 3);
}

std::shared_ptr<const model::Placement> placement_of(const std::string& text) {
  auto configuration = model::parse_config(text, "scenario");
  REQUIRE(configuration.ok());
  return model::Placement::make(std::move(*configuration));
}

// Runs one task of a proxy to its end.
template <class Body>
void on_proxy(World& world, Body body) {
  bool done = false;
  ProxyMachine::Lane& proxy = world.proxy(0).draw_lane(world.random());
  auto wrap = [](Body* run, ProxyMachine::Lane* at, bool* flag) -> Task<> {
    co_await (*run)(*at);
    *flag = true;
  };
  proxy.loop().spawn(proxy.work, wrap(&body, &proxy, &done));
  REQUIRE(world.run_until([&done] { return done; }, seconds(3600)));
}

void put_all(World& world, int keys, model::WriteLevel level, const std::string& text) {
  int failures = 0;
  on_proxy(world, [&](ProxyMachine::Lane& proxy) -> Task<> {
    for (int i = 0; i < keys; ++i) {
      replication::Mutation mutation;
      mutation.value = Bytes(text + std::to_string(i));
      const auto answer = co_await proxy.replicator().write("k" + std::to_string(i), std::move(mutation), level,
                                                           proxy.loop().now() + seconds(5));
      failures += !answer.ok();
    }
  });
  CHECK(failures == 0);
}

int count_wrong(World& world, int keys, model::ReadLevel level, const std::string& text) {
  int wrong = 0;
  on_proxy(world, [&](ProxyMachine::Lane& proxy) -> Task<> {
    for (int i = 0; i < keys; ++i) {
      const auto answer =
          co_await proxy.replicator().read("k" + std::to_string(i), level, true, proxy.loop().now() + seconds(5));
      const bool right = answer && answer->record && answer->record->value &&
                         answer->record->value->view() == text + std::to_string(i);
      wrong += !right;
    }
  });
  return wrong;
}

bool all_vote(World& world) {
  const auto placement = world.placement();
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    if (!world.node(i).alive()) continue;
    const auto index = placement->find(world.node(i).id);
    for (std::uint32_t p = 0; index && p < model::kPartitions; p += 97) {
      const auto partition = static_cast<model::Partition>(p);
      if (placement->owns(*index, partition) && !world.node(i).node->standing().votes(partition)) return false;
    }
  }
  return true;
}

std::size_t rows(NodeMachine& machine) { return machine.disk.rows(store::Family::kMeta).size(); }

WorldOptions options_of(std::uint64_t seed, std::string config) {
  (void)log::open("off", "");
  WorldOptions options;
  options.seed = seed;
  options.config = std::move(config);
  options.proxies = 1;
  return options;
}

}  // namespace

TEST_CASE("a brand-new cluster votes as soon as all its replicas have met, and not before") {
  World world(options_of(1, migration(1, "d1", "")));
  world.node(3).die(false);  // one that was never started
  world.run_for(seconds(30));
  CHECK_FALSE(all_vote(world));
  bool refused = false;
  on_proxy(world, [&](ProxyMachine::Lane& proxy) -> Task<> {
    const auto answer =
        co_await proxy.replicator().read("nothing", model::ReadLevel::kQuorum, true, proxy.loop().now() + seconds(5));
    refused = !answer.ok();
  });
  CHECK(refused);
  put_all(world, 20, model::WriteLevel::kTwo, "early");  // stored all the same
  world.node(3).boot();
  CHECK(world.run_until([&] { return all_vote(world); }, seconds(30)));
  CHECK(count_wrong(world, 20, model::ReadLevel::kQuorum, "early") == 0);
}

TEST_CASE("a wiped node gets its data back, and its \"nothing\" counts for nothing until then") {
  World world(options_of(2, migration(1, "d1", "")));
  REQUIRE(world.run_until([&] { return all_vote(world); }, seconds(30)));
  put_all(world, 200, model::WriteLevel::kAll, "v");
  NodeMachine& victim = world.node(0);
  const std::size_t before = rows(victim);
  CHECK(before == 200);
  victim.die(false);
  victim.wipe();
  victim.boot();
  // At `one`, whoever answers first: an empty node must not be it.
  CHECK(count_wrong(world, 200, model::ReadLevel::kOne, "v") == 0);
  CHECK(world.run_until([&] { return all_vote(world); }, seconds(60)));
  CHECK(rows(victim) == before);
  // Alone it still has everything.
  for (std::size_t i = 1; i < world.nodes(); ++i) world.node(i).die(false);
  CHECK(count_wrong(world, 200, model::ReadLevel::kLatest, "v") == 0);
}

TEST_CASE("half of the disks lost: the other half gives everything back") {
  World world(options_of(3, migration(1, "all", "")));
  REQUIRE(world.run_until([&] { return all_vote(world); }, seconds(30)));
  put_all(world, 100, model::WriteLevel::kAll, "v");
  for (const std::size_t i : {0u, 1u, 4u}) {
    world.node(i).die(false);
    world.node(i).wipe();
  }
  for (const std::size_t i : {0u, 1u, 4u}) world.node(i).boot();
  CHECK(count_wrong(world, 100, model::ReadLevel::kLatest, "v") == 0);
  CHECK(world.run_until([&] { return all_vote(world); }, seconds(120)));
  for (const std::size_t i : {0u, 1u, 4u}) CHECK(rows(world.node(i)) == 100);
}

TEST_CASE("a cluster moves through its deployments, and loses nothing on the way") {
  World world(options_of(4, migration(1, "all", "")));  // so that all six machines exist
  world.adopt(placement_of(migration(2, "d1", "")));
  world.run_for(seconds(60));
  put_all(world, 150, model::WriteLevel::kTwo, "first");
  const std::pair<std::string, std::string> steps[] = {{"d1", "d2"}, {"d2", ""}, {"d2", "d3"}, {"d3", ""}};
  int version = 3;
  std::string text = "first";
  for (const auto& [active, target] : steps) {
    CAPTURE(active);
    CAPTURE(target);
    world.adopt(placement_of(migration(version, active, target)));
    CHECK(count_wrong(world, 150, model::ReadLevel::kLatest, text) == 0);
    text = "v" + std::to_string(version++);
    put_all(world, 150, model::WriteLevel::kTwo, text);
    CHECK(count_wrong(world, 150, model::ReadLevel::kLatest, text) == 0);
    world.run_for(seconds(120));
    CHECK(all_vote(world));
    CHECK(count_wrong(world, 150, model::ReadLevel::kQuorum, text) == 0);
  }
  // Everything is where it belongs, and nowhere else.
  for (std::size_t i = 0; i < 4; ++i) CHECK(rows(world.node(i)) == 0);
  for (std::size_t i = 4; i < 6; ++i) CHECK(rows(world.node(i)) == 150);
}

TEST_CASE("a copy stays where it does not belong until every owner has it") {
  World world(options_of(5, migration(1, "all", "")));  // so that all six machines exist
  world.adopt(placement_of(migration(2, "d1", "")));
  world.run_for(seconds(60));
  put_all(world, 50, model::WriteLevel::kAll, "v");
  REQUIRE(rows(world.node(4)) == 0);
  world.node(5).die(false);  // n6, an owner under d3, as n5, which has nothing yet
  world.adopt(placement_of(migration(3, "d3", "")));
  world.run_for(seconds(120));
  for (std::size_t i = 0; i < 4; ++i) CHECK(rows(world.node(i)) == 50);
  world.node(5).boot();
  world.run_for(seconds(120));
  for (std::size_t i = 0; i < 4; ++i) CHECK(rows(world.node(i)) == 0);
  for (std::size_t i = 4; i < 6; ++i) CHECK(rows(world.node(i)) == 50);
  CHECK(count_wrong(world, 50, model::ReadLevel::kAll, "v") == 0);
}

TEST_CASE("what one quorum read has shown, no later one goes behind, whichever majority it asks") {
  WorldOptions options = options_of(6, migration(1, "all", ""));
  const std::string repairing = "    background_repair_interval: 30s\n";
  for (std::size_t at = options.config.find(repairing); at != std::string::npos;
       at = options.config.find(repairing, at)) {
    options.config.replace(at, repairing.size(), "    read_repair: no\n    background_repair: no\n");
  }
  World world(std::move(options));
  REQUIRE(world.run_until([&] { return all_vote(world); }, seconds(60)));
  const auto with_only = [&world](std::set<std::string> cut_off) { world.network().isolate(std::move(cut_off)); };
  const auto read = [&world](std::string* value) {
    on_proxy(world, [value](ProxyMachine::Lane& proxy) -> Task<> {
      const auto answer =
          co_await proxy.replicator().read("k", model::ReadLevel::kQuorum, true, proxy.loop().now() + seconds(5));
      *value = !answer ? "?" : !answer->record ? "nothing" : std::string(answer->record->value->view());
    });
  };
  // A write that reaches one of six and is never finished by its author.
  with_only({"n2", "n3", "n4", "n5", "n6"});
  bool answered = true;
  on_proxy(world, [&answered](ProxyMachine::Lane& proxy) -> Task<> {
    replication::Mutation mutation;
    mutation.value = Bytes(std::string("unfinished"));
    const auto answer = co_await proxy.replicator().write("k", std::move(mutation), model::WriteLevel::kQuorum,
                                                         proxy.loop().now() + seconds(2));
    answered = answer.ok();
  });
  CHECK_FALSE(answered);
  std::string value;
  with_only({"n5", "n6"});  // a majority with the one that has it
  read(&value);
  CHECK(value == "unfinished");
  with_only({"n1", "n2"});  // another one, without it
  read(&value);
  CHECK(value == "unfinished");
}
