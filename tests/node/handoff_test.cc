// When the last word of an owner lets a copy go that lies where it does not belong (src/node/repair/handoff.h).
#include <doctest/doctest.h>

#include "node/world.h"
#include "store/slot_codec.h"

namespace tako::test {
namespace {

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}, "1d"};

std::string row_of(const std::string& key) { return store::slot_key(model::position_of(key), key); }

bool row(Machine& machine, const std::string& key) {
  return machine.disk.rows(store::Family::kMeta).contains(row_of(key));
}

// A row on the disk of a node that is down.
void leave_copy(Cluster& c, std::size_t number, const std::string& key, model::Record record) {
  REQUIRE_FALSE(c[number].up());
  runtime::Loop& loop = c[1].loop();
  store::SimEngine engine(loop, c[number].disk, store::SimOptions());
  store::StoredSlot copy;
  copy.slot.record = std::move(record);
  store::Batch batch;
  batch.put(store::Family::kMeta, row_of(key), store::encode_slot(copy));
  runtime::Gate open(loop);
  auto write = [](store::SimEngine* to, store::Batch* what) -> Task<> {
    const Status written = co_await to->write(std::move(*what));
    CHECK(written.ok());
    co_await to->close();
  };
  loop.spawn(open, write(&engine, &batch));
  c.settle();
}

}  // namespace

TEST_CASE("that a copy is dead by an owner's floor counts while the owner is informed, and not before") {
  Cluster c(4, placement_of(1, kThree));
  c.collection = node::Collector::Options{seconds(10), seconds(1), seconds(30)};
  for (auto& machine : c.machines) {
    machine->kill();
    machine->boot();
  }
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  const Timestamp then = c[1].loop().wall();
  for (const std::size_t i : {1u, 2u, 3u}) REQUIRE(c[i].remove("k", then));
  const auto floors_raised = [&] {
    bool all = true;
    for (const std::size_t i : {1u, 2u, 3u}) all &= c[i].node->floors().of(model::partition_of("k")) >= then;
    return all && !row(c[1], "k") && !row(c[2], "k") && !row(c[3], "k");
  };
  REQUIRE(c.run_until(floors_raised, minutes(3)));
  std::string in_doubt;
  SUBCASE("all are informed") {}
  SUBCASE("the first does not know yet whether its disk is the latest") { in_doubt = "n1"; }
  SUBCASE("the last does not") { in_doubt = "n3"; }
  c.let_pass = [&](const wire::Request& request, std::string_view) {
    const auto* announce = std::get_if<wire::Announce>(&request.body);
    return !announce || announce->node != in_doubt;
  };
  Machine* doubtful = c.find(in_doubt);
  if (doubtful) {
    doubtful->kill();
    doubtful->boot();
    REQUIRE_FALSE(doubtful->votes("k"));
    REQUIRE(doubtful->node->floors().of(model::partition_of("k")) >= then);
  }
  c[4].kill();
  leave_copy(c, 4, "k", model::make_value({then - 1, 1}, Bytes(std::string("v"))));

  c[4].boot();
  c.run_for(minutes(3));

  CHECK(row(c[4], "k") == (doubtful != nullptr));
  in_doubt.clear();
  CHECK(c.run_until([&] { return !row(c[4], "k"); }, minutes(3)));
  for (const std::size_t i : {1u, 2u, 3u}) CHECK(c[i].get("k") == "-");
}

}  // namespace tako::test
