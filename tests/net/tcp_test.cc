// Calls over TCP, on loopback sockets and real loops: TcpTransport on one side, TcpServer on the other.
#include <memory>

#include <doctest/doctest.h>

#include "net/local_transport.h"
#include "net/tcp_server.h"
#include "net/tcp_transport.h"
#include "parties.h"
#include "raw_client.h"
#include "support/run_loop.h"

namespace tako {
namespace {

using net::Peer;
using runtime::Task;
using test::hello_of;
using test::KeyedService;
using test::ping;
using test::read_of;
using test::RealLoop;
using test::write_of;

constexpr Duration kLong = seconds(60);  // a deadline that is never meant to pass

net::TcpTransportOptions quick() {
  net::TcpTransportOptions options;
  options.ping_after = milliseconds(20);
  options.dead_after = milliseconds(100);
  options.backoff_min = milliseconds(1);
  options.backoff_max = milliseconds(5);
  return options;
}

// A server n1 and a client on one loop.
struct Pair {
  explicit Pair(net::TcpTransportOptions options = {})
      : transport(world.loop(), world.workers(), hello_of("proxy", "p1"), options) {
    start();
  }
  ~Pair() {
    world.run([&]() -> Task<> {
      co_await transport.stop();
      co_await stop_server();
    });
  }

  void start(std::uint16_t port = 0) {
    server = std::make_unique<net::TcpServer>(world.loop(), std::vector<runtime::Loop*>{&world.loop()}, shards,
                                              hello_of("node", "n1"));
    const Status opened = server->open("127.0.0.1", port);
    REQUIRE_MESSAGE(opened.ok(), (opened ? "" : opened.error().message));
  }

  Task<> stop_server() {
    if (server) co_await server->stop();
    server.reset();
  }

  Peer peer() const { return {"n1", "127.0.0.1", server->port()}; }

  Task<Result<wire::Reply>> call(Peer to, wire::Request request, Duration limit = kLong) {
    Result<wire::Reply> reply = co_await transport.call(to, std::move(request), world.loop().now() + limit);
    co_return reply;
  }

  RealLoop world;
  KeyedService service{world.loop()};
  net::Shards shards{{net::Shard{&world.loop(), &service}}};
  net::TcpTransport transport;
  std::unique_ptr<net::TcpServer> server;
};

TEST_CASE("a call over TCP brings the service's reply") {
  Pair pair;
  const auto reply = pair.world.run([&]() -> Task<Result<wire::Reply>> {
    co_return co_await pair.call(pair.peer(), read_of("value:5"));
  });

  const auto read = net::expect<wire::ReadReply>(reply);
  REQUIRE(read.ok());
  REQUIRE(read->slot.record);
  CHECK(read->slot.record->value->view() == "vvvvv");
  CHECK(pair.transport.reachable(pair.peer()));
}

TEST_CASE("a thousand calls at once share a connection and each gets its own reply") {
  Pair pair;
  std::size_t right = 0;
  pair.world.run([&]() -> Task<> {
    runtime::Gate gate(pair.world.loop());
    for (std::size_t i = 0; i < 1000; ++i) {
      pair.world.loop().spawn(gate, [](Pair& p, std::size_t size, std::size_t& count) -> Task<> {
        const auto reply = co_await p.call(p.peer(), read_of("value:" + std::to_string(size)));
        const auto read = net::expect<wire::ReadReply>(reply);
        if (read && read->slot.record->size == size) ++count;
      }(pair, i, right));
    }
    co_await gate.drained();
  });
  CHECK(right == 1000);
  CHECK(pair.server->connections() == 1);
}

TEST_CASE("many pieces travel both ways while small calls overtake them") {
  Pair pair;
  static constexpr int kCalls = 100;  // each way: 25 MiB
  std::size_t small_between = 0;
  int large_done = 0;
  pair.world.run([&]() -> Task<> {
    runtime::Gate gate(pair.world.loop());
    for (int i = 0; i < kCalls; ++i) {
      pair.world.loop().spawn(gate, [](Pair& p, int& done) -> Task<> {
        const auto written = co_await p.call(p.peer(), write_of("k", model::kPieceBytes));
        CHECK(net::expect<wire::WriteReply>(written).ok());
        const auto got = co_await p.call(p.peer(), read_of("value:" + std::to_string(model::kPieceBytes)));
        const auto read = net::expect<wire::ReadReply>(got);
        REQUIRE(read.ok());
        CHECK(read->slot.record->value->size() == model::kPieceBytes);
        ++done;
      }(pair, large_done));
    }
    while (large_done < kCalls) {
      const auto reply = co_await pair.call(pair.peer(), ping());
      CHECK(reply.ok());
      if (large_done < kCalls) ++small_between;
    }
    co_await gate.drained();
  });
  CHECK(small_between > 10);
}

TEST_CASE("a process with another id at the address is an error, not an answer") {
  Pair pair;
  const Peer wrong{"n9", "127.0.0.1", pair.server->port()};
  const auto reply = pair.world.run([&]() -> Task<Result<wire::Reply>> {
    co_return co_await pair.call(wrong, ping());
  });

  REQUIRE(!reply.ok());
  CHECK(reply.code() == ErrorCode::kUnsent);
  CHECK(reply.error().message.find("n1 answers there") != std::string::npos);
  CHECK(pair.service.handled == 0);
  CHECK(!pair.transport.reachable(wrong));
}

TEST_CASE("any coordinator will do where only the address is known") {
  RealLoop world;
  KeyedService service(world.loop());
  const net::Shards shards({net::Shard{&world.loop(), &service}});
  net::TcpServer server(world.loop(), {&world.loop()}, shards, hello_of("coordinator", "c1"));
  net::TcpTransport transport(world.loop(), world.workers(), hello_of("node", "n1"));
  REQUIRE(server.open("127.0.0.1", 0).ok());
  const TimePoint deadline = world.loop().now() + kLong;

  world.run([&]() -> Task<> {
    for (const char* id : {"coordinator:*", "coordinator:c1"}) {
      const Peer peer{id, "localhost", server.port()};
      const auto reply = co_await transport.call(peer, ping(), deadline);
      CHECK(reply.ok());
    }
    const Peer other{"coordinator:c2", "localhost", server.port()};
    const auto refused = co_await transport.call(other, ping(), deadline);
    CHECK(!refused.ok());
    co_await transport.stop();
    co_await server.stop();
  });
}

TEST_CASE("calls to a port where nobody listens fail at once and were certainly not carried out") {
  Pair pair;
  const Peer peer = pair.peer();
  pair.world.run([&]() -> Task<> {
    co_await pair.stop_server();
    for (int i = 0; i < 3; ++i) {
      const auto reply = co_await pair.call(peer, ping());
      REQUIRE(!reply.ok());
      CHECK(reply.code() == ErrorCode::kUnsent);
      CHECK(reply.error().message.find("connection refused") != std::string::npos);
    }
  });
}

TEST_CASE("a server that goes away fails the calls under way, and is found again when it is back") {
  Pair pair(quick());
  const std::uint16_t port = pair.server->port();
  const Peer peer = pair.peer();
  pair.world.run([&]() -> Task<> {
    const auto first = co_await pair.call(peer, ping());
    CHECK(first.ok());
    co_await pair.stop_server();
    Result<wire::Reply> reply = co_await pair.call(peer, ping());
    while (reply) reply = co_await pair.call(peer, ping());
    CHECK((reply.code() == ErrorCode::kUnavailable || reply.code() == ErrorCode::kUnsent));

    pair.start(port);
    while (!reply) {
      co_await pair.world.loop().sleep(milliseconds(1));
      reply = co_await pair.call(peer, ping());
    }
    CHECK(pair.transport.reachable(peer));
  });
}

TEST_CASE("a server that accepts and never says hello is given up") {
  net::TcpTransportOptions options = quick();
  options.connect_limit = milliseconds(50);
  Pair pair(options);
  auto deaf = net::listen_on(pair.world.loop(), "127.0.0.1", 0);
  REQUIRE(deaf.ok());
  const Peer peer{"n1", "127.0.0.1", deaf->local_endpoint().port()};
  const auto reply = pair.world.run([&]() -> Task<Result<wire::Reply>> { co_return co_await pair.call(peer, ping()); });
  REQUIRE(!reply.ok());
  CHECK(reply.code() == ErrorCode::kUnsent);
}

TEST_CASE("a server that stops answering, pings too, is taken for dead long before the deadline") {
  Pair pair(quick());
  auto listener = net::listen_on(pair.world.loop(), "127.0.0.1", 0);
  REQUIRE(listener.ok());
  const Peer peer{"n1", "127.0.0.1", listener->local_endpoint().port()};
  // Says hello, and then nothing: what a stopped process looks like.
  const auto reply = pair.world.run([&]() -> Task<Result<wire::Reply>> {
    runtime::Gate gate(pair.world.loop());
    net::Socket socket(pair.world.loop().executor());
    pair.world.loop().spawn(gate, [](net::Acceptor& acceptor, net::Socket& accepted) -> Task<> {
      co_await acceptor.async_accept(accepted, net::as_result);
      const std::string hello = wire::encode_hello(hello_of("node", "n1"));
      co_await asio::async_write(accepted, asio::buffer(hello), net::as_result);
    }(*listener, socket));
    Result<wire::Reply> answer = co_await pair.call(peer, ping());
    co_await gate.drained();
    co_return answer;
  });
  REQUIRE(!reply.ok());
  CHECK(reply.code() == ErrorCode::kUnavailable);
  CHECK(reply.error().message.find("no sign of life") != std::string::npos);
}

TEST_CASE("a service that is slow keeps its connection: pings are answered meanwhile") {
  Pair pair(quick());
  const auto reply = pair.world.run([&]() -> Task<Result<wire::Reply>> {
    co_return co_await pair.call(pair.peer(), read_of("wait"), milliseconds(400));
  });
  // Whichever deadline is first, the caller's or the service's: not "no sign of life".
  if (!reply) CHECK(reply.code() == ErrorCode::kTimeout);
  CHECK(pair.transport.reachable(pair.peer()));
}

TEST_CASE("a call ends at its deadline, and the late reply is dropped") {
  Pair pair;
  pair.world.run([&]() -> Task<> {
    const auto reply = co_await pair.call(pair.peer(), read_of("hold"), milliseconds(20));
    REQUIRE(!reply.ok());
    CHECK(reply.code() == ErrorCode::kTimeout);
    pair.service.release();
    const auto next = co_await pair.call(pair.peer(), read_of("value:3"));
    const auto read = net::expect<wire::ReadReply>(next);
    REQUIRE(read.ok());
    CHECK(read->slot.record->size == 3);
  });
}

TEST_CASE("more outstanding calls than allowed are refused as overload") {
  net::TcpTransportOptions options;
  options.calls_max = 2;
  Pair pair(options);
  pair.world.run([&]() -> Task<> {
    runtime::Gate gate(pair.world.loop());
    for (int i = 0; i < 2; ++i) {
      pair.world.loop().spawn(gate, [](Pair& p) -> Task<> {
        const auto reply = co_await p.call(p.peer(), read_of("hold"));
        CHECK(reply.ok());
      }(pair));
    }
    while (pair.service.handled < 2) co_await pair.world.loop().sleep(milliseconds(1));
    const auto reply = co_await pair.call(pair.peer(), ping());
    REQUIRE(!reply.ok());
    CHECK(reply.code() == ErrorCode::kOverloaded);
    pair.service.release();
    co_await gate.drained();
  });
}

TEST_CASE("stopping the transport ends the calls under way") {
  Pair pair;
  pair.world.run([&]() -> Task<> {
    runtime::Gate gate(pair.world.loop());
    ErrorCode code = ErrorCode::kInternal;
    pair.world.loop().spawn(gate, [](Pair& p, ErrorCode& result) -> Task<> {
      const auto reply = co_await p.call(p.peer(), read_of("hold"));
      if (!reply) result = reply.code();
    }(pair, code));
    while (pair.service.handled < 1) co_await pair.world.loop().sleep(milliseconds(1));
    co_await pair.transport.stop();
    co_await gate.drained();
    CHECK(code == ErrorCode::kStopping);
    pair.service.release();
  });
}

TEST_CASE("a server that stops answers what is under way first") {
  Pair pair;
  pair.world.run([&]() -> Task<> {
    runtime::Gate gate(pair.world.loop());
    bool answered = false;
    pair.world.loop().spawn(gate, [](Pair& p, bool& result) -> Task<> {
      const auto reply = co_await p.call(p.peer(), read_of("hold"));
      result = reply.ok();
      CHECK_MESSAGE(reply.ok(), (reply ? "" : reply.error().message));
    }(pair, answered));
    while (pair.service.handled < 1) co_await pair.world.loop().sleep(milliseconds(1));
    pair.world.loop().spawn(gate, pair.server->stop());
    co_await pair.world.loop().sleep(milliseconds(5));
    pair.service.release();
    co_await gate.drained();
    CHECK(answered);
    pair.server.reset();
  });
}

}  // namespace
}  // namespace tako
