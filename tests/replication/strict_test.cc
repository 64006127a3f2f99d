// Strict operations over three replicas: how many rounds they take, what a refusal rests on, what is never done twice.
#include "fake_cluster.h"

namespace tako::test {
namespace {

using model::Ballot;
using model::Record;

struct StrictFixture : LargeFixture {
  // Adds one to a decimal number, from 0.
  static Result<std::optional<replication::Mutation>> increment(const std::optional<Record>& now) {
    const int before = now ? std::stoi(std::string(now->value->view())) : 0;
    replication::Mutation mutation;
    mutation.value = Bytes(std::to_string(before + 1));
    return std::optional<replication::Mutation>(std::move(mutation));
  }
  static Result<std::optional<replication::Mutation>> leave(const std::optional<Record>&) {
    return std::optional<replication::Mutation>();
  }
  Result<replication::UpdateAnswer> update(replication::UpdateFn decide) {
    return world.run([&]() -> Task<Result<replication::UpdateAnswer>> {
      co_return co_await replicator.update("k", decide, true, world.loop().now() + seconds(5));
    });
  }
  void store(const std::string& id, Record record) { node(id).held["k"] = {std::move(record), {}}; }
  const Record& held(const std::string& id) { return node(id).held["k"].record; }
};

TEST_CASE_FIXTURE(StrictFixture, "updates count exactly, also by several proxies at once") {
  replication::Replicator other(world.loop(), cluster, world.clock(), std::make_shared<replication::VersionMark>(0));
  other.adopt(placement_of(1));
  int done = 0;
  world.run([&]() -> Task<> {
    runtime::Gate gate(world.loop());
    for (int i = 0; i < 20; ++i) {
      world.loop().spawn(gate, [](replication::Replicator& by, runtime::Loop& loop, int& count) -> Task<> {
        const replication::UpdateFn decide = increment;
        const auto answer = co_await by.update("k", decide, true, loop.now() + seconds(30));
        if (answer && answer->written) ++count;
      }(i % 2 ? other : replicator, world.loop(), done));
    }
    co_await gate.drained();
  });
  CHECK(done == 20);
  const auto now = read(model::ReadLevel::kQuorum);
  REQUIRE(now.ok());
  CHECK(now->record->value->view() == "20");
  world.run([&]() -> Task<> { co_await other.stop(); });
}

TEST_CASE_FIXTURE(StrictFixture, "updates that follow one another take one round from the third on") {
  for (int i = 0; i < 10; ++i) REQUIRE(update(increment).ok());
  CHECK(held("n1").value->view() == "10");
  CHECK(node("n1").prepares == 2);
  // A blind write of another proxy in between is seen, and costs a round.
  replication::Replicator other(world.loop(), cluster, world.clock(), std::make_shared<replication::VersionMark>(0));
  other.adopt(placement_of(1));
  const auto written = world.run([&]() -> Task<Result<replication::WriteAnswer>> {
    replication::Mutation mutation;
    mutation.value = Bytes(std::string("100"));
    co_return co_await other.write("k", std::move(mutation), model::WriteLevel::kQuorum,
                                   world.loop().now() + seconds(5));
  });
  REQUIRE(written.ok());
  REQUIRE(update(increment).ok());
  CHECK(held("n1").value->view() == "101");
  world.run([&]() -> Task<> { co_await other.stop(); });
}

TEST_CASE_FIXTURE(StrictFixture,
                  "what a refusal rests on is on a majority when it is answered, under its own version") {
  const Record minority = model::make_value({5, 1}, Bytes(std::string("1")));
  store("n1", minority);
  node("n3").away = true;
  const auto answer = update(leave);
  REQUIRE(answer.ok());
  CHECK_FALSE(answer->written);
  CHECK(answer->version == minority.version);
  for (const char* id : {"n1", "n2"}) {
    CHECK(held(id).version == minority.version);
    CHECK(held(id).ballot > minority.ballot);
  }
}

TEST_CASE_FIXTURE(StrictFixture, "what has expired is gone for good when it is said to be absent") {
  Record record = model::make_value({5, 1}, Bytes(std::string("1")));
  record.expires_at = 6;
  for (const char* id : {"n1", "n2", "n3"}) store(id, record);
  SUBCASE("by an update") {
    const auto answer = update(leave);
    REQUIRE(answer.ok());
    CHECK_FALSE(answer->before.has_value());
  }
  SUBCASE("by a read at quorum") {
    const auto answer = read(model::ReadLevel::kQuorum);
    REQUIRE(answer.ok());
    CHECK((!answer->record || answer->record->tombstone()));
  }
  CHECK(held("n1").tombstone());
  CHECK(held("n1").base == record.version);
}

TEST_CASE_FIXTURE(StrictFixture,
                  "a write that was overtaken is brought back above what did, unless something newer came") {
  const Record old = model::make_value({5, 1}, Bytes(std::string("old")));
  const Record answered = model::make_value({7, 1}, Bytes(std::string("answered")));
  Record again = old;
  again.ballot = {9, 1};
  for (const char* id : {"n1", "n2", "n3"}) store(id, again);
  const auto rescue = [&] {
    return world.run([&]() -> Task<bool> {
      std::optional<Record> rescued = answered;
      const auto agreed = co_await replicator.agree("k", std::move(rescued), Ballot(), world.loop().now() + seconds(5));
      co_return agreed.has_value();
    });
  };
  CHECK(rescue());
  CHECK(held("n2").version == answered.version);
  CHECK(held("n2").value->view() == "answered");
  REQUIRE(update([](const auto&) {
            replication::Mutation mutation;
            mutation.value = Bytes(std::string("newer"));
            return Result<std::optional<replication::Mutation>>(std::move(mutation));
          }).ok());
  CHECK(rescue());
  CHECK(held("n2").value->view() == "newer");
}

// Of a machine whose clock is an hour ahead. A majority answers without it, so nobody but who met it can tell of it.
TEST_CASE_FIXTURE(StrictFixture, "a key is settled above the promise that is in the way, though one replica gave it") {
  const Record newest = model::make_value({7, 1}, Bytes(std::string("newest")));
  for (const char* id : {"n2", "n3"}) store(id, newest);
  const Ballot promise{world.clock().wall() + 3'600'000'000, 1};
  node("n1").promises["k"] = promise;
  const auto agreed = world.run([&]() -> Task<std::optional<Ballot>> {
    co_return co_await replicator.agree("k", std::nullopt, promise, world.loop().now() + seconds(5));
  });
  wait(seconds(1));
  REQUIRE(agreed.has_value());
  CHECK(*agreed > promise);
  CHECK(held("n1").version == newest.version);
}

// Else the update would lie below what it replaces, and repair would undo it.
TEST_CASE_FIXTURE(StrictFixture, "an update lies above what it was decided on, though only one without vote has it") {
  const Record far_ahead = model::make_value({world.clock().wall() + 3'600'000'000, 1}, Bytes(std::string("7")));
  node("n3").votes = false;
  store("n3", far_ahead);
  const auto updated = update(increment);
  REQUIRE(updated.ok());
  CHECK(updated->before->value->view() == "7");
  CHECK(updated->version > far_ahead.version);
  wait(seconds(1));
  for (const char* id : {"n1", "n2", "n3"}) CHECK(held(id).value->view() == "8");
}

// A floor may be at a client's timestamp: those that are given are as round as the grid that floors are on.
TEST_CASE_FIXTURE(StrictFixture, "a write at the owners' floor has been agreed on, and one above it is brought back") {
  constexpr Timestamp kFloor = 1000;
  for (const char* id : {"n1", "n2", "n3"}) node(id).fence = node(id).floor = kFloor;
  const auto rescue = [&](Timestamp timestamp) {
    return world.run([&]() -> Task<std::optional<model::Ballot>> {
      std::optional<Record> rescued = model::make_value({timestamp, 1}, Bytes(std::string("rescued")));
      co_return co_await replicator.agree("k", std::move(rescued), Ballot(), world.loop().now() + seconds(5));
    });
  };
  CHECK(rescue(kFloor - 1) == model::ballot_of_floor(kFloor));
  CHECK(rescue(kFloor) == model::ballot_of_floor(kFloor));
  for (auto& [id, one] : cluster.nodes) CHECK(one.writes.empty());
  CHECK(rescue(kFloor + 1).has_value());
  CHECK(held("n2").version == model::Version{kFloor + 1, 1});
}

TEST_CASE_FIXTURE(StrictFixture, "a write far ahead that one replica holds does not stand in the way for ever") {
  store("n1", model::make_value({1'900'000'000'000'000, 1}, Bytes(std::string("far"))));
  const auto write_at_quorum = [&] {
    return world.run([&]() -> Task<Result<replication::WriteAnswer>> {
      replication::Mutation mutation;
      mutation.value = Bytes(std::string("new"));
      const TimePoint deadline = world.loop().now() + seconds(5);
      co_return co_await replicator.write("k", std::move(mutation), model::WriteLevel::kQuorum, deadline);
    });
  };
  bool written = false;
  for (int i = 0; i < 3 && !written; ++i) written = write_at_quorum().ok();
  CHECK(written);
  CHECK(held("n2").value->view() == "new");
}

TEST_CASE_FIXTURE(StrictFixture, "without a majority nothing is promised and nothing is written") {
  node("n1").away = node("n2").away = true;
  const auto answer = update(increment);
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.code() == ErrorCode::kUnavailable);
  CHECK(node("n3").held.empty());
}

TEST_CASE_FIXTURE(StrictFixture, "a write below the fence takes effect all the same, under a newer ballot") {
  const Timestamp fence = world.clock().wall() + 500'000;
  for (const char* id : {"n1", "n2", "n3"}) node(id).fence = node(id).floor = fence;
  replication::Mutation mutation;
  mutation.value = Bytes(std::string("imported"));
  SUBCASE("with the client's timestamp, which stays") { mutation.timestamp = 1000; }
  SUBCASE("of a clock that is behind") { mutation.timestamp.reset(); }
  const bool given = mutation.timestamp.has_value();
  for (const auto level : {model::WriteLevel::kTwo, model::WriteLevel::kQuorum}) {
    for (auto& [id, one] : cluster.nodes) one.held.clear();
    const auto written = world.run([&]() -> Task<Result<replication::WriteAnswer>> {
      co_return co_await replicator.write("k", mutation, level, world.loop().now() + seconds(5));
    });
    REQUIRE(written.ok());
    CHECK(written->won);
    CHECK((written->winner.timestamp == 1000) == given);
    CHECK(held("n1").value->view() == "imported");
    CHECK(held("n1").ballot.timestamp > fence);
  }
}

TEST_CASE_FIXTURE(StrictFixture, "a client's older timestamp never wins, however its write was refused") {
  const Record old = model::make_value({500, 1}, Bytes(std::string("old")));
  Record newer = model::make_value({2000, 1}, Bytes(std::string("newer")));
  newer.base = newer.root = old.version;  // an update, built on what was there
  for (const char* id : {"n1", "n2"}) {
    store(id, old);
    node(id).promises["k"] = {3000, 1};  // to somebody who went no further
  }
  store("n3", newer);
  replication::Mutation mutation;
  mutation.value = Bytes(std::string("imported"));
  mutation.timestamp = 1000;
  const auto written = world.run([&]() -> Task<Result<replication::WriteAnswer>> {
    co_return co_await replicator.write("k", mutation, model::WriteLevel::kQuorum, world.loop().now() + seconds(5));
  });
  REQUIRE(written.ok());
  CHECK_FALSE(written->won);
  CHECK(written->winner == newer.version);
  for (const char* id : {"n1", "n2", "n3"}) CHECK(held(id).version == newer.version);
}

// One disk holds the winner, the other has promised something to somebody who went no further.
TEST_CASE_FIXTURE(StrictFixture, "a plain write has lost only when the newer one is on as many disks as it asked for") {
  const Record newer = model::make_value({2000, 1}, Bytes(std::string("newer")));
  store("n1", newer);
  store("n2", model::make_value({500, 1}, Bytes(std::string("old"))));
  node("n2").promises["k"] = {3000, 1};
  node("n3").away = true;
  replication::Mutation mutation;
  mutation.value = Bytes(std::string("imported"));
  mutation.timestamp = 1000;
  const auto write = [&](model::WriteLevel level) {
    return world.run([&]() -> Task<Result<replication::WriteAnswer>> {
      co_return co_await replicator.write("k", mutation, level, world.loop().now() + seconds(5));
    });
  };
  const auto at_two = write(model::WriteLevel::kTwo);
  REQUIRE(at_two.ok());
  CHECK_FALSE(at_two->won);
  CHECK(at_two->winner == newer.version);
  CHECK(held("n2").version == newer.version);
  const auto at_all = write(model::WriteLevel::kAll);
  CHECK_FALSE(at_all.ok());  // of three, one is away
}

TEST_CASE_FIXTURE(StrictFixture, "what a floor covers is neither repaired nor settled") {
  store("n2", model::make_tombstone({5, 1}));
  store("n3", model::make_value({4, 1}, Bytes(std::string("stale"))));
  for (const char* id : {"n1", "n2", "n3"}) node(id).fence = 10;
  node("n1").floor = 10;
  for (const auto level : {model::ReadLevel::kLatest, model::ReadLevel::kQuorum, model::ReadLevel::kAll}) {
    const auto answer = read(level);
    REQUIRE(answer.ok());
    CHECK_FALSE(answer->record.has_value());
  }
  wait(seconds(5));
  for (auto& [id, one] : cluster.nodes) {
    CHECK(one.writes.empty());
    CHECK(one.prepares == 0);
  }
}

TEST_CASE_FIXTURE(StrictFixture, "what ends below our ballot has expired for us, whatever our clock says") {
  Record record = model::make_value({5, 1}, Bytes(std::string("1")));
  record.expires_at = world.clock().wall() + 3'600'000'000;
  for (const char* id : {"n1", "n2", "n3"}) {
    store(id, record);
    node(id).fence = record.expires_at + model::kExpiryMargin;
  }
  const auto now = read(model::ReadLevel::kQuorum);
  REQUIRE(now.ok());
  CHECK((!now->record || now->record->tombstone()));
  const auto answer = update(leave);
  REQUIRE(answer.ok());
  CHECK_FALSE(answer->before.has_value());
}

}  // namespace
}  // namespace tako::test
