// What a store refuses by its node's fence and its partitions' floors, and what it drops by them (store/floors.h).
#include <doctest/doctest.h>

#include "store_world.h"

namespace tako::test {
namespace {

using store::Origin;

template <class World>
struct FloorWorld : StoreWorld<World> {
  Result<Accepted> propose(std::string key, Record record) {
    return this->world.run([&]() -> Task<Result<Accepted>> {
      co_return co_await this->owned->accept(key, record, std::nullopt, Ballot(), Origin::kProposal);
    });
  }
  void fence(Timestamp at) {
    const Status raised = this->world.run([&]() -> Task<Status> { co_return co_await this->owned->raise_fence(at); });
    REQUIRE(raised.ok());
  }
  void floor(const std::string& key, Timestamp at) { floors({{model::partition_of(key), at}}); }
  void floors(std::vector<std::pair<model::Partition, Timestamp>> floors) {
    raise(std::move(floors), this->owned->floors().losses());
  }
  void raise(std::vector<std::pair<model::Partition, Timestamp>> floors, std::uint64_t since) {
    const Status raised =
        this->world.run([&]() -> Task<Status> { co_return co_await this->owned->raise_floors(floors, since); });
    REQUIRE(raised.ok());
  }
  Store::Dropped drop_ended(const std::string& key) {
    const model::Partition p = model::partition_of(key);
    const Timestamp at = this->owned->floors().of(p);
    const auto dropped =
        this->world.run([&]() -> Task<Result<Store::Dropped>> { co_return co_await this->owned->drop_ended(p, at); });
    REQUIRE(dropped.ok());
    return *dropped;
  }
  bool promised(const std::string& key, Ballot ballot) {
    const auto promised = this->world.run(
        [&]() -> Task<Result<store::Promised>> { co_return co_await this->owned->promise(key, ballot, false); });
    REQUIRE(promised.ok());
    return promised->given;
  }
  void restart() {
    StoreWorld<World>::restart();
    const Status loaded = this->world.run([&]() -> Task<Status> { co_return co_await this->owned->load_floors(); });
    REQUIRE(loaded.ok());
  }
  std::string rows() { return keys(this->world, Family::kMeta); }
};

}  // namespace

TEST_CASE_TEMPLATE("a fence stops proposers at or below it, and nobody who brings a copy", World, SimWorld,
                   RocksWorld) {
  FloorWorld<World> t;
  REQUIRE(t.propose("held", value_of(5, "five"))->written);
  t.fence(10);
  for (int round = 0; round < 2; ++round) {
    const auto refused = t.propose("k", value_of(10, "ten"));
    CHECK_FALSE(refused->stored);
    CHECK(refused->promise == Ballot{11, 0});
    CHECK(refused->ballot.none());
    CHECK_FALSE(t.promised("k", {10, 9}));
    CHECK(t.propose("held", value_of(5, "five"))->stored);  // it is there
    t.restart();
  }
  CHECK(t.propose("k", value_of(11, "eleven"))->written);
  CHECK(t.accept("copied", value_of(3, "three"))->written);
  CHECK(t.promised("other", {11, 1}));
}

TEST_CASE_TEMPLATE("below a floor absent is a tombstone: copies are refused, and counted as covered", World, SimWorld,
                   RocksWorld) {
  FloorWorld<World> t;
  REQUIRE(t.accept("k", value_of(5, "five"))->written);
  t.fence(10);
  t.floor("k", 10);
  t.floor("absent", 10);
  for (int round = 0; round < 2; ++round) {
    const auto refused = t.accept("absent", value_of(9, "nine"));
    CHECK_FALSE(refused->stored);
    CHECK(refused->ballot >= Ballot{9, 1});
    CHECK(refused->version.none());
    CHECK(t.read("absent")->gone());
    CHECK(t.read("absent")->covers({10, 1}));
    CHECK_FALSE(t.read("absent")->covers({11, 1}));
    CHECK_FALSE(t.read("k")->gone());
    CHECK(t.value("k") == "five");
    t.restart();
  }
  CHECK(t.accept("absent", value_of(11, "eleven"))->written);
  CHECK(t.accept("k", value_of(7, "seven"))->written);  // what is live may be finished
}

TEST_CASE_TEMPLATE("what has ended by the floor is dropped, and a promise above it stays", World, SimWorld,
                   RocksWorld) {
  FloorWorld<World> t;
  const std::string at = "k";
  const model::Partition p = model::partition_of(at);
  t.world.run([&]() -> Task<> { co_await t.owned->count_unknown(); });
  REQUIRE(t.accept(at, model::make_tombstone({8, 1}))->written);
  bool kept = false;
  SUBCASE("without a promise") {}
  SUBCASE("with one below") { REQUIRE(t.promised(at, {9, 1})); }
  SUBCASE("with one above") {
    REQUIRE(t.promised(at, {20, 1}));
    kept = true;
  }
  t.fence(10);
  CHECK(t.owned->digests().ends(p) == 8);
  CHECK(t.owned->digests().ending_by(8)[p]);
  t.floor(at, 7);
  CHECK(t.drop_ended(at).rows == 0);
  CHECK(t.owned->digests().ends(p) == 8);
  t.floor(at, 10);
  CHECK_FALSE(t.accept(at, value_of(9, "nine"))->stored);  // not dropped yet, and ended
  CHECK(t.drop_ended(at).rows == 1);
  CHECK((t.rows() == "") == !kept);
  CHECK(t.value(at) == "-");
  CHECK_FALSE(t.accept(at, value_of(9, "nine"))->stored);
  if (kept) {
    CHECK(t.read(at)->promise == Ballot{20, 1});
    CHECK_FALSE(t.propose(at, value_of(19, "low"))->stored);
    t.fence(30);
    t.floor(at, 30);
    CHECK(t.drop_ended(at).promises == 1);
    CHECK(t.rows() == "");
  }
}

TEST_CASE_TEMPLATE("an expired value of several pieces goes with its pieces, and a live one stays", World, SimWorld,
                   RocksWorld) {
  FloorWorld<World> t;
  Record large = value_of(5, pattern(5, 3 * Store::kPieceBytes));
  large.expires_at = 6;
  REQUIRE(t.accept("k", large).ok());
  const Timestamp ends = 6 + model::kExpiryMargin;
  t.floor("k", ends - 1);
  CHECK(t.drop_ended("k").rows == 0);
  t.floor("k", ends);
  CHECK(t.drop_ended("k").rows == 1);
  CHECK(keys(t.world, Family::kChunks) == "");
  REQUIRE(t.accept("k", value_of(ends + 1, "live"))->written);
  t.floor("k", ends + 100);
  CHECK(t.drop_ended("k").rows == 0);
  CHECK(t.value("k") == "live");
}

TEST_CASE_TEMPLATE("a copy that is handed off takes the floor of its partition with it", World, SimWorld, RocksWorld) {
  FloorWorld<World> t;
  REQUIRE(t.accept("k", value_of(5, "five"))->written);
  t.floor("k", 10);
  REQUIRE(*t.drop("k", {5, 1}));
  for (int round = 0; round < 2; ++round) {
    CHECK_FALSE(t.read("k")->gone());
    t.restart();
  }
  CHECK(t.accept("k", value_of(5, "five"))->written);
}

TEST_CASE_TEMPLATE("a floor is not raised where a copy has gone since it was found to be right", World, SimWorld,
                   RocksWorld) {
  FloorWorld<World> t;
  const model::Partition p = model::partition_of("k");
  REQUIRE(t.accept("k", value_of(5, "five"))->written);
  const std::uint64_t before = t.owned->floors().losses();
  SUBCASE("before it is raised") {
    REQUIRE(*t.drop("k", {5, 1}));
    t.raise({{p, 10}, {static_cast<model::Partition>(p + 1), 10}}, before);
    CHECK(t.owned->floors().of(static_cast<model::Partition>(p + 1)) == 10);
  }
  bool at_once = false;
  bool drop_first = false;
  SUBCASE("while the drop is under way") { at_once = drop_first = true; }
  SUBCASE("while it is being raised") { at_once = true; }
  if (at_once) {
    const Status raised = t.world.run([&]() -> Task<Status> {
      runtime::Gate gate(t.world.loop());
      const auto raise = [&]() -> Task<> {
        std::vector<std::pair<model::Partition, Timestamp>> one = {{p, 10}};
        const Status status = co_await t.owned->raise_floors(std::move(one), before);
        CHECK(status.ok());
      };
      const auto drop = [&]() -> Task<> {
        const Ballot ballot{5, 1};
        const auto dropped = co_await t.owned->drop("k", ballot);
        CHECK(dropped.ok());
      };
      if (drop_first) t.world.loop().spawn(gate, drop());
      t.world.loop().spawn(gate, raise());
      if (!drop_first) t.world.loop().spawn(gate, drop());
      co_await gate.drained();
      co_return ok_status();
    });
    REQUIRE(raised.ok());
  }
  CHECK(t.rows() == "");
  for (int round = 0; round < 2; ++round) {
    CHECK(t.owned->floors().of(p) == 0);
    t.restart();
  }
  t.floor("k", 4);
  CHECK(t.owned->floors().of(p) == 4);
  CHECK(t.accept("k", value_of(5, "five"))->written);
}

TEST_CASE_TEMPLATE("of two that raise the same floor the higher one stands", World, SimWorld, RocksWorld) {
  FloorWorld<World> t;
  const model::Partition p = model::partition_of("k");
  SUBCASE("in one list") { t.floors({{p, 20}, {p, 10}}); }
  SUBCASE("one after the other") {
    t.floors({{p, 20}});
    t.floors({{p, 10}});
  }
  SUBCASE("at once") {
    const Status raised = t.world.run([&]() -> Task<Status> {
      runtime::Gate gate(t.world.loop());
      const auto raise = [&](Timestamp at) -> Task<> {
        std::vector<std::pair<model::Partition, Timestamp>> one = {{p, at}};
        const Status status = co_await t.owned->raise_floors(std::move(one), 0);
        CHECK(status.ok());
      };
      t.world.loop().spawn(gate, raise(20));
      t.world.loop().spawn(gate, raise(10));
      co_await gate.drained();
      co_return ok_status();
    });
    REQUIRE(raised.ok());
  }
  for (int round = 0; round < 2; ++round) {
    CHECK(t.owned->floors().of(p) == 20);
    t.restart();
  }
}

}  // namespace tako::test
