// The simulated disk: what a crash loses, what a kill keeps, and its faults.
#include <doctest/doctest.h>

#include "store/worlds.h"

namespace tako::test {
namespace {

int count_rows(SimWorld& world) { return static_cast<int>(world.disk().rows(Family::kMeta).size()); }

void write_numbers(SimWorld& world, int from, int to) {
  for (int i = from; i < to; ++i) {
    Batch batch;
    batch.put(Family::kMeta, std::to_string(1000 + i), "x");
    batch.put(Family::kChunks, std::to_string(1000 + i), "x");
    batch.put(Family::kSystem, "last", std::to_string(i));
    const Status written = world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); });
    REQUIRE(written.ok());
  }
}

}  // namespace

TEST_CASE("a machine crash loses a suffix of what was not synced, whole batches of it") {
  bool lost_some = false;
  bool kept_some = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimWorld world;
    write_numbers(world, 0, 10);
    world.disk().sync();
    write_numbers(world, 10, 20);
    Random random(seed);

    world.disk().crash(random);
    world.reopen();

    const int rows = count_rows(world);
    CHECK(rows >= 10);
    lost_some = lost_some || rows < 20;
    kept_some = kept_some || rows > 10;
    CHECK(world.disk().rows(Family::kChunks).size() == static_cast<std::size_t>(rows));
    CHECK(get(world, Family::kSystem, "last") == std::to_string(rows - 1));
    for (int i = 0; i < rows; ++i) CHECK(get(world, Family::kMeta, std::to_string(1000 + i)) == "x");
  }
  CHECK(lost_some);
  CHECK(kept_some);
}

TEST_CASE("a crash brings back what was overwritten and erased") {
  SimWorld world;
  REQUIRE(put(world, Family::kMeta, "a", "old").ok());
  REQUIRE(put(world, Family::kMeta, "b", "old").ok());
  world.disk().sync();

  Batch batch;
  batch.put(Family::kMeta, "a", "new");
  batch.put(Family::kMeta, "a", "newer");
  batch.erase_range(Family::kMeta, "b", "c");
  batch.put(Family::kMeta, "c", "new");
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20 && !lost; ++seed) {
    REQUIRE(world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); }).ok());
    Random random(seed);
    world.disk().crash(random);
    world.reopen();
    lost = get(world, Family::kMeta, "a") == "old";
    if (!lost) {
      CHECK(keys(world, Family::kMeta) == "a c ");
      Batch back;
      back.put(Family::kMeta, "a", "old");
      back.put(Family::kMeta, "b", "old");
      back.erase(Family::kMeta, "c");
      REQUIRE(world.run([&]() -> Task<Status> { co_return co_await world.engine().write(back); }).ok());
      world.disk().sync();
    }
  }

  REQUIRE(lost);
  CHECK(keys(world, Family::kMeta) == "a b ");
  CHECK(get(world, Family::kMeta, "b") == "old");
}

TEST_CASE("what is older than the interval is on the platter") {
  store::SimOptions options;
  options.sync.interval = seconds(1);
  SimWorld world(options);
  write_numbers(world, 0, 10);
  world.run([&]() -> Task<> { co_await world.loop().sleep(seconds(1)); });

  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    world.disk().crash(random);
    CHECK(count_rows(world) == 10);
  }
}

TEST_CASE("under sync always a crash loses nothing that was answered") {
  store::SimOptions options;
  options.sync.always = true;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimWorld world(options);
    write_numbers(world, 0, 10);
    Random random(seed);
    world.disk().crash(random);
    world.reopen();
    CHECK(count_rows(world) == 10);
  }
}

TEST_CASE("a kill loses nothing, and the engine of before is dead") {
  SimWorld world;
  write_numbers(world, 0, 10);

  world.disk().kill();

  CHECK(put(world, Family::kMeta, "late", "x").code() == ErrorCode::kIo);
  CHECK(get(world, Family::kMeta, "1000") == name_of(ErrorCode::kIo));
  CHECK(world.engine().stats().state == "gone");
  world.reopen();
  CHECK(count_rows(world) == 10);
  CHECK(put(world, Family::kMeta, "late", "x").ok());
}

TEST_CASE("a wiped disk is empty") {
  SimWorld world;
  write_numbers(world, 0, 10);
  world.disk().wipe();
  world.reopen();
  CHECK(count_rows(world) == 0);
  CHECK(get(world, Family::kSystem, "last") == "-");
}

TEST_CASE("a machine that dies with writes in flight has a prefix of them, and answered none after its death") {
  store::SimOptions options;
  options.latency_max = milliseconds(10);
  bool unanswered_but_stored = false;
  bool some_answered = false;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimWorld world(options, seed);
    runtime::Gate gate(world.loop());
    int answered = 0;
    auto write = [&](int number) -> Task<> {
      Batch batch;
      batch.put(Family::kMeta, std::to_string(1000 + number), "x");
      const Status written = co_await world.engine().write(std::move(batch));
      if (written.ok()) answered = std::max(answered, number + 1);
    };
    auto write_later = [&](int number) -> Task<> {
      co_await world.loop().sleep(milliseconds(number));
      co_await write(number);
    };
    for (int i = 0; i < 20; ++i) world.loop().spawn(gate, write_later(i));
    world.run([&]() -> Task<> { co_await world.loop().sleep(milliseconds(15)); });

    world.disk().kill();
    world.run([&]() -> Task<> { co_await gate.drained(); });

    const int rows = count_rows(world);
    CHECK(answered <= rows);
    CHECK(rows < 20);
    some_answered = some_answered || answered > 0;
    for (int i = 0; i < rows; ++i) CHECK(world.disk().rows(Family::kMeta).contains(std::to_string(1000 + i)));
    unanswered_but_stored = unanswered_but_stored || answered < rows;
  }
  CHECK(unanswered_but_stored);
  CHECK(some_answered);
}

TEST_CASE("while the disk is full writes are refused, deletes and reads are not") {
  SimWorld world;
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());

  world.disk().fail_writes(ErrorCode::kNoSpace);

  CHECK(put(world, Family::kMeta, "l", "x").code() == ErrorCode::kNoSpace);
  CHECK(get(world, Family::kMeta, "k") == "x");
  CHECK(world.engine().stats().state != "ok");
  Batch batch;
  batch.erase(Family::kMeta, "k");
  batch.frees_space = true;
  CHECK(world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); }).ok());
  CHECK(get(world, Family::kMeta, "k") == "-");

  world.disk().heal_writes();
  CHECK(put(world, Family::kMeta, "l", "x").ok());
}

TEST_CASE("a failing disk fails reads and writes until it is healed") {
  SimWorld world;
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());

  world.disk().fail_reads(true);
  world.disk().fail_writes(ErrorCode::kIo);
  CHECK(get(world, Family::kMeta, "k") == name_of(ErrorCode::kIo));
  CHECK(put(world, Family::kMeta, "k", "y").code() == ErrorCode::kIo);
  world.disk().fail_reads(false);
  world.disk().heal_writes();

  CHECK(get(world, Family::kMeta, "k") == "x");
}

TEST_CASE("a rotten row is unreadable until it is written anew") {
  SimWorld world;
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());
  world.disk().rot(Family::kMeta, "k");

  CHECK(get(world, Family::kMeta, "k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(put(world, Family::kMeta, "k", "y").ok());
  CHECK(get(world, Family::kMeta, "k") == "y");
}

}  // namespace tako::test
