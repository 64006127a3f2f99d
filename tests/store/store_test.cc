// The acceptor (src/store/store.h) over both engines.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "store/store_world.h"

namespace tako::test {
TEST_CASE_TEMPLATE("an older write never replaces a newer one", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  CHECK(t.value("k") == "-");

  auto accepted = t.accept("k", value_of(10, "ten"));
  REQUIRE(accepted.ok());
  CHECK(accepted->stored);
  CHECK(accepted->written);
  CHECK(accepted->ballot == Ballot{10, 1});
  CHECK(t.value("k") == "ten");

  accepted = t.accept("k", value_of(9, "nine"));
  REQUIRE(accepted.ok());
  CHECK_FALSE(accepted->stored);
  CHECK_FALSE(accepted->written);
  CHECK(accepted->ballot == Ballot{10, 1});
  CHECK(accepted->version == model::Version{10, 1});
  CHECK(t.value("k") == "ten");

  CHECK(t.accept("k", value_of(10, "ten, another writer", 2))->written);
  CHECK(t.accept("k", model::make_tombstone({11, 1}))->written);
  CHECK(t.value("k") == "x");
  CHECK_FALSE(t.accept("k", value_of(10, "ten again", 9))->stored);
  CHECK(t.value("k") == "x");
}

TEST_CASE_TEMPLATE("the same ballot again is stored and not written", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("k", value_of(10, "ten")).ok());
  const auto before = t.world.engine().stats().batches;

  const auto accepted = t.accept("k", value_of(10, "ten"));

  REQUIRE(accepted.ok());
  CHECK(accepted->stored);
  CHECK_FALSE(accepted->written);
  CHECK(t.world.engine().stats().batches == before);
}

TEST_CASE_TEMPLATE("ballots are compared, and versions told", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  Record finished = value_of(5, "five");
  finished.ballot = {20, 3};
  REQUIRE(t.accept("k", finished)->written);

  const auto refused = t.accept("k", value_of(10, "ten"));

  CHECK_FALSE(refused->stored);
  CHECK(refused->ballot == Ballot{20, 3});
  CHECK(refused->version == model::Version{5, 1});
}

TEST_CASE_TEMPLATE("nothing below a promise is stored, and the promise stays", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  StoredSlot promised;
  promised.slot.promise = {15, 2};
  t.plant("k", promised);

  const auto refused = t.accept("k", value_of(14, "low"));
  REQUIRE(refused.ok());
  CHECK_FALSE(refused->stored);
  CHECK(refused->ballot.none());
  CHECK(refused->promise == Ballot{15, 2});
  CHECK(t.value("k") == "-");

  CHECK(t.accept("k", value_of(15, "exactly", 2))->written);
  CHECK(t.value("k") == "exactly");
  CHECK(t.accept("k", value_of(16, "above"))->written);
  CHECK(t.read("k")->promise == Ballot{15, 2});
}

TEST_CASE_TEMPLATE("values of every size come back", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::size_t sizes[] = {
      0,      1,        Store::kInlineBytesMax, Store::kInlineBytesMax + 1, Store::kPieceBytes, Store::kPieceBytes + 1,
      kLarge, 5'000'000};
  std::uint64_t timestamp = 100;
  for (const std::size_t size : sizes) {
    CAPTURE(size);
    const std::string value = pattern(++timestamp, size);
    REQUIRE(t.accept("k", value_of(timestamp, value)).ok());
    const bool same = t.value("k") == value;
    CHECK(same);

    const auto head = t.read("k", false);
    CHECK_FALSE(head->record->value);
    CHECK(head->record->size == size);
    CHECK(head->record->checksum == model::checksum_of(value));
    CHECK(t.pieces() == rows_of(size));
  }
}

TEST_CASE_TEMPLATE("the pieces of a large value go with it", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("a", value_of(1, pattern(1, kLarge))).ok());
  REQUIRE(t.accept("b", value_of(1, pattern(2, kLarge))).ok());
  CHECK(t.pieces() == 8);

  REQUIRE(t.accept("a", value_of(2, pattern(3, 2 * Store::kPieceBytes)))->written);
  CHECK(t.pieces() == 6);
  REQUIRE(t.accept("a", value_of(3, "small"))->written);
  CHECK(t.pieces() == 4);
  const bool same = t.value("b") == pattern(2, kLarge);
  CHECK(same);
  REQUIRE(t.accept("b", model::make_tombstone({2, 1}))->written);
  CHECK(t.pieces() == 0);

  REQUIRE(t.accept("a", value_of(9, pattern(9, kLarge)))->written);
  CHECK(*t.drop("a", {9, 1}));
  CHECK(t.pieces() == 0);
}

TEST_CASE_TEMPLATE("a damaged value is never returned, and a copy mends it", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const std::string value = pattern(1, kLarge);
  std::string row_key;
  std::string damaged;
  SUBCASE("a piece that says something else") {
    REQUIRE(t.accept("k", value_of(1, value)).ok());
    row_key = t.piece_rows("k")[1];
    damaged = get(t.world, Family::kChunks, row_key);
    damaged[1000] ^= 1;
  }
  SUBCASE("a piece that is too short") {
    REQUIRE(t.accept("k", value_of(1, value)).ok());
    row_key = t.piece_rows("k")[1];
    damaged = "short";
  }
  REQUIRE(put(t.world, Family::kChunks, row_key, damaged).ok());

  CHECK(t.value("k") == name_of(ErrorCode::kCorrupt));
  CHECK(t.read("k", false)->record->size == kLarge);
  CHECK(t.accept("k", value_of(1, value))->written);
  const bool mended = t.value("k") == value;
  CHECK(mended);
  CHECK_FALSE(t.accept("k", value_of(1, value))->written);
  CHECK(t.pieces() == 4);
}

TEST_CASE_TEMPLATE("a lost piece and a damaged inline value are found and mended too", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("k", value_of(1, pattern(1, kLarge))).ok());
  Batch batch;
  batch.erase(Family::kChunks, t.piece_rows("k")[3]);
  REQUIRE(t.world.run([&]() -> Task<Status> { co_return co_await t.world.engine().write(batch); }).ok());
  CHECK(t.value("k") == name_of(ErrorCode::kCorrupt));
  CHECK(t.accept("k", value_of(1, pattern(1, kLarge)))->written);

  StoredSlot stored;
  stored.slot.record = value_of(5, "right");
  stored.slot.record->value = Bytes(std::string("wrong"));
  t.plant("small", stored);
  CHECK(t.value("small") == name_of(ErrorCode::kCorrupt));
  CHECK(t.accept("small", value_of(5, "right"))->written);
  CHECK(t.value("small") == "right");
}

TEST_CASE_TEMPLATE("a record that contradicts itself is refused", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  Record wrong_sum = value_of(1, "value");
  wrong_sum.checksum ^= 1;
  CHECK(t.accept("k", wrong_sum).code() == ErrorCode::kInvalid);
  CHECK(t.accept("k", value_of(1, "value").without_value()).code() == ErrorCode::kInvalid);
  CHECK(t.accept("k", value_of(0, "value", 0)).code() == ErrorCode::kInvalid);
  CHECK(t.accept(std::string(1025, 'k'), value_of(1, "value")).code() == ErrorCode::kInvalid);
  CHECK(t.value("k") == "-");
}

TEST_CASE_TEMPLATE("a slot that does not decode is an error, and is left out of lists", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("good", value_of(1, "value")).ok());
  REQUIRE(put(t.world, Family::kMeta, store::slot_key(model::position_of("bad"), "bad"), "nonsense").ok());

  CHECK(t.value("bad") == name_of(ErrorCode::kCorrupt));
  CHECK(t.accept("bad", value_of(1, "x")).code() == ErrorCode::kCorrupt);
  const auto listing = t.list(0, "", ~0ull, 100);
  REQUIRE(listing.ok());
  REQUIRE(listing->entries.size() == 1);
  CHECK(listing->entries[0].key == "good");
}

TEST_CASE_TEMPLATE("drop removes exactly the copy that was named, and no promise", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("k", value_of(10, "ten")).ok());

  CHECK_FALSE(*t.drop("k", {9, 1}));
  CHECK_FALSE(*t.drop("other", {10, 1}));
  CHECK(t.value("k") == "ten");
  CHECK(*t.drop("k", {10, 1}));
  CHECK(t.value("k") == "-");
  CHECK(keys(t.world, Family::kMeta) == "");
  CHECK_FALSE(*t.drop("k", {10, 1}));

  StoredSlot promised;
  promised.slot.promise = {15, 2};
  promised.slot.record = value_of(10, "ten");
  t.plant("k", promised);
  CHECK(*t.drop("k", {10, 1}));
  CHECK(t.value("k") == "-");
  CHECK(t.read("k")->promise == Ballot{15, 2});
  CHECK_FALSE(t.accept("k", value_of(14, "low"))->stored);
}

TEST_CASE_TEMPLATE("a list gives every key once, in ring order, page by page", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  std::map<std::pair<std::uint64_t, std::string>, Ballot> expected;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    const std::string key = "key" + std::to_string(i);
    const Record record = i % 3 == 0 ? model::make_tombstone({i, 1}) : value_of(i, pattern(i, 100));
    REQUIRE(t.accept(key, record).ok());
    expected[{model::position_of(key), key}] = {i, 1};
  }
  const std::uint64_t middle = 1ull << 63;
  const auto list_all = [&](std::uint64_t from, std::uint64_t last, std::size_t entries_max) {
    std::vector<Listing::Entry> all;
    std::uint64_t position = from;
    std::string key;
    for (int page = 0; page < 1000; ++page) {
      auto listing = t.list(position, key, last, entries_max);
      REQUIRE(listing.ok());
      CHECK(listing->entries.size() <= entries_max);
      all.insert(all.end(), listing->entries.begin(), listing->entries.end());
      if (listing->complete) return all;
      position = listing->next_position;
      key = listing->next_key;
    }
    FAIL("the list does not end");
    return all;
  };

  for (const std::size_t entries_max : {1, 7, 300, 1000}) {
    CAPTURE(entries_max);
    const auto all = list_all(0, ~0ull, entries_max);
    REQUIRE(all.size() == expected.size());
    auto it = expected.begin();
    for (const auto& entry : all) {
      CHECK(entry.position == it->first.first);
      CHECK(entry.key == it->first.second);
      CHECK(entry.ballot == it->second);
      CHECK((entry.ends != model::kNeverEnds) == (it->second.timestamp % 3 == 0));
      ++it;
    }
  }
  CHECK(list_all(0, middle - 1, 50).size() + list_all(middle, ~0ull, 50).size() == expected.size());
  const std::uint64_t some = expected.begin()->first.first;
  CHECK(list_all(some, some, 10).size() == 1);
}

// Against a model: whatever the order and overlap of accepts and drops, a key holds the highest ballot that was
// accepted since its last drop, with its own value, and every answer says so.
TEST_CASE_TEMPLATE("under random concurrent accepts the newest wins, whole", World, SimWorld, RocksWorld) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    StoreWorld<World> t;
    Random random(seed);
    runtime::Gate gate(t.world.loop());
    std::map<std::string, Ballot> highest;
    int wrong = 0;

    auto write = [&](std::string key, Record record) -> Task<> {
      const Ballot ballot = record.ballot;
      const auto accepted = co_await t.write(key, std::move(record));
      if (!accepted.ok() || accepted->ballot < ballot) ++wrong;
      if (accepted.ok() && accepted->stored != (accepted->ballot == ballot)) ++wrong;
    };
    auto read = [&](std::string key) -> Task<> {
      const auto slot = co_await t.read_all(key);
      if (!slot.ok()) {
        ++wrong;
      } else if (slot->record && !slot->record->tombstone()) {
        const std::uint64_t timestamp = slot->record->ballot.timestamp;
        if (slot->record->value->view() != pattern(timestamp, slot->record->size)) ++wrong;
      }
    };
    const auto record_of = [](std::uint64_t timestamp) {
      if (timestamp % 7 == 0) return model::make_tombstone({timestamp, 1});
      const std::size_t size = timestamp % 4 == 0 ? Store::kPieceBytes + timestamp : timestamp % 4 * 3000;
      return value_of(timestamp, pattern(timestamp, size));
    };
    // As a node that takes over what another one has: some of it new here, and some while others write it.
    auto take_over = [&](std::vector<store::Copy> copies) -> Task<> {
      std::vector<store::Copy> again = copies;
      const auto outcomes = co_await t.owned->accept_new(copies);
      for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (!outcomes[i]) t.world.loop().spawn(gate, write(again[i].key, std::move(again[i].record)));
        if (outcomes[i] && !(outcomes[i]->ok() && (*outcomes[i])->stored)) ++wrong;
      }
    };
    for (int i = 0; i < 400; ++i) {
      std::vector<store::Copy> copies;
      for (std::uint64_t n = random.below(8); i % 10 == 0 && n > 0; --n) {
        const std::uint64_t timestamp = random.between(1, 1000);
        const std::string key = "k" + std::to_string(random.below(5 + 10 * static_cast<std::uint64_t>(i)));
        Record record = record_of(timestamp);
        if (record.in_pieces()) continue;
        highest[key] = std::max(highest[key], record.ballot);
        copies.push_back({key, std::move(record)});
      }
      if (!copies.empty()) t.world.loop().spawn(gate, take_over(std::move(copies)));
      const std::string key = "k" + std::to_string(random.below(5));
      const std::uint64_t timestamp = random.between(1, 1000);
      Record record = record_of(timestamp);
      highest[key] = std::max(highest[key], record.ballot);
      t.world.loop().spawn(gate, write(key, std::move(record)));
      t.world.loop().spawn(gate, read("k" + std::to_string(random.below(5))));
      if (i % 50 == 0) t.world.run([&]() -> Task<> { co_await t.world.loop().sleep(Duration::zero()); });
    }
    t.world.run([&]() -> Task<> { co_await gate.drained(); });

    CHECK(wrong == 0);
    std::size_t pieces = 0;
    for (const auto& [key, ballot] : highest) {
      const auto slot = t.read(key);
      REQUIRE(slot.ok());
      CHECK(slot->ballot() == ballot);
      pieces += rows_of(slot->record->size);
    }
    CHECK(t.pieces() == pieces);
  }
}

TEST_CASE_TEMPLATE("a blind write that an older version replaces is handed out, with its value", World, SimWorld,
                   RocksWorld) {
  StoreWorld<World> t;
  std::vector<Record> overtaken;
  Store::Findings findings;
  findings.overtaken = [&](const std::string&, Record record) { overtaken.push_back(std::move(record)); };
  t.owned->report_to(std::move(findings));
  const std::string value = pattern(7, 20'000);  // in a row of its own
  Record older = value_of(5, "older");
  older.ballot = {9, 1};

  SUBCASE("a blind one") {
    REQUIRE(t.accept("k", value_of(7, value)).ok());
    REQUIRE(t.accept("k", older).ok());
    REQUIRE(overtaken.size() == 1);
    CHECK(overtaken[0].version == model::Version{7, 1});
    CHECK(overtaken[0].value->view() == value);
  }
  SUBCASE("not a conditional one: its condition does not hold any more") {
    Record conditional = value_of(7, value);
    conditional.base = conditional.root = {3, 1};
    REQUIRE(t.accept("k", conditional).ok());
    REQUIRE(t.accept("k", older).ok());
    CHECK(overtaken.empty());
  }
  SUBCASE("nor what a newer version replaces") {
    REQUIRE(t.accept("k", value_of(4, value)).ok());
    REQUIRE(t.accept("k", older).ok());
    CHECK(overtaken.empty());
  }
}

TEST_CASE_TEMPLATE("a promise is kept over a restart, and refuses what is below it", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  const auto promise = [&](Ballot ballot) {
    return t.world.run(
        [&]() -> Task<Result<store::Promised>> { co_return co_await t.owned->promise("k", ballot, true); });
  };
  REQUIRE(t.accept("k", value_of(5, "five")).ok());
  CHECK_FALSE(promise({5, 1})->given);
  const auto given = promise({8, 1});
  REQUIRE(given.ok());
  CHECK(given->given);
  CHECK(given->slot.record->value->view() == "five");
  CHECK_FALSE(promise({7, 1})->given);
  t.restart();
  CHECK_FALSE(t.accept("k", value_of(7, "seven"))->stored);
  CHECK_FALSE(promise({8, 1})->given);
  CHECK(t.accept("k", value_of(8, "eight"))->stored);
}

TEST_CASE("accepts wait for their turn, and end when the loop stops") {
  store::SimOptions slow;
  slow.latency_max = seconds(1);
  SimWorld world(slow);
  Store store(world.loop(), world.engine());
  runtime::Gate gate(world.loop());
  int stopped = 0;
  int stored = 0;
  auto write = [&](std::uint64_t timestamp) -> Task<> {
    const auto accepted = co_await store.accept("k", value_of(timestamp, "x"));
    if (accepted.ok()) ++stored;
    if (!accepted.ok() && accepted.code() == ErrorCode::kStopping) ++stopped;
  };
  for (std::uint64_t i = 1; i <= 10; ++i) world.loop().spawn(gate, write(i));
  world.run([&]() -> Task<> { co_await world.loop().sleep(milliseconds(1)); });

  world.loop().stop();
  world.run([&]() -> Task<> { co_await gate.drained(); });

  CHECK(stored + stopped == 10);
  CHECK(stopped > 0);
  CHECK(stored > 0);
}

TEST_CASE("a write that the disk refuses changes nothing, and a delete passes a full disk") {
  StoreWorld<SimWorld> t;
  REQUIRE(t.accept("k", value_of(1, "one")).ok());

  t.world.disk().fail_writes(ErrorCode::kNoSpace);
  CHECK(t.accept("k", value_of(2, "two")).code() == ErrorCode::kNoSpace);
  CHECK(t.value("k") == "one");
  CHECK(t.accept("k", model::make_tombstone({3, 1}))->written);
  CHECK(t.value("k") == "x");
  t.world.disk().heal_writes();
  CHECK(t.accept("k", value_of(4, "four"))->written);
  CHECK(t.value("k") == "four");
}

}  // namespace tako::test
