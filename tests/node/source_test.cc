// Of whom a majority is made, in one deployment and in two (src/node/membership/source.h), and what waits for it.
#include <doctest/doctest.h>

#include <set>

#include "node/membership/source.h"
#include "node/world.h"

namespace tako::test {
namespace {

const Shape kApart{"d1", "d2", {{"d1", {1, 2, 3}}, {"d2", {4, 5, 6}}}};

// Is it a majority in each deployment, when these nodes answer n4?
bool enough(const model::Placement& placement, const std::set<int>& numbers) {
  std::set<model::NodeIndex> present;
  for (const int number : numbers) present.insert(*placement.find("n" + std::to_string(number)));
  return node::majority_with(placement.replicas(0), *placement.find("n4"),
                             [&](model::NodeIndex node) { return present.contains(node); });
}

}  // namespace

TEST_CASE("a majority is one in the active deployment and one in the target, not one of all together") {
  const auto placement = placement_of(1, kApart);
  CHECK(enough(*placement, {1, 2, 5}));
  CHECK(enough(*placement, {1, 2, 3, 5, 6}));
  CHECK_FALSE(enough(*placement, {1, 2, 3}));  // of the target it is alone
  CHECK_FALSE(enough(*placement, {5, 6}));     // of the active ones nobody
  CHECK_FALSE(enough(*placement, {1, 5, 6}));
  CHECK_FALSE(enough(*placement, {1, 5}));

  Shape settled = kApart;
  settled.active = "d2";
  settled.target = "";
  const auto after = placement_of(2, settled);
  CHECK(enough(*after, {5}));
  CHECK_FALSE(enough(*after, {}));
}

TEST_CASE("after a restart a target owner waits for a majority of the target, whatever the active owners say") {
  Shape before = kApart;
  before.target = "";
  const auto world = voting_cluster(6, before);
  Cluster& c = *world;
  for (const std::size_t i : {1u, 2u, 3u}) REQUIRE(c[i].put("k", "v", 10));
  c.adopt(placement_of(2, kApart));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  c[4].kill();
  std::size_t first = 5;
  std::size_t last = 6;
  SUBCASE("the target's are away") {}
  SUBCASE("the active ones are away") {
    first = 1;
    last = 3;
  }
  for (std::size_t i = first; i <= last; ++i) c[i].cut_off = true;

  c[4].boot();
  c.run_for(seconds(20));

  CHECK(c[4].node->standing().suspended()[model::partition_of("k")]);
  CHECK_FALSE(c[4].votes("k"));
  c[last].cut_off = c[last - 1].cut_off = false;
  CHECK(c.run_until([&] { return c[4].votes("k"); }, seconds(20)));
}

}  // namespace tako::test
