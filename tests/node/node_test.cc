// Nodes that have forgotten something, and how they become voters again (src/node/membership/standing.h,
// src/node/integrity/mender.h).
#include <doctest/doctest.h>

#include "node/world.h"

namespace tako::test {
namespace {

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}};

std::size_t kept(Machine& machine) { return machine.disk.rows(store::Family::kMeta).size(); }

std::uint64_t incarnation(Machine& machine) { return machine.node->standing().incarnation(); }

void put_everywhere(Cluster& c, const std::string& key, const std::string& value, std::uint64_t timestamp) {
  for (auto& machine : c.machines) REQUIRE(machine->put(key, value, timestamp));
}

// A request that takes its time: by the configuration in force when it was begun.
class Slow {
 public:
  Slow(Machine& machine, decltype(wire::Request::body) body) : open_(machine.loop()) {
    wire::Request request;
    request.config = wire::stamp_of(*machine.cluster.placement);
    request.body = std::move(body);
    auto asking = [](Machine* of, wire::Request question, std::optional<wire::Reply>* answer) -> Task<> {
      const net::Shards shards = of->node->shards();
      *answer = co_await shards.dispatch(of->loop(), std::move(question), TimePoint::max());
    };
    machine.loop().spawn(open_, asking(&machine, std::move(request), &reply));
    machine.cluster.settle();
  }
  std::string outcome() const {
    if (!reply) return "none yet";
    const auto* error = std::get_if<Error>(&reply->body);
    return error ? name_of(error->code) : "done";
  }

  std::optional<wire::Reply> reply;

 private:
  runtime::Gate open_;
};

}  // namespace

// --- a disk that went back in time ------------------------------------------------------------------------------

TEST_CASE("a restored snapshot is noticed at the first contact, and the node catches up like a wiped one") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_everywhere(c, "k", "old", 10);
  auto snapshot = c[1].disk.snapshot();
  bool write = false;
  SUBCASE("of this start, before writes that it announced") { write = true; }
  SUBCASE("of the start before") {
    c[1].kill();
    c[1].boot();
    write = true;
  }
  SUBCASE("of the start before, and nothing was written since") {
    c[1].kill();
    c[1].boot();
  }
  c[3].cut_off = true;
  if (write) {
    REQUIRE(c[1].put("k", "new", 20));
    REQUIRE(c[2].put("k", "new", 20));
  }
  c.run_for(seconds(3));
  const std::uint64_t before = incarnation(c[1]);
  c[1].kill();
  c[1].disk.restore(snapshot);
  c[3].cut_off = false;
  c[2].cut_off = true;
  c[3].kill();  // whom n1 did not meet in between
  c[1].boot();
  c.run_for(seconds(5));
  CHECK_FALSE(c[1].votes("k"));  // nobody has told it that all is well
  c[2].cut_off = false;
  CHECK(c.run_until([&] { return incarnation(c[1]) > before; }, seconds(5)));
  CHECK_FALSE(c[1].votes("k"));
  CHECK(c[1].node->repairer().counters().rollbacks == 1);
  c.run_for(seconds(3));
  CHECK(c[1].get("k") == (write ? "new" : "old"));
  CHECK_FALSE(c[1].votes("k"));  // two of three have to be read
  c[3].boot();
  CHECK(c.run_until([&] { return c.all_vote(); }, seconds(15)));
  CHECK(c[1].node->repairer().counters().rollbacks == 1);
}

TEST_CASE("restarts and crashes that lose nothing alarm nobody") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  for (int round = 0; round < 5; ++round) {
    put_everywhere(c, "k", "v", 10 + static_cast<std::uint64_t>(round));
    Machine& machine = c[1 + static_cast<std::size_t>(round) % 3];
    const std::uint64_t before = incarnation(machine);
    c.run_for(seconds(2));
    if (round % 2 == 0) {
      machine.kill();
    } else {
      machine.crash();  // sync is `always` here
    }
    machine.boot();
    CHECK(c.run_until([&] { return c.all_vote(); }, seconds(3)));
    CHECK(incarnation(machine) == before);
    CHECK(machine.node->repairer().counters().rollbacks == 0);
  }
}

TEST_CASE("a machine that crashed with sync at an interval knows it itself, and is not told again") {
  auto world = std::make_unique<Cluster>(3, placement_of(1, kThree));
  Cluster& c = *world;
  c[1].kill();
  c[1].sync_always = false;
  c[1].boot();
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  put_everywhere(c, "k", "v", 10);
  const std::uint64_t before = incarnation(c[1]);
  c[1].crash();
  c[1].boot();
  CHECK(incarnation(c[1]) > before);
  CHECK_FALSE(c[1].node->standing().votes(model::partition_of("k")));
  CHECK(c.run_until([&] { return c.all_vote(); }, seconds(15)));
  CHECK(c[1].get("k") == "v");
  CHECK(c[1].node->repairer().counters().rollbacks == 0);
}

TEST_CASE("after a start a node votes when it has met as many as make a majority with it") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  c[1].kill();
  c[2].cut_off = c[3].cut_off = true;
  c[1].boot();
  c.run_for(seconds(10));
  CHECK(c[1].get("nothing") == "?");
  c[3].cut_off = false;
  c.run_for(seconds(3));
  CHECK(c[1].get("nothing") == "-");
  // Alone it goes on as it is.
  c[3].cut_off = true;
  c.run_for(seconds(10));
  CHECK(c[1].get("nothing") == "-");
}

TEST_CASE("a source that was no voter when it was read is read again as soon as it is one") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_everywhere(c, "k", "v", 10);
  for (const std::size_t i : {1u, 2u, 3u}) c[i].kill();
  c[1].disk.wipe();
  c[1].boot();
  c[2].cut_off = true;
  c[2].boot();  // in doubt about itself
  c.run_for(seconds(3));
  c[2].cut_off = false;
  c.run_for(seconds(3));
  CHECK_FALSE(c[1].votes());
  c[3].boot();
  CHECK(c.run_until([&] { return c.all_vote(); }, seconds(10)));
  CHECK(c[1].get("k") == "v");
}

TEST_CASE("where a promise that was taken over refuses what another source has, the key is settled before the vote") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const wire::Reply reply = c[2].ask(wire::Prepare{"k", {50, 1}, false});
  REQUIRE(std::get<wire::PromiseReply>(reply.body).promised);
  REQUIRE(c[3].put("k", "v", 10));
  c[1].kill();
  c[1].disk.wipe();
  c[1].boot();
  c.run_for(seconds(20));
  CHECK_FALSE(c[1].votes("k"));
  CHECK(c[1].votes("another key"));
  put_everywhere(c, "k", "settled", 60);
  CHECK(c.run_until([&] { return c.all_vote(); }, seconds(30)));
  CHECK(c[1].get("k") == "settled");
}

// --- what a node without vote says -----------------------------------------------------------------------------

namespace {

// What the replica says of itself beside a read of "k".
wire::Voter voter_of(Machine& machine) {
  wire::Read read;
  read.key = "k";
  return std::get<wire::ReadReply>(machine.ask(std::move(read)).body).voter;
}

std::uint64_t named(const std::vector<wire::Incarnation>& lives, const std::string& node) {
  for (const auto& life : lives) {
    if (life.node == node) return life.incarnation;
  }
  return 0;
}

}  // namespace

TEST_CASE("a node without vote names those that it has met since it forgot, and as they were then") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  put_everywhere(c, "k", "v", 10);
  CHECK(voter_of(c[2]).met.empty());
  c[1].kill();
  c[1].disk.wipe();
  c[3].cut_off = true;
  c[1].boot();
  c[1].adopt(c.placement);
  c.settle();
  c.run_for(seconds(3));
  wire::Voter wiped = voter_of(c[1]);
  CHECK_FALSE(wiped.votes);
  CHECK(named(wiped.met, "n2") == incarnation(c[2]));
  CHECK(named(wiped.met, "n3") == 0);
  c[3].cut_off = false;
  REQUIRE(c.run_until([&] { return c.all_vote(); }, seconds(10)));
  CHECK(voter_of(c[1]).met.empty());
}

TEST_CASE("a node takes over from its sources in which incarnations the others are, for a start after that too") {
  const Shape four{"d1", "", {{"d1", {1, 2, 3, 4}}}};
  Cluster c(4, placement_of(1, four, 4));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  const std::uint64_t before = incarnation(c[1]);
  // n1 forgets, and tells n2 and n3 alone.
  c[1].kill();
  c[1].disk.wipe();
  c[4].cut_off = true;
  c[1].boot();
  c[1].adopt(c.placement);
  REQUIRE(c.run_until([&] { return c[1].votes(); }, seconds(10)));
  const std::uint64_t after = incarnation(c[1]);
  REQUIRE(after > before);
  CHECK(named(voter_of(c[3]).renewed, "n1") == after);
  // n4 hears of it from these, and never from n1.
  c[1].kill();
  c[4].cut_off = false;
  c.run_for(seconds(3));
  CHECK(named(voter_of(c[4]).renewed, "n1") == after);
  c[2].cut_off = c[3].cut_off = true;
  c[4].kill();
  c[4].boot();
  c[4].adopt(c.placement);
  c.settle();
  CHECK(named(voter_of(c[4]).renewed, "n1") == after);
}

// --- configurations ---------------------------------------------------------------------------------------------

TEST_CASE("a node that left the owners and comes back as a target votes there alone, until it has read them") {
  Shape shape{"d1", "", {{"d1", {1, 2, 3}}, {"d2", {2, 3, 4}}}};
  const auto world = voting_cluster(4, shape);
  Cluster& c = *world;
  for (const std::size_t i : {1u, 2u, 3u}) REQUIRE(c[i].put("k", "v", 10));
  shape.target = "d2";
  c[4].cut_off = true;
  c.adopt(placement_of(2, shape));
  CHECK_FALSE(c[4].votes("k"));
  c[4].cut_off = false;
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  CHECK(c[4].get("k") == "v");
  shape.active = "d2";
  shape.target = "";
  c.adopt(placement_of(3, shape));
  CHECK(c.all_vote());  // arrived, and promoted
  CHECK_FALSE(c[1].votes("k"));
  c.run_for(seconds(60));
  CHECK(kept(c[1]) == 0);  // handed off

  shape.target = "d1";
  c[1].cut_off = true;
  c.adopt(placement_of(4, shape));
  c.run_for(seconds(5));
  CHECK(c[1].get("k") == "~");  // a vote in the target, and no knowledge
  const auto its_own = c.placement;
  c.placement = placement_of(5, shape);
  CHECK(c[1].get("k") == "?");  // those who know more may go by other majorities
  c.placement = its_own;
  c[1].cut_off = false;
  CHECK(c.run_until([&] { return c[1].votes("k"); }));
  CHECK(c[1].get("k") == "v");
}

TEST_CASE("a target owner reads nobody who does not have its configuration yet") {
  Shape shape{"d1", "", {{"d1", {1, 2, 3, 4, 5}}, {"d2", {1, 2, 3, 4}}}};
  const auto world = voting_cluster(5, shape);
  Cluster& c = *world;
  const auto before = c.placement;
  shape.target = "d2";
  const auto next = placement_of(2, shape);
  const auto duties = node::duties_of(*next, "n4");
  int number = 0;
  while (!duties->target_only[model::partition_of(std::to_string(number))]) ++number;
  const std::string key = std::to_string(number);  // one that n4 does not have yet
  for (const auto& replica : before->replicas(model::partition_of(key))) {
    REQUIRE(c[replica.node + 1u].put(key, "v", 10));
  }
  c.placement = next;
  c[4].adopt(next);
  c.run_for(seconds(30));
  CHECK_FALSE(c[4].votes(key));
  for (const std::size_t i : {1u, 2u, 3u, 5u}) c[i].adopt(next);
  CHECK(c.run_until([&] { return c[4].votes(key); }));
  CHECK(c[4].get(key) == "v");

  // And nobody is served any more who goes by the one before.
  c.placement = before;
  CHECK(c[1].get(key) == name_of(ErrorCode::kStale));
}

TEST_CASE("what a newer configuration overtakes at a node counts no more under the one before") {
  Shape shape{"d1", "", {{"d1", {1, 2}}, {"d2", {2, 3}}}};
  const auto world = voting_cluster(3, shape);
  Cluster& c = *world;
  c[1].disk.set_latency(seconds(1), seconds(1));
  bool overtaken = false;
  SUBCASE("a newer one comes") { overtaken = true; }
  SUBCASE("none comes") {}
  wire::Write write;
  write.key = "k";
  write.record = model::make_value({10, 1}, Bytes(std::string("v")));
  wire::Prepare prepare;
  prepare.key = "promised";
  prepare.ballot = model::Ballot{20, 1};
  wire::List list;
  list.asker = "n2";
  list.entries_max = 10;
  Slow writing(c[1], std::move(write));
  Slow preparing(c[1], std::move(prepare));
  Slow listing(c[1], std::move(list));
  REQUIRE(listing.outcome() == "none yet");
  c.run_for(milliseconds(100));
  if (overtaken) {
    shape.target = "d2";
    c.adopt(placement_of(2, shape));
  }
  c.run_for(seconds(10));
  const std::string expected = overtaken ? name_of(ErrorCode::kStale) : "done";
  CHECK(writing.outcome() == expected);
  CHECK(preparing.outcome() == expected);
  CHECK(listing.outcome() == expected);
  CHECK(kept(c[1]) == 2);  // what was stored stays
}

// Whenever the newer configuration comes: it drops after three seconds or so.
TEST_CASE("a copy whose drop is under way when the node owns it again is not taken for its own") {
  const Shape shape{"d1", "", {{"d1", {1, 2}}, {"d2", {2, 3}}}};
  for (Duration after = seconds(2); after < seconds(6); after += milliseconds(200)) {
    CAPTURE(after.count());
    const auto world = voting_cluster(3, shape);
    Cluster& c = *world;
    for (const std::size_t i : {1u, 2u}) REQUIRE(c[i].put("k", "v", 10));
    Shape next = shape;
    next.target = "d2";
    c.adopt(placement_of(2, next));
    REQUIRE(c.run_until([&] { return c.all_vote(); }));
    next.active = "d2";
    next.target = "";
    c.adopt(placement_of(3, next));
    c[1].disk.set_latency(seconds(1), seconds(1));
    c.run_for(after);
    next.target = "d1";
    c.adopt(placement_of(4, next));
    REQUIRE(c.run_until([&] { return c[1].node->standing().informed()[model::partition_of("k")]; }));
    c[2].cut_off = c[3].cut_off = true;
    c.run_for(seconds(5));
    CHECK(kept(c[1]) == 1);
  }
}

TEST_CASE("a copy stays where it does not belong until every owner, in both deployments, has it") {
  Shape shape{"d1", "", {{"d1", {1, 2}}, {"d2", {2, 3}}, {"d3", {4, 5}}}};
  const auto world = voting_cluster(5, shape);
  Cluster& c = *world;
  REQUIRE(c[1].put("k", "v", 10));
  REQUIRE(c[2].put("k", "v", 10));
  std::size_t away = 3;
  SUBCASE("an active one is away") {}
  SUBCASE("a target one is away") { away = 5; }
  c[away].cut_off = true;
  shape.active = "d2";
  shape.target = "d3";
  c.adopt(placement_of(2, shape));
  c.run_for(seconds(60));
  CHECK(kept(c[1]) == 1);
  c[away].cut_off = false;
  c.run_for(seconds(60));
  CHECK(kept(c[1]) == 0);
  for (const std::size_t i : {2u, 3u, 4u, 5u}) CHECK(c[i].get("k") == "v");
}

TEST_CASE("a target owner that slept through an undone move arrives again") {
  Shape both{"d1", "d2", {{"d1", {1, 2, 3}}, {"d2", {2, 3, 4}}}};
  Shape undone = both;
  undone.target = "";
  auto world = std::make_unique<Cluster>(4, placement_of(1, undone));
  Cluster& c = *world;
  c.adopt(placement_of(2, both));
  REQUIRE(c.run_until([&] { return c.all_vote(); }));
  c[4].kill();
  c.adopt(placement_of(3, undone));
  for (const std::size_t i : {1u, 2u, 3u}) REQUIRE(c[i].put("k", "v", 10));  // n4 hears nothing of it
  c.adopt(placement_of(4, both));
  for (const std::size_t i : {1u, 2u, 3u}) c[i].cut_off = true;
  c[4].boot();
  c.run_for(seconds(5));
  CHECK_FALSE(c[4].node->standing().informed()[model::partition_of("k")]);
  for (const std::size_t i : {1u, 2u, 3u}) c[i].cut_off = false;
  CHECK(c.run_until([&] { return c[4].votes("k"); }));
  CHECK(c[4].get("k") == "v");
}

}  // namespace tako::test
