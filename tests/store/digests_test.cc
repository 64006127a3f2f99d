// Digests: exact beside writes, failures, counts, and restarts. The property: what is known equals a recount.
#include <doctest/doctest.h>

#include "store/digests.h"
#include "store/store_world.h"

namespace tako::test {
namespace {

using model::Partition;
using store::Digests;

// Some keys of each of three partitions, so that pages break within one.
const std::vector<std::string>& crowded_keys() {
  static const std::vector<std::string> keys = [] {
    const Partition crowded[] = {0, 300, 65'535};
    std::vector<std::string> found;
    for (int i = 0; found.size() < 24; ++i) {
      std::string key = "k" + std::to_string(i);
      const Partition p = model::partition_of(key);
      if (std::find(std::begin(crowded), std::end(crowded), p) != std::end(crowded)) found.push_back(std::move(key));
    }
    for (int i = 0; i < 8; ++i) found.push_back("alone" + std::to_string(i));
    return found;
  }();
  return keys;
}

std::map<Partition, Digests::Totals> recount(const store::SimDisk& disk) {
  std::map<Partition, Digests::Totals> totals;
  for (const auto& [row_key, row] : disk.rows(Family::kMeta)) {
    const auto at = store::parse_slot_key(row_key);
    const auto stored = store::decode_slot(row);
    totals[model::partition_of_position(at->position)].add(Digests::held(at->position, stored->slot));
  }
  return totals;
}

// Of the known ones, those that are not what the disk holds.
std::size_t wrong(const Digests& digests, const store::SimDisk& disk) {
  const auto real = recount(disk);
  std::size_t count = 0;
  digests.known().for_each([&](Partition p) {
    const auto found = real.find(p);
    const Digests::Totals totals = found == real.end() ? Digests::Totals() : found->second;
    count += !(totals == digests.of(p));
    count += (totals.records() > 0) != digests.occupied()[p];
  });
  return count;
}

struct Stirred {
  Stirred(std::uint64_t seed, std::uint32_t write_error_ppm)
      : random(seed), it{SimWorld({{true, seconds(1)}, milliseconds(2)}, seed)}, gate(it.world.loop()) {
    it.world.disk().set_error_rates(0, write_error_ppm);
  }

  Task<> write_some(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = crowded_keys()[random.below(crowded_keys().size())];
      const auto slot = co_await it.owned->read(key, false);
      if (!slot.ok()) continue;
      if (random.chance_ppm(250'000)) {
        (void)co_await it.owned->drop(key, slot->ballot());
      } else {
        Record record = value_of(++time, "v");
        if (random.chance_ppm(200'000)) record = model::make_tombstone({time, 1});
        if (random.chance_ppm(100'000) && slot->record) record.ballot = slot->ballot();
        (void)co_await it.owned->accept(key, std::move(record));
      }
    }
    --writing;
  }
  Task<> count_always() {
    while (writing > 0) {
      co_await it.owned->count_unknown();
      co_await it.world.loop().sleep(milliseconds(1));
    }
  }
  void stir() {
    for (writing = 0; writing < 6; ++writing) it.world.loop().spawn(gate, write_some(30));
    it.world.loop().spawn(gate, count_always());
    it.world.run([&]() -> Task<> { co_await gate.drained(); });
  }
  void count() {
    it.world.run([&]() -> Task<> { co_await it.owned->count_unknown(); });
  }
  void save(std::uint64_t nonce) {
    const Status saved = it.world.run([&]() -> Task<Status> { co_return co_await it.owned->save_digests(nonce); });
    REQUIRE(saved.ok());
  }
  void load(std::uint64_t nonce) {
    const Status loaded = it.world.run([&]() -> Task<Status> {
      const Status read = co_await it.owned->load_digests(nonce);
      REQUIRE(read.ok());
      co_return co_await it.owned->forget_saved_digests();
    });
    REQUIRE(loaded.ok());
  }
  const Digests& digests() const { return it.owned->digests(); }
  std::size_t wrong_now() { return wrong(digests(), it.world.disk()); }

  Random random;
  StoreWorld<SimWorld> it;
  runtime::Gate gate;
  std::uint64_t time = 0;
  int writing = 0;
};

TEST_CASE("what is known of a partition is what it holds, whatever was written while it was counted") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Stirred world(seed, seed % 2 == 0 ? 0 : 60'000);
    world.stir();
    CHECK(world.wrong_now() == 0);
    world.it.world.disk().set_error_rates(0, 0);
    world.count();
    CHECK(world.digests().unknown().none());
    CHECK(world.wrong_now() == 0);
    CHECK(world.digests().all().records() > 0);
  }
}

TEST_CASE("a write whose outcome is unknown puts its partition in doubt until it is counted again") {
  StoreWorld<SimWorld> world;
  REQUIRE(world.accept("a", value_of(1, "one")).ok());
  world.world.run([&]() -> Task<> { co_await world.owned->count_unknown(); });
  const Partition p = model::partition_of("a");
  REQUIRE(world.owned->digests().known(p));

  world.world.disk().fail_writes(ErrorCode::kIo);
  REQUIRE(!world.accept("a", value_of(2, "two")).ok());
  CHECK(!world.owned->digests().known(p));

  world.world.run([&]() -> Task<> { co_await world.owned->count_unknown(); });  // not before a write succeeds
  CHECK(!world.owned->digests().known(p));
  world.world.disk().heal_writes();
  world.world.run([&]() -> Task<> { co_await world.owned->count_unknown(); });
  CHECK(world.owned->digests().known(p));
  CHECK(wrong(world.owned->digests(), world.world.disk()) == 0);
}

TEST_CASE("after a clean stop the digests are known at once, after any other nothing is") {
  Stirred world(7, 0);
  world.stir();
  world.count();
  const Digests::Totals before = world.digests().all();
  world.save(55);
  CHECK(name_of(world.it.accept("late", value_of(1, "v")).code()) == name_of(ErrorCode::kStopping));
  world.it.restart();
  world.load(55);
  CHECK(world.digests().unknown().none());
  CHECK(world.digests().all() == before);
  CHECK(world.wrong_now() == 0);

  world.stir();
  CHECK(world.wrong_now() == 0);
  world.it.restart();  // unclean: what was saved is not there any more
  world.load(55);
  CHECK(world.digests().known().none());
}

TEST_CASE("digests saved by another start than the last one are not believed") {
  Stirred world(8, 0);
  world.stir();
  world.save(55);
  world.it.restart();
  world.load(56);
  CHECK(world.digests().known().none());
}

TEST_CASE("a partition with an unreadable row is unknown until the row is erased") {
  StoreWorld<SimWorld> world;
  const std::string key = crowded_keys().front();
  const Partition p = model::partition_of(key);
  for (const std::string& each : crowded_keys()) REQUIRE(world.accept(each, value_of(1, "one")).ok());
  const auto count = [&] { world.world.run([&]() -> Task<> { co_await world.owned->count_unknown(); }); };
  count();
  REQUIRE(world.owned->digests().unknown().none());
  world.world.disk().rot(Family::kMeta, store::slot_key(model::position_of(key), key));
  (void)world.read(key);
  CHECK(!world.owned->digests().known(p));
  count();
  CHECK(world.owned->digests().unknown().count() == 1);
  const auto erased =
      world.world.run([&]() -> Task<Result<bool>> { co_return co_await world.owned->erase_unreadable(key); });
  REQUIRE(erased.ok());
  count();
  CHECK(world.owned->digests().unknown().none());
  CHECK(wrong(world.owned->digests(), world.world.disk()) == 0);
}

TEST_CASE("two stores on one database count their own partitions") {
  SimWorld world;
  Store even(world.loop(), world.engine(), Store::Part{0, 2});
  Store odd(world.loop(), world.engine(), Store::Part{1, 2});
  const auto count = [&](Store& of) { world.run([&]() -> Task<> { co_await of.count_unknown(); }); };
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    Store& owner = model::partition_of(key) % 2 == 0 ? even : odd;
    auto accepted =
        world.run([&]() -> Task<Result<Accepted>> { co_return co_await owner.accept(key, value_of(1, "value")); });
    REQUIRE(accepted.ok());
  }
  count(even);
  count(odd);
  CHECK(even.digests().unknown().none());
  CHECK(odd.digests().unknown().none());
  CHECK(even.digests().all().records() + odd.digests().all().records() == 100);
  CHECK(wrong(even.digests(), world.disk()) == 0);
  CHECK(wrong(odd.digests(), world.disk()) == 0);
}

TEST_CASE("RocksDB: what was counted is what was written") {
  StoreWorld<RocksWorld> world;
  for (int i = 0; i < 3000; ++i) REQUIRE(world.accept("k" + std::to_string(i), value_of(1, "12345")).ok());
  world.world.run([&]() -> Task<> { co_await world.owned->count_unknown(); });
  CHECK(world.owned->digests().unknown().none());
  CHECK(world.owned->digests().all().values == 3000);
  CHECK(world.owned->digests().all().bytes == 15'000);
  const auto counted = world.owned->digests().all();
  REQUIRE(world.accept("k1", model::make_tombstone({2, 1})).ok());
  CHECK(world.owned->digests().all().values == 2999);
  CHECK(world.owned->digests().all().tombstones == 1);
  CHECK(world.owned->digests().all().sum != counted.sum);
}

}  // namespace
}  // namespace tako::test
