#include <doctest/doctest.h>

#include <vector>

#include "wire/http/http.h"

namespace tako::wire {
namespace {

using State = HttpResponseParser::State;

constexpr std::uint64_t kBodyMax = 1000;
constexpr Timestamp kDate = 1'300'486'014'000'000;  // Fri, 18 Mar 2011 22:06:54 GMT

// State, status and body, as one line; the same in whatever steps the bytes come.
std::string read(std::string_view bytes, bool to_head = false, bool closes = false) {
  std::string first;
  for (const std::size_t step : {bytes.size(), std::size_t{1}, std::size_t{5}}) {
    HttpResponseParser parser({kBodyMax});
    parser.reset(to_head);
    std::size_t at = 0;
    while (at < bytes.size() && parser.state() != State::kDone && parser.state() != State::kFailed) {
      const auto taken = parser.feed(bytes.substr(at, step));
      if (taken.ok()) at += *taken;
    }
    if (closes && parser.state() != State::kFailed) {
      const bool complete = parser.finish().ok();
      REQUIRE(complete == (parser.state() == State::kDone));
    }
    std::string result = parser.state() == State::kFailed ? "failed" : "reading";
    if (parser.state() == State::kDone) {
      result = std::to_string(parser.status()) + (parser.keep_alive() ? " keep " : " close ") +
               std::to_string(bytes.size() - at) + " " + std::string(parser.take_part().view());
    }
    if (first.empty()) first = result;
    REQUIRE(result == first);
  }
  return first;
}

TEST_CASE("responses are read, whatever ends their body") {
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloNEXT") == "200 keep 4 hello");
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") == "200 keep 0 hello");
  CHECK(read("HTTP/1.1 200 OK\r\n\r\nhello", false, true) == "200 close 0 hello");
  CHECK(read("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi") == "200 close 0 hi");
  CHECK(read("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") == "404 keep 0 ");
  CHECK(read("HTTP/1.1 204 No Content\r\n\r\n") == "204 keep 0 ");
  CHECK(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n") == "304 keep 0 ");
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true) == "200 keep 0 ");
  CHECK(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") == "200 keep 0 x");
}

TEST_CASE("an answer that is cut off is not taken for whole") {
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", false, true) == "failed");
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, true) == "failed");
  CHECK(read("HTTP/1.1 200 OK\r\nConte", false, true) == "failed");
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell") == "reading");
}

TEST_CASE("what is no response, or too large, is refused") {
  for (const char* bad : {
           "SSH-2.0-OpenSSH_9.2\r\n",
           "HTTP/1.1 OK\r\n\r\n",
           "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
       }) {
    CAPTURE(bad);
    CHECK(read(bad) == "failed");
  }
  CHECK(read("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x')) == "failed");
}

TEST_CASE("a parser reads one response after another") {
  HttpResponseParser parser({kBodyMax});
  REQUIRE(parser.feed("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\none").ok());
  CHECK(parser.header("etag") == "\"1\"");
  CHECK(parser.take_part().view() == "one");
  parser.reset();
  REQUIRE(parser.feed("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").ok());
  CHECK(parser.state() == State::kDone);
  CHECK(parser.status() == 503);
  CHECK_FALSE(parser.header("etag").has_value());
  CHECK(parser.take_part().empty());
}

TEST_CASE("a response's head is written, and can be read again") {
  HttpResponse response;
  response.headers = {{"Content-Type", "text/plain"}, {"X-Timestamp", "17"}};
  response.body = Bytes::copy_of("hello");
  const std::string head = encode_head(response, true, kDate, 1);
  CHECK(head ==
        "HTTP/1.1 200 OK\r\nDate: Fri, 18 Mar 2011 22:06:54 GMT\r\nContent-Type: text/plain\r\nX-Timestamp: 17\r\n"
        "Content-Length: 5\r\n\r\n");
  CHECK(read(head + "hello") == "200 keep 0 hello");
}

TEST_CASE("the Connection header says what the request's version does not") {
  const HttpResponse response;
  const auto has = [&](bool keep_alive, int minor, std::string_view line) {
    return encode_head(response, keep_alive, kDate, minor).find(line) != std::string::npos;
  };
  CHECK_FALSE(has(true, 1, "Connection"));
  CHECK(has(false, 1, "\r\nConnection: close\r\n"));
  CHECK(has(true, 0, "\r\nConnection: keep-alive\r\n"));
  CHECK(has(false, 0, "\r\nConnection: close\r\n"));
}

TEST_CASE("the length is the body's, or the one given, or none where there is no body") {
  HttpResponse response;
  response.body = Bytes::copy_of("hello");
  const auto length = [&response] {
    const std::string head = encode_head(response, true, kDate, 1);
    const std::size_t at = head.find("Content-Length: ");
    return at == std::string::npos ? std::string("none") : head.substr(at + 16, head.find('\r', at) - at - 16);
  };
  CHECK(length() == "5");
  response.head_only = true;
  response.content_length = 70'000'000'000;
  CHECK(length() == "70000000000");
  response.status = 304;
  CHECK(length() == "70000000000");
  response.content_length.reset();
  CHECK(length() == "none");
  response.status = 204;
  CHECK(length() == "none");
  response.status = 100;
  CHECK(length() == "none");
}

TEST_CASE("a stored value cannot add a header") {
  HttpResponse response;
  response.headers = {{"Content-Type", std::string("a\r\nSet-Cookie: x\n\0b", 20)}};
  const std::string head = encode_head(response, true, kDate, 1);
  CHECK(head.find("Content-Type: a  Set-Cookie: x  b") != std::string::npos);
}

TEST_CASE("the date is made once a second") {
  HttpDate date;
  const std::string_view first = date.at(kDate);
  CHECK(first == "Fri, 18 Mar 2011 22:06:54 GMT");
  CHECK(date.at(kDate + 999'999) == "Fri, 18 Mar 2011 22:06:54 GMT");
  CHECK(date.at(kDate + 1'000'000) == "Fri, 18 Mar 2011 22:06:55 GMT");
}

TEST_CASE("every status this program answers with has a name") {
  for (const int status : {100, 200, 204, 206, 304, 400, 404, 405, 408, 412, 413, 414, 416, 431, 500, 501, 503, 504,
                           505, 507}) {
    CHECK(reason_phrase(status) != "Unknown");
  }
}

}  // namespace
}  // namespace tako::wire
