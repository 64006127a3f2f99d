// Copies taken over many at a time (src/store/store_copies.cc): what is new, and nothing else.
#include <doctest/doctest.h>

#include <map>

#include "store/store_world.h"

namespace tako::test {
namespace {

using Outcomes = std::vector<std::optional<Result<Accepted>>>;

template <class World>
Outcomes take_over(StoreWorld<World>& t, std::vector<store::Copy> copies) {
  return t.world.run([&]() -> Task<Outcomes> { co_return co_await t.owned->accept_new(copies); });
}

}  // namespace

TEST_CASE_TEMPLATE("copies of new keys are stored, and all others are left alone", World, SimWorld, RocksWorld) {
  StoreWorld<World> t;
  REQUIRE(t.accept("older", value_of(10, "stored")).ok());
  REQUIRE(t.accept("newer", value_of(30, "stored")).ok());
  REQUIRE(t.accept("deleted", model::make_tombstone({30, 1})).ok());
  StoredSlot promised;
  promised.slot.promise = {50, 2};
  t.plant("promised", promised);
  Record lie = value_of(20, "a lie");
  lie.checksum ^= 1;
  Record elsewhere = value_of(20, pattern(20, 1000));
  elsewhere.value.reset();
  std::vector<store::Copy> copies = {{"older", value_of(20, "copy")}, {"newer", value_of(20, "copy")},
                                     {"deleted", value_of(20, "copy")}, {"promised", value_of(20, "copy")},
                                     {"lie", lie}, {"elsewhere", elsewhere}};
  const std::size_t left = copies.size();
  for (int i = 0; i < 1000; ++i) {
    Record record = i % 10 == 0 ? model::make_tombstone({20, 1}) : value_of(20, pattern(20, i % 7 * 4000));
    copies.push_back({"new" + std::to_string(i), std::move(record)});
  }

  const Outcomes outcomes = take_over(t, copies);

  REQUIRE(outcomes.size() == copies.size());
  for (std::size_t i = 0; i < left; ++i) CHECK_FALSE(outcomes[i].has_value());
  CHECK(t.value("older") == "stored");
  CHECK(t.value("newer") == "stored");
  CHECK(t.value("deleted") == "x");
  std::size_t taken = 0;
  for (std::size_t i = left; i < copies.size(); ++i) {
    const Slot slot = *t.read(copies[i].key);
    CHECK(slot.record.has_value() == outcomes[i].has_value());
    if (!outcomes[i]) continue;
    ++taken;
    REQUIRE(outcomes[i]->ok());
    CHECK((*outcomes[i])->written);
    CHECK((*outcomes[i])->version == copies[i].record.version);
    CHECK(slot.record->value == copies[i].record.value);
  }
  CHECK(taken > 300);  // half of them is known without a wait in the simulated world
  if (std::is_same_v<World, RocksWorld>) CHECK(taken == 1000);
}

TEST_CASE("what copies bring is known to the digests at once, and need not be counted") {
  StoreWorld<RocksWorld> t;
  t.world.run([&]() -> Task<> { co_await t.owned->count_unknown(); });
  REQUIRE(t.owned->digests().unknown().none());
  std::vector<store::Copy> copies;
  for (int i = 0; i < 100; ++i) copies.push_back({"k" + std::to_string(i), value_of(10, "v")});

  const Outcomes outcomes = take_over(t, copies);

  for (const auto& outcome : outcomes) REQUIRE(outcome.has_value());
  CHECK(t.owned->digests().unknown().none());
  CHECK(t.owned->digests().all().values == 100);
}

TEST_CASE("of two copies of one key the second is left") {
  StoreWorld<RocksWorld> t;
  const Outcomes outcomes = take_over(t, {{"k", value_of(10, "ten")}, {"k", value_of(20, "twenty")}});
  CHECK(outcomes[0].has_value());
  CHECK_FALSE(outcomes[1].has_value());
  CHECK(t.value("k") == "ten");
}

TEST_CASE("copies that the disk refuses are told so, and are not there") {
  StoreWorld<SimWorld> t;
  t.world.disk().fail_writes(ErrorCode::kNoSpace);
  std::vector<store::Copy> copies;
  for (int i = 0; i < 100; ++i) copies.push_back({"k" + std::to_string(i), value_of(10, "v")});
  const Outcomes outcomes = take_over(t, copies);
  std::size_t refused = 0;
  for (const auto& outcome : outcomes) {
    if (!outcome) continue;
    ++refused;
    CHECK(outcome->code() == ErrorCode::kNoSpace);
  }
  CHECK(refused > 20);
  t.world.disk().heal_writes();
  for (const store::Copy& copy : copies) CHECK(t.value(copy.key) == "-");
}

}  // namespace tako::test
