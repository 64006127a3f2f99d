// HttpServer and HttpClient as a client sees them, on loopback sockets.
#include <doctest/doctest.h>

#include "http_world.h"

namespace tako {
namespace {

using runtime::Task;
using test::HttpWorld;
using test::RawClient;

constexpr const char* kGet = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_CASE("a request is answered, and the connection kept for the next") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send(kGet);
    co_await client.receive_until("GET /hello");
    co_await client.send(kGet);
    co_await client.receive_until("GET /hello", 2);
  });
  CHECK(test::occurrences(answer, "HTTP/1.1 200 OK\r\n") == 2);
  CHECK(test::occurrences(answer, "Date: ") == 2);
  CHECK(test::occurrences(answer, "Content-Length: 10\r\n") == 2);
}

TEST_CASE("pipelined requests are answered in order") {
  HttpWorld http;
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += "GET /" + std::to_string(i) + ". HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answer = http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(requests);
    co_await client.receive_until("GET /99.");
  });
  std::size_t at = 0;
  for (int i = 0; i < 100 && at != std::string::npos; ++i) at = answer.find("GET /" + std::to_string(i) + ".", at);
  CHECK(at != std::string::npos);
}

TEST_CASE("an answer does not wait for a pipelined request that takes long") {
  HttpWorld http;
  http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(std::string(kGet) + "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    co_await client.receive_until("GET /hello");
    CHECK(client.count("GET /hello") == 1);
    CHECK(client.count("GET /hold") == 0);
    http.handler.release();
    co_await client.receive_until("GET /hold");
    CHECK(client.count("GET /hold") == 1);
  });
}

TEST_CASE("a request that comes byte by byte is the same request") {
  HttpWorld http;
  const std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde";
  const std::string answer = http.exchange([&](RawClient& client) -> Task<> {
    for (const char c : request) {
      co_await client.send(std::string(1, c));
      co_await http.world.loop().sleep(microseconds(10));
    }
    co_await client.receive_until("abcde");
  });
  CHECK(answer.ends_with("\r\n\r\nabcde"));
}

TEST_CASE("a chunked body arrives whole") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    co_await client.send(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    co_await client.receive_until("abcde");
  });
  CHECK(answer.ends_with("\r\n\r\nabcde"));
}

TEST_CASE("HEAD has the headers and no body") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send(std::string("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n") + kGet);
    co_await client.receive_until("GET /hello");
  });
  CHECK(test::occurrences(answer, "200 OK") == 2);
  CHECK(test::occurrences(answer, "HEAD /hello") == 0);
  CHECK(answer.find("Content-Length: 11") != std::string::npos);
}

TEST_CASE("HTTP/1.0 is closed after the answer, unless the client asks to keep it") {
  HttpWorld http;
  const std::string closed = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send("GET /hello HTTP/1.0\r\n\r\n");
    co_await client.receive_all();
    CHECK(client.ended());
  });
  CHECK(closed.ends_with("GET /hello"));
  const std::string kept = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    co_await client.receive_until("GET /hello");
    co_await client.send("GET /hello HTTP/1.0\r\n\r\n");
    co_await client.receive_all();
  });
  CHECK(test::occurrences(kept, "GET /hello") == 2);
  CHECK(kept.find("Connection: keep-alive") != std::string::npos);
}

TEST_CASE("Connection: close is obeyed") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    co_await client.receive_all();
    CHECK(client.ended());
  });
  CHECK(answer.find("Connection: close") != std::string::npos);
}

TEST_CASE("a client that expects 100-continue is told to go on") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    co_await client.receive_until("\r\n\r\n");
    CHECK(client.received() == "HTTP/1.1 100 Continue\r\n\r\n");
    co_await client.send("abc");
    co_await client.receive_until("abc");
  });
  CHECK(answer.ends_with("abc"));
}

TEST_CASE("a value of a whole piece is posted and returned") {
  HttpWorld http;
  const Bytes value(std::string(model::kPieceBytes, 'x'));
  net::HttpFetch request;
  request.method = "POST";
  request.target = "/echo";
  request.body = value;
  const auto response = http.fetch(request);
  REQUIRE_MESSAGE(response.ok(), (response ? "" : response.error().message));
  CHECK(response->status == 200);
  CHECK(response->body == value);
  CHECK(http.budgets->received.used() == 0);
  CHECK(http.budgets->sending.used() == 0);
}

TEST_CASE("the client keeps its connection, and replaces one that the server closed") {
  api::HttpServerOptions options;
  options.idle_max = milliseconds(20);
  HttpWorld http(options);
  net::HttpClient client(http.world.loop(), http.world.workers(), "localhost", http.server.port());
  http.world.run([&]() -> Task<> {
    net::HttpFetch request;
    request.target = "/hello";
    for (int i = 0; i < 3; ++i) {
      const auto response = co_await client.fetch(request, http.world.loop().now() + seconds(20));
      REQUIRE(response.ok());
      CHECK(response->body.view() == "GET /hello");
      CHECK(http.server.connections() == 1);
    }
    while (http.server.connections() > 0) co_await http.world.loop().sleep(milliseconds(1));
    const auto response = co_await client.fetch(request, http.world.loop().now() + seconds(20));
    CHECK(response.ok());
  });
}

TEST_CASE("the client says why it has no answer") {
  HttpWorld http;
  net::HttpFetch request;
  request.target = "/hold";
  const auto late = http.fetch(request, milliseconds(20));
  REQUIRE(!late.ok());
  CHECK(late.code() == ErrorCode::kTimeout);
  http.handler.release();

  const std::uint16_t port = http.server.port();
  http.stop();
  const auto refused = http.world.run([&]() -> Task<Result<wire::HttpResponse>> {
    co_return co_await net::fetch(http.world.loop(), http.world.workers(), "127.0.0.1", port, request,
                                  http.world.loop().now() + seconds(20));
  });
  REQUIRE(!refused.ok());
  CHECK(refused.code() == ErrorCode::kUnsent);
  CHECK(refused.error().message.find("connection refused") != std::string::npos);
}

TEST_CASE("stopping answers the request under way and closes idle connections") {
  HttpWorld http;
  http.world.run([&]() -> Task<> {
    RawClient idle(http.world.loop());
    co_await idle.connect(http.server.port());
    co_await idle.send(kGet);
    co_await idle.receive_until("GET /hello");
    RawClient busy(http.world.loop());
    co_await busy.connect(http.server.port());
    co_await busy.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    while (http.handler.handled < 2) co_await http.world.loop().sleep(milliseconds(1));

    runtime::Gate gate(http.world.loop());
    http.world.loop().spawn(gate, http.server.stop());
    co_await idle.receive_all();
    CHECK(idle.ended());
    http.handler.release();
    const std::string answer = co_await busy.receive_all();
    CHECK(answer.ends_with("GET /hold"));
    CHECK(answer.find("Connection: close") != std::string::npos);
    co_await gate.drained();
  });
  CHECK(http.server.connections() == 0);
}

}  // namespace
}  // namespace tako
