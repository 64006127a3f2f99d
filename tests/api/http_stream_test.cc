// Bodies of more than a piece, through HttpServer and HttpClient: in pieces, in constant memory, at the slower one's
// pace.
#include <doctest/doctest.h>

#include "http_world.h"

namespace tako {
namespace {

using runtime::Task;
using test::HttpWorld;
using test::MadeSource;
using test::RawClient;

constexpr std::uint64_t kPiece = model::kPieceBytes;

std::string put_head(const std::string& path, const std::string& headers) {
  return "PUT " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

std::string length(std::uint64_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; }

// Counts what it gets, and looks at it.
struct CountingSink final : net::HttpSink {
  Result<bool> begin(const wire::HttpResponse& head) override {
    status = head.status;
    content_length = head.content_length;
    return head.status == 200;
  }
  Status take(Bytes part) override {
    bytes += part.size();
    largest = std::max(largest, part.size());
    if (bytes > bytes_max) return {ErrorCode::kIo, "the disk is full"};
    return ok_status();
  }
  int status = 0;
  std::optional<std::uint64_t> content_length;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_max = ~0ull;
  std::size_t largest = 0;
};

net::HttpFetch upload(net::ByteSource& source, const std::string& target, std::optional<std::uint64_t> bytes) {
  net::HttpFetch request;
  request.method = "PUT";
  request.target = target;
  request.source = &source;
  request.source_bytes = bytes;
  request.step = seconds(20);
  return request;
}

net::HttpFetch download(net::HttpSink& sink, const std::string& target) {
  net::HttpFetch request;
  request.target = target;
  request.sink = &sink;
  request.step = seconds(20);
  return request;
}

TEST_CASE("a body of up to a piece comes whole, a larger one in pieces") {
  HttpWorld http;
  const std::string answers = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send(put_head("/sink", length(kPiece)) + std::string(kPiece, 'x'));
    co_await client.receive_until("at once");
    co_await client.send(put_head("/sink", length(kPiece + 1)) + std::string(kPiece + 1, 'x'));
    co_await client.receive_until("in 2");
    co_await client.send(put_head("/sink", length(2 * kPiece)) + std::string(2 * kPiece, 'x') +
                         put_head("/after", length(0)));
    co_await client.receive_until("PUT /after");
  });
  CHECK(answers.find("262144 bytes at once") != std::string::npos);
  CHECK(answers.find("262145 bytes in 2") != std::string::npos);
  CHECK(answers.find("524288 bytes in 2") != std::string::npos);
  CHECK(answers.ends_with("PUT /after"));
  CHECK(http.budgets->received.used() == 0);
}

TEST_CASE("a chunked body comes in pieces once it is larger than one") {
  HttpWorld http;
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string answers = http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(put_head("/sink", chunked) + "40000\r\n" + std::string(kPiece, 'x') + "\r\n0\r\n\r\n");
    co_await client.receive_until("at once");
    co_await client.send(put_head("/sink", chunked) + "40000\r\n" + std::string(kPiece, 'x') +
                         "\r\n1\r\ny\r\n0\r\n\r\n");
    co_await client.receive_until("in 2");
    co_await client.send(put_head("/sink", chunked) + "100000\r\n" + std::string(4 * kPiece, 'x') + "\r\n0\r\n\r\n");
    co_await client.receive_until("in 4");
  });
  CHECK(answers.find("262145 bytes in 2") != std::string::npos);
  CHECK(answers.find("1048576 bytes in 4") != std::string::npos);
}

TEST_CASE("a client that expects 100-continue is told when the handler wants a large body, and not before") {
  HttpWorld http;
  http.handler.holding = true;
  http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(put_head("/sink", length(2 * kPiece) + "Expect: 100-continue\r\n"));
    while (http.handler.handled == 0) co_await http.world.loop().sleep(milliseconds(1));
    CHECK(client.received().empty());
    http.handler.holding = false;
    co_await client.receive_until("100 Continue\r\n\r\n");
    co_await client.send(std::string(2 * kPiece, 'x'));
    co_await client.receive_until("in 2");
    CHECK(client.count("200 OK") == 1);
  });
}

TEST_CASE("a large body that is refused is not asked for, and the connection ends") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send(put_head("/refuse", length(9 * kPiece) + "Expect: 100-continue\r\n"));
    co_await client.receive_all();
    CHECK(client.ended());
  });
  CHECK(answer.starts_with("HTTP/1.1 400"));
  CHECK(answer.find("Connection: close") != std::string::npos);
}

TEST_CASE("a client that sends a large body all the same sees why it was refused") {
  HttpWorld http;
  MadeSource source(64u << 20, MadeSource::End::kEnd);
  const auto response = http.fetch(upload(source, "/refuse", 64u << 20));
  REQUIRE_MESSAGE(response.ok(), (response ? "" : response.error().message));
  CHECK(response->status == 400);
  CHECK(response->body.view() == "PUT /refuse");
}

TEST_CASE("what the handler does not read stays with the client") {
  HttpWorld http;
  http.handler.holding = true;
  http.exchange([&](RawClient& client) -> Task<> {
    runtime::Gate gate(http.world.loop());
    const std::string body = put_head("/sink", length(64 * kPiece)) + std::string(64 * kPiece, 'x');
    bool sent = false;
    auto send = [&]() -> Task<> { sent = co_await client.send(body); };
    http.world.loop().spawn(gate, send());
    while (http.handler.handled == 0) co_await http.world.loop().sleep(milliseconds(1));
    co_await http.world.loop().sleep(milliseconds(20));
    CHECK_FALSE(sent);
    CHECK(http.budgets->received.used() == 2 * kPiece);
    http.handler.holding = false;
    co_await client.receive_until("bytes in 64");
    CHECK(client.count("16777216 bytes in 64") == 1);
    co_await gate.drained();
  });
  CHECK(http.budgets->received.used() == 0);
}

TEST_CASE("an upload that stalls, breaks or is malformed is no upload, and the client is told if it is there") {
  api::HttpServerOptions options;
  options.pace.byte_within = milliseconds(30);
  options.linger = milliseconds(20);
  HttpWorld http(options);
  const std::string begun = put_head("/sink", length(4 * kPiece)) + std::string(kPiece + 10, 'x');
  const std::string stalled = http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(begun);
    co_await client.receive_all();
  });
  CHECK(stalled.starts_with("HTTP/1.1 408"));
  http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(begun);
    client.shut_down_sending();
    co_await client.receive_all();
    CHECK(client.received().empty());
  });
  const std::string malformed = http.exchange([&](RawClient& client) -> Task<> {
    co_await client.send(put_head("/sink", "Transfer-Encoding: chunked\r\n") + "50000\r\n" + std::string(0x50000, 'x') +
                         "nonsense");
    co_await client.receive_all();
  });
  CHECK(malformed.starts_with("HTTP/1.1 400"));
  CHECK(http.handler.failed_bodies.size() == 3);
  CHECK(test::occurrences(stalled + malformed, "never seen") == 0);
  CHECK(http.budgets->received.used() == 0);
}

TEST_CASE("a client that sends a byte now and then has no more time for a piece than another") {
  api::HttpServerOptions options;
  options.pace.piece_within = milliseconds(50);
  options.linger = milliseconds(20);
  HttpWorld http(options);
  const std::string answer = http.exchange([&](RawClient& client) -> Task<> {
    bool sent = co_await client.send(put_head("/sink", length(4 * kPiece)));
    while (sent && http.server.connections() > 0 && http.handler.failed_bodies.empty()) {
      sent = co_await client.send("x");
      co_await http.world.loop().sleep(milliseconds(2));
    }
    co_await client.receive_all();
  });
  CHECK((answer.empty() || answer.starts_with("HTTP/1.1 408")));
  CHECK(http.handler.failed_bodies.size() == 1);
}

TEST_CASE("large bodies of all connections together are bounded by what is held of them") {
  api::HttpServerOptions options;
  options.received_bytes_max = 5 * kPiece;
  HttpWorld http(options);
  http.handler.holding = true;
  http.world.run([&]() -> Task<> {
    RawClient first(http.world.loop());
    RawClient second(http.world.loop());
    RawClient third(http.world.loop());
    for (RawClient* client : {&first, &second}) {
      co_await client->connect(http.server.port());
      co_await client->send(put_head("/sink", length(100 * kPiece)) + "x");
    }
    while (http.handler.handled < 2) co_await http.world.loop().sleep(milliseconds(1));
    co_await third.connect(http.server.port());
    co_await third.send(put_head("/sink", length(100 * kPiece)) + "x");
    const std::string refused = co_await third.receive_until("\r\n\r\n");
    CHECK(refused.starts_with("HTTP/1.1 503"));
    CHECK(http.handler.handled == 2);
    first.reset();
    second.reset();
    http.handler.holding = false;
    while (http.budgets->received.used() > 0) co_await http.world.loop().sleep(milliseconds(1));
  });
}

TEST_CASE("an answer of any size comes in pieces, and the connection is kept") {
  HttpWorld http;
  net::HttpClient client(http.world.loop(), http.world.workers(), "127.0.0.1", http.server.port());
  http.world.run([&]() -> Task<> {
    for (const std::uint64_t bytes : {std::uint64_t{1}, kPiece, 40 * kPiece + 3}) {
      CountingSink sink;
      const net::HttpFetch request = download(sink, "/source:" + std::to_string(bytes));
      const auto response = co_await client.fetch(request, http.world.loop().now() + seconds(60));
      REQUIRE_MESSAGE(response.ok(), (response ? "" : response.error().message));
      CHECK(sink.content_length == bytes);
      CHECK(sink.bytes == bytes);
      CHECK(sink.largest <= kPiece);
      CHECK(response->body.empty());
      CHECK(http.server.connections() == 1);
    }
  });
  CHECK(http.budgets->sending.used() == 0);
}

TEST_CASE("HEAD of an answer in pieces has its length, and leaves nothing behind") {
  HttpWorld http;
  const std::string answer = http.exchange([](RawClient& client) -> Task<> {
    co_await client.send("HEAD /source:1000000 HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    co_await client.receive_until("GET /next");
  });
  CHECK(answer.find("Content-Length: 1000000\r\n") != std::string::npos);
  CHECK(answer.find("sss") == std::string::npos);
  CHECK(http.budgets->sending.used() == 0);
}

TEST_CASE("an answer that breaks in the middle ends the connection, so that the client knows") {
  HttpWorld http;
  CountingSink sink;
  const auto response = http.fetch(download(sink, "/broken:" + std::to_string(3 * kPiece)));
  REQUIRE(!response.ok());
  CHECK(response.error().message.find("closed the connection") != std::string::npos);
  CHECK(sink.bytes <= 3 * kPiece);
  CHECK(http.budgets->sending.used() == 0);
}

TEST_CASE("answers in pieces are bounded by what is held of them, and a client that does not read is closed") {
  api::HttpServerOptions options;
  options.sending_bytes_max = 6 * kPiece;
  options.pace.byte_within = milliseconds(300);
  HttpWorld http(options);
  http.world.run([&]() -> Task<> {
    RawClient first(http.world.loop());
    co_await first.connect(http.server.port());
    co_await first.send("GET /source:4294967296 HTTP/1.1\r\nHost: x\r\n\r\n");
    while (http.budgets->sending.used() == 0) co_await http.world.loop().sleep(milliseconds(1));
    CHECK(http.budgets->sending.used() == 5 * kPiece);
    RawClient second(http.world.loop());
    co_await second.connect(http.server.port());
    co_await second.send("GET /source:4294967296 HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string refused = co_await second.receive_until("\r\n\r\n");
    CHECK(refused.starts_with("HTTP/1.1 503"));
    second.close();
    while (http.server.connections() > 0) co_await http.world.loop().sleep(milliseconds(1));
  });
  CHECK(http.budgets->sending.used() == 0);
}

TEST_CASE("the client sends a source with a length or without, and stops with one that fails") {
  HttpWorld http;
  MadeSource known(3 * kPiece + 1, MadeSource::End::kEnd);
  const auto first = http.fetch(upload(known, "/sink", 3 * kPiece + 1));
  REQUIRE_MESSAGE(first.ok(), (first ? "" : first.error().message));
  CHECK(first->body.view() == "786433 bytes in 4");

  MadeSource unknown(3 * kPiece + 1, MadeSource::End::kEnd);
  const auto second = http.fetch(upload(unknown, "/sink", std::nullopt));
  REQUIRE_MESSAGE(second.ok(), (second ? "" : second.error().message));
  CHECK(second->body.view() == "786433 bytes in 4");

  MadeSource broken(3 * kPiece, MadeSource::End::kError);
  const auto third = http.fetch(upload(broken, "/sink", std::nullopt));
  REQUIRE(!third.ok());
  CHECK(third.error().message == "it broke");

  for (const std::uint64_t claimed : {2 * kPiece, 5 * kPiece}) {
    MadeSource source(3 * kPiece, MadeSource::End::kEnd);
    const auto changed = http.fetch(upload(source, "/sink", claimed));
    REQUIRE(!changed.ok());
    CHECK(changed.error().message.find("grew or shrank") != std::string::npos);
  }
}

TEST_CASE("the client's sink may refuse an answer, or fail") {
  HttpWorld http;
  CountingSink sink;
  net::HttpFetch refused = download(sink, "/refuse");
  const auto words = http.fetch(refused);
  REQUIRE(words.ok());
  CHECK(words->body.view() == "GET /refuse");
  CHECK(sink.bytes == 0);

  CountingSink small;
  small.bytes_max = kPiece;
  const auto failed = http.fetch(download(small, "/source:4294967296"));
  REQUIRE(!failed.ok());
  CHECK(failed.error().message == "the disk is full");
}

}  // namespace
}  // namespace tako
