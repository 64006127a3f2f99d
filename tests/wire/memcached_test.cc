// The memcached text protocol, from bytes to requests.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "wire/memcached/memcached.h"
#include "wire/memcached/meta.h"

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

// What is answered to a line that is wrong, when a good one follows; in brackets where noreply keeps it back.
std::string refusal(const std::string& bytes) {
  const auto requests = parse(bytes + "version\r\n");
  REQUIRE_MESSAGE(requests.size() == 2, bytes.substr(0, 60));
  CHECK_MESSAGE(requests[0].verb == Verb::kRefused, bytes.substr(0, 60));
  CHECK_FALSE(requests[0].last);
  CHECK(requests[1].verb == Verb::kVersion);
  return requests[0].noreply ? "(" + requests[0].answer + ")" : requests[0].answer;
}

// The first request closes the connection, and says nothing.
bool hangs_up(std::string_view bytes, std::size_t step = 1 << 20) {
  MemcachedParser parser;
  for (std::size_t at = 0; parser.state() == State::kOpen && at < bytes.size();) {
    at += parser.feed(bytes.substr(at, step));
  }
  const MemcachedRequest& request = parser.request();
  return parser.state() == State::kRequest && request.verb == Verb::kRefused && request.last && request.answer.empty();
}

constexpr char kTime[] = "CLIENT_ERROR invalid exptime argument";
constexpr char kDelta[] = "CLIENT_ERROR invalid numeric delta argument";
constexpr char kChunk[] = "CLIENT_ERROR bad data chunk";

std::string silent(const std::string& answer) { return "(" + answer + ")"; }

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
  CHECK(only("version 1 2 3\r\n").verb == Verb::kVersion);
  CHECK(only("  incr   k  1 \r\n").verb == Verb::kIncr);
}

TEST_CASE("words that memcached ignores are ignored") {
  CHECK(only("set k 0 0 1 what\r\nx\r\n").verb == Verb::kSet);
  CHECK_FALSE(only("set k 0 0 1 what\r\nx\r\n").noreply);
  CHECK(only("cas k 0 0 1 5 what\r\nx\r\n").verb == Verb::kCas);
  CHECK(only("incr k 1 what\r\n").verb == Verb::kIncr);
  CHECK(only("touch k 1 what\r\n").verb == Verb::kTouch);
  CHECK(only("flush_all 0 what\r\n").verb == Verb::kFlushAll);
  CHECK(only("verbosity 1 what\r\n").verb == Verb::kVerbosity);
  CHECK(only("mn what\r\n").verb == Verb::kMetaNoop);
}

TEST_CASE("keys hold any byte but blank, CR, LF and NUL, and have up to 250") {
  std::string all;
  for (int c = 1; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool out = byte == ' ' || byte == '\r' || byte == '\n';
    CHECK(memcached_key_ok(std::string(1, byte)) == !out);
    if (!out && all.size() < 250) all += byte;
  }
  CHECK(all.size() == 250);
  CHECK(only("get " + all + "\r\n").keys.front() == all);
  CHECK(only("set " + all + " 0 0 1\r\nx\r\n").keys.front() == all);
  CHECK(only("mg " + all + " v\r\n").keys.front() == all);
  CHECK_FALSE(memcached_key_ok(""));
  CHECK_FALSE(memcached_key_ok(std::string(251, 'k')));
  for (const std::string& key : {std::string("a\0b", 3), std::string("a\rb")}) {
    CHECK(refusal("get " + key + "\r\n") == kMemcachedBadLine);
    CHECK(refusal("delete " + key + "\r\n") == kMemcachedBadLine);
    CHECK(refusal("set " + key + " 0 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
    CHECK(refusal("mg " + key + " v\r\n") == kMemcachedBadLine);
  }
}

TEST_CASE("numbers are read as memcached reads them") {
  using Unsigned = std::optional<std::uint64_t>;
  const auto number = [](std::string_view text) { return memcached_number<std::uint64_t>(text); };
  for (const char* five : {"5", "+5", "005", "\t5", "\v+5", "5\t", "5\tx", "5\r", "\f\t 5 6"}) {
    CHECK_MESSAGE(number(five) == Unsigned(5), five);
    CHECK_MESSAGE(memcached_number<std::int64_t>(five) == std::optional<std::int64_t>(5), five);
  }
  for (const char* wrong : {"", "+", "-", "+-5", "- 5", "5x", "x5", "0x5", "5.0", "5-", "1e3", "\t", "-5"}) {
    CHECK_MESSAGE(!number(wrong), wrong);
  }
  CHECK(number(std::string_view("5\0x", 3)) == Unsigned(5));
  CHECK(number("-0") == Unsigned(0));
  CHECK(number("18446744073709551615") == Unsigned(~0ull));
  CHECK_FALSE(number("18446744073709551616"));
  CHECK_FALSE(memcached_number<std::uint32_t>("4294967296"));
  CHECK(memcached_number<std::int64_t>("-5") == std::optional<std::int64_t>(-5));
  CHECK(memcached_number<std::int64_t>("9223372036854775807") == std::optional<std::int64_t>(INT64_MAX));
  CHECK_FALSE(memcached_number<std::int64_t>("9223372036854775808"));
  CHECK(only("set k +1 -0 \t01\r\nx\r\n").flags == 1);
  CHECK(only("incr k +07\r\n").number == 7);
}

TEST_CASE("a get names one key or many, in requests of bounded size") {
  const auto get = only("get  a   b \r\n");
  CHECK(get.verb == Verb::kGet);
  CHECK(get.keys == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(get.more);
  CHECK(only("gats 60 k\r\n").time == 60);
  CHECK(only("gat -1 k\r\n").time == -1);
  CHECK(only(" get a\r\n").keys == std::vector<std::string>{"a"});
  CHECK(only("bget a\r\n").verb == Verb::kGet);
  CHECK(only("gat 5\r\n").keys.empty());
  CHECK(only("gats 5\r\n").verb == Verb::kGats);

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
  CHECK(refusal("set k 0 0\r\n") == "ERROR");
  CHECK(refusal("incr k 1 2 3\r\n") == "ERROR");
  CHECK(refusal("delete k a b c\r\n") == "ERROR");
  CHECK(refusal("flush_all 1 2 3\r\n") == "ERROR");
  CHECK(refusal("gat k\r\n") == kTime);
  CHECK(refusal("gat x k\r\n") == kTime);
  CHECK(refusal("touch k x\r\n") == kTime);
  CHECK(refusal("flush_all x\r\n") == kTime);
  CHECK(refusal("flush_all noreply 0\r\n") == kTime);
  CHECK(refusal("incr k -1\r\n") == kDelta);
  CHECK(refusal("delete k 5\r\n") == "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]");
  CHECK(refusal("get " + std::string(251, 'k') + "\r\n") == kMemcachedBadLine);
  CHECK(refusal("get fine " + std::string(251, 'k') + "\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 0 nonsense\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 0 -1\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 0 5x\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 99999999999999999999 9\r\nflush_all\r\n") == kMemcachedBadLine);
}

TEST_CASE("noreply, which may be any last word, keeps back what is wrong with the rest of the line") {
  CHECK(refusal("delete k 5 noreply\r\n").starts_with("("));
  CHECK(refusal("delete " + std::string(251, 'k') + " noreply\r\n") == silent(kMemcachedBadLine));
  CHECK(refusal("incr k x noreply\r\n") == silent(kDelta));
  CHECK(refusal("incr k noreply\r\n") == silent(kDelta));
  CHECK(refusal("touch k noreply\r\n") == silent(kTime));
  CHECK(refusal("flush_all x noreply\r\n") == silent(kTime));
  CHECK(refusal("verbosity high noreply\r\n") == silent(kMemcachedBadLine));
  CHECK(refusal("set k x 0 9 noreply\r\nflush_all\r\n") == silent(kMemcachedBadLine));
  CHECK(refusal("set k 0 0 noreply\r\n") == silent(kMemcachedBadLine));
  CHECK(refusal("cas k 0 0 9 noreply\r\nflush_all\r\n") == silent(kMemcachedBadLine));
  CHECK(refusal("set k 0 0 3 noreply\r\nabcd\r\n") == silent(kChunk));
  // The number of words is looked at first.
  CHECK(refusal("set k 0 0 9 5 noreply\r\nflush_all\r\n") == "ERROR");
  CHECK(refusal("incr k 1 2 noreply\r\n") == "ERROR");
  CHECK(refusal("ms k 3 q\r\nabcd\r\n") == kChunk);
}

TEST_CASE("an HTTP request closes the connection, and nothing behind it is carried out") {
  const std::string body = "Host: h\r\n\r\nset k 0 0 1\r\nx\r\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}}) {
    CHECK(hangs_up("POST / HTTP/1.1\r\n" + body, step));
    CHECK(hangs_up("GET /values/k HTTP/1.0\r\n" + body, step));
    CHECK(hangs_up("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", step));
    CHECK(hangs_up("DELETE " + std::string(5000, '/') + " HTTP/1.1\n" + body, step));
  }
  const auto later = parse("version\r\nPUT /x HTTP/1.1\r\n");
  REQUIRE(later.size() == 2);
  CHECK(later[1].last);
  CHECK(refusal("POST / http\r\n") == "ERROR");
  CHECK(only("get / HTTP/1.1\r\n").keys.size() == 2);
}

TEST_CASE("a line has 16 KiB, and one without an end closes the connection") {
  const std::string most(kMemcachedLineBytesMax - 2, 'x');
  CHECK(refusal(most + "\r\n") == "ERROR");
  CHECK(only("version" + std::string(kMemcachedLineBytesMax - 9, ' ') + "\r\n").verb == Verb::kVersion);
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, std::size_t{100'000}}) {
    CHECK(hangs_up(most + "x\r\nversion\r\n", step));
    CHECK(hangs_up("touch " + most + most, step));
    CHECK(hangs_up(std::string(20'000, ' ') + "version\r\n", step));
  }
  CHECK(refusal("get " + most + "\r\n") == kMemcachedBadLine);
  for (const std::size_t size : {kMemcachedLineBytesMax - 5, kMemcachedLineBytesMax, 3 * kMemcachedLineBytesMax}) {
    CHECK(refusal("get" + std::string(size, ' ') + "\r\n") == "ERROR");
    CHECK(only("gets" + std::string(size, ' ') + "k\r\n").keys == std::vector<std::string>{"k"});
    const bool whole = size < kMemcachedLineBytesMax - 5;
    CHECK(hangs_up("gat" + std::string(size, ' ') + "100 k\r\n") == !whole);
  }
}

TEST_CASE("the block of a refused command is no command") {
  CHECK(refusal("set k x 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 4294967296 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("set " + std::string(251, 'k') + " 0 0 9\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("cas k 0 0 9\r\nflush_all\r\n") == "ERROR");
  CHECK(refusal("cas k 0 0 9 x\r\nflush_all\r\n") == kMemcachedBadLine);
  CHECK(refusal("set k 0 0 9 5 6 7\r\nflush_all\r\n") == "ERROR");
  CHECK(refusal("set k 0 0 +9\t x y\r\nflush_all\r\n") == "ERROR");
  CHECK(refusal("ms k 9 !\r\nflush_all\r\n") == "CLIENT_ERROR invalid flag");
  CHECK(refusal("set k x 0 0\r\n\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k 0 M\r\n\r\n") == "CLIENT_ERROR incorrect length for M token");
  CHECK(refusal("ms " + std::string(251, 'k') + " 9\r\nflush_all\r\n") == kMemcachedBadLine);
  const std::string large(300'000, '\n');
  CHECK(refusal("set k x 0 300000\r\n" + large + "\r\n") == kMemcachedBadLine);
}

TEST_CASE("a block of another length than stated is refused, and skipped to the end of its line") {
  CHECK(refusal("set k 0 0 3\r\nabcd\r\n") == kChunk);
  CHECK(refusal("set k 0 0 3\r\nabcflush_all\r\n") == "CLIENT_ERROR bad data chunk");
  CHECK(refusal("set k 0 0 3\r\nabc\n") == "CLIENT_ERROR bad data chunk");
}

TEST_CASE("the binary protocol, and blocks beyond every limit, end the connection") {
  const auto binary = parse(std::string_view("\x80\x0b\0\0\0\0", 6));
  REQUIRE(binary.size() == 1);
  CHECK(binary[0].last);
  CHECK(binary[0].answer.starts_with("CLIENT_ERROR"));
  const auto later = parse("version\r\n\x80 k\r\n");
  REQUIRE(later.size() == 2);
  CHECK(later[1].answer == "ERROR");
  CHECK_FALSE(later[1].last);
  const std::pair<const char*, const char*> huge[] = {{"set k 0 0 9223372036854775807", kMemcachedTooLarge},
                                                      {"set k 0 0 18446744073709551615", kMemcachedBadLine},
                                                      {"set k 0 0 99999999999999999999999", kMemcachedBadLine},
                                                      {"set k x 0 9223372036854775807", kMemcachedBadLine},
                                                      {"ms k 99999999999999999999999", kMemcachedBadLine}};
  for (const auto& [line, answer] : huge) {
    const auto request = only(std::string(line) + "\r\n");
    CHECK_MESSAGE(request.answer == answer, line);
    CHECK_MESSAGE(request.last, line);
  }
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
  const auto set = only("ms key 3 F7 T0 C12 ME\r\nabc\r\n");
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
  CHECK(refusal("mg k v v\r\n") == "CLIENT_ERROR duplicate flag");
  CHECK(refusal("mg k \xe9\r\n") == "CLIENT_ERROR duplicate flag");
  CHECK(refusal("mg k O" + std::string(32, 'o') + "\r\n") == "CLIENT_ERROR opaque token too long");
  CHECK(only("mg k O" + std::string(31, 'o') + "\r\n").meta.opaque.size() == 31);
  CHECK(refusal("mg " + std::string(251, 'k') + " v\r\n") == kMemcachedBadLine);
  CHECK(refusal("mg\r\n") == "ERROR");
  CHECK(refusal("me\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms\r\n") == "ERROR");
  CHECK(refusal("ms k\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k abc\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k -3\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k 3 Tx\r\nabc\r\n") == "CLIENT_ERROR bad token in command line format");
  CHECK(refusal("ms k 3 C\r\nabc\r\n") == "CLIENT_ERROR bad token in command line format");
  CHECK(refusal("ms k 3 Mx\r\nabc\r\n") == "CLIENT_ERROR invalid mode for ms M token");
  CHECK(refusal("ms k 3 Me\r\nabc\r\n") == "CLIENT_ERROR invalid mode for ms M token");
  CHECK(refusal("ms k 3 MEE\r\nabc\r\n") == "CLIENT_ERROR incorrect length for M token");
  CHECK(refusal("ms k 3 Fx\r\nabc\r\n") == kMemcachedBadLine);
  CHECK(refusal("ms k 3 Tx Fx\r\nabc\r\n") == "CLIENT_ERROR bad token in command line format");
  CHECK(refusal("ms k 3 Fx Tx\r\nabc\r\n") == "CLIENT_ERROR bad token in command line format");
  CHECK(refusal("mg k Jx\r\n") == "CLIENT_ERROR invalid numeric initial value");
  CHECK(refusal("mg k D-1\r\n") == "CLIENT_ERROR invalid numeric delta value");
  CHECK(refusal("ma k Mx\r\n") == "CLIENT_ERROR invalid mode for ma M token");
  CHECK(refusal("ma k Dx\r\n") == "CLIENT_ERROR invalid or duplicate flag");
  CHECK(refusal("md k q q\r\n") == "CLIENT_ERROR invalid or duplicate flag");
}

TEST_CASE("meta commands take flags that mean nothing to them, but none that this store cannot honour") {
  CHECK(only("mg k F5 C7 D1 J1 I MX\r\n").verb == Verb::kMetaGet);
  CHECK(only("md k v t T30 N30 h l R30\r\n").verb == Verb::kMetaDelete);
  CHECK(only("ma k h l R30 I f s\r\n").verb == Verb::kMetaArithmetic);
  CHECK(only("ms k 1 v h l R30 I\r\nx\r\n").verb == Verb::kMetaSet);
  CHECK(only("me k what ever\r\n").verb == Verb::kMetaDebug);
  for (const char* flag : {"h", "l", "N30", "R30"}) {
    CHECK(refusal(std::string("mg k ") + flag + "\r\n") == "CLIENT_ERROR invalid flag");
  }
  CHECK(refusal("md k I\r\n") == "CLIENT_ERROR invalid or duplicate flag");
  CHECK(refusal("ms k 1 I C5\r\nx\r\n") == "CLIENT_ERROR invalid flag");
}

TEST_CASE("a meta line has 19 words") {
  const std::string flags = " b c f k O q s t u v C1 D1 F1 J1 M+ T1 P";
  CHECK(only("ma AAAA" + flags + "\r\n").verb == Verb::kMetaArithmetic);
  CHECK(refusal("ma AAAA" + flags + " L\r\n") == "CLIENT_ERROR options flags too long");
  CHECK(refusal("md AAAA" + flags + " L\r\n") == "CLIENT_ERROR options flags too long");
  CHECK(refusal("mg AAAA" + flags + " L\r\n") == "CLIENT_ERROR options flags are too long");
  CHECK(refusal("ms AAAA 9" + flags + "\r\nflush_all\r\n") == "CLIENT_ERROR options flags too long");
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
