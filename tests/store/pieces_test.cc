// Values in pieces: staged, committed, read, freed (src/store/store.h), over both engines.
#include <doctest/doctest.h>

#include <map>

#include "store/key_locks.h"
#include "store/store_world.h"

namespace tako::test {

using model::UploadId;
using store::Staging;

namespace {

constexpr UploadId kUpload{1, 2};
constexpr UploadId kOther{3, 4};

bool is(const std::string& a, const std::string& b) { return a == b; }  // so that a failure prints no megabytes

}  // namespace

TEST_CASE_TEMPLATE("a staged value is visible when it is committed, and all at once", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  for (const std::uint32_t index : {2, 0, 3, 1}) {
    CHECK(t.value("k") == "-");
    REQUIRE(t.stage("k", kUpload, value, index).ok());
  }
  CHECK(t.value("k") == "-");
  CHECK(t.owned->uploads() == 1);

  const auto accepted = t.commit("k", value_of(5, value), kUpload);

  REQUIRE(accepted.ok());
  CHECK(accepted->stored);
  CHECK(accepted->written);
  CHECK(is(t.value("k"), value));
  CHECK(is(t.by_pieces("k", {5, 1}, kLarge), value));
  CHECK(t.read("k", false)->record->size == kLarge);
  CHECK(t.pieces() == 4);
  CHECK(t.staged() == "");
  CHECK(t.owned->uploads() == 0);
  t.restart();
  CHECK(is(t.by_pieces("k", {5, 1}, kLarge), value));
}

TEST_CASE_TEMPLATE("a commit waits for all pieces, and for the right ones", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  CHECK(t.commit("k", value_of(5, value), kUpload).code() == ErrorCode::kNotFound);
  for (const std::uint32_t index : {0, 1, 3}) REQUIRE(t.stage("k", kUpload, value, index).ok());
  CHECK(t.commit("k", value_of(5, value), kUpload).code() == ErrorCode::kNotFound);
  CHECK(t.commit("other", value_of(5, value), kUpload).code() == ErrorCode::kNotFound);
  CHECK(t.commit("k", value_of(5, value), kOther).code() == ErrorCode::kNotFound);
  REQUIRE(t.stage("k", kUpload, value, 2).ok());

  CHECK(t.commit("k", value_of(5, pattern(9, kLarge)), kUpload).code() == ErrorCode::kInvalid);
  CHECK(t.commit("k", value_of(5, value.substr(0, kLarge - 1)), kUpload).code() == ErrorCode::kInvalid);
  CHECK(t.commit("k", value_of(5, value.substr(0, 2 * model::kPieceBytes)), kUpload).code() == ErrorCode::kInvalid);
  CHECK(t.commit("k", value_of(5, value + std::string(model::kPieceBytes, 'x')), kUpload).code() ==
        ErrorCode::kInvalid);
  CHECK(t.value("k") == "-");
  CHECK(t.commit("k", value_of(5, value), kUpload)->written);
  CHECK(is(t.value("k"), value));
}

TEST_CASE_TEMPLATE("a piece may come twice, also after the end", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  REQUIRE(t.stage_all("k", kUpload, value).ok());
  CHECK(t.stage_all("k", kUpload, value).ok());
  CHECK(t.stage("k", kUpload, pattern(2, kLarge), 1).code() == ErrorCode::kConflict);
  CHECK(t.stage("k", kUpload, value.substr(0, kLarge - 1), 3).code() == ErrorCode::kConflict);
  REQUIRE(t.commit("k", value_of(5, value), kUpload)->written);

  CHECK(t.stage("k", kUpload, value, 1).code() == ErrorCode::kConflict);
  const auto again = t.commit("k", value_of(5, value), kUpload);
  CHECK(again->stored);
  CHECK_FALSE(again->written);
  CHECK(t.pieces() == 4);
  CHECK(is(t.value("k"), value));
}

TEST_CASE_TEMPLATE("a piece that is not what its checksum says is not taken", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const auto stage = [&](std::string key, std::uint32_t index, std::string piece, std::uint64_t flaw) {
    const std::uint64_t checksum = model::piece_checksum(piece) ^ flaw;
    const Bytes bytes(std::move(piece));
    return t.world.run(
        [&]() -> Task<Status> { co_return co_await t.owned->stage(key, kUpload, index, bytes, checksum); });
  };
  CHECK(stage("k", 0, "piece", 1).code() == ErrorCode::kCorrupt);
  CHECK(stage("k", 0, "", 0).code() == ErrorCode::kInvalid);
  CHECK(stage("k", 0, std::string(model::kPieceBytes + 1, 'x'), 0).code() == ErrorCode::kInvalid);
  CHECK(stage("k", model::kPiecesMax, "piece", 0).code() == ErrorCode::kTooLarge);
  CHECK(stage(std::string(1025, 'k'), 0, "piece", 0).code() == ErrorCode::kInvalid);
  CHECK(t.pieces() == 0);
  CHECK(stage("k", 1, "piece", 0).ok());
  CHECK(stage("k", 0, "another short one", 0).code() == ErrorCode::kInvalid);
}

TEST_CASE_TEMPLATE("what is discarded is gone at once, and for good", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string old = pattern(1, kLarge);
  const std::string value = pattern(2, kLarge);
  REQUIRE(t.accept("k", value_of(1, old)).ok());
  REQUIRE(t.stage_all("k", kUpload, value).ok());
  REQUIRE(t.stage("k", kOther, value, 0).ok());
  CHECK(t.pieces() == 4 + 4 + 1);

  CHECK(t.discard("k", kUpload).ok());
  CHECK(t.discard("k", kUpload).ok());
  CHECK(t.discard("late", kUpload).ok());

  CHECK(t.pieces() == 4 + 1);
  CHECK(t.stage("k", kUpload, value, 0).code() == ErrorCode::kConflict);
  CHECK(t.stage("late", kUpload, value, 0).code() == ErrorCode::kConflict);  // its pieces came after the end
  CHECK(t.commit("k", value_of(5, value), kUpload).code() == ErrorCode::kNotFound);
  CHECK(is(t.value("k"), old));
  CHECK(t.stage("k", kOther, value, 1).ok());
}

TEST_CASE("what cannot be discarded is an error to who asked, and the sweep's afterwards") {
  StoreWorld<SimWorld> t;
  REQUIRE(t.stage_all("k", kUpload, pattern(1, kLarge)).ok());
  t.world.disk().fail_writes(ErrorCode::kIo);
  const Status discarded = t.discard("k", kUpload);
  REQUIRE_FALSE(discarded.ok());
  CHECK(discarded.code() == ErrorCode::kIo);
  CHECK(t.pieces() == 4);
  t.world.disk().heal_writes();
  t.sweep();
  CHECK(t.pieces() == 0);
  CHECK(t.staged() == "");
}

TEST_CASE_TEMPLATE("what was staged before a restart is freed, and no more", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  REQUIRE(t.stage_all("committed", kUpload, value).ok());
  REQUIRE(t.commit("committed", value_of(5, value), kUpload).ok());
  REQUIRE(t.stage_all("staged", kUpload, value).ok());
  REQUIRE(t.stage("begun", kUpload, value, 3).ok());

  t.restart();
  CHECK(t.commit("staged", value_of(5, value), kUpload).code() == ErrorCode::kNotFound);
  REQUIRE(t.stage("new", kUpload, value, 0).ok());
  CHECK(t.pieces() == 4 + 4 + 1 + 1);
  t.sweep();

  CHECK(t.pieces() == 4 + 1);
  CHECK(is(t.value("committed"), value));
  CHECK(t.stage_all("new", kUpload, value).ok());
  CHECK(t.commit("new", value_of(5, value), kUpload)->written);
  CHECK(t.staged() == "");
}

TEST_CASE("an upload that nobody goes on with is swept") {
  StoreWorld<SimWorld> t;
  const auto wait = [&](Duration time) { t.world.run([&]() -> Task<> { co_await t.world.loop().sleep(time); }); };
  const std::string value = pattern(1, kLarge);
  REQUIRE(t.stage("left", kUpload, value, 0).ok());
  REQUIRE(t.stage("slow", kUpload, value, 0).ok());
  wait(Store::kStagedIdleMax / 2);
  REQUIRE(t.stage("slow", kUpload, value, 1).ok());
  wait(Store::kStagedIdleMax / 2 + seconds(1));

  t.sweep();

  CHECK(t.owned->uploads() == 1);
  CHECK(t.pieces() == 2);
  CHECK(t.stage_all("slow", kUpload, value).ok());
  CHECK(t.commit("slow", value_of(1, value), kUpload)->written);
  CHECK(t.commit("left", value_of(1, value), kUpload).code() == ErrorCode::kNotFound);
}

TEST_CASE("the sweep leaves to other stores what is theirs, and frees later what it could not free") {
  StoreWorld<SimWorld> t;
  REQUIRE(t.stage("k", kUpload, pattern(1, kLarge), 0).ok());
  t.restart();
  t.world.disk().fail_writes(ErrorCode::kIo);
  t.sweep();
  CHECK(t.pieces() == 1);
  t.world.disk().heal_writes();
  t.sweep();
  CHECK(t.pieces() == 0);
  CHECK(t.staged() == "");

  REQUIRE(t.stage("k", kUpload, pattern(1, kLarge), 0).ok());
  t.restart();
  t.world.run([&]() -> Task<> {
    const unsigned not_of_k = (model::partition_of("k") + 1u) % 2;
    Store other(t.world.loop(), t.world.engine(), {not_of_k, 2});
    co_await other.sweep();
  });
  CHECK(t.pieces() == 1);
}

TEST_CASE("what the sweep passes over because a key is written too much is freed by the next") {
  StoreWorld<SimWorld> t;
  REQUIRE(t.stage("k", kUpload, pattern(1, kLarge), 0).ok());
  t.restart();
  bool swept = false;
  std::uint64_t ballot = 0;
  const auto write = [&]() -> Task<> {
    while (!swept) {
      const Record record = value_of(++ballot, "small");
      co_await t.owned->accept("k", record);
    }
  };
  t.world.run([&]() -> Task<> {
    runtime::Gate writing(t.world.loop());
    for (std::size_t i = 0; i <= store::KeyLocks::kWaitersMax; ++i) t.world.loop().spawn(writing, write());
    co_await t.owned->sweep();
    swept = true;
    co_await writing.drained();
  });
  CHECK(t.pieces() == 1);

  t.sweep();

  CHECK(t.pieces() == 0);
  CHECK(t.staged() == "");
}

TEST_CASE_TEMPLATE("a value proposed again under another ballot moves no bytes", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  Record record = value_of(5, value);
  REQUIRE(t.stage_all("k", kUpload, value).ok());
  REQUIRE(t.commit("k", record, kUpload)->written);
  const auto rows = t.piece_rows("k");

  record.ballot = {9, 9};
  CHECK(t.commit("k", record, kUpload)->written);
  CHECK(t.read("k", false)->ballot() == Ballot{9, 9});
  CHECK(t.piece_rows("k") == rows);
  CHECK(is(t.by_pieces("k", {9, 9}, kLarge), value));
  CHECK(t.read_piece("k", {5, 1}, 0).code() == ErrorCode::kConflict);

  CHECK(t.commit("k", value_of(10, value), kUpload).code() == ErrorCode::kNotFound);  // another version
  CHECK_FALSE(t.commit("k", value_of(8, value), kUpload)->stored);
}

TEST_CASE_TEMPLATE("a replaced value's pieces go, and who reads them is told", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  REQUIRE(t.stage_all("k", kUpload, value).ok());
  REQUIRE(t.commit("k", value_of(5, value), kUpload)->written);
  REQUIRE(t.read_piece("k", {5, 1}, 0).ok());

  REQUIRE(t.stage_all("k", kOther, pattern(2, kLarge)).ok());
  CHECK(is(t.by_pieces("k", {5, 1}, kLarge), value));
  REQUIRE(t.commit("k", value_of(6, pattern(2, kLarge)), kOther)->written);
  CHECK(t.read_piece("k", {5, 1}, 1).code() == ErrorCode::kConflict);
  CHECK(is(t.by_pieces("k", {6, 1}, kLarge), pattern(2, kLarge)));
  CHECK(t.pieces() == 4);

  REQUIRE(t.accept("k", model::make_tombstone({7, 1}))->written);
  CHECK(t.pieces() == 0);
  CHECK(t.read_piece("k", {6, 1}, 1).code() == ErrorCode::kConflict);
  CHECK(t.read_piece("k", {7, 1}, 0).code() == ErrorCode::kNotFound);
  CHECK(t.read_piece("never", {7, 1}, 0).code() == ErrorCode::kNotFound);
}

TEST_CASE_TEMPLATE("small values are read by the piece too", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("inline", value_of(1, "inline")).ok());
  REQUIRE(t.accept("piece", value_of(1, pattern(1, 100'000))).ok());
  CHECK(t.by_pieces("inline", {1, 1}, 6) == "inline");
  CHECK(is(t.by_pieces("piece", {1, 1}, 100'000), pattern(1, 100'000)));
  CHECK(t.read_piece("inline", {1, 1}, 1).code() == ErrorCode::kNotFound);
  REQUIRE(t.accept("empty", value_of(1, "")).ok());
  CHECK(t.read_piece("empty", {1, 1}, 0).code() == ErrorCode::kNotFound);
}

TEST_CASE_TEMPLATE("a damaged piece is not returned, and another upload mends it", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  std::string damaged_key;
  store::Store::Findings findings;
  findings.damaged = [&](const std::string& key, const Ballot&) { damaged_key = key; };
  t.owned->report_to(std::move(findings));
  const std::string value = pattern(1, kLarge);
  REQUIRE(t.stage_all("k", kUpload, value).ok());
  REQUIRE(t.commit("k", value_of(5, value), kUpload)->written);
  const std::string row_key = t.piece_rows("k")[1];
  std::string row = get(t.world, Family::kChunks, row_key);
  SUBCASE("in its bytes") { row[5000] ^= 1; }
  SUBCASE("in its checksum") { row[3] ^= 1; }
  SUBCASE("in its length") { row.pop_back(); }
  SUBCASE("nearly all of it") { row.resize(3); }
  REQUIRE(put(t.world, Family::kChunks, row_key, row).ok());

  CHECK(t.read_piece("k", {5, 1}, 0).ok());
  CHECK(t.read_piece("k", {5, 1}, 1).code() == ErrorCode::kCorrupt);
  CHECK(t.value("k") == name_of(ErrorCode::kCorrupt));
  CHECK(t.verify("k", {5, 1}).code() == ErrorCode::kCorrupt);
  CHECK(damaged_key == "k");
  CHECK(t.commit("k", value_of(5, value), kOther).code() == ErrorCode::kNotFound);
  Record again = value_of(5, value);
  again.ballot = {6, 6};
  CHECK(t.commit("k", again, kOther).code() == ErrorCode::kNotFound);
  REQUIRE(t.stage_all("k", kOther, value).ok());
  CHECK(t.commit("k", value_of(5, value), kOther)->written);
  CHECK(is(t.by_pieces("k", {5, 1}, kLarge), value));
  CHECK(t.verify("k", {5, 1}).ok());
  CHECK(t.verify("k", {4, 1}).code() == ErrorCode::kNotFound);
  CHECK(t.pieces() == 4);
}

TEST_CASE("uploads are bounded, and a full disk takes no piece and goes on freeing") {
  StoreWorld<SimWorld> t;
  const std::string value = "the last and only piece";
  for (std::uint64_t i = 0; i < Staging::kUploadsMax; ++i) REQUIRE(t.stage("k", {i, i}, value, 0).ok());
  CHECK(t.stage("k", {9999, 1}, value, 0).code() == ErrorCode::kOverloaded);
  CHECK(t.stage("k", {1, 1}, value, 0).ok());

  t.world.disk().fail_writes(ErrorCode::kNoSpace);
  CHECK(t.stage("k", {1, 1}, pattern(1, kLarge), 1).code() == ErrorCode::kNoSpace);
  CHECK(t.discard("k", {1, 1}).ok());
  CHECK(t.pieces() == Staging::kUploadsMax - 1);
}

TEST_CASE("pieces are bounded by where the last one stands") {
  Staging staging;
  const std::size_t uploads = Staging::kPiecesMax / model::kPiecesMax;
  const Staging::Piece last{model::kPiecesMax - 1, 1, 1};
  for (std::uint64_t i = 0; i < uploads; ++i) CHECK(staging.note({"k", {i, i}}, last, kUpload, TimePoint{}).ok());
  const Staging::Piece first{0, model::kPieceBytes, 1};
  CHECK(staging.note({"k", {77, 77}}, first, kUpload, TimePoint{}).code() == ErrorCode::kOverloaded);
  staging.end("k", {1, 1});
  CHECK(staging.note({"k", {77, 77}}, first, kUpload, TimePoint{}).ok());
}

TEST_CASE("a commit makes its pieces durable with it; a machine's crash before it may lose some") {
  store::SimOptions options;
  options.sync.always = true;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    StoreWorld<SimWorld> t{SimWorld(options, seed)};
    Random random(seed);
    const std::string value = pattern(1, kLarge);
    REQUIRE(t.stage_all("committed", kUpload, value).ok());
    REQUIRE(t.commit("committed", value_of(5, value), kUpload).ok());
    REQUIRE(t.stage_all("staged", kUpload, value).ok());
    const std::uint64_t sequence = t.world.engine().sequence();

    t.world.disk().crash(random);
    t.restart();
    t.sweep();

    CHECK(t.world.engine().sequence() >= sequence);
    CHECK(is(t.value("committed"), value));
    CHECK(t.value("staged") == "-");
    CHECK(t.pieces() == 4);
    CHECK(t.staged() == "");
  }
}

// Whatever the order of pieces, commits and discards of several uploads of a key, and whatever the disk refuses: a
// value that is read is one that was committed, whole, and in the end nothing is left but what the slots name.
TEST_CASE("uploads of one key beside each other never mix, and leave nothing behind") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    store::SimOptions slow;
    slow.latency_max = milliseconds(5);
    StoreWorld<SimWorld> t{SimWorld(slow, seed)};
    t.world.disk().set_error_rates(0, 20'000);
    Random random(seed);
    runtime::Gate gate(t.world.loop());
    int torn = 0;
    int committed = 0;

    auto upload = [&](std::uint64_t timestamp, std::string key) -> Task<> {
      const UploadId id{timestamp, timestamp};
      const std::string value = pattern(timestamp, 2 * model::kPieceBytes + timestamp);
      for (std::uint32_t i = 0; i < 3; ++i) {
        const Bytes piece = piece_of(value, i);
        const std::uint64_t checksum = model::piece_checksum(piece.view());
        const Status staged = co_await t.owned->stage(key, id, i, piece, checksum);
        const Duration pause = milliseconds(static_cast<std::int64_t>(random.below(20)));
        co_await t.world.loop().sleep(pause);
        const bool given_up = !staged.ok() || random.below(10) == 0;
        if (given_up) {
          const Status discarded = co_await t.owned->discard(key, id);
          co_return;
        }
      }
      const std::optional<UploadId> named = id;
      Record record = value_of(timestamp, value).without_value();
      auto accepted = co_await t.owned->accept(key, std::move(record), named);
      committed += accepted.ok() && accepted->written;
    };
    auto read = [&](std::string key) -> Task<> {
      const auto slot = co_await t.read_all(key);
      if (!slot.ok()) {
        torn += slot.code() == ErrorCode::kCorrupt;
      } else if (slot->record) {
        const std::uint64_t timestamp = slot->record->ballot.timestamp;
        torn += slot->record->value->view() != pattern(timestamp, slot->record->size);
      }
    };
    for (std::uint64_t i = 1; i <= 40; ++i) {
      const std::string key = "k" + std::to_string(random.below(3));
      t.world.loop().spawn(gate, upload(i, key));
      t.world.loop().spawn(gate, read(key));
      t.world.run([&]() -> Task<> { co_await t.world.loop().sleep(milliseconds(7)); });
    }
    t.world.run([&]() -> Task<> { co_await gate.drained(); });
    t.world.disk().set_error_rates(0, 0);
    t.world.run([&]() -> Task<> { co_await t.world.loop().sleep(Store::kStagedIdleMax + seconds(1)); });
    t.sweep();
    t.sweep();

    CHECK(torn == 0);
    CHECK(committed > 3);
    std::size_t rows = 0;
    for (const std::string key : {"k0", "k1", "k2"}) {
      const auto slot = t.read(key);
      REQUIRE(slot.ok());
      if (slot->record) rows += rows_of(slot->record->size);
    }
    CHECK(t.pieces() == rows);
    CHECK(t.staged() == "");
  }
}

}  // namespace tako::test
