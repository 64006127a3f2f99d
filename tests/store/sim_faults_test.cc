// The simulated disk's faults: torn groups, a disk that goes back in time, is slow, full, or errs, and flipped bits.
#include <doctest/doctest.h>

#include <set>

#include "store/store.h"
#include "store/worlds.h"

namespace tako::test {
namespace {

using store::SimDisk;
using store::SimOptions;
using store::Store;

// A batch of three rows: it is whole if all are there.
Batch numbered(int number) {
  Batch batch;
  batch.put(Family::kMeta, std::to_string(1000 + number), "x");
  batch.put(Family::kChunks, std::to_string(1000 + number), "x");
  batch.put(Family::kSystem, "last", std::to_string(number));
  return batch;
}

Status write(SimWorld& world, Batch batch) {
  return world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); });
}

int count_rows(const SimDisk& disk) { return static_cast<int>(disk.rows(Family::kMeta).size()); }

// How many batches are there, if they are a prefix of 0, 1, 2... and each is whole; else -1.
int prefix(const SimDisk& disk) {
  const int rows = count_rows(disk);
  const auto& system = disk.rows(Family::kSystem);
  for (int i = 0; i < rows; ++i) {
    if (!disk.rows(Family::kMeta).contains(std::to_string(1000 + i))) return -1;
    if (!disk.rows(Family::kChunks).contains(std::to_string(1000 + i))) return -1;
  }
  if (disk.rows(Family::kChunks).size() != static_cast<std::size_t>(rows)) return -1;
  const bool last = rows == 0 ? system.empty() : system.at("last") == std::to_string(rows - 1);
  return last ? rows : -1;
}

// Ten batches that were there before, and a group of ten that the machine dies in.
struct Torn {
  Torn(const SimOptions& options, std::uint64_t seed) : world(options, seed), gate(world.loop()) {
    for (int i = 0; i < 10; ++i) REQUIRE(write(world, numbered(i)).ok());
    for (int i = 10; i < 20; ++i) world.loop().spawn(gate, write_and_count(i));
    Random random(seed);
    const Duration until = milliseconds(25) * static_cast<std::int64_t>(random.below(1000)) / 1000;
    world.run([&]() -> Task<> { co_await world.loop().sleep(until); });
    readable = count_rows(world.disk());
    world.disk().crash(random);
    world.run([&]() -> Task<> { co_await gate.drained(); });
    world.reopen();
  }

  Task<> write_and_count(int number) {
    Batch batch = numbered(number);
    const Status written = co_await world.engine().write(std::move(batch));
    if (written.ok()) answered = std::max(answered, number + 1);
  }

  SimWorld world;
  runtime::Gate gate;
  int answered = 0;
  int readable = 0;
};

std::uint64_t bytes_of(const SimDisk& disk) {
  std::uint64_t bytes = 0;
  for (const Family family : {Family::kSystem, Family::kMeta, Family::kChunks}) {
    for (const auto& [key, value] : disk.rows(family)) bytes += key.size() + value.size();
  }
  return bytes;
}

Duration time_of_a_read(SimWorld& world) {
  const TimePoint begun = world.loop().now();
  get(world, Family::kMeta, "k");
  return world.loop().now() - begun;
}

}  // namespace

TEST_CASE("under sync always a crash tears the group that is written, and nothing that was read or answered") {
  SimOptions options;
  options.sync.always = true;
  options.latency_max = milliseconds(10);
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Torn torn(options, seed);
    const int rows = prefix(torn.world.disk());

    REQUIRE(rows >= 10);
    CHECK(torn.answered <= rows);
    CHECK(torn.readable <= rows);
    if (rows == 10) seen.insert("lost");
    if (rows > 10 && rows < 20) seen.insert("torn");
    if (rows == 20 && torn.answered == 20) seen.insert("answered");
    if (torn.readable == 20 && torn.answered == 0) seen.insert("read, and never answered");
    if (rows == 20 && torn.readable == 10) seen.insert("whole, and nobody knew");
  }
  CHECK(seen.size() == 5);
}

TEST_CASE("with sync at an interval a crash loses the group that is written first, then what is not synced") {
  SimOptions options;
  options.latency_max = milliseconds(10);
  bool torn_group = false;
  bool lost_more = false;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Torn torn(options, seed);
    const int rows = prefix(torn.world.disk());

    REQUIRE(rows >= 0);
    CHECK(torn.world.engine().sequence() == static_cast<std::uint64_t>(rows));
    torn_group = torn_group || (rows > 10 && rows < 20 && torn.readable == 10);
    lost_more = lost_more || rows < 10;
  }
  CHECK(torn_group);
  CHECK(lost_more);
}

TEST_CASE("a disk goes back to its snapshot, and the engine of before is dead") {
  SimWorld world;
  for (int i = 0; i < 5; ++i) REQUIRE(write(world, numbered(i)).ok());
  world.disk().rot(Family::kMeta, "1001");
  const SimDisk::Snapshot snapshot = world.disk().snapshot();
  const std::uint64_t sequence = world.engine().sequence();
  const std::uint64_t bytes = world.disk().bytes();
  for (int i = 5; i < 9; ++i) REQUIRE(write(world, numbered(i)).ok());
  REQUIRE(put(world, Family::kMeta, "1001", "mended").ok());

  world.disk().restore(snapshot);

  CHECK(put(world, Family::kMeta, "late", "x").code() == ErrorCode::kIo);
  CHECK(world.disk().unsynced_batches() == 0);
  world.reopen();
  CHECK(prefix(world.disk()) == 5);
  CHECK(get(world, Family::kMeta, "1001") == name_of(ErrorCode::kCorrupt));
  CHECK(world.engine().sequence() == sequence);
  CHECK(world.disk().bytes() == bytes);
}

TEST_CASE("a disk is as slow as it is said to be, and stalls") {
  SimWorld world;
  CHECK(time_of_a_read(world) == Duration::zero());

  world.disk().set_latency(milliseconds(3), milliseconds(5));
  for (int i = 0; i < 50; ++i) {
    const Duration taken = time_of_a_read(world);
    CHECK(taken >= milliseconds(3));
    CHECK(taken <= milliseconds(5));
  }
  world.disk().set_latency(Duration::zero(), Duration::zero());
  CHECK(time_of_a_read(world) == Duration::zero());

  const TimePoint until = world.loop().now() + seconds(7);
  world.disk().stall_until(until);
  REQUIRE(write(world, numbered(0)).ok());
  CHECK(world.loop().now() == until);
  CHECK(time_of_a_read(world) == Duration::zero());
}

TEST_CASE("a read fails now and then, and the next one need not") {
  SimWorld world;
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());
  world.disk().set_error_rates(300'000, 0);

  int failed = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string found = get(world, Family::kMeta, "k");
    if (found != "x") CHECK(found == name_of(ErrorCode::kIo));
    if (found != "x") ++failed;
  }
  CHECK(failed > 200);
  CHECK(failed < 400);
  world.disk().set_error_rates(0, 0);
  CHECK(get(world, Family::kMeta, "k") == "x");
}

TEST_CASE("a group commit that failed is on the disk whole, or not at all") {
  SimWorld world;
  world.disk().set_error_rates(0, 1'000'000);
  int written = 0;
  int next = 0;
  for (int i = 0; i < 100; ++i) {
    CHECK(write(world, numbered(next)).code() == ErrorCode::kIo);
    REQUIRE(prefix(world.disk()) >= next);
    if (prefix(world.disk()) > next) ++written;
    next = prefix(world.disk());
  }
  CHECK(written > 20);
  CHECK(written < 80);
  CHECK(world.engine().sequence() == static_cast<std::uint64_t>(written));

  world.disk().set_error_rates(0, 0);
  CHECK(write(world, numbered(next)).ok());
}

TEST_CASE("a disk over its capacity takes only what frees space, until there is room again") {
  SimWorld world;
  REQUIRE(put(world, Family::kChunks, "a", std::string(1000, 'x')).ok());
  world.disk().set_capacity(1500);
  REQUIRE(put(world, Family::kChunks, "b", std::string(1000, 'x')).ok());

  CHECK(put(world, Family::kChunks, "c", "x").code() == ErrorCode::kNoSpace);
  CHECK(world.engine().stats().state == name_of(ErrorCode::kNoSpace));
  CHECK(get(world, Family::kChunks, "b") == std::string(1000, 'x'));
  Batch batch;
  batch.erase(Family::kChunks, "a");
  batch.frees_space = true;
  REQUIRE(write(world, batch).ok());

  CHECK(put(world, Family::kChunks, "c", "x").ok());
  CHECK(world.engine().stats().state == "ok");
  CHECK(world.disk().bytes() == 1003);
}

TEST_CASE("the bytes on a disk are counted through every change and every loss") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimWorld world;
    Random random(seed);
    for (int i = 0; i < 100; ++i) {
      Batch batch;
      for (std::uint64_t left = random.between(1, 4); left > 0; --left) {
        const auto family = static_cast<Family>(random.below(store::kFamilies));
        const std::string key(random.between(1, 3), static_cast<char>('a' + random.below(3)));
        const std::uint64_t kind = random.below(6);
        if (kind < 4) batch.put(family, key, std::string(random.below(100), 'x'));
        if (kind == 4) batch.erase(family, key);
        if (kind == 5) batch.erase_range(family, key, "b");
      }
      REQUIRE(write(world, std::move(batch)).ok());
      if (random.below(10) == 0) world.disk().sync();
    }
    CHECK(world.disk().bytes() == bytes_of(world.disk()));
    world.disk().crash(random);
    CHECK(world.disk().bytes() == bytes_of(world.disk()));
    world.disk().wipe();
    CHECK(world.disk().bytes() == 0);
  }
}

TEST_CASE("a flipped bit in a piece is found by the store's checksum, and mended by a copy") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimWorld world;
    Store store(world.loop(), world.engine());
    const model::Record record = model::make_value({7, 1}, Bytes(std::string(200'000, 'v')));
    using Taken = Result<store::Accepted>;
    auto accept = [&]() -> Task<Taken> { co_return co_await store.accept("k", record); };
    auto read = [&]() -> Task<Result<model::Slot>> { co_return co_await store.read("k", true); };
    Random random(seed);
    CHECK_FALSE(world.disk().flip_bit(random, Family::kChunks).has_value());
    REQUIRE(world.run(accept).ok());
    const auto before = world.disk().rows(Family::kChunks);

    const auto flipped = world.disk().flip_bit(random, Family::kChunks);

    REQUIRE(flipped.has_value());
    const std::string& was = before.at(*flipped);
    const std::string& is = world.disk().rows(Family::kChunks).at(*flipped);
    int bits = 0;
    for (std::size_t i = 0; i < was.size(); ++i) bits += __builtin_popcount(static_cast<unsigned char>(was[i] ^ is[i]));
    CHECK(bits == 1);
    CHECK(world.run(read).code() == ErrorCode::kCorrupt);
    const auto mended = world.run(accept);
    REQUIRE(mended.ok());
    CHECK(mended->written);
    CHECK(world.run(read).ok());
    const auto after = world.disk().rows(Family::kChunks);  // under another name
    REQUIRE(after.size() == 1);
    CHECK(after.begin()->second == before.begin()->second);
    // It is damaged no more: it is not taken a third time, and not erased.
    const auto again = world.run(accept);
    REQUIRE(again.ok());
    CHECK(again->stored);
    CHECK_FALSE(again->written);
    auto erase = [&]() -> Task<Result<bool>> { co_return co_await store.erase_unreadable("k"); };
    const auto erased = world.run(erase);
    REQUIRE(erased.ok());
    CHECK_FALSE(*erased);
    CHECK(world.run(read).ok());
  }
}

TEST_CASE("a flipped bit in a slot makes the row unreadable until it is written anew, and again if that is lost") {
  SimWorld world;
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());
  world.disk().sync();
  Random random(1);

  CHECK(world.disk().flip_bit(random, Family::kMeta) == "k");
  CHECK(get(world, Family::kMeta, "k") == name_of(ErrorCode::kCorrupt));
  const auto page = scan(world, Family::kMeta, {});
  CHECK(page.entries.empty());
  CHECK(page.unreadable == "k");

  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20 && !lost; ++seed) {
    REQUIRE(put(world, Family::kMeta, "k", "y").ok());
    CHECK(get(world, Family::kMeta, "k") == "y");
    Random crash(seed);
    world.disk().crash(crash);
    world.reopen();
    lost = get(world, Family::kMeta, "k") == name_of(ErrorCode::kCorrupt);
    if (!lost) {
      world.disk().rot(Family::kMeta, "k");
      world.disk().sync();
    }
  }
  CHECK(lost);
}

}  // namespace tako::test
