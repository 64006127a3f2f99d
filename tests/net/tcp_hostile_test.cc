// What a TcpServer makes of clients that are broken, hostile or gone: it drops them and goes on.
#include <functional>
#include <memory>

#include <doctest/doctest.h>

#include "net/tcp_server.h"
#include "net/tcp_transport.h"
#include "parties.h"
#include "raw_client.h"
#include "support/run_loop.h"

namespace tako {
namespace {

using runtime::Task;
using test::hello_of;
using test::KeyedService;
using test::RawClient;
using test::read_of;
using test::RealLoop;
using test::wait_until;

struct Served {
  explicit Served(net::TcpServerOptions options = {})
      : server(world.loop(), {&world.loop()}, shards, hello_of("node", "n1"), options) {
    REQUIRE(server.open("127.0.0.1", 0).ok());
  }

  // A well-behaved client is still served.
  Task<bool> alive() {
    net::TcpTransport transport(world.loop(), world.workers(), hello_of("proxy", "p1"));
    const net::Peer peer{"n1", "127.0.0.1", server.port()};
    const auto reply = co_await transport.call(peer, test::ping(), world.loop().now() + seconds(20));
    co_await transport.stop();
    co_return reply.ok();
  }

  // Sends `bytes`. True: the server closed the connection, and still serves others.
  bool drops(std::string bytes) {
    return world.run([&]() -> Task<bool> {
      RawClient client(world.loop());
      co_await client.connect(server.port());
      co_await client.send(std::move(bytes));
      co_await client.receive_all();
      const bool served = co_await alive();
      co_return served && client.ended();
    });
  }

  void stop() {
    world.run([&]() -> Task<> { co_await server.stop(); });
    CHECK(server.connections() == 0);
  }

  const std::function<bool()> nobody = [this] { return server.connections() == 0; };

  RealLoop world;
  KeyedService service{world.loop()};
  net::Shards shards{{net::Shard{&world.loop(), &service}}};
  net::TcpServer server;
};

std::string frame_of(wire::FrameType type, std::uint64_t id, std::string payload, std::uint32_t remaining_ms = 20'000) {
  wire::Frame frame;
  frame.type = type;
  frame.id = id;
  frame.remaining_ms = remaining_ms;
  frame.payload = payload;
  std::string out;
  wire::append_frame(out, frame);
  return out;
}

std::string request_frame(const wire::Request& request, std::uint64_t id) {
  return frame_of(wire::FrameType::kRequest, id, wire::encode(request));
}

const std::string kHello = wire::encode_hello(hello_of("proxy", "p1"));

TEST_CASE("garbage on a server's port costs its sender the connection, and nobody else anything") {
  Served served;
  std::string noise(100'000, '\0');
  for (char& c : noise) c = static_cast<char>(served.world.loop().random().next());
  CHECK(served.drops(noise));
  CHECK(served.drops(kHello + noise));
  CHECK(served.drops("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(served.drops(kHello + std::string(24, '\xff')));  // an absurd length
  std::string damaged = request_frame(test::ping(), 1);
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  CHECK(served.drops(kHello + damaged));
  CHECK(served.drops(kHello + frame_of(wire::FrameType::kRequest, 1, "no request")));
  CHECK(served.drops(kHello + frame_of(wire::FrameType::kReply, 1, wire::encode(wire::Reply{}))));
  CHECK(served.service.handled == 9 - 2);  // by the well-behaved client only: one call after each
  served.stop();
}

TEST_CASE("half a hello is waited for only so long") {
  net::TcpServerOptions options;
  options.handshake_limit = milliseconds(20);
  Served served(options);
  CHECK(served.drops(kHello.substr(0, kHello.size() / 2)));
  CHECK(served.drops(""));
  served.stop();
}

TEST_CASE("a client of another protocol version gets a hello that tells it ours") {
  Served served;
  wire::Hello other = hello_of("proxy", "p1");
  other.version = wire::kProtocolVersion + 1;
  const std::string answer = served.world.run([&]() -> Task<std::string> {
    RawClient client(served.world.loop());
    co_await client.connect(served.server.port());
    co_await client.send(wire::encode_hello(other));
    co_return co_await client.receive_all();
  });
  const auto hello = wire::decode_hello(answer);
  REQUIRE(hello.ok());
  REQUIRE(hello->hello);
  CHECK(hello->hello->id == "n1");
  served.stop();
}

TEST_CASE("half a frame, and then the end, leaves nothing behind") {
  Served served;
  served.world.run([&]() -> Task<> {
    RawClient client(served.world.loop());
    co_await client.connect(served.server.port());
    const std::string frame = request_frame(test::ping(), 1);
    co_await client.send(kHello + frame.substr(0, frame.size() - 3));
    co_await client.receive_until("n1");
    client.reset();
    co_await wait_until(served.world.loop(), served.nobody);
    const bool served_others = co_await served.alive();
    CHECK(served_others);
  });
  CHECK(served.service.handled == 1);  // that of the others
  served.stop();
}

TEST_CASE("a request in many small segments is understood") {
  Served served;
  const std::string bytes = kHello + request_frame(read_of("value:4"), 1);
  served.world.run([&]() -> Task<> {
    RawClient client(served.world.loop());
    co_await client.connect(served.server.port());
    for (const char c : bytes) {
      co_await client.send(std::string(1, c));
      co_await served.world.loop().sleep(Duration::zero());
    }
    const std::string answer = co_await client.receive_until("vvvv");
    CHECK(answer.find("vvvv") != std::string::npos);
  });
  served.stop();
}

TEST_CASE("a client that asks for much and never reads is closed") {
  net::TcpServerOptions options;
  options.stall_max = milliseconds(50);
  options.reply_bytes_pause = 1 << 20;
  options.reply_bytes_max = 32 << 20;
  static constexpr std::size_t kRequests = 5'000;
  Served served(options);
  served.world.run([&]() -> Task<> {
    RawClient client(served.world.loop());
    co_await client.connect(served.server.port());
    std::string bytes = kHello;
    for (std::uint64_t id = 1; id <= kRequests; ++id) bytes += request_frame(read_of("value:100000"), id);
    co_await client.send(bytes);
    const auto begun = [&] { return served.service.handled > 0; };
    co_await wait_until(served.world.loop(), begun);
    co_await wait_until(served.world.loop(), served.nobody);
    const bool served_others = co_await served.alive();
    CHECK(served_others);
  });
  CHECK(served.service.handled < kRequests);
  served.stop();
}

TEST_CASE("a client with too many requests under way is read no further until some are answered") {
  net::TcpServerOptions options;
  options.requests_max = 3;
  options.busy_ping = milliseconds(5);
  Served served(options);
  served.world.run([&]() -> Task<> {
    RawClient client(served.world.loop());
    co_await client.connect(served.server.port());
    std::string bytes = kHello;
    for (std::uint64_t id = 1; id <= 10; ++id) bytes += request_frame(read_of("hold"), id);
    co_await client.send(bytes);
    // The pings of a server that does not read now show that it is alive.
    const std::string ping_head("\0\0\0\0\3", 5);
    co_await client.receive_until(ping_head, 2);
    CHECK(served.service.handled == 3);
    served.service.release();
    const auto all = [&] { return served.service.handled == 10; };
    co_await wait_until(served.world.loop(), all);
  });
  served.stop();
}

TEST_CASE("over the limit of connections further ones are closed at once") {
  net::TcpServerOptions options;
  options.connections_max = 1;
  Served served(options);
  served.world.run([&]() -> Task<> {
    RawClient first(served.world.loop());
    co_await first.connect(served.server.port());
    co_await first.send(kHello);
    co_await first.receive_until("n1");
    RawClient second(served.world.loop());
    co_await second.connect(served.server.port());
    co_await second.receive_all();
    CHECK(second.ended());
    CHECK(second.received().empty());
    first.close();
    co_await wait_until(served.world.loop(), served.nobody);
    const bool served_again = co_await served.alive();
    CHECK(served_again);
  });
  served.stop();
}

TEST_CASE("a port that is taken is an error that names it and says what to do") {
  Served served;
  net::TcpServer second(served.world.loop(), {&served.world.loop()}, served.shards, hello_of("node", "n2"));
  const Status opened = second.open("127.0.0.1", served.server.port());
  REQUIRE(!opened.ok());
  CHECK(opened.error().message == "cannot listen on 127.0.0.1:" + std::to_string(served.server.port()) +
                                      ": address already in use; choose another port or stop what uses it");
  const Status named = second.open("localhost", 0);
  REQUIRE(!named.ok());
  CHECK(named.error().message.find("give a numeric address") != std::string::npos);
  served.stop();
}

}  // namespace
}  // namespace tako
