// Which answers are votes (src/node/membership/standing.h): configurations, restarts, and the mark on the disk.
#include <doctest/doctest.h>

#include "base/log.h"
#include "node/membership/standing.h"
#include "store/engine/sim_engine.h"
#include "support/run_loop.h"
#include "wire/cluster/codec.h"

namespace tako::test {
namespace {

using node::Duties;
using node::PartitionSet;
using node::Standing;

struct Disk {
  VirtualLoop loop;
  store::SimDisk disk{loop.clock()};
  store::SimEngine engine{loop.loop(), disk, {}};
  ~Disk() {
    loop.run([this]() -> Task<> { co_await engine.close(); });
  }

  std::unique_ptr<Standing> start(const std::string& boot_id = "kernel", bool sync_always = false) {
    REQUIRE(log::open("off", "").ok());
    auto standing = std::make_unique<Standing>();
    const Status loaded = loop.run([&]() -> Task<Status> {
      Standing::Start how;
      how.boot_id = boot_id;
      how.sync_always = sync_always;
      how.fresh_incarnation = 100;
      how.nonce = ++nonce;
      co_return co_await standing->load(engine, how);
    });
    REQUIRE(loaded.ok());
    return standing;
  }
  void save(Standing& standing) {
    REQUIRE(loop.run([&]() -> Task<Status> { co_return co_await standing.save(engine); }).ok());
  }
  void stop_cleanly(Standing& standing) {
    REQUIRE(loop.run([&]() -> Task<Status> { co_return co_await standing.save_clean_stop(engine); }).ok());
  }
  std::uint64_t nonce = 0;
};

// The node owns 1 and 2 in the active deployment, 3 in the target, and 4 not at all, unless said otherwise.
Duties duties(std::uint64_t version, std::initializer_list<std::uint32_t> active = {1, 2},
              std::initializer_list<std::uint32_t> target_only = {3}) {
  Duties duties;
  duties.stamp = {version, 1000 + version};
  for (const std::uint32_t p : active) duties.active.set(p);
  for (const std::uint32_t p : target_only) duties.target_only.set(p);
  return duties;
}

std::string votes(const Standing& standing) {
  std::string all;
  for (model::Partition p = 0; p < 6; ++p) all += standing.votes(p) ? static_cast<char>('0' + p) : '.';
  return all;
}

}  // namespace

TEST_CASE("the votes of a new-born cluster hold where the first configuration makes the node an active owner") {
  Disk disk;
  const auto standing = disk.start();
  CHECK(standing->blank());
  standing->set_votes_everywhere();
  standing->adopt(duties(1));
  CHECK(votes(*standing) == ".12...");
  CHECK_FALSE(standing->blank());
}

TEST_CASE("a partition that was not owned meanwhile comes back without its vote") {
  Disk disk;
  const auto standing = disk.start();
  standing->adopt(duties(1));
  standing->set_votes(1);
  standing->set_votes(2);
  standing->adopt(duties(2, {1}, {}));
  CHECK(votes(*standing) == ".1....");
  standing->adopt(duties(3, {1, 2}, {}));
  CHECK(votes(*standing) == ".1....");
  standing->adopt(duties(4, {1}, {2}));
  CHECK(votes(*standing) == ".1....");
}

TEST_CASE("an arrival becomes a membership when its target is promoted, and is worth nothing under another target") {
  Disk disk;
  const auto standing = disk.start();
  standing->adopt(duties(1));
  standing->set_votes(3);
  SUBCASE("promoted") {
    standing->adopt(duties(2, {1, 2, 3}, {}));
    CHECK(votes(*standing) == "...3..");
  }
  SUBCASE("another target, of the same nodes") {
    standing->adopt(duties(2, {1, 2}, {3}));
    CHECK(votes(*standing) == "......");
  }
  SUBCASE("undone") {
    standing->adopt(duties(2, {1, 2}, {}));
    CHECK(votes(*standing) == "......");
  }
  SUBCASE("the same again") {
    standing->adopt(duties(1));
    CHECK(votes(*standing) == "...3..");
  }
}

TEST_CASE("a restart under the same configuration keeps all votes, under another one it is as if it had not slept") {
  Disk disk;
  auto standing = disk.start();
  standing->adopt(duties(1));
  for (const model::Partition p : {1, 2, 3}) standing->set_votes(p);
  CHECK_FALSE(standing->durable_for(duties(1).stamp));
  disk.save(*standing);
  CHECK(standing->durable_for(duties(1).stamp));
  standing = disk.start();
  CHECK(standing->durable_for(duties(1).stamp));
  standing->lift_all();
  SUBCASE("same") {
    standing->adopt(duties(1));
    CHECK(votes(*standing) == ".123..");
  }
  SUBCASE("another") {
    standing->adopt(duties(2, {2}, {1, 3}));
    CHECK(votes(*standing) == "..2...");
    CHECK_FALSE(standing->durable_for(duties(2).stamp));
    // A crash before this is durable changes nothing.
    standing = disk.start();
    standing->lift_all();
    standing->adopt(duties(2, {2}, {1, 3}));
    CHECK(votes(*standing) == "..2...");
  }
}

TEST_CASE("the votes of a used folder are suspended at a start, those of a new one and those gained since are not") {
  Disk disk;
  auto standing = disk.start();
  CHECK_FALSE(standing->suspends());
  standing->adopt(duties(1));
  for (const model::Partition p : {1, 2}) standing->set_votes(p);
  CHECK(votes(*standing) == ".12...");
  disk.save(*standing);
  standing = disk.start();
  CHECK(standing->suspends());
  standing->adopt(duties(1));
  CHECK(votes(*standing) == "......");
  standing->set_votes(3);
  CHECK(votes(*standing) == "...3..");
  PartitionSet one;
  one.set(1);
  standing->lift(one);
  CHECK(votes(*standing) == ".1.3..");
  standing->lift_all();
  CHECK(votes(*standing) == ".123..");
}

TEST_CASE("starts are counted, and each says which one it follows") {
  Disk disk;
  auto standing = disk.start();
  CHECK(standing->boot() == 1);
  CHECK(standing->previous_nonce() == 0);
  const std::uint64_t first = standing->nonce();
  standing = disk.start();
  CHECK(standing->boot() == 2);
  CHECK(standing->previous_nonce() == first);
  CHECK(standing->nonce() != first);
}

TEST_CASE("a machine that crashed with sync at an interval has forgotten, after a clean stop it has not") {
  Disk disk;
  auto standing = disk.start("first");
  standing->adopt(duties(1));
  standing->set_votes(1);
  const std::uint64_t before = standing->incarnation();
  SUBCASE("crash") {
    disk.save(*standing);
    standing = disk.start("second");
    CHECK(standing->informed().none());
    CHECK(standing->incarnation() > before);
    CHECK_FALSE(standing->blank());
  }
  SUBCASE("crash, but nothing acknowledged can be missing") {
    disk.save(*standing);
    standing = disk.start("second", true);
    CHECK(standing->informed()[1]);
    CHECK(standing->incarnation() == before);
  }
  SUBCASE("clean stop") {
    disk.stop_cleanly(*standing);
    standing = disk.start("second");
    CHECK(standing->informed()[1]);
  }
  SUBCASE("kill -9 alone") {
    disk.save(*standing);
    standing = disk.start("first");
    CHECK(standing->informed()[1]);
  }
}

TEST_CASE("a mark of the release before is read: active owners keep their votes") {
  Disk disk;
  wire::Writer mark;
  mark.u8(1);
  mark.u8(0);
  mark.u64(77);
  mark.text("kernel");
  for (std::size_t i = 0; i < PartitionSet::kWords; ++i) mark.u64(i == 0 ? 0b11110 : 0);
  store::Batch batch;
  batch.put(store::Family::kSystem, "standing", mark.take());
  REQUIRE(disk.loop.run([&]() -> Task<Status> { co_return co_await disk.engine.write(std::move(batch)); }).ok());
  const auto standing = disk.start();
  CHECK(standing->incarnation() == 77);
  CHECK(standing->boot() == 1);
  CHECK_FALSE(standing->blank());
  standing->adopt(duties(1));
  standing->lift_all();
  CHECK(votes(*standing) == ".12...");
}

TEST_CASE("a disk that went back in time keeps no vote, and gets an incarnation above all that is known") {
  Disk disk;
  auto standing = disk.start();
  standing->set_votes_everywhere();
  standing->adopt(duties(1));
  standing->start_over(500);
  CHECK(standing->informed().none());
  CHECK(standing->incarnation() == 501);
  CHECK_FALSE(standing->incarnation_durable());
  disk.save(*standing);
  CHECK(standing->incarnation_durable());
  standing = disk.start();
  CHECK(standing->incarnation() == 501);
  CHECK(standing->informed().none());
}

TEST_CASE("losing a vote says whether there was one") {
  Disk disk;
  const auto standing = disk.start();
  standing->set_votes(7);
  CHECK(standing->lose_vote(7));
  CHECK_FALSE(standing->lose_vote(7));
  CHECK_FALSE(standing->votes(7));
}

TEST_CASE("a full disk does not keep a node from starting, nor from losing its votes") {
  Disk disk;
  auto standing = disk.start();
  standing->adopt(duties(1));
  standing->set_votes(3);
  disk.save(*standing);
  disk.disk.fail_writes(ErrorCode::kNoSpace);
  standing = disk.start();
  standing->adopt(duties(2));
  disk.save(*standing);
  CHECK(standing->durable_for(duties(2).stamp));
}

}  // namespace tako::test
