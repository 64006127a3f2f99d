// The memcached text protocol, from bytes to requests.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "wire/memcached.h"
#include "wire/memcached_meta.h"

namespace tako::wire {
namespace {

using Verb = MemcachedVerb;
using State = MemcachedParser::State;

// All requests in `bytes`, which come `step` at a time. Large blocks are read to their end into `data`.
std::vector<MemcachedRequest> parse(std::string_view bytes, std::size_t step = 1 << 20) {
  std::vector<MemcachedRequest> requests;
  MemcachedParser parser;
  std::string block;
  std::size_t at = 0;
  while (true) {
    while (parser.state() != State::kOpen) {
      if (parser.state() == State::kPart) {
        block += parser.take_part().view();
        continue;
      }
      const bool large = parser.request().large();
      if (parser.state() == State::kRequest && large) {
        parser.begin_block();
        break;
      }
      requests.push_back(parser.request());
      if (parser.state() == State::kBroken) requests.back().answer = "broken";
      if (large) requests.back().data = Bytes(std::exchange(block, {}));
      parser.next();
    }
    if (at == bytes.size()) break;
    const std::size_t taken = parser.feed(bytes.substr(at, step));
    REQUIRE((taken > 0 || parser.state() != State::kOpen));
    at += taken;
  }
  return requests;
}

MemcachedRequest only(std::string_view bytes) {
  const auto requests = parse(bytes);
  REQUIRE(requests.size() == 1);
  return requests.front();
}

// What is answered to a line that is wrong, when a good one follows.
std::string refusal(const std::string& bytes) {
  const auto requests = parse(bytes + "version\r\n");
  REQUIRE_MESSAGE(requests.size() == 2, bytes.substr(0, 60));
  CHECK(requests[0].verb == Verb::kRefused);
  CHECK_FALSE(requests[0].last);
  CHECK(requests[1].verb == Verb::kVersion);
  return requests[0].answer;
}

TEST_CASE("storage commands carry key, flags, time and block") {
  const auto set = only("set a/key 4294967295 -5 5\r\nhello\r\n");
  CHECK(set.verb == Verb::kSet);
  CHECK(set.keys == std::vector<std::string>{"a/key"});
  CHECK(set.flags == 4294967295u);
  CHECK(set.time == -1);
  CHECK(set.data.view() == "hello");
  CHECK_FALSE(set.noreply);
  const auto cas = only("cas k 1 100 2 18446744073709551615 noreply\r\n\r\n\r\n");
  CHECK(cas.verb == Verb::kCas);
  CHECK(cas.number == ~0ull);
  CHECK(cas.data.view() == "\r\n");
  CHECK(cas.noreply);
  const std::pair<const char*, Verb> others[] = {
      {"add", Verb::kAdd}, {"replace", Verb::kReplace}, {"append", Verb::kAppend}, {"prepend", Verb::kPrepend}};
  for (const auto& [name, verb] : others) {
    const auto request = only(std::string(name) + " k 0 0 1 noreply\r\nx\r\n");
    CHECK(request.verb == verb);
    CHECK(request.noreply);
  }
}

TEST_CASE("an empty value is a value") {
  const auto set = only("set k 0 0 0\r\n\r\n");
  CHECK(set.verb == Verb::kSet);
  CHECK(set.data.empty());
}

TEST_CASE("commands of one line") {
  const auto incr = only("incr k 18446744073709551615\r\n");
  CHECK(incr.verb == Verb::kIncr);
  CHECK(incr.number == ~0ull);
  CHECK(only("decr k 1 noreply\r\n").noreply);
  CHECK(only("touch k 60\r\n").time == 60);
  CHECK(only("delete k\r\n").verb == Verb::kDelete);
  CHECK(only("delete k 0\r\n").verb == Verb::kDelete);
  CHECK(only("delete k 0 noreply\r\n").noreply);
  CHECK(only("delete noreply\r\n").keys.front() == "noreply");
  CHECK(only("flush_all\r\n").verb == Verb::kFlushAll);
  CHECK(only("flush_all 10 noreply\r\n").time == 10);
  CHECK(only("stats items\r\n").argument == "items");
  CHECK(only("verbosity 1\r\n").verb == Verb::kVerbosity);
  CHECK(only("quit\r\n").last);
  CHECK(only("mn\r\n").verb == Verb::kMetaNoop);
  CHECK(only("version\n").verb == Verb::kVersion);
}

TEST_CASE("a get names one key or many, in requests of bounded size") {
  const auto get = only("get  a   b \r\n");
  CHECK(get.verb == Verb::kGet);
  CHECK(get.keys == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(get.more);
  CHECK(only("gats 60 k\r\n").time == 60);
  CHECK(only("gat -1 k\r\n").time == -1);

  std::string line = "gets";
  for (int i = 0; i < 10'000; ++i) line += " key" + std::to_string(i);
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, line.size() + 2}) {
    const auto requests = parse(line + "\r\nversion\r\n", step);
    REQUIRE(requests.size() > 300);
    std::size_t keys = 0;
    for (std::size_t i = 0; i + 1 < requests.size(); ++i) {
      CHECK(requests[i].verb == Verb::kGets);
      CHECK(requests[i].more == (i + 2 < requests.size()));
      CHECK(requests[i].keys.size() <= kMemcachedKeysAtOnce);
      for (const std::string& key : requests[i].keys) CHECK(key == "key" + std::to_string(keys++));
    }
    CHECK(keys == 10'000);
    CHECK(requests.back().verb == Verb::kVersion);
  }
}

TEST_CASE("what is wrong is answered, and the stream goes on behind it") {
  CHECK(refusal("nonsense\r\n") == "ERROR");
  CHECK(refusal("\r\n") == "ERROR");
  CHECK(refusal("GET k\r\n") == "ERROR");
  CHECK(refusal("get\r\n") == "ERROR");
  CHECK(refusal("gat\r\n") == "ERROR");
  CHECK(refusal("incr k\r\n") == "ERROR");
  CHECK(refusal("verbosity\r\n") == "ERROR");
  CHECK(refusal("mz k\r\n") == "ERROR");
  CHECK(refusal("verbosity a b c\r\n") == "ERROR");
  CHECK(refusal("verbosity high\r\n") == kMemcachedBadLine);
  CHECK(refusal("gat k\r\n") == "CLIENT_ERROR invalid exptime argument");
  CHECK(refusal("touch k x\r\n") == "CLIENT_ERROR invalid exptime argument");
  CHECK(refusal("flush_all x\r\n") == "CLIENT_ERROR invalid exptime argument");
  CHECK(refusal("incr k -1\r\n") == "CLIENT_ERROR invalid numeric delta argument");
  CHECK(refusal("delete k 5\r\n").starts_with("CLIENT_ERROR bad command line format"));
  CHECK(refusal("get " + std::string(251, 'k') + "\r\n") == kMemcachedBadLine);
  CHECK(refusal("get a\tb\r\n") == kMemcachedBadLine);
  CHECK(refusal("get fine \x01\r\n") == kMemcachedBadLine);
  CHECK(refusal(std::string(5000, 'x') + "\r\n") == "CLIENT_ERROR line too long");
  CHECK(refusal("set k 0 0 nonsense\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 0 -1\r\n") == kMemcachedBadLine);
}

TEST_CASE("the block of a refused command is no command") {
  CHECK(refusal("set k x 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 4294967296 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("set " + std::string(251, 'k') + " 0 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("cas k 0 0 9\r\nflush_all\r\n") == "ERROR");
  CHECK(refusal("cas k 0 0 9 x\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 0 9 5 6 7\r\nflush_all\r\n") == "ERROR");
  CHECK(refusal("ms k 9 !\r\nflush_all\r\n") == "CLIENT_ERROR invalid flag");
  const std::string large(300'000, '\n');
  CHECK(refusal("set k x 0 300000\r\n" + large + "\r\n") == kMemcachedBadLine);
}

TEST_CASE("a block of another length than stated is refused, and skipped to the end of its line") {
  CHECK(refusal("set k 0 0 3\r\nabcd\r\n") == "CLIENT_ERROR bad data chunk");
  CHECK(refusal("set k 0 0 3\r\nabcflush_all\r\n") == "CLIENT_ERROR bad data chunk");
  CHECK(refusal("set k 0 0 3\r\nabc\n") == "CLIENT_ERROR bad data chunk");
}

TEST_CASE("the binary protocol, and blocks beyond every limit, end the connection") {
  const auto binary = parse(std::string_view("\x80\x0b\0\0\0\0", 6));
  REQUIRE(binary.size() == 1);
  CHECK(binary[0].last);
  CHECK(binary[0].answer.starts_with("CLIENT_ERROR"));
  const auto huge = only("set k 0 0 18446744073709551615\r\n");
  CHECK(huge.last);
  CHECK(huge.answer == kMemcachedTooLarge);
}

TEST_CASE("large blocks come in pieces") {
  for (const std::size_t size : {model::kPieceBytes + 1, 2 * model::kPieceBytes, 3 * model::kPieceBytes - 1}) {
    const std::string value(size, 'v');
    const std::string bytes = "set k 7 0 " + std::to_string(size) + "\r\n" + value + "\r\nversion\r\n";
    for (const std::size_t step : {std::size_t{4099}, bytes.size()}) {
      const auto requests = parse(bytes, step);
      REQUIRE(requests.size() == 2);
      CHECK(requests[0].data.view() == value);
      CHECK(requests[0].flags == 7);
    }
    const auto broken = parse("set k 7 0 " + std::to_string(size) + "\r\n" + value + "x\r\nversion\r\n");
    REQUIRE(broken.size() == 2);
    CHECK(broken[0].answer == "broken");
  }
}

TEST_CASE("a large block that nobody reads is skipped") {
  MemcachedParser parser;
  const std::string bytes = "set k 0 0 600000\r\n" + std::string(600'000, '\n') + "\r\nversion\r\n";
  std::size_t at = parser.feed(bytes);
  REQUIRE(parser.state() == State::kRequest);
  parser.next();
  CHECK(parser.to_skip() == 600'000);
  at += parser.feed(std::string_view(bytes).substr(at));
  REQUIRE(parser.state() == State::kRequest);
  CHECK(parser.request().verb == Verb::kVersion);
  CHECK(at == bytes.size());
}

TEST_CASE("meta commands carry their flags, in their order") {
  const auto get = only("mg key v k Oab1 c T60 q Ppath\r\n");
  CHECK(get.verb == Verb::kMetaGet);
  CHECK(get.keys.front() == "key");
  CHECK(get.meta.flags == "vkOcTqP");
  CHECK(get.meta.opaque == "ab1");
  CHECK(*get.meta.time == 60);
  const auto set = only("ms key 3 F7 T0 C12 Me\r\nabc\r\n");
  CHECK(set.verb == Verb::kMetaSet);
  CHECK(set.flags == 7);
  CHECK(*set.meta.cas == 12);
  CHECK(set.meta.mode == 'E');
  CHECK(set.data.view() == "abc");
  const auto add = only("ma key N0 J13 D5 M-\r\n");
  CHECK(add.verb == Verb::kMetaArithmetic);
  CHECK(add.number == 5);
  CHECK(add.meta.initial == 13);
  CHECK(add.meta.mode == 'D');
  CHECK(only("ma key\r\n").number == 1);
  CHECK(only("me key\r\n").verb == Verb::kMetaDebug);
}

TEST_CASE("binary keys of meta commands are base64") {
  const auto get = only("mg AP8KIA== b k v\r\n");
  CHECK(get.keys.front() == std::string_view("\0\xff\n ", 4));
  CHECK(get.meta.sent_key == "AP8KIA==");
  CHECK(refusal("mg ###### b\r\n") == "CLIENT_ERROR error decoding key");
}

TEST_CASE("meta flags that are unknown, twice there or wrong are refused as memcached does") {
  CHECK(refusal("mg k x\r\n") == "CLIENT_ERROR invalid flag");
  CHECK(refusal("mg k h\r\n") == "CLIENT_ERROR invalid flag");
  CHECK(refusal("mg k v v\r\n") == "CLIENT_ERROR duplicate flag");
  CHECK(refusal("mg k O" + std::string(33, 'o') + "\r\n") == "CLIENT_ERROR opaque token too long");
  CHECK(refusal("mg " + std::string(251, 'k') + " v\r\n") == kMemcachedBadLine);
  CHECK(refusal("mg\r\n") == "ERROR");
  CHECK(refusal("ms k\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k abc\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k 3 Tx\r\nabc\r\n") == "CLIENT_ERROR bad token in command line format");
  CHECK(refusal("ms k 3 Mx\r\nabc\r\n") == "CLIENT_ERROR invalid mode for ms M token");
  CHECK(refusal("ma k Mx\r\n") == "CLIENT_ERROR invalid mode for ma M token");
  CHECK(refusal("md k I\r\n") == "CLIENT_ERROR invalid flag");
}

TEST_CASE("requests are the same however their bytes come") {
  const std::string bytes =
      "set k 1 2 5\r\nhello\r\nget a b c\r\nbad\r\nincr k 1\r\nset k 0 0 2\r\nabc\r\ncas k 0 0 1 9\r\nx\r\nmg k v "
      "q\r\n";
  const auto whole = parse(bytes);
  for (std::size_t step = 1; step < 20; ++step) {
    const auto parts = parse(bytes, step);
    REQUIRE(parts.size() == whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CHECK(parts[i].verb == whole[i].verb);
      CHECK(parts[i].keys == whole[i].keys);
      CHECK(parts[i].data == whole[i].data);
      CHECK(parts[i].answer == whole[i].answer);
    }
  }
}

TEST_CASE("lines of answers") {
  CHECK(memcached_value_line("k", 4294967295u, 5, std::nullopt) == "VALUE k 4294967295 5\r\n");
  CHECK(memcached_value_line("k", 0, 0, 12) == "VALUE k 0 0 12\r\n");
}

}  // namespace
}  // namespace tako::wire
