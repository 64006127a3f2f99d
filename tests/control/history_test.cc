#include "control/config_cache.h"
#include "control/world.h"

namespace tako::control_test {
namespace {

using control::ConfigCache;
using control::judge;
using control::Judgement;

wire::ConfigStamp stamp(std::uint64_t counter, std::uint64_t hash) {
  wire::ConfigStamp made;
  made.counter = counter;
  made.hash = hash;
  return made;
}

TEST_CASE("only a higher counter is newer") {
  CHECK(judge(stamp(5, 1), stamp(6, 2)) == Judgement::kNewer);
  CHECK(judge(stamp(5, 1), stamp(4, 2)) == Judgement::kOlder);
  CHECK(judge(stamp(5, 1), stamp(5, 1)) == Judgement::kSame);
  CHECK(judge(stamp(5, 1), stamp(5, 2)) == Judgement::kConflict);
}

TEST_CASE("a file given by hand stands outside the history") {
  CHECK(judge(stamp(0, 1), stamp(1, 2)) == Judgement::kNewer);
  CHECK(judge(stamp(1, 1), stamp(0, 2)) == Judgement::kOlder);
  CHECK(judge(stamp(0, 1), stamp(0, 2)) == Judgement::kSame);
}

TEST_CASE("the master is the one named, the first coordinator, or whoever runs where none is named") {
  const std::string body = "active_deployment: d\ndeployments: {d: {buckets: {b: {n: [localhost, 1]}}}}\n";
  const std::string two = body + "coordinators: {c1: [c1, 1], c2: [c2, 1]}\n";

  CHECK(control::is_master(parsed(two + "master_coordinator: c2\n"), "c2"));
  CHECK_FALSE(control::is_master(parsed(two + "master_coordinator: c2\n"), "c1"));
  CHECK(control::is_master(parsed(two), "c1"));
  CHECK_FALSE(control::is_master(parsed(two), "c2"));
  CHECK(control::is_master(parsed(body), "c7"));
}

struct Cached {
  World world;
  Machine machine{world};
  runtime::MemoryFiles files;
  ConfigCache cache{files, world.workers_};

  void save(std::uint64_t counter) {
    const Status saved = machine.run(cache.save(version_of(counter, static_cast<int>(4000 + counter))));
    REQUIRE(saved.ok());
  }
  std::uint64_t newest() {
    const auto found = machine.run(cache.newest());
    return found ? found->counter : 0;
  }
};

TEST_CASE("the newest stored configuration is loaded, by number and not by name") {
  Cached cached;
  CHECK(cached.newest() == 0);

  cached.save(9);
  cached.save(10);

  CHECK(cached.newest() == 10);
  const auto found = cached.machine.run(cached.cache.newest());
  CHECK(*found == version_of(10, 4010));
}

TEST_CASE("only the last ten configurations stay on the disk") {
  Cached cached;

  for (std::uint64_t counter = 1; counter <= 13; ++counter) cached.save(counter);

  const auto names = cached.files.list("config");
  REQUIRE(names.size() == ConfigCache::kKept);
  CHECK(names.front() == "00000000000000000004.yaml");
  CHECK(names.back() == "00000000000000000013.yaml");
}

TEST_CASE("a damaged configuration file is passed over") {
  Cached cached;
  cached.save(7);
  cached.save(8);
  const std::string path = "config/00000000000000000008.yaml";
  const std::string whole = *cached.files.read(path, 1 << 20);

  SUBCASE("cut short") { REQUIRE(cached.files.write(path, whole.substr(0, whole.size() / 2)).ok()); }
  SUBCASE("empty") { REQUIRE(cached.files.write(path, "").ok()); }
  SUBCASE("of another version") {
    const std::string other = *cached.files.read("config/00000000000000000007.yaml", 1 << 20);
    REQUIRE(cached.files.write(path, other).ok());
  }
  SUBCASE("one digit of a port flipped, which is still a configuration") {
    std::string flipped = whole;
    flipped.replace(flipped.find("4008"), 4, "4009");
    REQUIRE(cached.files.write(path, flipped).ok());
  }

  CHECK(cached.newest() == 7);
}

}  // namespace
}  // namespace tako::control_test
