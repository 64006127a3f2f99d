// What a node says of its rows when a peer lists them (src/node/serve/shard.cc), and what a pass does with it
// (src/node/repair/pass.h).
#include <doctest/doctest.h>

#include <algorithm>

#include "node/world.h"
#include "store/slot_codec.h"

namespace tako::test {
namespace {

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}};

std::string row_of(const std::string& key) { return store::slot_key(model::position_of(key), key); }

std::uint64_t begin_of(model::Partition partition) { return static_cast<std::uint64_t>(partition) << 48; }

wire::ListReply list(Machine& machine, std::uint64_t position, std::uint64_t position_last = ~0ull,
                     std::uint32_t entries_max = 1000, const std::string& key = "") {
  wire::List list;
  list.asker = "n2";
  list.position = position;
  list.key = key;
  list.position_last = position_last;
  list.entries_max = entries_max;
  return std::get<wire::ListReply>(machine.ask(std::move(list)).body);
}

void put_many(Machine& machine, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(machine.put("k" + std::to_string(i), "v", 10));
}

}  // namespace

// A pass over few partitions lists each by itself, so every one is the first of its listing.
TEST_CASE("a listing admits that its node does not vote, also in the first partition and in the only one") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (auto& machine : c.machines) put_many(*machine, 20);
  c[1].disk.rot(store::Family::kMeta, row_of("k3"));
  const model::Partition lost = model::partition_of("k3");
  std::uint64_t end = begin_of(lost) | 0xffff'ffff'ffffULL;
  bool alone = true;
  SUBCASE("the only one") {}
  SUBCASE("the first one") {
    end = ~0ull;
    alone = false;
  }

  const wire::ListReply page = list(c[1], begin_of(lost), end);

  REQUIRE(page.not_voting.size() == 1);
  CHECK(page.not_voting[0].first == lost);
  CHECK(page.not_voting[0].second == lost);
  if (alone) CHECK(page.entries.empty());
  const wire::ListReply before = list(c[2], begin_of(lost), end);
  CHECK(before.not_voting.empty());
}

TEST_CASE("a listing of many pages has every row that can be read once, and gets past those that cannot") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (auto& machine : c.machines) put_many(*machine, 20);
  c[1].disk.fail_writes(ErrorCode::kIo);  // so that the rows stay: they are erased after the vote's loss is durable
  for (const int i : {3, 7, 8}) c[1].disk.rot(store::Family::kMeta, row_of("k" + std::to_string(i)));
  std::vector<std::string> keys;
  wire::ListReply page;
  page.complete = false;
  std::size_t pages = 0;

  for (; !page.complete && pages < 60; ++pages) {
    page = list(c[1], page.next_position, ~0ull, 4, page.next_key);
    for (const auto& entry : page.entries) keys.push_back(entry.key);
  }

  CHECK(page.complete);
  CHECK(keys.size() == 17);
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
  for (const int i : {3, 7, 8}) CHECK_FALSE(std::binary_search(keys.begin(), keys.end(), "k" + std::to_string(i)));
}

TEST_CASE("a page has as many rows as were asked for, and never more than a node is willing to read at once") {
  constexpr int kMost = 4096;
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_many(c[1], kMost + 10);

  const wire::ListReply one = list(c[1], 0, ~0ull, 1);
  CHECK(one.entries.size() == 1);
  CHECK_FALSE(one.complete);
  const wire::ListReply most = list(c[1], 0, ~0ull, 10'000);
  CHECK(most.entries.size() == kMost);
  CHECK_FALSE(most.complete);
}

TEST_CASE("a pass ends when the node cannot list its own rows, counts as failed, and is tried again later") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_many(c[2], 5);
  c[1].disk.set_latency(milliseconds(10), milliseconds(10));
  c[1].disk.fail_reads(true);
  const std::uint64_t before = c[1].node->repairer().counters().passes_failed;
  (void)c[1].ask(wire::RepairQuery{wire::RepairQuery::Action::kRepair});

  REQUIRE(c.run_until([&] { return c[1].node->repairer().counters().passes_failed > before; }, seconds(30)));
  CHECK(c[1].votes());
  c[1].disk.fail_reads(false);
  c[1].disk.set_latency(Duration::zero(), Duration::zero());
  c.run_for(seconds(1));

  CHECK(c.run_until([&] { return c[1].get("k0") == "v" && c[1].get("k4") == "v"; }, seconds(60)));
}

TEST_CASE("who waits for one more voter hears of it when a peer has read what it had lost") {
  const Shape five{"d1", "", {{"d1", {1, 2, 3, 4, 5}}}, "1d"};
  auto world = std::make_unique<Cluster>(5, placement_of(1, five, 5));
  Cluster& c = *world;
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  for (auto& machine : c.machines) REQUIRE(machine->put("k", "v", 10));
  bool second_reads = false;
  c.let_pass = [&](const wire::Request& request, std::string_view to) {
    const auto* listing = std::get_if<wire::List>(&request.body);
    if (!listing) return true;
    if (listing->asker == "n2") return second_reads;
    return listing->asker != "n1" || to != "n5";
  };
  c[2].disk.rot(store::Family::kMeta, row_of("k"));
  CHECK(c[2].get("k") == name_of(ErrorCode::kCorrupt));
  c[1].kill();
  c[1].disk.wipe();
  c[1].boot();
  c.run_for(seconds(30));
  REQUIRE(c[1].votes("another key"));
  REQUIRE_FALSE(c[2].votes("k"));
  CHECK_FALSE(c[1].votes("k"));  // of the other four it has read two voters and n2, and needs three

  second_reads = true;

  CHECK(c.run_until([&] { return c[2].votes("k"); }, seconds(30)));
  CHECK(c.run_until([&] { return c[1].votes("k"); }, seconds(30)));
  CHECK(c[1].get("k") == "v");
}

}  // namespace tako::test
