// Unreadable rows and damaged values (src/node/integrity/mender.h).
#include <doctest/doctest.h>

#include "node/world.h"
#include "store/slot_codec.h"

namespace tako::test {
namespace {

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}};
const std::string kValue(store::Store::kInlineBytesMax * 3, 'x');  // in pieces on the disk

std::string row_of(const std::string& key) { return store::slot_key(model::position_of(key), key); }

std::size_t kept(Machine& machine) { return machine.disk.rows(store::Family::kMeta).size(); }

std::uint64_t incarnation(Machine& machine) { return machine.node->standing().incarnation(); }

void put_everywhere(Cluster& c, const std::string& key, const std::string& value, std::uint64_t timestamp) {
  for (auto& machine : c.machines) REQUIRE(machine->put(key, value, timestamp));
}

// What the node holds in the key's partition, by the digests of all its loops.
store::Digests::Totals held(Machine& machine, const std::string& key) {
  store::Digests::Totals all;
  for (std::size_t i = 0; i < machine.node->shards().size(); ++i) {
    const store::Digests& digests = machine.node->digests(i);
    const model::Partition partition = model::partition_of(key);
    if (!digests.ours(partition)) continue;
    REQUIRE(digests.known(partition));
    all = digests.of(partition);
  }
  return all;
}

}  // namespace

// Each of the two is the first to be asked in one of the cases.
TEST_CASE("a damaged value comes back from the one replica that has it, whichever that is, and no vote is lost") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", "older", 10));
  std::size_t other = 2;
  SUBCASE("the second") {}
  SUBCASE("the third") { other = 3; }
  REQUIRE(c[1].put("k", kValue, 20));
  REQUIRE(c[other].put("k", kValue, 20));
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  const std::uint64_t before = c[1].node->standing().incarnation();

  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(c.run_until([&] { return c[1].get("k") == kValue; }, seconds(30)));

  CHECK(c[1].node->mender().counters().values_mended == 1);
  CHECK(c[1].node->mender().counters().values_lost == 0);
  CHECK(c[1].node->standing().incarnation() == before);
  CHECK(c[1].votes());
}

TEST_CASE("where there is one other owner, a damaged value comes back from that one") {
  const auto world = voting_cluster(2, Shape{"d1", "", {{"d1", {1, 2}}}});
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", kValue, 20));
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());

  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(c.run_until([&] { return c[1].get("k") == kValue; }, seconds(30)));

  CHECK(c[1].node->mender().counters().values_mended == 1);
  CHECK(c[1].node->mender().counters().values_lost == 0);
}

TEST_CASE("a damaged value that nobody else has is gone from the digests too, so that replicas come to agree") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (auto& machine : c.machines) REQUIRE(machine->put("k", "older", 10));
  REQUIRE(c[1].put("k", kValue, 20));  // nobody was told of two
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());

  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  REQUIRE(c.run_until([&] { return c[1].get("k") == "older" && c.all_vote(); }, seconds(60)));

  CHECK(c[1].node->mender().counters().values_lost == 1);
  CHECK(held(c[1], "k").records() == 1);
  CHECK(held(c[1], "k") == held(c[2], "k"));
  CHECK(held(c[1], "k") == held(c[3], "k"));
}

TEST_CASE("an unreadable row is forgotten with the partition's vote, and comes back from the others") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_everywhere(c, "k", "v", 10);
  put_everywhere(c, "other", "w", 10);
  REQUIRE(model::partition_of("k") != model::partition_of("other"));
  const std::uint64_t before = incarnation(c[1]);
  SUBCASE("rotten") { c[1].disk.rot(store::Family::kMeta, row_of("k")); }
  SUBCASE("readable, but no slot") {
    store::Batch batch;
    batch.put(store::Family::kMeta, row_of("k"), "junk");
    runtime::Gate open(c[1].loop());
    auto write = [](Machine* machine, store::Batch* what) -> Task<> {
      const Status written = co_await machine->node->engine().write(std::move(*what));
      CHECK(written.ok());
    };
    c[1].loop().spawn(open, write(&c[1], &batch));
    c.settle();
  }
  c[2].cut_off = c[3].cut_off = true;
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  CHECK_FALSE(c[1].votes("k"));
  CHECK(c[1].votes("other"));
  CHECK(c[1].get("k") == "?");  // erased by now
  c[2].cut_off = c[3].cut_off = false;
  CHECK(c.run_until([&] { return c.all_vote(); }, seconds(10)));
  CHECK(c[1].get("k") == "v");
  CHECK(c[1].get("other") == "w");
  CHECK(incarnation(c[1]) == before + 1);
  CHECK(c[1].node->mender().counters().rows_forgotten == 1);
  // Older votes of it are to be dropped.
  wire::Read read;
  read.key = "k";
  const auto reply = std::get<wire::ReadReply>(c[2].ask(std::move(read)).body);
  bool named = false;
  for (const auto& renewed : reply.voter.renewed) named |= renewed.node == "n1" && renewed.incarnation == before + 1;
  CHECK(named);
}

TEST_CASE("an unreadable row is found by the listing of background repair, and never listed as read by a voter") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (int i = 0; i < 20; ++i) put_everywhere(c, "k" + std::to_string(i), "v", 10);
  for (const int i : {3, 7, 8}) c[1].disk.rot(store::Family::kMeta, row_of("k" + std::to_string(i)));
  wire::List list;
  list.asker = "n2";
  const auto page = std::get<wire::ListReply>(c[1].ask(std::move(list)).body);
  const model::Partition missed = model::partition_of_position(page.next_position);
  CHECK_FALSE(page.complete);
  CHECK(page.entries.size() < 20);
  bool admitted = false;
  for (const auto& [first, last] : page.not_voting) admitted |= first <= missed && missed <= last;
  CHECK(admitted);
  c.run_for(seconds(60));
  CHECK(c.all_vote());
  CHECK(c[1].node->mender().counters().rows_forgotten == 3);
  for (const int i : {3, 7, 8}) CHECK(c[1].get("k" + std::to_string(i)) == "v");
}

TEST_CASE("an unreadable row is not erased before the loss of the vote is durable") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_everywhere(c, "k", "v", 10);
  c[1].disk.rot(store::Family::kMeta, row_of("k"));
  c[1].disk.fail_writes(ErrorCode::kIo);
  const std::uint64_t before = incarnation(c[1]);
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  c.run_for(seconds(20));
  CHECK_FALSE(c[1].votes("k"));
  CHECK(kept(c[1]) == 1);
  c[1].disk.heal_writes();
  CHECK(c.run_until([&] { return c.all_vote(); }, seconds(20)));
  CHECK(c[1].get("k") == "v");
  CHECK(incarnation(c[1]) == before + 1);
}

TEST_CASE("where nobody else has the partition an unreadable row stays an error, and other keys are answered") {
  const auto world = voting_cluster(1, Shape{"d1", "", {{"d1", {1}}}});
  Cluster& c = *world;
  REQUIRE(c[1].put("k", "v", 10));
  c[1].disk.rot(store::Family::kMeta, row_of("k"));
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  c.run_for(seconds(60));
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  CHECK(kept(c[1]) == 1);
  CHECK(c[1].get("nothing") == "-");
}

TEST_CASE("a damaged value is fetched again from a peer soon after it was found") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string large(store::Store::kInlineBytesMax * 3, 'x');
  put_everywhere(c, "k", large, 10);
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  c[2].cut_off = c[3].cut_off = true;
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  CHECK(c[1].votes("k"));  // its version is known
  c.run_for(seconds(20));
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  c[3].cut_off = false;
  c.run_for(seconds(40));
  CHECK(c[1].get("k") == large);
  CHECK(c[1].node->mender().counters().values_mended == 1);
}

TEST_CASE("a damaged value that no other replica has is forgotten, and what the others have takes its place") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_everywhere(c, "k", "older", 10);
  REQUIRE(c[1].put("k", std::string(store::Store::kInlineBytesMax * 3, 'x'), 20));  // nobody was told of two
  REQUIRE(c[1].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  const std::uint64_t before = incarnation(c[1]);
  c[3].cut_off = true;
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));
  c.run_for(seconds(20));
  CHECK(c[1].get("k") == name_of(ErrorCode::kCorrupt));  // the one that is away may have it
  c[3].cut_off = false;
  c.run_for(seconds(40));
  CHECK(c[1].get("k") == "older");
  CHECK(c[1].votes("k"));
  CHECK(incarnation(c[1]) == before + 1);
  CHECK(c[1].node->mender().counters().values_lost == 1);
}

}  // namespace tako::test
