// What a node says about how much of a reconfiguration's target has arrived (src/node/node.h, rules 27 and 28).
#include <doctest/doctest.h>

#include "node/world.h"

namespace tako::test {
namespace {

const Shape kBoth{"d1", "d2", {{"d1", {1, 2, 3}}, {"d2", {2, 3, 4}}}};

std::unique_ptr<Cluster> moving_cluster() {
  Shape before = kBoth;
  before.target = "";
  auto c = std::make_unique<Cluster>(4, placement_of(1, before));
  REQUIRE(c->run_until([&] { return c->all_vote(); }));
  for (const std::size_t i : {1u, 2u, 3u}) REQUIRE((*c)[i].put("k", "v", 10));
  (*c)[4].cut_off = true;
  c->adopt(placement_of(2, kBoth));
  return c;
}

wire::ArrivalReply arrival(Machine& machine, bool durably = true) {
  wire::ArrivalQuery query;
  query.durably = durably;
  const wire::Reply reply = machine.ask(query);
  REQUIRE(std::holds_alternative<wire::ArrivalReply>(reply.body));
  return std::get<wire::ArrivalReply>(reply.body);
}

bool all_there(Machine& machine) {
  const wire::ArrivalReply said = arrival(machine);
  return said.durable && said.owned == model::kPartitions && said.arrived == said.owned;
}

}  // namespace

TEST_CASE("a target owner says that all has arrived when it has read the active owners, and not before") {
  const auto world = moving_cluster();
  Cluster& c = *world;
  c.run_for(seconds(10));
  CHECK(arrival(c[4]).owned == model::kPartitions);
  CHECK(arrival(c[4]).arrived == 0);
  CHECK(arrival(c[4]).read == 0);
  CHECK(arrival(c[4]).to_read > 0);
  CHECK(arrival(c[1]).owned == 0);  // it leaves
  CHECK(all_there(c[2]));           // it stays

  c[4].cut_off = false;
  REQUIRE(c.run_until([&] { return all_there(c[4]); }));
  CHECK(c[4].get("k") == "v");
  CHECK(arrival(c[4]).adopted == wire::stamp_of(*c.placement));
}

TEST_CASE("an owner in both deployments has arrived only when it has read what the others decided without it") {
  Shape shape{"d1", "", {{"d1", {1, 2, 3}}, {"d2", {1}}}};
  Cluster c(3, placement_of(1, shape));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  c[1].cut_off = true;
  for (const std::size_t i : {2u, 3u}) REQUIRE(c[i].put("k", "v", 10));
  shape.target = "d2";
  c.adopt(placement_of(2, shape));
  c.run_for(seconds(10));
  CHECK(c[1].votes("k"));  // it has forgotten nothing
  CHECK(arrival(c[1]).owned == model::kPartitions);
  CHECK(arrival(c[1]).arrived == 0);

  c[1].cut_off = false;
  REQUIRE(c.run_until([&] { return all_there(c[1]); }));
  CHECK(c[1].get("k") == "v");
}

TEST_CASE("an owner in both deployments has not read what a promise of its own refuses") {
  Shape shape{"d1", "", {{"d1", {1, 2, 3}}, {"d2", {1}}}};
  Cluster c(3, placement_of(1, shape));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  const wire::Reply promised = c[1].ask(wire::Prepare{"k", {50, 1}, false});
  REQUIRE(std::get<wire::PromiseReply>(promised.body).promised);
  c[1].cut_off = true;
  for (const std::size_t i : {2u, 3u}) REQUIRE(c[i].put("k", "v", 10));
  shape.target = "d2";
  c.adopt(placement_of(2, shape));
  c[1].cut_off = false;
  c.run_for(seconds(20));
  CHECK(c[1].votes("k"));
  CHECK(arrival(c[1]).arrived == model::kPartitions - 1);

  for (const std::size_t i : {2u, 3u}) REQUIRE(c[i].put("k", "settled", 60));
  REQUIRE(c.run_until([&] { return all_there(c[1]); }));
  CHECK(c[1].get("k") == "settled");
}

TEST_CASE("where the owners stay the same there is nothing to wait for") {
  Shape shape{"d1", "d2", {{"d1", {1, 2, 3}}, {"d2", {3, 2, 1}}}};
  Cluster c(3, placement_of(1, shape));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  for (const std::size_t i : {1u, 2u, 3u}) c[i].cut_off = true;
  c.adopt(placement_of(2, shape));
  CHECK(all_there(c[1]));
}

TEST_CASE("what has arrived is said of one configuration: under the next one a target owner begins anew") {
  const auto world = moving_cluster();
  Cluster& c = *world;
  c[4].cut_off = false;
  REQUIRE(c.run_until([&] { return all_there(c[4]); }));
  c[4].cut_off = true;
  c.adopt(placement_of(3, kBoth));
  CHECK(arrival(c[4]).adopted.counter == 3);
  CHECK(arrival(c[4]).arrived == 0);
}

TEST_CASE("what was said durably holds after a crash, and what was lost is not said again") {
  const auto world = moving_cluster();
  Cluster& c = *world;
  c[4].cut_off = false;
  REQUIRE(c.run_until([&] { return all_there(c[4]); }));
  c[4].crash();
  c[4].boot();
  c.settle();
  CHECK(c.run_until([&] { return all_there(c[4]); }, seconds(5)));

  c[4].kill();
  c[4].disk.wipe();
  c[4].cut_off = true;
  c[4].boot();
  c.run_for(seconds(5));
  CHECK(arrival(c[4]).arrived == 0);
}

TEST_CASE("a node whose suspended votes nobody has confirmed yet has not arrived") {
  const auto world = moving_cluster();
  Cluster& c = *world;
  c[4].cut_off = false;
  REQUIRE(c.run_until([&] { return all_there(c[4]); }));
  c[4].kill();
  c[4].cut_off = true;
  c[4].boot();
  CHECK(arrival(c[4]).arrived == 0);
}

TEST_CASE("a node that has said that it refuses older configurations takes none back, also after a crash") {
  const auto world = moving_cluster();
  Cluster& c = *world;
  const auto newer = c.placement;
  REQUIRE(arrival(c[1]).durable);
  Shape before = kBoth;
  before.target = "";
  c[1].kill();
  c.placement = placement_of(1, before);  // as if the newer one's file had found no room
  c[1].boot();
  CHECK(c[1].get("k") == name_of(ErrorCode::kUnavailable));
  c[1].adopt(newer);
  c.placement = newer;
  CHECK(c.run_until([&] { return c[1].get("k") == "v"; }));
}

}  // namespace tako::test
