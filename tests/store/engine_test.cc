// What every engine promises (src/store/engine/engine.h), held against both.
#include <doctest/doctest.h>

#include "store/worlds.h"

namespace tako::test {
namespace {

using store::Engine;

template <class World>
class Writers {
 public:
  explicit Writers(World& world) : world_(world), gate_(world.loop()) {}

  // Starts a write and does not wait for it.
  void start(Batch batch) { world_.loop().spawn(gate_, write(std::move(batch))); }
  Task<> drained() { co_await gate_.drained(); }

  std::vector<Status> outcomes;

 private:
  Task<> write(Batch batch) {
    Status status = co_await world_.engine().write(std::move(batch));
    outcomes.push_back(std::move(status));
  }

  World& world_;
  runtime::Gate gate_;
};

Batch put_of(std::string key, std::string value) {
  Batch batch;
  batch.put(Family::kMeta, std::move(key), std::move(value));
  return batch;
}

}  // namespace

TEST_CASE_TEMPLATE("what was written is read, family by family", World, SimWorld, RocksWorld) {
  World world;

  CHECK(get(world, Family::kMeta, "k") == "-");
  REQUIRE(put(world, Family::kMeta, "k", "meta").ok());
  REQUIRE(put(world, Family::kSystem, "k", "system").ok());
  REQUIRE(put(world, Family::kChunks, "k", std::string(100'000, 'c')).ok());
  REQUIRE(put(world, Family::kMeta, std::string("\0\xff", 2), "").ok());

  CHECK(get(world, Family::kMeta, "k") == "meta");
  CHECK(get(world, Family::kSystem, "k") == "system");
  CHECK(get(world, Family::kChunks, "k") == std::string(100'000, 'c'));
  CHECK(get(world, Family::kMeta, std::string("\0\xff", 2)) == "");
}

TEST_CASE_TEMPLATE("the operations of a batch take effect together and in their order", World, SimWorld, RocksWorld) {
  World world;
  REQUIRE(put(world, Family::kMeta, "old", "x").ok());

  Batch batch;
  batch.put(Family::kMeta, "a", "1");
  batch.put(Family::kChunks, "a/0", "piece");
  batch.erase(Family::kMeta, "old");
  batch.put(Family::kMeta, "b", "1");
  batch.erase(Family::kMeta, "b");
  batch.put(Family::kMeta, "a", "2");
  const Status written = world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); });

  REQUIRE(written.ok());
  CHECK(keys(world, Family::kMeta) == "a ");
  CHECK(get(world, Family::kMeta, "a") == "2");
  CHECK(get(world, Family::kChunks, "a/0") == "piece");
}

TEST_CASE_TEMPLATE("a range is erased from its first key to before its end", World, SimWorld, RocksWorld) {
  World world;
  for (const char* key : {"a", "b", "c", "d"}) {
    REQUIRE(put(world, Family::kMeta, key, "x").ok());
    REQUIRE(put(world, Family::kChunks, key, "x").ok());
  }

  Batch batch;
  batch.erase_range(Family::kMeta, "b", "d");
  batch.erase_range(Family::kChunks, "d", "b");  // empty
  const Status written = world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); });

  REQUIRE(written.ok());
  CHECK(keys(world, Family::kMeta) == "a d ");
  CHECK(keys(world, Family::kChunks) == "a b c d ");
  REQUIRE(put(world, Family::kMeta, "b", "again").ok());
  CHECK(keys(world, Family::kMeta) == "a b d ");
}

TEST_CASE_TEMPLATE("a scan goes page by page in the order of the bytes", World, SimWorld, RocksWorld) {
  World world;
  for (int i = 0; i < 250; ++i) {
    const std::string key = {static_cast<char>(i), 'k'};
    REQUIRE(put(world, Family::kMeta, key, std::string(10, 'v')).ok());
  }

  ScanLimits limits;
  limits.entries_max = 100;
  const Page first = scan(world, Family::kMeta, {}, limits);
  CHECK(first.entries.size() == 100);
  CHECK_FALSE(first.complete);

  Range rest;
  rest.begin = first.entries.back().first + '\0';
  rest.end = std::string(1, char(200));
  const Page second = scan(world, Family::kMeta, rest, limits);
  CHECK(second.entries.size() == 100);
  CHECK(second.complete);
  CHECK(second.entries.front().first == std::string{100, 'k'});
  CHECK(second.entries.back().first == std::string{char(199), 'k'});
}

TEST_CASE_TEMPLATE("a page is bounded in bytes and has at least one entry", World, SimWorld, RocksWorld) {
  World world;
  for (const char* key : {"a", "b", "c"}) REQUIRE(put(world, Family::kChunks, key, std::string(1000, 'v')).ok());

  ScanLimits limits;
  limits.bytes_max = 10;
  const Page one = scan(world, Family::kChunks, {}, limits);
  CHECK(one.entries.size() == 1);
  CHECK_FALSE(one.complete);

  limits.bytes_max = 2002;
  CHECK(scan(world, Family::kChunks, {}, limits).entries.size() == 2);
  limits.bytes_max = 3003;
  const Page all = scan(world, Family::kChunks, {}, limits);
  CHECK(all.entries.size() == 3);
  CHECK(all.complete);
}

TEST_CASE_TEMPLATE("what was written is there when the database is opened again", World, SimWorld, RocksWorld) {
  World world;
  for (int i = 0; i < 100; ++i) REQUIRE(put(world, Family::kMeta, "k" + std::to_string(i), std::to_string(i)).ok());
  REQUIRE(put(world, Family::kChunks, "large", std::string(1 << 20, 'x')).ok());

  world.reopen();

  CHECK(scan(world, Family::kMeta, {}).entries.size() == 100);
  CHECK(get(world, Family::kMeta, "k77") == "77");
  CHECK(get(world, Family::kChunks, "large") == std::string(1 << 20, 'x'));
}

TEST_CASE_TEMPLATE("concurrent writes gather into few commits and keep their order", World, SimWorld, RocksWorld) {
  World world;
  Writers<World> writers(world);
  const auto before = world.engine().stats();

  for (int i = 0; i < 1000; ++i) writers.start(put_of("k" + std::to_string(i % 10), std::to_string(i)));
  world.run([&]() -> Task<> { co_await writers.drained(); });

  CHECK(writers.outcomes.size() == 1000);
  for (const Status& status : writers.outcomes) CHECK(status.ok());
  const auto after = world.engine().stats();
  CHECK(after.batches - before.batches == 1000);
  CHECK(after.commits - before.commits < 100);
  for (int i = 0; i < 10; ++i) CHECK(get(world, Family::kMeta, "k" + std::to_string(i)) == std::to_string(990 + i));
}

TEST_CASE_TEMPLATE("a write sees what returned before it was asked for", World, SimWorld, RocksWorld) {
  World world;

  const int right = world.run([&]() -> Task<int> {
    int seen = 0;
    for (int i = 0; i < 200; ++i) {
      const std::string value = std::to_string(i);
      Batch batch = put_of("k", value);
      const Status written = co_await world.engine().write(std::move(batch));
      const auto found = co_await world.engine().get(Family::kMeta, "k");
      if (written.ok() && found.ok() && *found == value) ++seen;
    }
    co_return seen;
  });

  CHECK(right == 200);
}

TEST_CASE_TEMPLATE("closing waits for the writes in flight and refuses new ones", World, SimWorld, RocksWorld) {
  World world;
  Writers<World> writers(world);
  for (int i = 0; i < 50; ++i) writers.start(put_of("k" + std::to_string(i), std::string(100'000, 'x')));

  const Status late = world.run([&]() -> Task<Status> {
    co_await world.loop().sleep(Duration::zero());  // the writes have begun
    world.loop().stop();
    co_await world.engine().close();
    Batch batch = put_of("late", "x");
    co_return co_await world.engine().write(std::move(batch));
  });

  REQUIRE_FALSE(late.ok());
  CHECK(late.code() == ErrorCode::kStopping);
  world.run([&]() -> Task<> { co_await writers.drained(); });
  CHECK(writers.outcomes.size() == 50);
  for (const Status& status : writers.outcomes) CHECK(status.ok());
}

TEST_CASE_TEMPLATE("writes beyond the queue's bound are refused, and the others done", World, SimWorld, RocksWorld) {
  World world;
  Writers<World> writers(world);
  const std::string value(16 << 20, 'x');

  for (int i = 0; i < 20; ++i) writers.start(put_of("k", value));  // 320 MiB
  world.run([&]() -> Task<> { co_await writers.drained(); });

  std::size_t overloaded = 0;
  for (const Status& status : writers.outcomes) {
    if (!status.ok()) CHECK(status.code() == ErrorCode::kOverloaded);
    if (!status.ok()) ++overloaded;
  }
  CHECK(overloaded == 5);
  CHECK(put(world, Family::kMeta, "k", "afterwards").ok());
}

TEST_CASE_TEMPLATE("the state and the number of keys are told", World, SimWorld, RocksWorld) {
  World world;
  for (int i = 0; i < 10; ++i) REQUIRE(put(world, Family::kMeta, std::to_string(i), "x").ok());

  const auto stats = world.engine().stats();
  CHECK(stats.keys_estimate == 10);
  CHECK(stats.bytes_on_disk > 0);
  CHECK(stats.state == "ok");
}

}  // namespace tako::test
