// Large values on their way to replicas: who is waited for, what is visible when, and what is left behind.
#include "fake_cluster.h"
#include "replication/upload.h"

namespace tako::test {

using model::WriteLevel;

TEST_CASE_FIXTURE(LargeFixture, "a large value is stored whole by every replica") {
  const std::string value = large_value(20 * model::kPieceBytes + 17);

  const auto answer = write(value, WriteLevel::kAll);

  REQUIRE(answer.ok());
  CHECK(answer->won);
  for (const char* id : {"n1", "n2", "n3"}) {
    CHECK(holds(id, value));
    CHECK(node(id).held["k"].record.version == answer->winner);
    CHECK(node(id).pieces_taken == 21);
  }
  CHECK(nothing_staged());
}

TEST_CASE_FIXTURE(LargeFixture, "a value of at most a piece is written in one message, whatever it came by") {
  std::string value;
  SUBCASE("an empty one") {}
  SUBCASE("a small one") { value = "small"; }
  SUBCASE("a whole piece") { value = large_value(model::kPieceBytes); }

  const auto answer = write(value, WriteLevel::kAll);

  REQUIRE(answer.ok());
  CHECK(node("n1").pieces_taken == 0);
  REQUIRE(node("n1").held["k"].record.value.has_value());
  CHECK(node("n1").held["k"].record.value->view() == value);
}

TEST_CASE_FIXTURE(LargeFixture, "a needed replica that is slow holds the source back, and little is in memory") {
  const std::string value = large_value(40 * model::kPieceBytes);
  node("n2").piece_time = milliseconds(200);
  CountingSource source(world.loop(), value);
  std::size_t ahead_max = 0;
  source.before = [&](std::size_t taken) { ahead_max = std::max(ahead_max, taken - node("n2").pieces_taken); };

  const auto answer = write(source, WriteLevel::kAll);

  REQUIRE(answer.ok());
  CHECK(ahead_max < replication::Upload::kLagMax);
  CHECK(took > milliseconds(200) * 40 / replication::Upload::kWindow);
  CHECK(holds("n2", value));
}

TEST_CASE_FIXTURE(LargeFixture, "a slow replica that is not needed is given up, and fetches the value from another") {
  const std::string value = large_value(100 * model::kPieceBytes);
  node("n2").piece_time = seconds(5);

  const auto answer = write(value, WriteLevel::kTwo);
  CHECK(took < seconds(4));
  wait(seconds(30));

  REQUIRE(answer.ok());
  CHECK(node("n2").pieces_taken < 10);
  CHECK(holds("n2", value));
  REQUIRE_FALSE(node("n2").writes.empty());
  CHECK_FALSE(node("n2").writes.back().value_from.empty());
  CHECK(nothing_staged());
}

TEST_CASE_FIXTURE(LargeFixture, "at its end nobody waits for a replica that is not needed, and it is not given up") {
  const std::string value = large_value(4 * model::kPieceBytes);
  node("n2").piece_time = seconds(3);

  const auto answer = write(value, WriteLevel::kTwo);
  CHECK(took < milliseconds(100));
  wait(seconds(10));

  REQUIRE(answer.ok());
  CHECK(node("n2").pieces_taken == 4);
  CHECK(node("n2").writes.back().upload.has_value());
  CHECK(holds("n2", value));
}

TEST_CASE_FIXTURE(LargeFixture, "equally slow replicas are not given up") {
  const std::string value = large_value(60 * model::kPieceBytes);
  for (const char* id : {"n1", "n2", "n3"}) node(id).piece_time = seconds(2);

  REQUIRE(write(value, WriteLevel::kOne).ok());
  wait(seconds(5));

  for (const char* id : {"n1", "n2", "n3"}) CHECK(node(id).pieces_taken == 60);
}

TEST_CASE_FIXTURE(LargeFixture, "a replica that dies in the middle is given up where the others are enough") {
  const std::string value = large_value(30 * model::kPieceBytes);
  CountingSource source(world.loop(), value);
  source.before = [&](std::size_t taken) { node("n3").away |= taken == 10; };
  auto level = WriteLevel::kQuorum;
  SUBCASE("for a quorum") {}
  SUBCASE("for two") { level = WriteLevel::kTwo; }
  SUBCASE("for one") { level = WriteLevel::kOne; }

  const auto answer = write(source, level);

  REQUIRE(answer.ok());
  CHECK(took < seconds(1));
  CHECK(holds("n1", value));
  CHECK(holds("n2", value));
}

TEST_CASE_FIXTURE(LargeFixture, "where too many replicas die nothing is visible, and nothing is left staged") {
  const std::string value = large_value(30 * model::kPieceBytes);
  CountingSource source(world.loop(), value);
  source.before = [&](std::size_t taken) { node("n2").away = node("n3").away |= taken == 10; };

  const auto answer = write(source, WriteLevel::kTwo);
  wait(seconds(5));

  REQUIRE_FALSE(answer.ok());
  CHECK(answer.code() == ErrorCode::kUnavailable);
  CHECK(source.taken < 30);
  CHECK(node("n1").held.empty());
  CHECK(node("n1").writes.empty());
  CHECK(node("n1").staged.empty());
}

TEST_CASE_FIXTURE(LargeFixture, "a needed replica that is away for a moment is waited for") {
  const std::string value = large_value(30 * model::kPieceBytes);
  CountingSource source(world.loop(), value);
  source.before = [&](std::size_t taken) {
    if (taken != 10) return;
    node("n2").away = true;
    world.loop().add_timer(world.loop().now() + seconds(3), [&] { node("n2").away = false; });
  };

  const auto answer = write(source, WriteLevel::kAll);

  REQUIRE(answer.ok());
  CHECK(took > seconds(3));
  CHECK(holds("n2", value));
}

TEST_CASE_FIXTURE(LargeFixture, "an upload that its client breaks off leaves nothing") {
  CountingSource source(world.loop(), large_value(30 * model::kPieceBytes));
  source.fails_at = 20;
  node("n3").piece_time = milliseconds(300);

  const auto answer = write(source, WriteLevel::kTwo);
  wait(seconds(5));

  CHECK_FALSE(answer.ok());
  CHECK(nothing_staged());
  for (const char* id : {"n1", "n2", "n3"}) {
    CHECK(node(id).held.empty());
    CHECK(node(id).discards == 1);
  }
}

TEST_CASE_FIXTURE(LargeFixture, "a replica that lost what was staged fetches, and counts when it has it") {
  const std::string value = large_value(10 * model::kPieceBytes);
  node("n2").forgets_staged = true;
  node("n2").fetch_time = seconds(2);

  const auto answer = write(value, WriteLevel::kAll);

  REQUIRE(answer.ok());
  CHECK(took > seconds(2));
  CHECK(holds("n2", value));
}

TEST_CASE_FIXTURE(LargeFixture, "where all have lost what was staged the write fails, and nothing is visible") {
  for (const char* id : {"n1", "n2", "n3"}) node(id).forgets_staged = true;

  const auto answer = write(large_value(10 * model::kPieceBytes), WriteLevel::kTwo);

  REQUIRE_FALSE(answer.ok());
  CHECK(answer.code() == ErrorCode::kUnavailable);
  for (const char* id : {"n1", "n2", "n3"}) CHECK(node(id).held.empty());
}

TEST_CASE_FIXTURE(LargeFixture, "a large write that every replica refused is issued again, and no piece sent twice") {
  const model::Version far_ahead{1'900'000'000'000'000, 1};
  for (const char* id : {"n1", "n2", "n3"}) node(id).held["k"].record = model::make_value(far_ahead, Bytes());
  const std::string value = large_value(10 * model::kPieceBytes);

  const auto answer = write(value, WriteLevel::kQuorum);

  REQUIRE(answer.ok());
  CHECK(answer->winner > far_ahead);
  for (const char* id : {"n1", "n2", "n3"}) {
    CHECK(holds(id, value));
    CHECK(node(id).pieces_taken == 10);
  }
}

TEST_CASE_FIXTURE(LargeFixture, "a large write that some refused is not issued again, and its pieces are freed") {
  const model::Version far_ahead{1'900'000'000'000'000, 1};
  for (const char* id : {"n2", "n3"}) node(id).held["k"].record = model::make_value(far_ahead, Bytes());

  const auto answer = write(large_value(10 * model::kPieceBytes), WriteLevel::kQuorum);
  wait(seconds(1));

  CHECK_FALSE(answer.ok());
  std::set<model::Ballot> ballots;
  for (const char* id : {"n1", "n2", "n3"}) {
    for (const wire::Write& sent : node(id).writes) {
      if (sent.upload) ballots.insert(sent.record.ballot);
    }
  }
  CHECK(ballots.size() == 1);
  CHECK(nothing_staged());
}

TEST_CASE_FIXTURE(LargeFixture, "owners that a configuration names during the upload fetch it, and are counted") {
  const std::string value = large_value(30 * model::kPieceBytes);
  for (const char* id : {"n4", "n5", "n6"}) cluster.nodes[id].fetch_time = seconds(30);
  CountingSource source(world.loop(), value);
  source.before = [&](std::size_t taken) {
    if (taken == 10) replicator.adopt(placement_of(2, {"n4", "n5", "n6"}));
  };

  const auto answer = write(source, WriteLevel::kTwo);

  REQUIRE(answer.ok());
  CHECK(took > seconds(30));
  unsigned there = 0;
  for (const char* id : {"n4", "n5", "n6"}) there += holds(id, value) ? 1 : 0;
  CHECK(there >= 2);
  CHECK(holds("n1", value));
}

TEST_CASE_FIXTURE(LargeFixture, "a commit that is told \"stale\" goes on with the newer configuration and one ballot") {
  const std::string value = large_value(10 * model::kPieceBytes);
  cluster.nodes["n4"];
  std::set<model::Ballot> ballots;
  cluster.before = [&](const std::string& id, const wire::Request& request) {
    const auto* write = std::get_if<wire::Write>(&request.body);
    if (!write) return;
    ballots.insert(write->record.ballot);
    if (id != "n3" || node("n3").configuration == 2) return;
    // n1 and n2 may have stored it by now.
    for (auto& [name, node] : cluster.nodes) node.configuration = 2;
    world.loop().post([&] { replicator.adopt(placement_of(2, {"n1", "n2", "n4"})); });
  };

  const auto answer = write(value, WriteLevel::kAll);

  REQUIRE(answer.ok());
  CHECK(node("n3").configuration == 2);
  CHECK(ballots.size() == 1);
  for (const char* id : {"n1", "n2", "n3", "n4"}) CHECK(holds(id, value));
}

TEST_CASE_FIXTURE(LargeFixture, "a vote that is older than a loss is not added to one that came after a long fetch") {
  const std::string value = large_value(10 * model::kPieceBytes);
  node("n3").away = true;
  node("n2").forgets_staged = true;
  node("n2").fetch_time = seconds(30);
  bool lost = false;
  cluster.before = [&](const std::string& id, const wire::Request& request) {
    const auto* write = std::get_if<wire::Write>(&request.body);
    if (!write || id != "n1" || lost) return;
    // n1 stores it, is read by n2, loses its disk, and is back as another.
    lost = true;
    world.loop().add_timer(world.loop().now() + seconds(10), [&] {
      node("n2").held["k"] = node("n1").held["k"];
      node("n1").held.clear();
      node("n1").votes = false;
      node("n1").incarnation = 2;
    });
  };

  const auto answer = write(value, WriteLevel::kQuorum);

  CHECK(lost);
  CHECK(holds("n2", value));
  CHECK_FALSE(answer.ok());
}

TEST_CASE_FIXTURE(LargeFixture, "many uploads that wait for one replica take a bounded number of pieces into memory") {
  const std::string value = large_value(20 * model::kPieceBytes);
  constexpr std::size_t kUploads = 100;
  node("n2").piece_time = seconds(60);
  std::vector<std::unique_ptr<CountingSource>> sources;
  runtime::Gate open(world.loop());
  std::size_t failed = 0;
  const auto one = [&](net::ByteSource* source, std::string key) -> Task<> {
    replication::Mutation mutation;
    const auto answer =
        co_await replicator.write_large(std::move(key), std::move(mutation), *source, WriteLevel::kAll, seconds(20));
    failed += answer ? 0 : 1;
  };
  for (std::size_t i = 0; i < kUploads; ++i) {
    sources.push_back(std::make_unique<CountingSource>(world.loop(), value));
    world.loop().spawn(open, one(sources.back().get(), "k" + std::to_string(i)));
  }

  wait(seconds(5));
  std::size_t taken = 0;
  for (const auto& source : sources) taken += source->taken;
  CHECK(taken <= 192 + 2 * kUploads);
  wait(seconds(120));

  CHECK(failed == kUploads);
  CHECK(open.inside() == 0);
  CHECK(replicator.pieces_in_memory() == 0);
  CHECK(nothing_staged());
}

}  // namespace tako::test
