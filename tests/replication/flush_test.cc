// Deleting every key that the nodes hold (src/replication/flush.h).
#include "replication/flush.h"

#include "fake_cluster.h"

namespace tako::test {
namespace {

struct Flushing : LargeFixture {
  void fill(const std::string& id, int first, int count) {
    for (int i = first; i < first + count; ++i) {
      node(id).held["k" + std::to_string(i)] = {model::make_value({5, 1}, Bytes(std::string("v"))), {}};
    }
  }
  // The error's name, or nothing.
  std::string flush(Duration time = seconds(60)) {
    return world.run([&]() -> Task<std::string> {
      replication::Flush flush(world.loop(), cluster, replicator);
      under_way = &flush;
      const auto removed = co_await flush.run(world.loop().now() + time);
      under_way = nullptr;
      if (!removed) co_return name_of(removed.code());
      counted = *removed;
      co_return "";
    });
  }
  // Keys of which the node holds a value.
  std::size_t values(const std::string& id) {
    std::size_t count = 0;
    for (const auto& [key, held] : node(id).held) count += !held.record.tombstone();
    return count;
  }

  replication::Flush* under_way = nullptr;
  std::uint64_t counted = 0;
};

TEST_CASE_FIXTURE(Flushing, "every key is deleted, on whatever node it is, and however many pages they fill") {
  fill("n1", 0, 10);
  fill("n2", 0, 10);
  fill("n2", 100, 1);
  fill("n3", 200, 7);
  for (const char* id : {"n1", "n2", "n3"}) node(id).page_entries = 3;

  CHECK(flush() == "");

  CHECK(counted >= 18);
  for (const char* id : {"n1", "n2", "n3"}) {
    CAPTURE(id);
    CHECK(node(id).held.size() == 18);
    CHECK(values(id) == 0);
  }
}

TEST_CASE_FIXTURE(Flushing, "what is deleted already is not deleted again") {
  for (const char* id : {"n1", "n2", "n3"}) node(id).held["k"] = {model::make_tombstone({5, 1}), {}};
  CHECK(flush() == "");
  CHECK(counted == 0);
  for (const char* id : {"n1", "n2", "n3"}) CHECK(node(id).writes.empty());
}

TEST_CASE_FIXTURE(Flushing, "what has expired by our clock is deleted, because it may not have by another proxy's") {
  model::Record record = model::make_value({5, 1}, Bytes(std::string("v")));
  record.expires_at = world.clock().wall() - 1;
  for (const char* id : {"n1", "n2", "n3"}) node(id).held["k"] = {record, {}};
  CHECK(flush() == "");
  for (const char* id : {"n1", "n2", "n3"}) CHECK(values(id) == 0);
}

TEST_CASE_FIXTURE(Flushing, "a node that cannot be asked may hold a key that counts, so the flush fails") {
  fill("n1", 0, 10);
  node("n3").away = true;
  CHECK(flush() == name_of(ErrorCode::kUnavailable));
  wait(seconds(1));
  node("n3").away = false;
  CHECK(flush() == "");
  for (const char* id : {"n1", "n2", "n3"}) CHECK(values(id) == 0);
}

TEST_CASE_FIXTURE(Flushing, "a delete is newer than what it is to delete, however far ahead that is") {
  const Timestamp ahead = world.clock().wall() + 2 * replication::VersionClock::kFollowMax;
  node("n1").held["k"] = {model::make_value({ahead, 1}, Bytes(std::string("v"))), {}};
  CHECK(flush() == "");
  CHECK(values("n1") == 0);
}

TEST_CASE_FIXTURE(Flushing, "what a node has listed is deleted, though that node does not answer a moment later") {
  fill("n1", 0, 1);
  cluster.before = [&](const std::string& id, const wire::Request& request) {
    if (id == "n1" && std::holds_alternative<wire::List>(request.body)) node("n1").away = true;
    if (id == "n2" && std::holds_alternative<wire::Read>(request.body)) node("n1").away = false;
  };
  CHECK(flush() == "");
  CHECK(values("n1") == 0);
}

TEST_CASE_FIXTURE(Flushing, "a copy that moves with a new configuration to a node that was asked before is found") {
  bool moved = false;
  cluster.before = [&](const std::string& id, const wire::Request& request) {
    if (id != "n3" || moved || !std::holds_alternative<wire::List>(request.body)) return;
    moved = true;
    replicator.adopt(placement_of(2));
    fill("n1", 0, 1);
  };
  CHECK(flush() == "");
  CHECK(moved);
  CHECK(values("n1") == 0);
}

TEST_CASE_FIXTURE(Flushing, "a flush that is ended, or has no time left, finishes what it has begun and says so") {
  fill("n1", 0, 1000);
  std::string expected;
  Duration time = seconds(60);
  SUBCASE("ended") {
    expected = name_of(ErrorCode::kStopping);
    cluster.before = [&](const std::string&, const wire::Request& request) {
      if (under_way && std::holds_alternative<wire::Write>(request.body)) under_way->end();
    };
  }
  SUBCASE("no time left") {
    expected = name_of(ErrorCode::kTimeout);
    time = milliseconds(10);
  }

  CHECK(flush(time) == expected);

  CHECK(values("n1") > 0);
  CHECK(values("n1") < 1000);
}

}  // namespace
}  // namespace tako::test
