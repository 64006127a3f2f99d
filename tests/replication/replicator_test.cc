// The replicator against replicas that say what the test wants: votes over the rounds of an operation, writes that
// begin anew, and repair of what was found damaged.
#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <set>

#include "base/log.h"
#include "replication/replicator.h"
#include "support/run_loop.h"

namespace tako::test {
namespace {

using runtime::Task;
using Body = decltype(wire::Reply::body);

// Three nodes, each a replica of every key.
std::shared_ptr<const model::Placement> placement_of(int version) {
  auto configuration = model::parse_config("version: " + std::to_string(version) +
                                               "\nactive_deployment: d1\ndeployments:\n  d1:\n"
                                               "    hash: {buckets_per_key: 3}\n    buckets:\n"
                                               "      b1: {n1: [localhost, 4701]}\n"
                                               "      b2: {n2: [localhost, 4702]}\n"
                                               "      b3: {n3: [localhost, 4703]}\n",
                                           "test");
  REQUIRE(configuration.ok());
  return model::Placement::make(std::move(*configuration));
}

class Replicas final : public net::Transport {
 public:
  explicit Replicas(runtime::Loop& loop) : loop_(loop) {}

  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint deadline) override {
    const std::string id(to.id);
    if (silent.contains(id)) {
      co_await loop_.sleep_until(deadline);
      co_return Error(ErrorCode::kTimeout, "no answer");
    }
    co_await loop_.sleep(milliseconds(1));
    if (const auto* write = std::get_if<wire::Write>(&request.body)) {
      written.insert(write->record.ballot);
      if (write->source == wire::Write::Source::kCopy) copied[id] = write->record;
    }
    wire::Reply reply;
    // Strict operations have tests of their own (strict_test.cc).
    if (std::holds_alternative<wire::Prepare>(request.body)) {
      ++prepares;
      co_return Error(ErrorCode::kUnavailable, "no promises here");
    }
    reply.body = answer(id, request);
    co_return reply;
  }
  bool reachable(const net::Peer&) const override { return true; }

  std::function<Body(const std::string& node, const wire::Request& request)> answer;
  std::set<model::Ballot> written;
  std::map<std::string, model::Record> copied;
  std::set<std::string> silent;  // nodes
  std::size_t prepares = 0;

 private:
  runtime::Loop& loop_;
};

struct Fixture {
  Fixture()
      : replicas(world.loop()),
        replicator(world.loop(), replicas, world.clock(), std::make_shared<replication::VersionMark>(0)) {
    REQUIRE(log::open("off", "").ok());
    replicator.adopt(placement_of(1));
  }
  ~Fixture() {
    world.loop().stop();
    world.run([this]() -> Task<> { co_await replicator.stop(); });
  }

  auto read(model::ReadLevel level) {
    return world.run([&]() -> Task<Result<replication::ReadAnswer>> {
      auto answer = co_await replicator.read("k", level, true, world.loop().now() + seconds(5));
      co_await world.loop().sleep(seconds(1));  // what goes on in the background
      co_return answer;
    });
  }
  auto stat() {
    return world.run([&]() -> Task<Result<replication::StatAnswer>> {
      auto answer = co_await replicator.stat("k", world.loop().now() + seconds(5));
      co_await world.loop().sleep(seconds(1));  // what goes on in the background
      co_return answer;
    });
  }
  auto write(model::WriteLevel level, std::optional<Timestamp> given = std::nullopt) {
    return world.run([&]() -> Task<Result<replication::WriteAnswer>> {
      replication::Mutation mutation;
      mutation.value = Bytes(std::string("new"));
      mutation.timestamp = given;
      const TimePoint began = world.loop().now();
      auto answer = co_await replicator.write("k", std::move(mutation), level, began + seconds(5));
      took = world.loop().now() - began;
      co_await world.loop().sleep(seconds(1));  // what goes on in the background
      co_return answer;
    });
  }

  VirtualLoop world;
  Replicas replicas;
  replication::Replicator replicator;
  Duration took{};  // until a write was answered
};

wire::Voter voter(bool votes, std::uint64_t incarnation) {
  wire::Voter voter;
  voter.votes = votes;
  voter.informed = votes;
  voter.incarnation = incarnation;
  return voter;
}

Body holds(const model::Record& record, const wire::Request& request) {
  wire::ReadReply reply;
  const bool want_value = std::get<wire::Read>(request.body).want_value;
  reply.slot.record = want_value ? record : record.without_value();
  reply.voter = voter(true, 1);
  return reply;
}

Body nothing(wire::Voter who) {
  wire::ReadReply reply;
  reply.voter = std::move(who);
  return reply;
}

Body stored(const wire::Request& request, wire::Voter who) {
  wire::WriteReply reply;
  const model::Record& record = std::get<wire::Write>(request.body).record;
  reply.outcome = wire::WriteReply::Outcome::kStored;
  reply.stored = record.ballot;
  reply.version = record.version;
  reply.voter = std::move(who);
  return reply;
}

Body refused(model::Ballot by) {
  wire::WriteReply reply;
  reply.stored = reply.version = by;
  reply.voter = voter(true, 1);
  return reply;
}

bool is_read(const wire::Request& request) { return std::holds_alternative<wire::Read>(request.body); }

const model::Version kFarAhead{1'900'000'000'000'000, 1};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a read's vote of before a loss is no vote for the write-back either") {
  const model::Record record = model::make_value({5, 1}, Bytes(std::string("old")));
  bool lost = false;
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (node == "n3") return Error(ErrorCode::kUnavailable, "away");
    if (node == "n1") return lost ? nothing(voter(false, 2)) : holds(record, request);
    if (is_read(request)) return nothing(voter(true, 1));
    // Between the two rounds n1 lost its disk and told n2 so.
    lost = true;
    wire::Voter informed = voter(true, 1);
    informed.renewed.push_back({"n1", 2});
    return stored(request, std::move(informed));
  };

  const auto answer = read(model::ReadLevel::kQuorum);

  CHECK(lost);
  CHECK_FALSE(answer.ok());
}

TEST_CASE_FIXTURE(Fixture, "operations at quorum wait a moment for votes that are about to come") {
  const TimePoint begin = world.loop().now();
  const auto votes = [&] { return world.loop().now() - begin > seconds(1); };
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (node == "n1") return Error(ErrorCode::kUnavailable, "away");
    if (!is_read(request)) return stored(request, voter(votes() || node == "n2", 1));
    return nothing(voter(votes() || node == "n2", 1));
  };

  SUBCASE("a read") {
    const auto answer = read(model::ReadLevel::kQuorum);
    REQUIRE(answer.ok());
    CHECK_FALSE(answer->record.has_value());
  }
  SUBCASE("a write") {
    const auto answer = write(model::WriteLevel::kQuorum);
    REQUIRE(answer.ok());
    CHECK(answer->won);
  }
  CHECK(votes());
}

TEST_CASE_FIXTURE(Fixture, "what a replica stored before it lost its disk does not make up two") {
  bool dropped = true;
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (node == "n3") return Error(ErrorCode::kUnavailable, "away");
    if (node == "n1") return stored(request, voter(true, 1));
    // n1 announced itself anew to n2, which is asked after that.
    wire::Voter informed = voter(true, 1);
    if (dropped) informed.renewed.push_back({"n1", 2});
    return stored(request, std::move(informed));
  };
  SUBCASE("named by the other") {
    CHECK_FALSE(write(model::WriteLevel::kTwo).ok());
    CHECK(write(model::WriteLevel::kOne).ok());
  }
  SUBCASE("not named") {
    dropped = false;
    CHECK(write(model::WriteLevel::kTwo).ok());
  }
}

TEST_CASE_FIXTURE(Fixture, "a replica that has forgotten makes up two when it has met the other as it is") {
  const TimePoint begin = world.loop().now();
  std::vector<wire::Incarnation> met;
  bool soon = false;  // it meets it a moment later
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (node == "n3") return Error(ErrorCode::kUnavailable, "away");
    if (node == "n1") return stored(request, voter(true, 5));
    wire::Voter forgot = voter(false, 8);
    if (!soon || world.loop().now() - begin > seconds(1)) forgot.met = met;
    return stored(request, std::move(forgot));
  };
  const auto two = [&] { return write(model::WriteLevel::kTwo).ok(); };
  SUBCASE("nobody") { CHECK_FALSE(two()); }
  SUBCASE("in another life") {
    met = {{"n1", 4}};
    CHECK_FALSE(two());
    met = {{"n1", 6}};  // n1 lost its disk since it stored
    CHECK_FALSE(two());
  }
  SUBCASE("another") {
    met = {{"n3", 5}, {"n9", 5}};
    CHECK_FALSE(two());
  }
  SUBCASE("it, now or soon") {
    met = {{"n1", 5}};
    CHECK(two());
    soon = true;
    CHECK(two());
  }
}

TEST_CASE_FIXTURE(Fixture, "a vote without knowledge counts for a majority, and makes no absence of its own") {
  replicas.answer = [&](const std::string& node, const wire::Request&) -> Body {
    if (node == "n1") return Error(ErrorCode::kUnavailable, "away");
    wire::Voter who = voter(true, 1);
    who.informed = false;
    return nothing(std::move(who));
  };
  CHECK(read(model::ReadLevel::kQuorum).ok());
  CHECK_FALSE(read(model::ReadLevel::kLatest).ok());
  CHECK_FALSE(read(model::ReadLevel::kOne).ok());
}

TEST_CASE_FIXTURE(Fixture, "a replica that cannot read its copy is given a good one") {
  const model::Record record = model::make_value({5, 1}, Bytes(std::string("value")));
  bool versions_too = false;
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (!is_read(request)) return stored(request, voter(true, 1));
    const bool want_value = std::get<wire::Read>(request.body).want_value;
    if (node == "n2" && (want_value || versions_too)) return Error(ErrorCode::kCorrupt, "damaged");
    return holds(record, request);
  };
  const auto check_mended = [&] {
    for (int i = 0; i < 10 && replicas.copied.empty(); ++i) {
      const auto answer = read(model::ReadLevel::kLatest);
      REQUIRE(answer.ok());
      CHECK(answer->record->value->view() == "value");
    }
    REQUIRE(replicas.copied.size() == 1);
    CHECK(replicas.copied.begin()->first == "n2");
    CHECK(replicas.copied["n2"].ballot == record.ballot);
    CHECK(replicas.copied["n2"].value->view() == "value");
  };

  SUBCASE("its slot") { versions_too = true; }
  SUBCASE("its value") { versions_too = false; }
  check_mended();
}

TEST_CASE_FIXTURE(Fixture, "a write that every replica refused is issued again, above what they hold") {
  replicas.answer = [&](const std::string&, const wire::Request& request) -> Body {
    const model::Ballot ballot = std::get<wire::Write>(request.body).record.ballot;
    return ballot > kFarAhead ? stored(request, voter(true, 1)) : refused(kFarAhead);
  };

  const auto answer = write(model::WriteLevel::kQuorum);

  REQUIRE(answer.ok());
  CHECK(answer->won);
  CHECK(answer->winner > kFarAhead);
  CHECK(replicas.written.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a write that somebody stored under an earlier configuration is not issued again") {
  bool first = true;
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (!first) return refused(kFarAhead);
    if (node == "n1") return stored(request, voter(true, 1));
    if (node == "n3")
      world.loop().post([&] {
        first = false;
        replicator.adopt(placement_of(2));
      });
    return Error(ErrorCode::kStale, "outdated");
  };

  const auto answer = write(model::WriteLevel::kQuorum);

  CHECK_FALSE(first);
  CHECK_FALSE(answer.ok());
  CHECK(replicas.written.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a plain write that lost to a newer one is answered by as few replicas as it asked for") {
  const model::Version newer{2000, 1};
  replicas.answer = [&](const std::string& node, const wire::Request&) -> Body {
    if (node == "n1") return refused(newer);
    return Error(ErrorCode::kUnavailable, "away");
  };

  const auto answer = write(model::WriteLevel::kOne, 1000);

  REQUIRE(answer.ok());
  CHECK_FALSE(answer->won);
  CHECK(answer->winner == newer);
  CHECK(replicas.prepares == 0);
}

// The newer one is on one disk: it is not named. Ours, or the newer one, is on two.
TEST_CASE_FIXTURE(Fixture, "a plain write that is on as many disks as it asked for, or passed there, has not lost") {
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (node == "n1") return refused({2000, 1});
    if (node == "n2") return stored(request, voter(true, 1));
    return Error(ErrorCode::kUnavailable, "away");
  };

  const auto answer = write(model::WriteLevel::kTwo, 1000);

  REQUIRE(answer.ok());
  CHECK(answer->won);
  CHECK(answer->winner.timestamp == 1000);
  CHECK(replicator.counters().writes_lost == 0);
}

TEST_CASE_FIXTURE(Fixture, "a plain write that fails does not wait for votes, which it does not need") {
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (node == "n3") return Error(ErrorCode::kUnavailable, "away");
    return stored(request, voter(node == "n2", 1));
  };

  const auto answer = write(model::WriteLevel::kAll);

  REQUIRE_FALSE(answer.ok());
  CHECK(answer.code() == ErrorCode::kUnavailable);
  CHECK(took < milliseconds(100));
}

TEST_CASE_FIXTURE(Fixture, "whether a failed write may yet be answered otherwise is told by its error") {
  const model::Version newer{4'000'000'000'000'000, 1};
  ErrorCode expected = ErrorCode::kTimeout;
  SUBCASE("a newer one is on one replica, and this one on another: it is not known which stands") {
    replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
      if (is_read(request)) return nothing(voter(true, 1));
      if (node == "n1") return refused(newer);
      if (node == "n2") return stored(request, voter(true, 1));
      return Error(ErrorCode::kUnavailable, "away");
    };
  }
  SUBCASE("one is silent until the time is up") {
    replicas.silent = {"n3"};
    replicas.answer = [&](const std::string&, const wire::Request& request) { return stored(request, voter(true, 1)); };
  }
  SUBCASE("one is away") {
    expected = ErrorCode::kUnavailable;
    replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
      if (node == "n3") return Error(ErrorCode::kUnavailable, "away");
      return stored(request, voter(true, 1));
    };
  }

  const auto answer = write(model::WriteLevel::kAll);

  REQUIRE_FALSE(answer.ok());
  CHECK(answer.code() == expected);
}

TEST_CASE_FIXTURE(Fixture, "a latest read does not pass over replicas that have a newer configuration") {
  const model::Record older = model::make_value({5, 1}, Bytes(std::string("older")));
  const model::Record newer = model::make_value({9, 1}, Bytes(std::string("newer")));
  bool renewed = false;
  bool will_renew = true;
  replicas.answer = [&](const std::string& node, const wire::Request& request) -> Body {
    if (!is_read(request)) return stored(request, voter(true, 1));
    if (node == "n1") return holds(older, request);
    if (renewed) return holds(newer, request);
    if (node == "n3" && will_renew)
      world.loop().post([&] {
        renewed = true;
        replicator.adopt(placement_of(2));
      });
    return Error(ErrorCode::kStale, "outdated");
  };

  SUBCASE("and begins anew with that") {
    const auto answer = read(model::ReadLevel::kLatest);
    REQUIRE(answer.ok());
    CHECK(answer->record->value->view() == "newer");
  }
  SUBCASE("nor does a stat") {
    const auto answer = stat();
    REQUIRE(answer.ok());
    CHECK(answer->record->ballot == newer.ballot);
  }
  SUBCASE("and is an error where it does not come") {
    will_renew = false;
    const auto answer = read(model::ReadLevel::kLatest);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.code() == ErrorCode::kStale);
  }
}

}  // namespace tako::test
