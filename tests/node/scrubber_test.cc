// Flipped bits in values that nobody asks for: found by the scrub, and by an owner whose word a copy waits for
// (src/node/integrity/scrubber.h, src/node/repair/handoff.h).
#include <doctest/doctest.h>

#include "node/world.h"

namespace tako::test {
namespace {

const std::string kValue(store::Store::kInlineBytesMax * 3, 'x');  // in pieces on the disk, in one in a message

Shape scrubbing(const std::string& interval) {
  Shape shape{"d1", "", {{"d1", {1, 2, 3}}}};
  shape.scrub = interval;
  return shape;
}

void put_many(Cluster& c, int count) {
  for (int i = 0; i < count; ++i) {
    for (auto& machine : c.machines) REQUIRE(machine->put("k" + std::to_string(i), kValue, 10));
  }
}

const node::Scrubber::Counters& scrubbed(Machine& machine) { return machine.node->scrubber().counters(); }

}  // namespace

TEST_CASE("a flipped bit is found within the interval though nobody reads the value, and mended from a replica") {
  const auto world = voting_cluster(3, scrubbing("20s"));
  Cluster& c = *world;
  put_many(c, 20);
  c.run_for(seconds(25));
  CHECK(c[1].node->scrubber().since_clean().has_value());
  CHECK(scrubbed(c[1]).damaged == 0);
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  c.run_for(seconds(45));
  CHECK(scrubbed(c[1]).damaged == 1);
  CHECK(c[1].node->mender().counters().values_mended == 1);
  for (const std::size_t i : {2u, 3u}) c[i].cut_off = true;
  for (int i = 0; i < 20; ++i) CHECK(c[1].get("k" + std::to_string(i)) == kValue);
}

TEST_CASE("a round reads every value once, at its interval and not before") {
  const auto world = voting_cluster(3, scrubbing("1h"));
  Cluster& c = *world;
  put_many(c, 40);
  c[1].kill();
  c[1].boot();
  c.run_for(minutes(50));
  CHECK(scrubbed(c[1]).rounds == 0);
  CHECK(scrubbed(c[1]).values > 20);
  CHECK(scrubbed(c[1]).values < 40);
  c.run_for(minutes(12));
  CHECK(scrubbed(c[1]).rounds == 1);
  CHECK(scrubbed(c[1]).bytes >= 40 * kValue.size());
}

TEST_CASE("a node that holds damage is not said to be clean until it is mended") {
  const auto world = voting_cluster(3, scrubbing("10s"));
  Cluster& c = *world;
  put_many(c, 5);
  c.run_for(seconds(12));
  const auto before = c[1].node->scrubber().since_clean();
  REQUIRE(before.has_value());
  for (const std::size_t i : {2u, 3u}) c[i].cut_off = true;
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  c.run_for(seconds(60));
  const auto after = c[1].node->scrubber().since_clean();
  REQUIRE(after.has_value());
  CHECK(*after >= *before + seconds(55));  // no round since was clean
  for (const std::size_t i : {2u, 3u}) c[i].cut_off = false;
  c.run_for(seconds(90));
  CHECK(*c[1].node->scrubber().since_clean() < seconds(25));
}

TEST_CASE("a sole active owner does not forget its damaged value because a target owner has not read it") {
  Shape shape{"d1", "", {{"d1", {1, 2}}, {"d2", {2}}, {"d3", {2, 3}}}};
  const auto world = voting_cluster(3, shape);
  Cluster& c = *world;
  for (const std::size_t i : {1u, 2u}) REQUIRE(c[i].put("k", kValue, 10));
  c[1].cut_off = true;  // with its copy, which is to be handed off
  shape.active = "d2";
  c.adopt(placement_of(2, shape));
  REQUIRE(c[2].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  shape.target = "d3";
  c.adopt(placement_of(3, shape));
  c.run_for(seconds(90));
  CHECK(c[2].get("k") == name_of(ErrorCode::kCorrupt));
  CHECK_FALSE(c[3].votes("k"));  // so d3 cannot be promoted
  c[1].cut_off = false;
  c.run_for(seconds(90));
  CHECK(c[2].get("k") == kValue);
  CHECK(c[3].get("k") == kValue);
  CHECK(c[3].votes("k"));
}

TEST_CASE("a copy stays where it does not belong until the owner has found its own sound") {
  Shape shape{"d1", "", {{"d1", {1, 2}}, {"d2", {2}}}};
  const auto world = voting_cluster(2, shape);
  Cluster& c = *world;
  for (const std::size_t i : {1u, 2u}) REQUIRE(c[i].put("k", kValue, 10));
  REQUIRE(c[2].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  shape.target = "d2";
  c.adopt(placement_of(2, shape));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  shape.active = "d2";
  shape.target = "";
  c.adopt(placement_of(3, shape));
  c.run_for(seconds(60));
  CHECK(c[1].disk.rows(store::Family::kMeta).empty());
  CHECK(c[2].get("k") == kValue);
}

TEST_CASE("an owner is not made to read a large value again and again while another one is away") {
  Shape shape{"d1", "", {{"d1", {1, 2, 3}}, {"d2", {2, 3}}}};
  const auto world = voting_cluster(3, shape);
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", kValue, 10));
  c[3].cut_off = true;
  int asked = 0, read = 0;
  c.let_pass = [&](const wire::Request& request, std::string_view) {
    if (const auto* question = std::get_if<wire::Read>(&request.body)) ++(question->verify ? read : asked);
    return true;
  };
  shape.active = "d2";
  c.adopt(placement_of(2, shape));
  c.run_for(minutes(5));
  CHECK(asked > 10);
  CHECK(read == 0);
  c[3].cut_off = false;
  CHECK(c.run_until([&] { return c[1].disk.rows(store::Family::kMeta).empty(); }));
  CHECK(read == 2);
}

}  // namespace tako::test
