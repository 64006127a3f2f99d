// The memcached face over replicas in memory: what it reads, writes and says.
#include <algorithm>
#include <set>

#include "fake_cluster.h"
#include "proxy/memcached_face.h"
#include "proxy/memcached_words.h"

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
      net::MemcachedReply reply = co_await face.handle(std::move(request), nullptr);
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

  proxy::MemcachedStats stats{{}, world.clock().now()};
  proxy::MemcachedFace face{world.loop(), cluster, replicator, stats};
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
  CHECK(proxy::server_error({ErrorCode::kTooLarge, "reason"}) == "SERVER_ERROR object too large for cache: reason\r\n");
  CHECK(proxy::server_error({ErrorCode::kNoSpace, "a\r\nb"}) == "SERVER_ERROR out of memory storing object: a  b\r\n");
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
      const std::uint64_t unique = proxy::cas_unique_of({timestamp, writer});
      CHECK(unique > 0);
      CHECK(unique < 1ull << 63);
      seen.insert(unique);
    }
  }
  CHECK(seen.size() == 10'000);
  CHECK(proxy::cas_unique_of({7, 9}) == proxy::cas_unique_of({7, 9}));
}

TEST_CASE("an exptime is relative up to 30 days, absolute above, and at once below 0") {
  const Timestamp now = 1'700'000'000'000'000;
  CHECK(proxy::expiry_of(0, now) == 0);
  CHECK(proxy::expiry_of(-1, now) == proxy::kExpiredAtOnce);
  CHECK(proxy::expiry_of(1, now) == now + 1'000'000);
  CHECK(proxy::expiry_of(2'592'000, now) == now + 2'592'000'000'000);
  CHECK(proxy::expiry_of(2'592'001, now) == proxy::kExpiredAtOnce);
  CHECK(proxy::expiry_of(1'800'000'000, now) == 1'800'000'000'000'000);
  CHECK(proxy::seconds_left(0, now) == -1);
  CHECK(proxy::seconds_left(now + 1, now) == 1);
}

TEST_CASE("a counter is a decimal number of 64 bits, with blanks behind it at most") {
  CHECK(proxy::counter_of("18446744073709551615") == ~0ull);
  CHECK(proxy::counter_of("7   ") == 7);
  for (const char* wrong : {"", " ", "-1", "+1", "1 2", " 1", "1x", "18446744073709551616", "000000000000000000001"}) {
    CHECK_FALSE_MESSAGE(proxy::counter_of(wrong), wrong);
  }
}

}  // namespace
}  // namespace tako::test
