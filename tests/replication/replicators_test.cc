// One process, two loops: what its Replicators have in common.
#include "replication/replicators.h"

#include "replication/fake_cluster.h"
#include "runtime/run_on.h"

using namespace tako;
using namespace tako::test;

namespace {

struct TwoLoops {
  TwoLoops() {
    REQUIRE(log::open("off", "").ok());
    for (FakeCluster* replicas : {&first, &second}) {
      for (const char* id : {"n1", "n2", "n3"}) replicas->nodes[id];
    }
    replicators.adopt(placement_of(1));
  }
  Result<replication::WriteAnswer> write(std::size_t loop) {
    runtime::Loop& there = loop == 0 ? world.loop() : beside;
    return world.run([&]() -> Task<Result<replication::WriteAnswer>> {
      replication::Mutation mutation;
      mutation.value = Bytes(std::string("v"));
      auto writing = replicators.at(loop).write("k", std::move(mutation), model::WriteLevel::kAll,
                                                there.now() + seconds(2));
      co_return co_await runtime::run_on(there, std::move(writing));
    });
  }
  std::uint64_t configuration(std::size_t loop) { return replicators.at(loop).placement()->config().counter; }

  VirtualLoop world;
  SimLoop beside{world.scheduler(), world.clock(), 2};
  FakeCluster first{world.loop()};
  FakeCluster second{beside};
  replication::Replicators replicators{{{&world.loop(), &first}, {&beside, &second}},
                                 world.clock(),
                                 std::make_shared<replication::VersionMark>(0)};
};

}  // namespace

TEST_CASE_FIXTURE(TwoLoops, "the counters of a process are those of all its loops") {
  for (int i = 0; i < 3; ++i) REQUIRE(write(0).ok());
  for (int i = 0; i < 4; ++i) REQUIRE(write(1).ok());

  const auto counters = world.run([&]() -> Task<replication::Counters> { return replicators.counters(); });

  CHECK(replicators.at(0).counters().writes == 3);
  CHECK(replicators.at(1).counters().writes == 4);
  CHECK(counters.writes == 7);
}

TEST_CASE_FIXTURE(TwoLoops, "what one loop has learned of a clock ahead of ours the others go above") {
  const Timestamp ahead = world.clock().wall() + 30'000'000;
  for (const char* id : {"n1", "n2", "n3"}) {
    first.nodes[id].held["k"].record = model::make_value({ahead, 7}, Bytes(std::string("later")));
  }
  const auto above = write(0);
  REQUIRE(above.ok());
  CHECK(above->winner.timestamp >= ahead);

  const auto next = write(1);

  REQUIRE(next.ok());
  CHECK(next->winner > above->winner);
}

TEST_CASE_FIXTURE(TwoLoops, "a configuration reaches all loops, and an older one that comes late none") {
  const auto second_version = placement_of(2);
  const auto third = placement_of(3);
  world.run([&]() -> Task<> {
    replicators.adopt(third);
    co_return;
  });
  world.scheduler().drain();
  CHECK(configuration(0) == 3);
  CHECK(configuration(1) == 3);
  // It was sent before, and overtaken.
  world.run([&]() -> Task<> {
    replicators.adopt(second_version);
    co_return;
  });
  world.scheduler().drain();
  CHECK(configuration(0) == 3);
  CHECK(configuration(1) == 3);
}
