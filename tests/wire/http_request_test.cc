#include <doctest/doctest.h>

#include <vector>

#include "base/random.h"
#include "wire/http/http.h"

namespace tako::wire {
namespace {

using State = HttpRequestParser::State;

constexpr std::uint64_t kBodyMax = 1000;

// What a parser made of some bytes: two ways to feed the same bytes must give the same.
struct Outcome {
  State state = State::kHead;
  int status = 0;
  std::size_t taken = 0;
  HttpRequest request;
};

Outcome parse(std::string_view bytes, std::size_t step) {
  HttpRequestParser parser({kBodyMax});
  Outcome outcome;
  while (outcome.taken < bytes.size() && parser.state() != State::kDone) {
    const auto taken = parser.feed(bytes.substr(outcome.taken, step));
    if (!taken.ok()) break;
    outcome.taken += *taken;
  }
  outcome.state = parser.state();
  outcome.status = parser.error_status();
  if (parser.head_complete()) outcome.request = parser.request();
  return outcome;
}

bool same(const Outcome& a, const Outcome& b) {
  if (a.state != b.state || a.status != b.status) return false;
  if (a.state != State::kDone) return true;
  const HttpRequest& x = a.request;
  const HttpRequest& y = b.request;
  return a.taken == b.taken && x.method == y.method && x.target == y.target && x.path == y.path && x.query == y.query &&
         x.headers == y.headers && x.body == y.body && x.keep_alive == y.keep_alive && x.minor == y.minor;
}

Outcome parse(std::string_view bytes) {
  const Outcome whole = parse(bytes, bytes.size());
  for (const std::size_t step : {1, 2, 7}) {
    CAPTURE(bytes);
    CAPTURE(step);
    const bool agrees = same(whole, parse(bytes, step));
    REQUIRE(agrees);
  }
  return whole;
}

std::string get(std::string_view target, std::string_view headers = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n";
}

std::string post(std::string_view headers, std::string_view body) {
  return "POST /values/k HTTP/1.1\r\nHost: h\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

TEST_CASE("a request is taken apart") {
  const Outcome outcome = parse(
      "PUT /values/a%20b?w=all&ttl=5 HTTP/1.1\r\nHost: example\r\nX-Timestamp:  17 \t\r\nEmpty:\r\n"
      "Content-Length: 5\r\n\r\nhello");
  REQUIRE(outcome.state == State::kDone);
  const HttpRequest& request = outcome.request;
  CHECK(request.method == "PUT");
  CHECK(request.target == "/values/a%20b?w=all&ttl=5");
  CHECK(request.path == "/values/a%20b");
  CHECK(request.query == "w=all&ttl=5");
  CHECK(request.minor == 1);
  CHECK(request.keep_alive);
  CHECK(request.body.view() == "hello");
  CHECK(request.header(Field::kHost) == "example");
  CHECK(request.header(Field::kXTimestamp) == "17");
  CHECK(find_header(request.headers, "empty") == "");
  CHECK_FALSE(find_header(request.headers, "absent").has_value());
  CHECK(request.headers.size() == 4);
}

TEST_CASE("targets of every form give their path") {
  struct Row {
    const char* target;
    const char* path;
    const char* query;
  };
  for (const Row& row : {
           Row{"/", "/", ""},
           Row{"/values/k", "/values/k", ""},
           Row{"/values/a/b+c", "/values/a/b+c", ""},
           Row{"//values", "//values", ""},
           Row{"/values/k?", "/values/k", ""},
           Row{"/values/k?a?b", "/values/k", "a?b"},
           Row{"http://host/values/k", "/values/k", ""},
           Row{"HTTP://host:8080/values/k?w=one", "/values/k", "w=one"},
           Row{"https://host", "/", ""},
           Row{"http://host?x=1", "/", "x=1"},
           Row{"/values/\xc3\xa9", "/values/%C3%A9", ""},
           Row{"/values/\xff?q=\x80", "/values/%FF", "q=%80"},
       }) {
    const Outcome outcome = parse(get(row.target));
    CAPTURE(row.target);
    REQUIRE(outcome.state == State::kDone);
    CHECK(outcome.request.path == row.path);
    CHECK(outcome.request.query == row.query);
  }
}

TEST_CASE("bad requests are refused with their status") {
  struct Row {
    int status;
    std::string bytes;
  };
  const std::vector<Row> rows = {
      // the request line
      {400, "\x16\x03\x01\x02\x01 hello\r\n\r\n"},
      {400, "GET / HTTP/1.1\nHost: h\n\n"},
      {400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
      {400, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET /\t HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET /values/a#b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET values/k HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET ftp://host/values/k HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET /\r\n\r\n"},
      {400, "GET / http/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET / HTTP/11\r\nHost: h\r\n\r\n"},
      {400, "get foo\r\n"},
      {501, "BREW /values/k HTTP/1.1\r\nHost: h\r\n\r\n"},
      {501, "get /values/k HTTP/1.1\r\nHost: h\r\n\r\n"},
      {501, "DESCRIBE /values/k HTTP/1.1\r\nHost: h\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
      {505, "GET / HTTP/0.9\r\nHost: h\r\n\r\n"},
      {505, "GET / HTTP/3.1\r\nHost: h\r\n\r\n"},
      {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      // headers
      {400, get("/", " Folded: x\r\n")},
      {400, get("/", "A: b\r\n c\r\n")},
      {400, get("/", "A : b\r\n")},
      {400, get("/", "A b: c\r\n")},
      {400, get("/", "(A): b\r\n")},
      {400, get("/", ": b\r\n")},
      {400, get("/", "NoColon\r\n")},
      {400, get("/", "A: b\rC: d\r\n")},
      {400, get("/", "A: b\nC: d\r\n")},
      {400, get("/", std::string("A: b\0c\r\n", 8))},
      {400, get("/", "A: b\x01\r\n")},
      {400, get("/", "A: b\x7f\r\n")},
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, get("/", "Host: other\r\n")},
      {400, get("http:///values/k")},
      {400, get("http://?x")},
      {400, get("http://user@host/values/k")},
      {400, get("http://user:word@host/values/k")},
      {400, get("http://ho\"st/values/k")},
      {400, get("http://host:80x/values/k")},
      // framing
      {411, post("", "hello")},
      {411, post("Connection: close\r\n", "")},
      {411, "PUT /values/k HTTP/1.0\r\n\r\nhello"},
      {400, post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")},
      {400, post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {400, post("Content-Length: 5, 5\r\n", "hello")},
      {400, post("Content-Length: +5\r\n", "hello")},
      {400, post("Content-Length: -5\r\n", "hello")},
      {400, post("Content-Length: 0x5\r\n", "hello")},
      {400, post("Content-Length:\r\n", "hello")},
      {400, post("Content-Length: 5 5\r\n", "hello")},
      {400, post("Content-Length: 99999999999999999999\r\n", "hello")},
      {400, post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
      {501, post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
      {501, post("Transfer-Encoding: gzip\r\n", "")},
      {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
      {413, post("Content-Length: 1001\r\n", "")},
      // chunks
      {400, post("Transfer-Encoding: chunked\r\n", "\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "g\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "-5\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5 \r\nhello\r\n0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5\rXhello\r\n0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5\r\nhelloXX0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5\r\nhello\rX0\r\n\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "5;a=\n\r\nhello\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "00000000000000000005\r\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "0\r\n\n")},
      {400, post("Transfer-Encoding: chunked\r\n", "0\r\nT: v\r\r\n\r\n")},
      {413, post("Transfer-Encoding: chunked\r\n", "3e9\r\n")},
      {413, post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\nfffffff\r\n")},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes);
    const Outcome outcome = parse(row.bytes);
    CHECK(outcome.state == State::kFailed);
    CHECK(outcome.status == row.status);
  }
}

TEST_CASE("chunked bodies are put together, extensions and trailers passed over") {
  const std::string chunked = "Transfer-Encoding: Chunked\r\n";
  CHECK(parse(post(chunked, "5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\n\r\n")).request.body.view() == "hello world");
  CHECK(parse(post(chunked, "A\r\n0123456789\r\n00\r\nT: v\r\nU: w\r\n\r\n")).request.body.view() == "0123456789");
  CHECK(parse(post(chunked, "0\r\n\r\n")).state == State::kDone);
  const std::string most = std::string("3e8\r\n") + std::string(1000, 'x') + "\r\n0\r\n\r\n";
  CHECK(parse(post(chunked, most)).request.body.size() == 1000);
  CHECK(parse(post(chunked, "5\r\nhel")).state == State::kBody);
}

TEST_CASE("keep-alive is what the version and the Connection header say") {
  CHECK(parse(get("/")).request.keep_alive);
  CHECK_FALSE(parse(get("/", "Connection: close\r\n")).request.keep_alive);
  CHECK_FALSE(parse(get("/", "Connection: Foo, Close\r\n")).request.keep_alive);
  const Outcome old = parse("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.state == State::kDone);
  CHECK(old.request.minor == 0);
  CHECK_FALSE(old.request.keep_alive);
  CHECK(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
  CHECK_FALSE(parse(get("/", "Connection: keep-alive\r\nConnection: close\r\n")).request.keep_alive);
  CHECK(parse(get("/", "Connection: closed, x-close\r\n")).request.keep_alive);
  CHECK(parse(get("/", "Proxy-Connection: close\r\n")).request.keep_alive);
  CHECK_FALSE(parse("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n").request.keep_alive);
}

TEST_CASE("a later minor version is answered as 1.1") {
  for (const char* version : {"HTTP/1.2", "HTTP/1.9"}) {
    const Outcome outcome = parse("GET /x\xc3\xa9 " + std::string(version) + "\r\nHost: h\r\n\r\n");
    CHECK(outcome.state == State::kDone);
    CHECK(outcome.request.minor == 1);
    CHECK(outcome.request.keep_alive);
    CHECK(outcome.request.path == "/x%C3%A9");
  }
}

TEST_CASE("a Host is a host, and perhaps a port") {
  const auto with_host = [](std::string_view host) {
    return parse("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n").state;
  };
  for (const char* good : {"", "h", "h:80", "h:", "h.example.", "a_b", "1.2.3.4:5", "[::1]", "[::1]:80",
                           "[fe80::1]", "%41"}) {
    CAPTURE(good);
    CHECK((with_host(good) == State::kDone));
  }
  for (const char* bad : {":80", "h:x", "h:8 0", "a b", "a/b", "a@b", "a\\b", "h?x", "h#x", "[::1", "::1",
                          "[]", "[::1]x", "\xe9", "<"}) {
    CAPTURE(bad);
    CHECK((with_host(bad) == State::kFailed));
  }
}

TEST_CASE("an answer to HEAD is known as one even where the request line is bad, or has no end") {
  for (const char* line : {"HEAD / HTTP/2.0\r\n", "HEAD /a b HTTP/1.1\r\n", "HEAD / HTTP/1.1\n", "HEAD /"}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{100}}) {
      HttpRequestParser parser({kBodyMax});
      const std::string_view bytes = line;
      for (std::size_t at = 0; at < bytes.size(); at += step) (void)parser.feed(bytes.substr(at, step));
      CAPTURE(line);
      CHECK(parser.is_head());
      parser.reset();
      CHECK_FALSE(parser.is_head());
    }
  }
  HttpRequestParser parser({kBodyMax});
  CHECK_FALSE(parser.feed("HEAD /" + std::string(100'000, 'x')).ok());
  CHECK(parser.is_head());
  for (const char* line : {"HEADER / HTTP/1.1\r\n", "GET HEAD HTTP/1.1\r\n", "HEAD", "head / HTTP/1.1\r\n"}) {
    parser.reset();
    (void)parser.feed(line);
    CAPTURE(line);
    CHECK_FALSE(parser.is_head());
  }
  parser.reset();
  CHECK(parser.feed("\r\nHEAD / HTTP/1.1\r\n").ok());
  CHECK(parser.is_head());
}

TEST_CASE("an answer to HEAD is known as one even where the rest of the head is bad") {
  HttpRequestParser parser({kBodyMax});
  CHECK_FALSE(parser.is_head());
  CHECK_FALSE(parser.feed("HEAD / HTTP/1.1\r\nA : b\r\n").ok());
  CHECK(parser.is_head());
  parser.reset();
  CHECK_FALSE(parser.is_head());
  REQUIRE(parser.feed(get("/")).ok());
  CHECK_FALSE(parser.is_head());
}

TEST_CASE("a parser stops at the end of a request, and goes on with the next") {
  const std::string bytes = post("Content-Length: 3\r\n", "abc") + get("/one") + "\r\n" +
                            post("Transfer-Encoding: chunked\r\n", "2\r\nde\r\n0\r\n\r\n") + get("/two");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    HttpRequestParser parser({kBodyMax});
    std::vector<std::string> seen;
    std::size_t at = 0;
    while (at < bytes.size()) {
      const auto taken = parser.feed(std::string_view(bytes).substr(at, step));
      REQUIRE(taken.ok());
      at += *taken;
      if (parser.state() != State::kDone) continue;
      CHECK(*parser.feed("more") == 0);
      seen.push_back(parser.request().path + ":" + std::string(parser.request().body.view()));
      parser.reset();
      CHECK(parser.idle());
    }
    CHECK(seen == std::vector<std::string>{"/values/k:abc", "/one:", "/values/k:de", "/two:"});
  }
}

TEST_CASE("nothing of one request shows in the next") {
  HttpRequestParser parser({kBodyMax});
  REQUIRE(parser.feed(post("A: 1\r\nB: 2\r\nExpect: 100-continue\r\nContent-Length: 3\r\n", "abc")).ok());
  REQUIRE(parser.state() == State::kDone);
  const HttpRequest moved = std::move(parser.request());
  parser.reset();
  REQUIRE(parser.feed("GET /x?q HTTP/1.0\r\nC: 3\r\n\r\n").ok());
  const HttpRequest& request = parser.request();
  CHECK(request.method == "GET");
  CHECK(request.target == "/x?q");
  CHECK(request.query == "q");
  CHECK(request.headers == HttpHeaders{{"c", "3"}});
  CHECK(request.body.empty());
  CHECK_FALSE(parser.content_length().has_value());
  CHECK(moved.body.view() == "abc");

  parser.reset();
  CHECK_FALSE(parser.head_complete());
  REQUIRE(parser.feed(get("/y")).ok());
  CHECK(parser.request().query.empty());
  CHECK(parser.request().headers == HttpHeaders{{"host", "h"}});
}

TEST_CASE("a client that waits for 100 Continue is noticed, until its body comes") {
  HttpRequestParser parser({kBodyMax});
  REQUIRE(parser.feed(post("Expect: 100-Continue\r\nContent-Length: 3\r\n", "")).ok());
  CHECK(parser.state() == State::kBody);
  CHECK(parser.head_complete());
  CHECK(parser.expects_continue());
  CHECK(parser.content_length() == 3u);
  REQUIRE(parser.feed("a").ok());
  CHECK_FALSE(parser.expects_continue());

  parser.reset();
  REQUIRE(parser.feed(get("/", "Expect: 100-continue\r\n")).ok());
  CHECK(parser.state() == State::kDone);
  CHECK_FALSE(parser.expects_continue());

  parser.reset();
  REQUIRE(parser.feed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").ok());
  CHECK_FALSE(parser.expects_continue());
}

TEST_CASE("a body over the limit is refused with its head, one at the limit is taken") {
  HttpRequestParser parser({kBodyMax});
  CHECK_FALSE(parser.feed(post("Expect: 100-continue\r\nContent-Length: 1001\r\n", "")).ok());
  CHECK(parser.error_status() == 413);
  CHECK(parser.head_complete());
  CHECK(parser.request().path == "/values/k");
  CHECK(parse(post("Content-Length: 1000\r\n", std::string(1000, 'x'))).request.body.size() == 1000);
}

TEST_CASE("heads have their limits") {
  const std::string_view line = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::size_t room = kHttpHeadBytesMax - line.size() - 2 - 5;
  CHECK(parse(get("/", "A: " + std::string(room, 'x') + "\r\n")).state == State::kDone);
  CHECK(parse(get("/", "A: " + std::string(room + 1, 'x') + "\r\n")).status == 431);
  CHECK(parse(get("/", "A: " + std::string(100'000, 'x'))).status == 431);
  CHECK(parse("GET /" + std::string(100'000, 'x')).status == 414);
  CHECK(parse(get("/values/" + std::string(20'000, 'x'))).state == State::kDone);

  std::string headers;
  for (std::size_t i = 1; i < kHttpHeadersMax; ++i) headers += "A: b\r\n";
  CHECK(parse(get("/", headers)).state == State::kDone);
  CHECK(parse(get("/", headers + "A: b\r\n")).status == 431);
}

TEST_CASE("endless empty lines before a request are bounded") {
  std::string lines;
  for (int i = 0; i < 20'000; ++i) lines += "\r\n";
  CHECK(parse(lines).state == State::kFailed);
  CHECK(parse("\r\n\r\n" + get("/x")).request.path == "/x");
}

TEST_CASE("CONNECT and Upgrade are requests like others, after which a tunnel is not waited for") {
  const Outcome connect = parse("CONNECT host:443 HTTP/1.1\r\nHost: host\r\n\r\n");
  REQUIRE(connect.state == State::kDone);
  CHECK(connect.request.method == "CONNECT");
  CHECK(connect.request.path == "host:443");
  CHECK_FALSE(connect.request.keep_alive);

  const std::string upgrade = get("/u", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n");
  const Outcome upgraded = parse(upgrade + get("/next"));
  REQUIRE(upgraded.state == State::kDone);
  CHECK(upgraded.taken == upgrade.size());
  CHECK(upgraded.request.keep_alive);

  CHECK(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").request.path == "*");
}

TEST_CASE("damaged requests give the same result however they are fed") {
  Random random(30);
  const std::vector<std::string> seeds = {
      get("/values/k?w=all", "If-Match: \"x\"\r\nConnection: keep-alive\r\n"),
      post("Content-Length: 11\r\n", "hello world"),
      post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: v\r\n\r\n"),
  };
  for (int i = 0; i < 3'000; ++i) {
    std::string bytes = seeds[random.below(seeds.size())];
    for (std::uint64_t edits = random.between(1, 3); edits > 0; --edits) {
      const std::size_t at = random.below(bytes.size());
      if (random.below(3) == 0) bytes.erase(at, 1);
      else if (random.below(2) == 0) bytes[at] ^= static_cast<char>(1 << random.below(8));
      else bytes.insert(at, 1, "\r\n \t:;,0"[random.below(8)]);
    }
    parse(bytes);
  }
}

TEST_CASE("parameters are looked up and decoded") {
  HttpRequest request;
  request.query = "a=1&b=x%20y+z&flag&empty=&%63=see&bad=%zz";
  CHECK(*request.parameter("b") == "x y+z");
  CHECK(*request.parameter("flag") == "");
  CHECK(*request.parameter("empty") == "");
  CHECK(*request.parameter("c") == "see");
  CHECK_FALSE(request.parameter("bad").ok());
  CHECK_FALSE(request.parameter("absent")->has_value());
  request.query = "a=1&ba%64=%zz";
  CHECK(*request.parameter("a") == "1");
  CHECK_FALSE(request.parameter("bad").ok());
}

TEST_CASE("percent-decoding is done once, and + stands for itself") {
  CHECK(*percent_decode("a%2Fb%2fc+d%00") == std::string("a/b/c+d\0", 8));
  CHECK(*percent_decode("%2541") == "%41");
  for (const char* bad : {"%", "%4", "a%4", "%zz", "%4g", "%%41"}) CHECK_FALSE(percent_decode(bad).ok());
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  CHECK(*percent_decode(percent_encode(all)) == all);
  CHECK(percent_encode("a/b c", "/") == "a/b%20c");
}

}  // namespace
}  // namespace tako::wire
