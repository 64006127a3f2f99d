// Large values on their way from replicas: the bytes stay right whatever becomes of the replica that they come from.
#include "fake_cluster.h"
#include "replication/download.h"

namespace tako::test {

namespace {

constexpr std::size_t kPieces = 12;
const char* const kNodes[] = {"n1", "n2", "n3"};

struct Download : LargeFixture {
  Download() : value(large_value((kPieces - 1) * model::kPieceBytes + 1000)) {
    REQUIRE(write(value, model::WriteLevel::kAll).ok());
    auto found = read();
    REQUIRE(found.ok());
    answer = *found;
    REQUIRE(answer.record.has_value());
    REQUIRE_FALSE(answer.record->value.has_value());
  }

  std::string whole(const std::function<void(std::size_t pieces)>& after = {}) {
    return download(answer, 0, value.size(), after);
  }
  // The one that was read so far.
  std::string source() {
    for (const char* id : kNodes) {
      if (!node(id).pieces_read.empty()) return id;
    }
    return {};
  }
  std::size_t sources() {
    std::size_t count = 0;
    for (const char* id : kNodes) count += node(id).pieces_read.empty() ? 0 : 1;
    return count;
  }

  const std::string value;
  replication::ReadAnswer answer;
};

}  // namespace

TEST_CASE_FIXTURE(Download, "a value is read once, from one replica") {
  CHECK(whole() == value);

  CHECK(sources() == 1);
  CHECK(node(source()).pieces_read.size() == kPieces);
}

TEST_CASE_FIXTURE(Download, "a range reads the pieces concerned and no others") {
  const std::uint64_t piece = model::kPieceBytes;
  const auto range = [&](std::uint64_t begin, std::uint64_t end, std::vector<std::uint32_t> pieces) {
    for (const char* id : kNodes) node(id).pieces_read.clear();
    CHECK(download(answer, begin, end) == value.substr(begin, end - begin));
    CHECK((source().empty() ? std::vector<std::uint32_t>() : node(source()).pieces_read) == pieces);
  };

  range(0, 1, {0});
  range(piece - 1, piece + 1, {0, 1});
  range(2 * piece, 3 * piece, {2});
  range(2 * piece + 7, 5 * piece - 7, {2, 3, 4});
  range(value.size() - 10, value.size(), {kPieces - 1});
  range(100, 100, {});
}

TEST_CASE_FIXTURE(Download, "another replica goes on when the one that is read dies") {
  const std::string bytes = whole([&](std::size_t pieces) {
    if (pieces == 4) node(source()).away = true;
  });

  CHECK(bytes == value);
  CHECK(sources() == 2);
}

TEST_CASE_FIXTURE(Download, "the last living replica may be any of them, and one that comes back is as good") {
  std::string first;
  std::string second;
  const std::string bytes = whole([&](std::size_t pieces) {
    if (pieces == 3) node(first = source()).away = true;
    if (pieces != 7) return;
    for (const char* id : kNodes) node(id).away = true;
    world.loop().add_timer(world.loop().now() + seconds(4), [&] { node(first).away = false; });
  });

  CHECK(bytes == value);
}

TEST_CASE_FIXTURE(Download, "where no replica comes back in time it ends with an error, and no wrong byte") {
  const std::string bytes = whole([&](std::size_t pieces) {
    if (pieces != 3) return;
    for (const char* id : kNodes) node(id).away = true;
  });

  const std::string error = std::string("[") + name_of(ErrorCode::kUnsent) + "]";
  REQUIRE(bytes.ends_with(error));
  CHECK(value.starts_with(bytes.substr(0, bytes.size() - error.size())));
}

TEST_CASE_FIXTURE(Download, "a damaged copy is never handed on") {
  std::set<std::uint32_t> bad = {5};
  SUBCASE("that its replica knows to be damaged") { node("n1").damaged = node("n2").damaged = bad; }
  SUBCASE("that does not match its checksum") { node("n1").falsified = node("n2").falsified = bad; }

  for (int i = 0; i < 5; ++i) CHECK(whole() == value);

  CHECK_FALSE(node("n3").pieces_read.empty());
}

TEST_CASE_FIXTURE(Download, "a value whose pieces are sound, but not its own, does not end well") {
  for (const char* id : kNodes) node(id).held["k"].pieces[5] = node(id).held["k"].pieces[6];

  const std::string bytes = whole();

  CHECK(bytes.ends_with(std::string("[") + name_of(ErrorCode::kCorrupt) + "]"));
  CHECK(bytes.size() < value.size());
}

TEST_CASE_FIXTURE(Download, "one that is overwritten meanwhile is read on from a replica that still holds it") {
  const auto overwrite = [&](const std::string& id) {
    node(id).held["k"].record = model::make_value({1'900'000'000'000'000, 1}, Bytes(std::string("newer")));
  };
  SUBCASE("if there is one") {
    const std::string bytes = whole([&](std::size_t pieces) {
      if (pieces == 3) overwrite(source());
    });
    CHECK(bytes == value);
  }
  SUBCASE("else it is an error") {
    const std::string bytes = whole([&](std::size_t pieces) {
      if (pieces != 3) return;
      for (const char* id : kNodes) overwrite(id);
    });
    CHECK(bytes.ends_with(std::string("[") + name_of(ErrorCode::kConflict) + "]"));
  }
}

TEST_CASE_FIXTURE(Download, "one whose key is settled meanwhile goes on under the new ballot") {
  const std::string bytes = whole([&](std::size_t pieces) {
    if (pieces % 3 != 0) return;
    for (const char* id : kNodes) node(id).held["k"].record.ballot.timestamp += 1'000'000;
  });

  CHECK(bytes == value);
}

TEST_CASE_FIXTURE(Download, "it goes on with the owners of a newer configuration") {
  const std::string bytes = whole([&](std::size_t pieces) {
    if (pieces != 3) return;
    for (const char* id : {"n4", "n5"}) cluster.nodes[id].held["k"] = node("n1").held["k"];
    replicator.adopt(placement_of(2, {"n4", "n5"}));
    for (const char* id : kNodes) node(id).held.clear();
  });

  CHECK(bytes == value);
  CHECK(cluster.nodes["n4"].pieces_read.size() + cluster.nodes["n5"].pieces_read.size() > 0);
}

TEST_CASE_FIXTURE(Download, "who reads slowly holds the replicas back, and one that stops at once holds one piece") {
  std::size_t ahead_max = 0;
  world.run([&]() -> Task<> {
    const auto source = replicator.open("k", answer, 0, value.size(), seconds(10));
    for (std::size_t taken = 1; taken <= kPieces; ++taken) {
      const auto piece = co_await source->next();
      REQUIRE(piece.ok());
      co_await world.loop().sleep(seconds(1));
      const std::size_t ahead = node(this->source()).pieces_read.size() - taken;
      if (taken == 1) CHECK(ahead <= 2);
      ahead_max = std::max(ahead_max, ahead);
    }
  });
  CHECK(ahead_max == replication::Download::kReadAhead + 1);
}

TEST_CASE_FIXTURE(Download, "those that stall give back what was read ahead for them, and go on from there") {
  const auto opened = [this] { return replicator.open("k", answer, 0, value.size(), seconds(10)); };
  std::vector<std::pair<std::unique_ptr<net::ByteSource>, std::string>> stalled(replication::PieceBudget::kPlaces);
  std::size_t ahead_max = 0;
  world.run([&]() -> Task<> {
    for (auto& [source, bytes] : stalled) {
      source = opened();
      for (int taken = 0; taken < 4; ++taken) {
        const auto piece = co_await source->next();
        REQUIRE(piece.ok());
        bytes += piece->view();
      }
    }
    CHECK(replicator.pieces_in_memory() >= replication::PieceBudget::kPlaces / 2 - 1);
    co_await world.loop().sleep(replication::PieceBudget::kIdleAfter);

    for (auto& [id, one] : cluster.nodes) one.pieces_read.clear();
    const auto moving = opened();
    for (std::size_t taken = 1; taken <= kPieces; ++taken) {
      const auto piece = co_await moving->next();
      REQUIRE(piece.ok());
      co_await world.loop().sleep(milliseconds(100));
      ahead_max = std::max(ahead_max, replicator.pieces_in_memory());
    }
    CHECK(replicator.pieces_in_memory() == 0);

    for (auto& [source, bytes] : stalled) {
      for (auto piece = co_await source->next(); piece.ok() && !piece->empty(); piece = co_await source->next()) {
        bytes += piece->view();
      }
      CHECK(bytes == value);
    }
  });
  CHECK(ahead_max == replication::Download::kReadAhead + 1);
}

TEST_CASE_FIXTURE(Download, "one that is left in the middle gives back its place in memory") {
  for (int taken = 0; taken < 8; ++taken) {
    world.run([&]() -> Task<> {
      const auto source = replicator.open("k", answer, 0, value.size(), seconds(10));
      for (int pieces = 0; pieces < taken; ++pieces) co_await source->next();
    });
  }
  wait(seconds(1));

  CHECK(replicator.pieces_in_memory() == 0);
}

TEST_CASE_FIXTURE(Download, "a quorum read lets replicas that are behind fetch a large value before it answers") {
  for (const char* id : {"n2", "n3"}) {
    node(id).held.clear();
    node(id).writes.clear();
  }

  const auto settled = read(model::ReadLevel::kQuorum);
  wait(seconds(1));

  REQUIRE(settled.ok());
  CHECK(settled->record->ballot == answer.record->ballot);
  for (const char* id : {"n2", "n3"}) {
    CHECK(holds(id, value));
    REQUIRE_FALSE(node(id).writes.empty());
    CHECK(node(id).writes[0].value_from == "n1");
  }
  CHECK(sources() == 0);
}

TEST_CASE_FIXTURE(Download, "read repair lets a replica that is behind fetch a large value") {
  node("n2").held.clear();

  REQUIRE(read().ok());
  wait(seconds(1));

  CHECK(holds("n2", value));
  CHECK(node("n2").writes.back().source == wire::Write::Source::kCopy);
  CHECK(sources() == 0);
}

}  // namespace tako::test
