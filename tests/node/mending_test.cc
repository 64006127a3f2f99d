// Damaged values of which few replicas have another one (src/node/integrity/mender.h).
#include <doctest/doctest.h>

#include "node/world.h"

namespace tako::test {
namespace {

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}};
const std::string kValue(store::Store::kInlineBytesMax * 3, 'x');  // in pieces on the disk

// What the node holds in the key's partition, by the digests of all its loops.
store::Digests::Totals held(Machine& machine, const std::string& key) {
  store::Digests::Totals all;
  for (std::size_t i = 0; i < machine.node->shards().size(); ++i) {
    const store::Digests& digests = machine.node->digests(i);
    const model::Partition partition = model::partition_of(key);
    if (!digests.ours(partition)) continue;
    REQUIRE(digests.known(partition));
    all = digests.of(partition);
  }
  return all;
}

}  // namespace

// Each of the two is the first to be asked in one of the cases.
TEST_CASE("a damaged value comes back from the one replica that has it, whichever that is, and no vote is lost") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", "older", 10));
  std::size_t other = 2;
  SUBCASE("the second") {}
  SUBCASE("the third") { other = 3; }
  REQUIRE(c[1].put("k", kValue, 20));
  REQUIRE(c[other].put("k", kValue, 20));
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  const std::uint64_t before = c[1].node->standing().incarnation();

  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(c.run_until([&] { return c[1].get("k") == kValue; }, seconds(30)));

  CHECK(c[1].node->mender().counters().values_mended == 1);
  CHECK(c[1].node->mender().counters().values_lost == 0);
  CHECK(c[1].node->standing().incarnation() == before);
  CHECK(c[1].votes());
}

TEST_CASE("where there is one other owner, a damaged value comes back from that one") {
  const auto world = voting_cluster(2, Shape{"d1", "", {{"d1", {1, 2}}}});
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", kValue, 20));
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());

  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(c.run_until([&] { return c[1].get("k") == kValue; }, seconds(30)));

  CHECK(c[1].node->mender().counters().values_mended == 1);
  CHECK(c[1].node->mender().counters().values_lost == 0);
}

TEST_CASE("a damaged value that nobody else has is gone from the digests too, so that replicas come to agree") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", "older", 10));
  REQUIRE(c[1].put("k", kValue, 20));  // nobody was told of two
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());

  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(c.run_until([&] { return c[1].get("k") == "older" && c.all_vote(); }, seconds(60)));

  CHECK(c[1].node->mender().counters().values_lost == 1);
  CHECK(held(c[1], "k").records() == 1);
  CHECK(held(c[1], "k") == held(c[2], "k"));
  CHECK(held(c[1], "k") == held(c[3], "k"));
}

}  // namespace tako::test
