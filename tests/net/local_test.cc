// Calls within one process: LocalTransport, Shards, and the way between loops.
#include <thread>

#include <doctest/doctest.h>

#include "net/local_transport.h"
#include "net/tcp_server.h"
#include "net/tcp_transport.h"
#include "parties.h"
#include "runtime/process.h"
#include "runtime/run_on.h"
#include "support/run_loop.h"

namespace tako {
namespace {

using runtime::Task;
using test::KeyedService;
using test::read_of;
using test::VirtualLoop;

TEST_CASE("a party in this process answers without a network") {
  VirtualLoop world;
  KeyedService service(world.loop());
  net::Switchboard switchboard;
  switchboard.add("n1", net::Shards({net::Shard{&world.loop(), &service}}));
  net::LocalTransport transport(world.loop(), switchboard, nullptr);
  const net::Peer here{"n1", "unused", 1};
  const net::Peer elsewhere{"n2", "unused", 1};

  world.run([&]() -> Task<> {
    const auto reply = co_await transport.call(here, read_of("value:3"), world.loop().now() + seconds(1));
    const auto read = net::expect<wire::ReadReply>(reply);
    REQUIRE(read.ok());
    CHECK(read->slot.record->size == 3);

    const auto refused = co_await transport.call(elsewhere, test::ping(), world.loop().now() + seconds(1));
    REQUIRE(!refused.ok());
    CHECK(refused.code() == ErrorCode::kUnsent);
    co_await transport.stop();
  });
  CHECK(transport.reachable(here));
  CHECK(!transport.reachable(elsewhere));
}

TEST_CASE("a slow party in this process does not hold its caller beyond the deadline") {
  VirtualLoop world;
  KeyedService service(world.loop());
  net::Switchboard switchboard;
  switchboard.add("n1", net::Shards({net::Shard{&world.loop(), &service}}));
  net::LocalTransport transport(world.loop(), switchboard, nullptr);
  const net::Peer here{"n1", "", 0};

  world.run([&]() -> Task<> {
    const TimePoint deadline = world.loop().now() + seconds(1);
    const auto reply = co_await transport.call(here, read_of("hold"), deadline);
    REQUIRE(!reply.ok());
    CHECK(reply.code() == ErrorCode::kTimeout);
    CHECK(world.loop().now() == deadline);
    service.release();
    co_await transport.stop();  // waits for what goes on without its caller
  });
}

TEST_CASE("requests about a key go to the shard of its partition, all others to the first") {
  VirtualLoop world;
  KeyedService first(world.loop());
  KeyedService second(world.loop());
  const net::Shards shards({net::Shard{&world.loop(), &first}, net::Shard{&world.loop(), &second}});
  std::size_t of_second = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "key" + std::to_string(i);
    const bool odd = model::partition_of(key) % 2 == 1;
    of_second += odd;
    CHECK(shards.shard_of(read_of(key)).service == (odd ? &second : &first));
    CHECK(shards.shard_of(test::write_of(key, 1)).service == (odd ? &second : &first));
  }
  CHECK(of_second > 50);
  CHECK(shards.shard_of(test::ping()).service == &first);
}

// Four loops on four threads, one shard on each; every loop calls both ways: in the process and over TCP.
TEST_CASE("every loop reaches every shard, in the process and over TCP") {
  runtime::Process process(4);
  std::atomic<std::size_t> right = 0;
  const int code = process.run([&]() -> Task<int> {
    std::vector<std::unique_ptr<KeyedService>> services;
    std::vector<net::Shard> parts;
    std::vector<runtime::Loop*> loops;
    for (std::size_t i = 0; i < process.size(); ++i) {
      loops.push_back(&process.loop(i));
      services.push_back(std::make_unique<KeyedService>(process.loop(i)));
      parts.push_back({loops.back(), services.back().get()});
    }
    const net::Shards shards(parts);
    net::Switchboard switchboard;
    switchboard.add("n1", shards);
    net::TcpServer server(process.loop(0), loops, shards, test::hello_of("node", "n2"));
    const Status opened = server.open("127.0.0.1", 0);
    REQUIRE(opened.ok());

    for (std::size_t i = 0; i < process.size(); ++i) {
      auto calls = [&]() -> Task<> {
        runtime::Loop& loop = process.loop(i);
        net::TcpTransport tcp(loop, process.workers(), test::hello_of("proxy", "p1"));
        net::LocalTransport transport(loop, switchboard, &tcp);
        for (std::size_t size = 0; size < 200; ++size) {
          const net::Peer peer{size % 2 == 0 ? "n1" : "n2", "127.0.0.1", server.port()};
          wire::Request request = read_of("value:" + std::to_string(size));
          const auto reply = co_await transport.call(peer, std::move(request), loop.now() + seconds(20));
          const auto read = net::expect<wire::ReadReply>(reply);
          if (read && read->slot.record->size == size) ++right;
        }
        co_await tcp.stop();
        co_await transport.stop();
      };
      co_await runtime::run_on(process.loop(i), calls());
    }
    co_await server.stop();
    std::size_t handled = 0;
    for (const auto& service : services) handled += service->handled;
    CHECK(handled == 800);
    co_return 0;
  });
  CHECK(code == 0);
  CHECK(right == 800);
}

}  // namespace
}  // namespace tako
