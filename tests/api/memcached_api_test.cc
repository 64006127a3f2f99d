// The memcached face over replicas in memory: what it reads, writes and says.
#include <algorithm>
#include <set>

#include "api/memcached/api.h"
#include "api/memcached/format.h"
#include "replication/fake_cluster.h"

namespace tako::test {
namespace {

struct Face : LargeFixture {
  ~Face() {
    world.loop().stop();
    world.run([this]() -> Task<> { co_await face.stop(); });
  }

  // What is answered to one request, its values included.
  std::string say(const std::string& bytes) {
    wire::MemcachedParser parser;
    parser.feed(bytes);
    REQUIRE(parser.state() == wire::MemcachedParser::State::kRequest);
    wire::MemcachedRequest request = parser.request();
    return world.run([&]() -> Task<std::string> {
      api::MemcachedReply reply = co_await face.handle(std::move(request), nullptr);
      std::string said;
      for (auto& value : reply.values) {
        said += value.line + std::string(value.bytes.view());
        bool more = value.body != nullptr;
        while (more) {
          const auto piece = co_await value.body->next();
          REQUIRE(piece.ok());
          more = !piece->empty();
          said += piece->view();
        }
        said += "\r\n";
      }
      cut = reply.cut;
      co_return said + reply.text;
    });
  }

  const model::Record& stored(const std::string& key) { return cluster.nodes["n1"].held.at(key).record; }
  Timestamp wall() { return world.clock().wall(); }

  api::MemcachedStats stats{{}, world.clock().now()};
  api::MemcachedApi face{world.loop(), cluster, replicator, stats};
  bool cut = false;
};

TEST_CASE_FIXTURE(Face, "a set is a record with flags and an absolute expiry") {
  CHECK(say("set k 4294967295 60 5\r\nhello\r\n") == "STORED\r\n");
  CHECK(stored("k").flags == 4294967295u);
  CHECK(stored("k").expires_at > wall() + 50'000'000);
  CHECK(stored("k").expires_at <= wall() + 60'000'000);
  CHECK(say("get k absent\r\n") == "VALUE k 4294967295 5\r\nhello\r\nEND\r\n");
  CHECK(say("set k 0 4000000000 1\r\nx\r\n") == "STORED\r\n");
  CHECK(stored("k").expires_at == 4'000'000'000'000'000);
  CHECK(say("set k 0 0 1 noreply\r\nx\r\n").empty());
  CHECK(stored("k").expires_at == 0);
}

TEST_CASE_FIXTURE(Face, "what has expired is gone, and a time that has passed deletes") {
  say("set k 0 2 1\r\nx\r\n");
  CHECK(say("get k\r\n") == "VALUE k 0 1\r\nx\r\nEND\r\n");
  world.clock().advance_to(world.clock().now() + seconds(2));
  CHECK(say("get k\r\n") == "END\r\n");
  CHECK(say("delete k\r\n") == "NOT_FOUND\r\n");
  say("set k 0 0 1\r\nx\r\n");
  CHECK(say("set k 0 -1 1\r\nx\r\n") == "STORED\r\n");
  CHECK(stored("k").tombstone());
}

TEST_CASE_FIXTURE(Face, "a delete says whether there was anything") {
  CHECK(say("delete k\r\n") == "NOT_FOUND\r\n");
  CHECK(cluster.nodes["n1"].held.empty());
  say("set k 0 0 1\r\nx\r\n");
  CHECK(say("delete k\r\n") == "DELETED\r\n");
  CHECK(say("get k\r\n") == "END\r\n");
  CHECK(say("delete k\r\n") == "NOT_FOUND\r\n");
}

TEST_CASE_FIXTURE(Face, "large values are given in pieces") {
  const std::string value = large_value(700'000);
  REQUIRE(write(value, model::WriteLevel::kAll).ok());
  CHECK(say("get k\r\n") == "VALUE k 0 700000\r\n" + value + "\r\nEND\r\n");
  CHECK(say("mg k s v\r\n") == "VA 700000 s700000\r\n" + value + "\r\n");
}

TEST_CASE_FIXTURE(Face, "too few replicas are an error with a reason, behind the values that were found") {
  say("set k 0 0 1\r\nx\r\n");
  for (const char* id : {"n2", "n3"}) cluster.nodes[id].away = true;
  const std::string refused = say("set k 0 0 1\r\ny\r\n");
  CHECK(refused.starts_with("SERVER_ERROR "));
  CHECK(refused.find('\n') == refused.size() - 1);
  CHECK(say("set k 0 0 1 noreply\r\ny\r\n").empty());
  cluster.nodes["n1"].away = true;
  CHECK(say("get k\r\n").starts_with("SERVER_ERROR "));
  CHECK(cut);
  CHECK(stats.server_errors == 3);
}

TEST_CASE("errors are one line, in words that clients know") {
  CHECK(api::server_error({ErrorCode::kTooLarge, "reason"}) == "SERVER_ERROR object too large for cache: reason\r\n");
  CHECK(api::server_error({ErrorCode::kNoSpace, "a\r\nb"}) == "SERVER_ERROR out of memory storing object: a  b\r\n");
}

TEST_CASE_FIXTURE(Face, "statistics count what happened, and can be reset") {
  say("set k 0 0 1\r\nx\r\n");
  say("get k k absent\r\n");
  const std::string text = say("stats\r\n");
  for (const char* line :
       {"STAT cmd_set 1\r\n", "STAT cmd_get 3\r\n", "STAT get_hits 2\r\n", "STAT get_misses 1\r\n"}) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  }
  CHECK(text.ends_with("END\r\n"));
  CHECK(say("stats reset\r\n") == "RESET\r\n");
  CHECK(say("stats\r\n").find("STAT cmd_set 0\r\n") != std::string::npos);
  CHECK(say("stats nonsense\r\n") == "ERROR\r\n");
}

TEST_CASE("a cas unique belongs to one version, and fits 63 bits") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t timestamp = 1; timestamp <= 100; ++timestamp) {
    for (std::uint64_t writer = 0; writer < 100; ++writer) {
      const std::uint64_t unique = api::cas_unique_of({timestamp, writer});
      CHECK(unique > 0);
      CHECK(unique < 1ull << 63);
      seen.insert(unique);
    }
  }
  CHECK(seen.size() == 10'000);
  CHECK(api::cas_unique_of({7, 9}) == api::cas_unique_of({7, 9}));
}

TEST_CASE("an exptime is relative up to 30 days, absolute above, and at once below 0") {
  const Timestamp now = 1'700'000'000'000'000;
  CHECK(api::expiry_of(0, now) == 0);
  CHECK(api::expiry_of(-1, now) == api::kExpiredAtOnce);
  CHECK(api::expiry_of(1, now) == now + 1'000'000);
  CHECK(api::expiry_of(2'592'000, now) == now + 2'592'000'000'000);
  CHECK(api::expiry_of(2'592'001, now) == api::kExpiredAtOnce);
  CHECK(api::expiry_of(1'800'000'000, now) == 1'800'000'000'000'000);
  CHECK(api::seconds_left(0, now) == -1);
  CHECK(api::seconds_left(now + 1, now) == 1);
}

TEST_CASE("a counter is a decimal number of 64 bits, with white space around it") {
  CHECK(api::counter_of("18446744073709551615") == ~0ull);
  for (const char* seven : {"7", "7   ", " 7", "+7", "007", "\t7\n", "7 8", "7\r\nx", "000000000000000000007"}) {
    CHECK_MESSAGE(api::counter_of(seven) == std::optional<std::uint64_t>(7), seven);
  }
  for (const char* wrong : {"", " ", "-1", "1x", "x", "1.5", "18446744073709551616"}) {
    CHECK_FALSE_MESSAGE(api::counter_of(wrong), wrong);
  }
}

TEST_CASE_FIXTURE(Face, "a gat without keys has found nothing") { CHECK(say("gat 5\r\n") == "END\r\n"); }

TEST_CASE_FIXTURE(Face, "meta answers have the tokens of their command, in the order they were asked for") {
  CHECK(say("ms k 2 F7 T100 k Oab s t f\r\nhi\r\n") == "HD kk Oab\r\n");
  CHECK(say("mg k t f s k Oab v\r\n") == "VA 2 t100 f7 s2 kk Oab\r\nhi\r\n");
  CHECK(say("ms k 1 ME k c\r\nx\r\n") == "NS kk c0\r\n");
  CHECK(say("ms k 1 C5 c\r\nx\r\n") == "EX c0\r\n");
  CHECK(say("ms absent 1 C5 c k\r\nx\r\n") == "NF c0 kabsent\r\n");
  CHECK(say("ms n 1\r\n7\r\n") == "HD\r\n");
  CHECK(say("ma n f s t k\r\n") == "HD t-1 kn\r\n");
  CHECK(say("ma absent t c k Oab\r\n") == "NF kabsent Oab\r\n");
  CHECK(say("md k c t s k q\r\n").empty());
  CHECK(say("md k c t s k q\r\n") == "NF kk\r\n");
}

TEST_CASE_FIXTURE(Face, "a t before T tells the time to live before the touch, one behind it the new one") {
  say("ms k 1 T100\r\n5\r\n");
  CHECK(say("mg k t T200\r\n") == "HD t100\r\n");
  CHECK(say("mg k T300 t\r\n") == "HD t300\r\n");
  CHECK(say("ma k t T400\r\n") == "HD t300\r\n");
  CHECK(say("ma k T500 t\r\n") == "HD t500\r\n");
  CHECK(say("ma k t N50 q\r\n").empty());  // it was there
  CHECK(say("mg k t\r\n") == "HD t500\r\n");
  CHECK(say("ma a t N50\r\n") == "HD t-1\r\n");
  CHECK(say("ma b N50 t\r\n") == "HD t50\r\n");
  CHECK(say("ma c T70 t N50\r\n") == "HD t70\r\n");
  CHECK(say("mg c t\r\n") == "HD t50\r\n");
  CHECK(say("ma d N50 T70\r\n") == "HD\r\n");
  CHECK(say("mg d t\r\n") == "HD t70\r\n");
}

TEST_CASE_FIXTURE(Face, "a cas unique is no matter for what only needs an empty place or something to join") {
  CHECK(say("ms k 1 ME C5\r\n1\r\n") == "HD\r\n");
  CHECK(say("ms k 1 ME C5\r\n2\r\n") == "NS\r\n");
  CHECK(say("ms k 1 MA C5\r\n2\r\n") == "EX\r\n");
  CHECK(say("ms absent 1 MA C5\r\n2\r\n") == "NS\r\n");
  CHECK(say("ms absent 1 MR C5\r\n2\r\n") == "NF\r\n");
  CHECK(say("ms k 1 MA C0\r\n2\r\n") == "HD\r\n");
  CHECK(say("ms k 1 MR C0\r\n2\r\n") == "EX\r\n");
  CHECK(say("cas k 0 0 1 0\r\n2\r\n") == "EXISTS\r\n");
  CHECK(say("get k\r\n") == "VALUE k 0 2\r\n12\r\nEND\r\n");
}

TEST_CASE_FIXTURE(Face, "what is joined to a value is joined whatever time comes with it") {
  say("set k 7 100 2\r\nbc\r\n");
  CHECK(say("append k 0 -1 1\r\nd\r\n") == "STORED\r\n");
  CHECK(say("prepend k 0 1000000000 1\r\na\r\n") == "STORED\r\n");
  CHECK(say("ms k 1 MA T-1 F9\r\ne\r\n") == "HD\r\n");
  CHECK(say("mg k v f t\r\n") == "VA 5 f7 t100\r\nabcde\r\n");
  CHECK(say("ms new 1 MA N50 T-1 F9\r\nx\r\n") == "HD\r\n");
  CHECK(say("mg new v f t\r\n") == "VA 1 f9 t50\r\nx\r\n");
  CHECK(say("ms past 1 MA N-1\r\nx\r\n") == "HD\r\n");
  CHECK(say("mg past v\r\n") == "EN\r\n");
}

TEST_CASE_FIXTURE(Face, "arithmetic looks at a value as memcached does") {
  say("set empty 0 0 0\r\n\r\n");
  say("set word 0 0 1\r\nx\r\n");
  const std::string no_number = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
  CHECK(say("ma empty C5\r\n") == no_number);
  CHECK(say("ma word C5\r\n") == "EX\r\n");
  CHECK(say("ma word C0\r\n") == no_number);
  CHECK(say("ma word q\r\n") == no_number);
  CHECK(say("ma new C5 N0 J7 q\r\n") == "HD\r\n");  // q keeps back only what was there and was counted
  CHECK(say("ma new q\r\n").empty());
  CHECK(say("ma new v MD D10 T-1\r\n") == "VA 1\r\n0\r\n");
  CHECK(say("get new\r\n") == "END\r\n");
  CHECK(say("ma gone N-1 J12 v\r\n") == "VA 2\r\n12\r\n");
  CHECK(say("get gone\r\n") == "END\r\n");
}

}  // namespace
}  // namespace tako::test
