// What an HttpServer makes of clients that are slow, broken, hostile or gone.
#include <doctest/doctest.h>

#include "http_world.h"

namespace tako {
namespace {

using runtime::Task;
using test::HttpWorld;
using test::RawClient;

// What the server answers to `request` before it closes the connection.
std::string refusal_of(HttpWorld& http, std::string request) {
  return http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(request);
    co_await client.receive_until("\n", 100);
    CHECK(client.ended());
  });
}

void check_refused(const std::string& answer, int status) {
  CHECK_MESSAGE(answer.starts_with("HTTP/1.1 " + std::to_string(status)), answer);
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(answer.find("text/plain") != std::string::npos);
  const std::size_t body = answer.find("\r\n\r\n");
  REQUIRE(body != std::string::npos);
  CHECK(test::occurrences(answer.substr(body + 4), "\n") == 1);
}

TEST_CASE("what is no request is refused with one line and the end of the connection") {
  HttpWorld http;
  check_refused(refusal_of(http, "nonsense\r\n\r\n"), 400);
  check_refused(refusal_of(http, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  check_refused(refusal_of(http, "GET / HTTP/1.1\r\n\r\n"), 400);
  check_refused(refusal_of(http, "GET / HTTP/3.0\r\nHost: x\r\n\r\n"), 505);
  check_refused(refusal_of(http, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  check_refused(refusal_of(http, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400);
  check_refused(refusal_of(http, std::string(40'000, '\0')), 414);
  CHECK(http.handler.handled == 0);
}

TEST_CASE("a refused HEAD has no body behind its answer") {
  HttpWorld http;
  for (const char* rest : {"A : b\r\n\r\n", "Expect: x\r\n\r\n"}) {
    const std::string answer = refusal_of(http, "HEAD / HTTP/1.1\r\nHost: x\r\n" + std::string(rest));
    CHECK(answer.starts_with("HTTP/1.1 4"));
    CHECK(answer.find("Content-Length: ") != std::string::npos);
    CHECK(answer.ends_with("\r\n\r\n"));
  }
}

TEST_CASE("requests before a bad one are answered") {
  HttpWorld http;
  const std::string answer = refusal_of(http, "GET /one HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n");
  CHECK(answer.find("GET /one") != std::string::npos);
  CHECK(answer.find("400 Bad Request") != std::string::npos);
}

TEST_CASE("a head without an end is refused") {
  HttpWorld http;
  std::string request = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 90; ++i) request += "X-Pad-" + std::to_string(i) + ": " + std::string(1000, 'p') + "\r\n";
  check_refused(refusal_of(http, request), 431);
}

TEST_CASE("a body over the limit is refused before it is sent, if the client asks") {
  HttpWorld http;
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n";
  check_refused(refusal_of(http, head), 413);
  CHECK(http.handler.handled == 0);
}

TEST_CASE("a client that sends a body over the limit all the same sees why it was refused") {
  api::HttpServerOptions options;
  options.body_bytes_max = 100'000;
  HttpWorld http(options);
  net::HttpFetch request;
  request.method = "POST";
  request.body = Bytes(std::string(8u << 20, 'x'));
  const auto response = http.fetch(request);
  REQUIRE_MESSAGE(response.ok(), (response ? "" : response.error().message));
  CHECK(response->status == 413);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n";
  check_refused(refusal_of(http, head + std::string(100'001, 'x')), 413);
}

TEST_CASE("bodies of all connections together are bounded") {
  api::HttpServerOptions options;
  options.received_bytes_max = 300'000;
  HttpWorld http(options);
  http.world.run([&]() -> Task<> {
    RawClient first(http.world.loop());
    co_await first.connect(http.server.port());
    co_await first.send("POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x'));
    while (http.handler.handled == 0) co_await http.world.loop().sleep(milliseconds(1));
    RawClient second(http.world.loop());
    co_await second.connect(http.server.port());
    co_await second.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n");
    const std::string refused = co_await second.receive_all();
    check_refused(refused, 503);
    CHECK(refused.find("Retry-After: 1") != std::string::npos);
    http.handler.release();
    const std::string answer = co_await first.receive_until("POST /hold");
    CHECK(answer.starts_with("HTTP/1.1 200"));
  });
  CHECK(http.budgets->received.used() == 0);
}

TEST_CASE("values being sent to clients that do not read are bounded") {
  api::HttpServerOptions options;
  options.sending_bytes_max = 40u << 20;
  HttpWorld http(options);
  http.world.run([&]() -> Task<> {
    RawClient first(http.world.loop());
    co_await first.connect(http.server.port());
    co_await first.send("GET /big:33554432 HTTP/1.1\r\nHost: x\r\n\r\n");
    while (http.budgets->sending.used() == 0) co_await http.world.loop().sleep(milliseconds(1));
    RawClient second(http.world.loop());
    co_await second.connect(http.server.port());
    co_await second.send("GET /big:33554432 HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string refused = co_await second.receive_until("\r\n\r\n");
    CHECK(refused.starts_with("HTTP/1.1 503"));
    first.reset();
    while (http.budgets->sending.used() > 0) co_await http.world.loop().sleep(milliseconds(1));
  });
}

TEST_CASE("a head, or a body, that does not come in time is refused") {
  api::HttpServerOptions options;
  options.head_limit = milliseconds(20);
  options.pace.byte_within = milliseconds(20);
  HttpWorld http(options);
  check_refused(refusal_of(http, "GET / HT"), 408);
  check_refused(refusal_of(http, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"), 408);
  CHECK(http.handler.handled == 0);
}

TEST_CASE("a head that comes byte by byte has no more time than another") {
  api::HttpServerOptions options;
  options.head_limit = milliseconds(30);
  options.linger = milliseconds(20);
  HttpWorld http(options);
  const std::string answer = http.exchange([&](RawClient& client) -> Task<> {
    bool sent = co_await client.send("GET / HTTP/1.1\r\nHost: ");
    while (sent && http.server.connections() > 0 && client.received().empty()) {
      sent = co_await client.send("x");
      co_await http.world.loop().sleep(milliseconds(2));
      if (http.server.connections() == 0) break;
    }
    co_await client.receive_all();
  });
  CHECK((answer.empty() || answer.starts_with("HTTP/1.1 408")));
}

TEST_CASE("an idle connection is closed without a word") {
  api::HttpServerOptions options;
  options.idle_max = milliseconds(20);
  HttpWorld http(options);
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.receive_all();
    CHECK(client.ended());
  });
  CHECK(answer.empty());
}

TEST_CASE("a client that does not read its answer is closed") {
  api::HttpServerOptions options;
  options.pace.byte_within = milliseconds(30);
  HttpWorld http(options);
  http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send("GET /big:33554432 HTTP/1.1\r\nHost: x\r\n\r\n");
    while (http.handler.handled == 0) co_await http.world.loop().sleep(milliseconds(1));
    while (http.server.connections() > 0) co_await http.world.loop().sleep(milliseconds(1));
  });
  CHECK(http.budgets->sending.used() == 0);
}

TEST_CASE("clients that vanish leave nothing behind, whatever they were doing") {
  HttpWorld http;
  const std::string requests[] = {
      "", "GET / HT", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
      "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n", "GET /big:33554432 HTTP/1.1\r\nHost: x\r\n\r\n"};
  http.world.run([&]() -> Task<> {
    for (const std::string& request : requests) {
      RawClient client(http.world.loop());
      co_await client.connect(http.server.port());
      co_await client.send(request);
      co_await http.world.loop().sleep(milliseconds(5));
      client.reset();
    }
    http.handler.release();
    while (http.server.connections() > 0) co_await http.world.loop().sleep(milliseconds(1));
  });
  CHECK(http.budgets->received.used() == 0);
  CHECK(http.budgets->sending.used() == 0);
}

}  // namespace
}  // namespace tako
