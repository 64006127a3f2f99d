// Tombstones are forgotten when nothing older can come any more, and not before (src/node/gc/collector.h).
#include <doctest/doctest.h>

#include "node/world.h"
#include "store/slot_codec.h"

namespace tako::test {
namespace {

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}, "1d"};

struct Collecting {
  explicit Collecting(Shape shape = kThree, std::size_t nodes = 3)
      : cluster(static_cast<int>(nodes), placement_of(1, shape)) {
    cluster.collection = node::Collector::Options{seconds(10), seconds(1), seconds(30)};
    for (std::size_t n = 1; n <= nodes; ++n) cluster[n].kill();
    for (std::size_t n = 1; n <= nodes; ++n) cluster[n].boot();
    REQUIRE(cluster.run_until([this] { return cluster.all_vote(); }));
  }
  Timestamp now() { return cluster[1].loop().wall(); }
  void put(const std::string& key, const std::string& value, Timestamp timestamp) {
    for (auto& machine : cluster.machines) {
      if (machine->up()) REQUIRE(machine->put(key, value, timestamp));
    }
  }
  void remove(const std::string& key, Timestamp timestamp) {
    for (auto& machine : cluster.machines) {
      if (machine->up()) REQUIRE(machine->remove(key, timestamp));
    }
  }
  bool row(std::size_t n, const std::string& key) {
    return cluster[n].disk.rows(store::Family::kMeta).contains(store::slot_key(model::position_of(key), key));
  }
  bool no_row(const std::string& key) { return !row(1, key) && !row(2, key) && !row(3, key); }
  Timestamp floor(std::size_t n, const std::string& key) {
    return cluster[n].node->floors().of(model::partition_of(key));
  }
  // As far as the node says of itself that it has compared; none: it says nothing of the partition.
  std::optional<Timestamp> synced(std::size_t n, const std::string& key) {
    const model::Partition partition = model::partition_of(key);
    wire::CollectQuery query;
    query.asker = n == 2 ? "n3" : "n2";
    query.partitions = {{partition, partition}};
    const auto reply = std::get<wire::CollectReply>(cluster[n].ask(std::move(query)).body);
    if (reply.entries.empty()) return std::nullopt;
    return reply.entries.front().synced;
  }
  // The row of another key rots: the node is another one from then on, and votes where it has lost nothing.
  void lose_a_vote(std::size_t n, const std::string& key) {
    const std::uint64_t before = cluster[n].node->standing().incarnation();
    cluster[n].disk.rot(store::Family::kMeta, store::slot_key(model::position_of(key), key));
    CHECK(cluster[n].get(key) == name_of(ErrorCode::kCorrupt));
    REQUIRE(cluster.run_until([&] { return cluster[n].node->standing().incarnation() > before; }, seconds(1)));
  }
  wire::WriteReply send(std::size_t n, model::Record record, wire::Write::Source source) {
    wire::Write write;
    write.key = "k";
    write.record = std::move(record);
    write.source = source;
    return std::get<wire::WriteReply>(cluster[n].ask(std::move(write)).body);
  }

  Cluster cluster;
};

model::Record value_at(Timestamp timestamp) { return model::make_value({timestamp, 1}, Bytes(std::string("late"))); }

}  // namespace

TEST_CASE("a tombstone is dropped everywhere, and nothing that is older comes back in its place") {
  Collecting world;
  const Timestamp then = world.now();
  world.put("k", "v", then);
  world.put("other", "w", then);
  world.remove("k", then + 1);
  world.cluster.run_for(seconds(5));
  CHECK(world.row(1, "k"));
  REQUIRE(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
  for (std::size_t n = 1; n <= 3; ++n) {
    CAPTURE(n);
    CHECK(world.cluster[n].get("k") == "-");
    CHECK(world.cluster[n].get("other") == "w");
    CHECK(world.floor(n, "k") > then);
    const auto proposed = world.send(n, value_at(then), wire::Write::Source::kProposal);
    CHECK(proposed.outcome == wire::WriteReply::Outcome::kRefused);
    CHECK(proposed.promise.timestamp > world.floor(n, "k"));
    CHECK(proposed.version.none());
    const auto copied = world.send(n, value_at(then), wire::Write::Source::kCopy);
    CHECK(copied.outcome == wire::WriteReply::Outcome::kRefused);
    CHECK(copied.stored >= model::Ballot{then, 1});
  }
  CHECK(world.no_row("k"));
  CHECK(world.cluster[1].node->collector().counters().rows == 1);
  // And what is newer is a write like any other.
  CHECK(world.cluster[1].put("k", "new", world.now()));
  world.cluster.run_for(seconds(10));
  for (std::size_t n = 1; n <= 3; ++n) CHECK(world.cluster[n].get("k") == "new");
}

TEST_CASE("fence and floors are there after a restart, and so is what they refuse") {
  Collecting world;
  const Timestamp then = world.now();
  world.remove("k", then);
  REQUIRE(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
  const Timestamp floor = world.floor(1, "k");
  const Timestamp fence = world.cluster[1].node->collector().fence();
  world.cluster[1].kill();
  world.cluster[1].boot();
  CHECK(world.floor(1, "k") == floor);
  CHECK(world.cluster[1].node->collector().fence() == fence);
  CHECK(world.send(1, value_at(then), wire::Write::Source::kCopy).outcome == wire::WriteReply::Outcome::kRefused);
  CHECK(world.send(1, value_at(then), wire::Write::Source::kProposal).outcome == wire::WriteReply::Outcome::kRefused);
}

TEST_CASE("a node that is away keeps tombstones from being collected; when it is back what it held stays deleted") {
  Collecting world;
  const Timestamp then = world.now();
  world.put("k", "v", then);
  world.cluster.run_for(seconds(5));
  world.cluster[3].kill();
  world.remove("k", then + 1);
  world.cluster.run_for(minutes(10));
  CHECK(world.row(1, "k"));
  CHECK(world.row(2, "k"));
  CHECK(world.cluster[1].node->collector().waits_for() == "node n3 does not answer");
  world.cluster[3].boot();
  CHECK(world.cluster[3].get("k") == "v");
  REQUIRE(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(3)));
  world.cluster.run_for(minutes(1));
  for (std::size_t n = 1; n <= 3; ++n) CHECK(world.cluster[n].get("k") == "-");
}

TEST_CASE("a disk of before the delete comes back after the collection, and resurrects nothing") {
  Collecting world;
  const Timestamp then = world.now();
  world.put("k", "v", then);
  world.cluster.run_for(seconds(5));
  const auto snapshot = world.cluster[3].disk.snapshot();
  world.remove("k", then + 1);
  REQUIRE(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
  world.cluster[3].kill();
  SUBCASE("noticed") { world.cluster[3].disk.restore(snapshot); }
  SUBCASE("in one row, unnoticed") {
    runtime::Loop& loop = world.cluster[1].loop();
    store::SimEngine engine(loop, world.cluster[3].disk, store::SimOptions());
    store::StoredSlot stale;
    stale.slot.record = model::make_value({then, 1}, Bytes(std::string("v")));
    store::Batch batch;
    batch.put(store::Family::kMeta, store::slot_key(model::position_of("k"), "k"), store::encode_slot(stale));
    runtime::Gate open(loop);
    auto write = [](store::SimEngine* to, store::Batch* what) -> Task<> {
      const Status written = co_await to->write(std::move(*what));
      CHECK(written.ok());
      co_await to->close();
    };
    loop.spawn(open, write(&engine, &batch));
    world.cluster.settle();
  }
  world.cluster[3].boot();
  CHECK(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(3)));
  world.cluster.run_for(minutes(1));
  for (std::size_t n = 1; n <= 3; ++n) CHECK(world.cluster[n].get("k") == "-");
}

TEST_CASE("a node with an empty disk takes fence and floors over before it votes") {
  Collecting world;
  const Timestamp then = world.now();
  world.put("alive", "w", then);
  world.remove("k", then);
  REQUIRE(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
  world.cluster[3].kill();
  world.cluster[3].disk.wipe();
  world.cluster[3].boot();
  REQUIRE(world.cluster.run_until([&] { return world.cluster.all_vote(); }, seconds(30)));
  CHECK(world.cluster[3].get("alive") == "w");
  CHECK(world.floor(3, "k") >= then);
  CHECK(world.send(3, value_at(then), wire::Write::Source::kProposal).outcome == wire::WriteReply::Outcome::kRefused);
}

TEST_CASE("who has lost a vote anywhere is synced nowhere any more, and compares with everybody again") {
  std::string deaf;  // n1 and this one do not compare
  Collecting world;
  const Timestamp then = world.now();
  world.put("other", "w", then);
  REQUIRE(model::partition_of("k") != model::partition_of("other"));
  SUBCASE("what it had compared to the end") {
    world.remove("k", then);
    REQUIRE(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
    REQUIRE(world.synced(1, "k").value_or(0) >= then);
    world.cluster[2].cut_off = world.cluster[3].cut_off = true;
    world.lose_a_vote(1, "other");
    REQUIRE(world.cluster[1].votes("k"));
    CHECK(world.synced(1, "k") == Timestamp{0});
  }
  SUBCASE("what it had compared with one of the two") {
    deaf = "n3";
    world.cluster.let_pass = [&](const wire::Request& request, std::string_view to) {
      std::string_view asker;
      if (const auto* digest = std::get_if<wire::DigestQuery>(&request.body)) asker = digest->asker;
      if (const auto* list = std::get_if<wire::List>(&request.body)) asker = list->asker;
      return asker.empty() || (!(asker == "n1" && to == deaf) && !(asker == deaf && to == "n1"));
    };
    world.cluster.run_for(seconds(10));
    world.remove("k", world.now());
    world.cluster.run_for(minutes(1));
    REQUIRE(world.synced(2, "k").value_or(0) > then);
    REQUIRE(world.synced(1, "k") == Timestamp{0});
    world.lose_a_vote(1, "other");
    deaf = "n2";
    world.cluster.run_for(minutes(1));
    CHECK(world.synced(1, "k") == Timestamp{0});
    deaf = "";
    CHECK(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
  }
}

TEST_CASE("what has expired goes like a tombstone, a minute later; what has not stays") {
  Collecting world;
  const Timestamp then = world.now();
  model::Record short_lived = model::make_value({then, 1}, Bytes(std::string("x")));
  short_lived.expires_at = then + 5'000'000;
  for (std::size_t n = 1; n <= 3; ++n) (void)world.send(n, short_lived, wire::Write::Source::kProposal);
  world.cluster.run_for(seconds(60));
  CHECK(world.row(1, "k"));
  CHECK(world.cluster.run_until([&] { return world.no_row("k"); }, seconds(120)));
}

TEST_CASE("collection waits while a target deployment is there, and for those who lost partitions") {
  Collecting world;
  const Timestamp then = world.now();
  world.remove("k", then);
  Shape moving{"d1", "d2", {{"d1", {1, 2, 3}}, {"d2", {1, 2, 3}}}, "1d"};
  world.cluster.adopt(placement_of(2, moving));
  world.cluster.run_for(minutes(2));
  CHECK(world.row(1, "k"));
  CHECK(world.cluster[1].node->collector().waits_for() == "a reconfiguration is under way");
  world.cluster.adopt(placement_of(3, kThree));
  world.cluster.run_for(seconds(25));
  CHECK(world.row(1, "k"));
  CHECK(world.cluster.run_until([&] { return world.no_row("k"); }, minutes(2)));
}

// The pass of one configuration goes on while the next one takes the partition away, and the one after it gives it
// back. What it had read was handed off in between, and with that the ground for the floor that it had read.
TEST_CASE("a pass that outlives its configuration raises no floor over what was handed off meanwhile") {
  Shape shape{"d1", "", {{"d1", {1, 2, 3}}, {"d2", {2, 3, 4}}}, "1d"};
  Collecting world(shape, 4);
  Cluster& c = world.cluster;
  const Timestamp then = world.now();
  // In the partition of `alive` something ends, so that it gets a floor.
  std::string dead;
  for (int i = 0; dead.empty(); ++i) {
    const std::string key = "dead" + std::to_string(i);
    if (model::partition_of(key) == model::partition_of("alive")) dead = key;
  }
  for (std::size_t n = 1; n <= 3; ++n) {
    REQUIRE(c[n].put("alive", "w", then));
    REQUIRE(c[n].put("large", std::string(100'000, 'x'), then));
    REQUIRE(c[n].remove(dead, then));
  }
  REQUIRE(c.run_until([&] { return world.floor(1, "alive") > then && world.floor(2, "alive") > then; }, minutes(2)));
  REQUIRE(c.run_until([&] { return world.floor(3, "alive") > then; }, minutes(2)));

  int late = 0;
  c.late_by = [&](const wire::Request& request, std::string_view) {
    const auto* read = std::get_if<wire::Read>(&request.body);
    const bool of_pass = read && read->key == "large" && request.config.counter == 2;
    late += of_pass;
    return of_pass ? seconds(20) : Duration::zero();
  };
  shape.target = "d2";
  c.adopt(placement_of(2, shape));
  REQUIRE(c.run_until([&] { return late > 0 && world.row(4, "alive"); }));
  shape.target = "";
  c.adopt(placement_of(3, shape));
  REQUIRE(c.run_until([&] { return !world.row(4, "alive"); }, seconds(15)));
  c.let_pass = [](const wire::Request& request, std::string_view to) {  // else others bring it before the pass ends
    return !std::holds_alternative<wire::Write>(request.body) || to != "n4";
  };
  shape.target = "d2";
  c.adopt(placement_of(4, shape));
  CHECK(world.floor(4, "alive") == 0);
  CHECK_FALSE(world.row(4, "alive"));
  REQUIRE(c.run_until([&] { return c[4].votes(); }, minutes(2)));
  CHECK(c[4].get("alive") == "w");
  c.run_for(minutes(1));
  for (std::size_t n = 1; n <= 4; ++n) CHECK(c[n].get("alive") == "w");
}

TEST_CASE("a floor that comes while a pass compares says nothing about what the pass had listed before") {
  Collecting world;
  Cluster& c = world.cluster;
  const Timestamp then = world.now();
  world.remove("k", then);
  c.run_for(seconds(5));
  bool listed = false;
  c.late_by = [&](const wire::Request& request, std::string_view) {
    const auto* list = std::get_if<wire::List>(&request.body);
    const bool first = list && list->asker == "n1" && !std::exchange(listed, true);
    return first ? seconds(90) : Duration::zero();
  };
  wire::RepairQuery repair;
  repair.action = wire::RepairQuery::Action::kRepair;
  (void)c[1].ask(repair);
  REQUIRE(c.run_until([&] { return listed; }, seconds(5)));
  world.put("k", "v", then + 1);
  REQUIRE(c.run_until([&] { return world.floor(1, "k") > then; }, seconds(80)));
  c.run_for(minutes(3));
  for (std::size_t n = 1; n <= 3; ++n) CHECK(c[n].get("k") == "v");
}

}  // namespace tako::test
