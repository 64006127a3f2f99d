// Bodies that a parser hands out in parts.
#include <doctest/doctest.h>

#include <vector>

#include "wire/http/http.h"

namespace tako::wire {
namespace {

constexpr std::size_t kPart = 10;

// The parts in which a body comes, whatever the steps in which the bytes do; then the state at the end.
template <class Parser>
std::vector<std::string> parts_of(std::string_view bytes, std::uint64_t bytes_max = 1000) {
  std::vector<std::string> first;
  for (const std::size_t step : {bytes.size(), std::size_t{1}, std::size_t{3}, std::size_t{17}}) {
    Parser parser({bytes_max, kPart});
    std::vector<std::string> parts;
    std::size_t at = 0;
    bool failed = false;
    while (!failed && at < bytes.size() && parser.state() != Parser::State::kDone) {
      const auto taken = parser.feed(bytes.substr(at, step));
      failed = !taken.ok();
      if (failed) break;
      at += *taken;
      if (!parser.part_ready()) continue;
      const bool greedy = parser.feed(bytes.substr(at, step)).ok() && *parser.feed(bytes.substr(at, step)) > 0;
      CHECK_FALSE(greedy);
      parts.emplace_back(parser.take_part().view());
    }
    if (parser.state() == Parser::State::kDone) parts.emplace_back(parser.take_part().view());
    parts.push_back(failed ? "failed" : parser.state() == Parser::State::kDone ? "done" : "open");
    if (first.empty()) first = parts;
    REQUIRE(parts == first);
  }
  return first;
}

std::vector<std::string> request(std::string_view headers_and_body) {
  return parts_of<HttpRequestParser>("PUT /k HTTP/1.1\r\nHost: h\r\n" + std::string(headers_and_body));
}

std::vector<std::string> response(std::string_view headers_and_body) {
  return parts_of<HttpResponseParser>("HTTP/1.1 200 OK\r\n" + std::string(headers_and_body));
}

using Parts = std::vector<std::string>;

TEST_CASE("a body with a length comes in parts of one size, and the rest") {
  CHECK(request("Content-Length: 25\r\n\r\n0123456789abcdefghijABCDE") ==
        Parts{"0123456789", "abcdefghij", "ABCDE", "done"});
  CHECK(request("Content-Length: 20\r\n\r\n0123456789abcdefghij") == Parts{"0123456789", "abcdefghij", "done"});
  CHECK(request("Content-Length: 10\r\n\r\n0123456789") == Parts{"0123456789", "done"});
  CHECK(request("Content-Length: 3\r\n\r\nabc") == Parts{"abc", "done"});
  CHECK(response("Content-Length: 11\r\n\r\n0123456789a") == Parts{"0123456789", "a", "done"});
}

TEST_CASE("the chunks of a body are not its parts") {
  CHECK(request("Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n10\r\n456789abcdefghij\r\n5\r\nABCDE\r\n0\r\n\r\n") ==
        Parts{"0123456789", "abcdefghij", "ABCDE", "done"});
  CHECK(response("Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n") ==
        Parts{"0123456789", "a", "done"});
}

TEST_CASE("a chunked body of one full part is not known to have more before it has") {
  CHECK(request("Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n") == Parts{"0123456789", "done"});
  CHECK(request("Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n") == Parts{"open"});
  CHECK(request("Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n1\r\n") == Parts{"0123456789", "open"});
}

TEST_CASE("a limit counts all parts together") {
  const std::string chunks = "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\na\r\nabcdefghij\r\n";
  const std::string start = "PUT /k HTTP/1.1\r\nHost: h\r\n";
  CHECK(parts_of<HttpRequestParser>(start + chunks + "0\r\n\r\n", 20) == Parts{"0123456789", "abcdefghij", "done"});
  CHECK(parts_of<HttpRequestParser>(start + chunks + "1\r\n", 20).back() == "failed");
  CHECK(parts_of<HttpRequestParser>(start + "Content-Length: 21\r\n\r\n", 20) == Parts{"failed"});
}

TEST_CASE("a body that ends with the connection comes in parts too") {
  HttpResponseParser parser({1000, kPart});
  const std::string_view bytes = "HTTP/1.1 200 OK\r\n\r\n0123456789ab";
  const auto taken = parser.feed(bytes);
  REQUIRE(taken.ok());
  REQUIRE(parser.part_ready());
  CHECK(parser.take_part().view() == "0123456789");
  REQUIRE(parser.feed(bytes.substr(*taken)).ok());
  CHECK_FALSE(parser.part_ready());
  REQUIRE(parser.finish().ok());
  CHECK(parser.take_part().view() == "ab");
  CHECK(parser.take_part().empty());
}

TEST_CASE("the request after one that came in parts is a new one") {
  HttpRequestParser parser({1000, kPart});
  const std::string_view bytes =
      "PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n0123456789ab"
      "PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy";
  std::size_t at = *parser.feed(bytes);
  const HttpRequest first = std::move(parser.request());
  CHECK(parser.take_part().view() == "0123456789");
  at += *parser.feed(bytes.substr(at));
  CHECK(parser.state() == HttpRequestParser::State::kDone);
  CHECK(parser.take_part().view() == "ab");
  parser.reset();
  at += *parser.feed(bytes.substr(at));
  CHECK(at == bytes.size());
  CHECK(first.path == "/1");
  CHECK(parser.request().path == "/2");
  CHECK(parser.request().body.view() == "xy");
}

}  // namespace
}  // namespace tako::wire
