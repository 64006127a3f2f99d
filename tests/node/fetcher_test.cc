// Large values between nodes: staged, committed, fetched, repaired, handed off, mended, swept
// (src/node/serve/fetcher.h).
#include <doctest/doctest.h>

#include "model/checksum.h"
#include "node/world.h"
#include "store/slot_codec.h"

namespace tako::test {
namespace {

using model::Ballot;
using model::Record;
using model::UploadId;
using wire::WriteReply;

const Shape kThree{"d1", "", {{"d1", {1, 2, 3}}}};
constexpr std::size_t kLarge = 300 * model::kPieceBytes + 5;  // more than may travel whole
constexpr UploadId kUpload{1, 2};

std::string pattern(std::uint64_t seed, std::size_t bytes) {
  std::string value(bytes, '\0');
  Random random(seed);
  for (std::size_t i = 0; i < bytes; i += 64) value[i] = static_cast<char>(random.next());
  return value;
}

Record head_of(std::uint64_t timestamp, const std::string& value) {
  return model::make_value({timestamp, 1}, Bytes(std::string(value))).without_value();
}

bool failed(const wire::Reply& reply, ErrorCode code) {
  const auto* error = std::get_if<Error>(&reply.body);
  return error && error->code == code;
}

bool stored(const wire::Reply& reply) {
  const auto* written = std::get_if<WriteReply>(&reply.body);
  return written && written->outcome == WriteReply::Outcome::kStored;
}

wire::Reply stage(Machine& machine, const std::string& key, const std::string& value, std::uint32_t index) {
  const std::string piece = value.substr(std::size_t{index} * model::kPieceBytes, model::kPieceBytes);
  return machine.ask(wire::WritePiece{key, kUpload, index, Bytes(piece), model::piece_checksum(piece)});
}

wire::Write write_of(const std::string& key, const Record& record) {
  wire::Write write;
  write.key = key;
  write.record = record;
  return write;
}

void put_large(Machine& machine, const std::string& key, const std::string& value, std::uint64_t timestamp) {
  for (std::uint32_t i = 0; i < model::pieces_of(value.size()); ++i) {
    const wire::Reply reply = stage(machine, key, value, i);
    REQUIRE(std::holds_alternative<wire::PieceStored>(reply.body));
  }
  wire::Write commit = write_of(key, head_of(timestamp, value));
  commit.upload = kUpload;
  REQUIRE(stored(machine.ask(std::move(commit))));
}

// The error's name if it cannot be read.
std::string get_large(Machine& machine, const std::string& key, std::uint64_t timestamp, std::size_t size) {
  std::string value;
  for (std::uint32_t i = 0; i < model::pieces_of(size); ++i) {
    const wire::Reply reply = machine.ask(wire::ReadPiece{key, Ballot{timestamp, 1}, i});
    if (const auto* error = std::get_if<Error>(&reply.body)) return name_of(error->code);
    value += std::get<wire::PieceReply>(reply.body).piece.view();
  }
  return value;
}

bool has(Machine& machine, const std::string& key, std::uint64_t timestamp, const std::string& value) {
  return get_large(machine, key, timestamp, value.size()) == value;
}

std::size_t pieces(Machine& machine) { return machine.disk.rows(store::Family::kChunks).size(); }

wire::Write copy_from(const std::string& key, const Record& record, const std::string& node) {
  wire::Write write = write_of(key, record);
  write.value_from = node;
  return write;
}

}  // namespace

TEST_CASE("a replica without the pieces fetches them where the write says, and then votes for it") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  const Record head = head_of(10, value);
  put_large(c[1], "k", value, 10);

  CHECK(failed(c[2].ask(write_of("k", head)), ErrorCode::kNotFound));
  const wire::Reply reply = c[2].ask(copy_from("k", head, "n1"));

  REQUIRE(stored(reply));
  CHECK(std::get<WriteReply>(reply.body).voter.votes);
  CHECK(has(c[2], "k", 10, value));
  CHECK(c[2].node->fetcher().counters().fetched == 1);
  CHECK(failed(c[3].ask(copy_from("k", head, "n9")), ErrorCode::kNotFound));
  CHECK(failed(c[3].ask(copy_from("k", head_of(11, value), "n1")), ErrorCode::kConflict));
  CHECK(pieces(c[3]) == 0);
}

TEST_CASE("nothing is fetched that would be refused, or that is there") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  put_large(c[1], "k", value, 10);
  put_large(c[2], "k", value, 10);
  REQUIRE(c[3].put("k", "newer", 20));
  int asked = 0;
  c.let_pass = [&](const wire::Request& request, std::string_view) {
    asked += std::holds_alternative<wire::ReadPiece>(request.body);
    return true;
  };

  CHECK(stored(c[2].ask(copy_from("k", head_of(10, value), "n1"))));
  const wire::Reply refused = c[3].ask(copy_from("k", head_of(10, value), "n1"));

  CHECK(std::get<WriteReply>(refused.body).outcome == WriteReply::Outcome::kRefused);
  CHECK(std::get<WriteReply>(refused.body).stored == Ballot{20, 1});
  CHECK(asked == 0);
}

TEST_CASE("the same value asked for twice is fetched once, and from another node when one dies") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  put_large(c[1], "k", value, 10);
  put_large(c[3], "k", value, 10);
  std::map<std::string, int> asked;
  bool dies = false;
  SUBCASE("one source") {}
  SUBCASE("the first dies in the middle") { dies = true; }
  c.let_pass = [&](const wire::Request& request, std::string_view to) {
    if (!std::holds_alternative<wire::ReadPiece>(request.body)) return true;
    const int count = ++asked[std::string(to)];
    return !dies || to != "n1" || count < 100;
  };
  std::vector<wire::Reply> replies(2);
  const auto ask = [&](std::string from, wire::Reply* reply) -> Task<> {
    wire::Request request;
    request.config = wire::stamp_of(*c.placement);
    request.body = copy_from("k", head_of(10, value), from);
    const net::Shards shards = c[2].node->shards();
    *reply = co_await shards.dispatch(c[2].loop(), std::move(request), TimePoint::max());
  };
  runtime::Gate open(c[2].loop());
  c[2].loop().spawn(open, ask("n1", &replies[0]));
  c[2].loop().spawn(open, ask("n3", &replies[1]));
  c.run_for(seconds(2));

  CHECK(open.inside() == 0);
  CHECK(stored(replies[0]));
  CHECK(stored(replies[1]));
  CHECK(c[2].node->fetcher().counters().fetched == 1);
  CHECK(has(c[2], "k", 10, value));
  const int all = static_cast<int>(model::pieces_of(kLarge));
  if (dies) {
    CHECK(asked["n1"] + asked["n3"] < all + 20);  // what was fetched is not fetched again
    CHECK(asked["n3"] > 150);
  } else {
    CHECK(asked["n1"] == all);
  }
}

TEST_CASE("a fetch that cannot be finished leaves nothing, and one that takes long goes on without its asker") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  put_large(c[1], "k", value, 10);
  int passed = 0;
  int limit = 50;
  c.let_pass = [&](const wire::Request& request, std::string_view) {
    return !std::holds_alternative<wire::ReadPiece>(request.body) || ++passed <= limit;
  };
  std::optional<wire::Reply> reply;
  const auto ask = [&](TimePoint deadline) -> Task<> {
    wire::Request request;
    request.config = wire::stamp_of(*c.placement);
    request.body = copy_from("k", head_of(10, value), "n1");
    const net::Shards shards = c[2].node->shards();
    reply = co_await shards.dispatch(c[2].loop(), std::move(request), deadline);
  };
  runtime::Gate open(c[2].loop());
  c[2].loop().spawn(open, ask(TimePoint::max()));
  c.run_for(seconds(5));
  REQUIRE(reply.has_value());
  CHECK(failed(*reply, ErrorCode::kUnavailable));
  CHECK(pieces(c[2]) == 0);

  limit = 1'000'000;
  c[2].disk.set_latency(milliseconds(10), milliseconds(10));
  reply.reset();
  c[2].loop().spawn(open, ask(c.clock.now() + milliseconds(100)));
  c.run_for(milliseconds(200));
  REQUIRE(reply.has_value());
  CHECK(failed(*reply, ErrorCode::kTimeout));
  CHECK(c.run_until([&] { return c[2].node->fetcher().counters().fetched == 1; }));
  c[2].disk.set_latency(Duration::zero(), Duration::zero());
  CHECK(has(c[2], "k", 10, value));
  CHECK(open.inside() == 0);
}

TEST_CASE("repair brings large values by pieces, both ways, and no message is larger than a piece") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  const std::string other = pattern(2, 3 * model::kPieceBytes);
  put_large(c[1], "k", value, 10);
  put_large(c[1], "l", other, 10);
  std::uint64_t largest = 0;
  c.let_pass = [&](const wire::Request& request, std::string_view) {
    if (const auto* write = std::get_if<wire::Write>(&request.body); write && write->record.value) {
      largest = std::max(largest, write->record.size);
    }
    return true;
  };

  CHECK(c.run_until([&] { return pieces(c[2]) == 304 && pieces(c[3]) == 304; }, seconds(120)));

  for (std::size_t n : {2, 3}) {
    CHECK(has(c[n], "k", 10, value));
    CHECK(has(c[n], "l", 10, other));
  }
  CHECK(largest <= model::kPieceBytes);
}

TEST_CASE("a large value is handed off by pieces, and then dropped") {
  const Shape four{"d1", "", {{"d1", {1, 2, 3}}, {"d2", {2, 3, 4}}}};
  const auto world = voting_cluster(4, four);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  put_large(c[1], "k", value, 10);
  Shape moved = four;
  moved.active = "d2";
  SUBCASE("from a node that the configuration still names") {}
  SUBCASE("from one that it does not") { moved.deployments.erase("d1"); }
  const std::uint64_t cycles = c[1].node->handoff().counters().cycles;

  c.adopt(placement_of(2, moved));
  CHECK(c.run_until([&] { return pieces(c[1]) == 0; }, seconds(120)));

  CHECK(c[1].node->handoff().counters().cycles == cycles + 1);  // it took no second one
  for (std::size_t n : {2, 3, 4}) CHECK(has(c[n], "k", 10, value));
}

TEST_CASE("a large copy mends its only owner's damaged one before it is dropped") {
  const Shape two{"d1", "", {{"d1", {1, 2}}, {"d2", {2}}}};
  const auto world = voting_cluster(2, two);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  for (auto& machine : c.machines) put_large(*machine, "k", value, 10);
  REQUIRE(c[2].disk.flip_bit(c.random, store::Family::kChunks).has_value());
  Shape moved = two;
  moved.active = "d2";
  SUBCASE("from a node that the configuration still names") {}
  SUBCASE("from one that it does not") { moved.deployments.erase("d1"); }

  c.adopt(placement_of(2, moved));
  CHECK(c.run_until([&] { return pieces(c[1]) == 0; }, seconds(120)));

  CHECK(has(c[2], "k", 10, value));
}

TEST_CASE("a damaged piece of a large value is mended by another node's") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  for (auto& machine : c.machines) put_large(*machine, "k", value, 10);
  Random random(7);
  REQUIRE(c[2].disk.flip_bit(random, store::Family::kChunks).has_value());

  CHECK(get_large(c[2], "k", 10, kLarge) == name_of(ErrorCode::kCorrupt));
  CHECK(c.run_until([&] { return c[2].node->mender().counters().values_mended == 1; }));

  CHECK(has(c[2], "k", 10, value));
  CHECK(pieces(c[2]) == 301);
  CHECK(c[2].node->mender().counters().values_lost == 0);
}

TEST_CASE("what was staged is freed when asked, when nobody goes on, and when its node died") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  SUBCASE("asked") {
    stage(c[1], "k", value, 0);
    CHECK(pieces(c[1]) == 1);
    CHECK(std::holds_alternative<wire::Discarded>(c[1].ask(wire::Discard{"k", kUpload}).body));
    CHECK(pieces(c[1]) == 0);
  }
  SUBCASE("left") {
    stage(c[1], "k", value, 0);
    c.run_for(seconds(100));
    CHECK(pieces(c[1]) == 1);
    stage(c[1], "k", value, 1);
    c.run_for(seconds(100));
    CHECK(pieces(c[1]) == 2);
    CHECK(c.run_until([&] { return pieces(c[1]) == 0; }));
  }
  SUBCASE("killed") {
    stage(c[1], "k", value, 0);
    c[1].kill();
    c[1].boot();
    CHECK(c.run_until([&] { return pieces(c[1]) == 0; }, seconds(1)));
  }
  SUBCASE("crashed") {
    for (std::uint32_t i = 0; i < 10; ++i) stage(c[1], "k", value, i);
    c[1].crash();
    c[1].boot();
    CHECK(c.run_until([&] { return pieces(c[1]) == 0; }, seconds(1)));
  }
  CHECK(c[1].disk.rows(store::Family::kMeta).empty());
}

TEST_CASE("a vote is not given by an older configuration when the fetch took so long that there is a newer") {
  const auto world = voting_cluster(3, kThree);
  Cluster& c = *world;
  const std::string value = pattern(1, kLarge);
  put_large(c[1], "k", value, 10);
  c[2].disk.set_latency(milliseconds(10), milliseconds(10));
  std::optional<wire::Reply> reply;
  const auto ask = [&]() -> Task<> {
    wire::Request request;
    request.config = wire::stamp_of(*c.placement);
    request.body = copy_from("k", head_of(10, value), "n1");
    const net::Shards shards = c[2].node->shards();
    reply = co_await shards.dispatch(c[2].loop(), std::move(request), TimePoint::max());
  };
  runtime::Gate open(c[2].loop());
  c[2].loop().spawn(open, ask());
  c.run_for(milliseconds(100));
  REQUIRE_FALSE(reply.has_value());

  c.adopt(placement_of(2, kThree));
  CHECK(c.run_until([&] { return reply.has_value(); }));

  CHECK(failed(*reply, ErrorCode::kStale));
  CHECK(c.run_until([&] { return open.inside() == 0; }));
  c[2].disk.set_latency(Duration::zero(), Duration::zero());
  CHECK(has(c[2], "k", 10, value));
}

}  // namespace tako::test
