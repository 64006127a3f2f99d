// What a MemcachedServer makes of clients: quick, slow, broken and gone ones.
#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "api/memcached/server.h"
#include "http_world.h"

namespace tako {
namespace {

using api::MemcachedReply;
using runtime::Task;
using test::RawClient;
using test::wait_until;
using Verb = wire::MemcachedVerb;

// A map. Keys that begin with "refuse" refuse a large block unread, "hold" is answered when released, "source:N" gives
// N bytes in pieces, "broken:N" fails after as many, and "big:N" N bytes at once.
class MapHandler final : public api::MemcachedHandler {
 public:
  explicit MapHandler(runtime::Loop& loop) : loop_(loop) {}

  Task<MemcachedReply> handle(wire::MemcachedRequest request, net::ByteSource* block) override {
    ++handled;
    MemcachedReply reply;
    if (request.gets()) {
      for (const std::string& key : request.keys) {
        if (key == "cut") {
          reply.text = "SERVER_ERROR cut\r\n";
          reply.cut = true;
          co_return reply;
        }
        add(reply, key);
      }
      if (!request.more) reply.text = "END\r\n";
      co_return reply;
    }
    if (request.verb != Verb::kSet) {
      reply.text = "OK\r\n";
      co_return reply;
    }
    const std::string key = request.keys.front();
    bool running = true;
    while (key == "hold" && !released && running) running = co_await loop_.sleep(milliseconds(1));
    std::string value(request.data.view());
    if (block && key.starts_with("refuse")) {
      reply.text = "SERVER_ERROR refused\r\n";
      co_return reply;
    }
    while (block) {
      const Result<Bytes> piece = co_await block->next();
      if (!piece) failures.push_back(piece.error().message);
      if (!piece) co_return reply;
      if (piece->empty()) break;
      CHECK(value.size() % model::kPieceBytes == 0);
      value += piece->view();
    }
    values[key] = std::move(value);
    if (!request.noreply) reply.text = "STORED\r\n";
    co_return reply;
  }

  std::size_t handled = 0;
  bool released = false;
  std::map<std::string, std::string> values;
  std::vector<std::string> failures;

 private:
  void add(MemcachedReply& reply, const std::string& key) {
    const std::size_t colon = key.find(':');
    const std::uint64_t count = colon == std::string::npos ? 0 : std::stoull(key.substr(colon + 1));
    MemcachedReply::Value value;
    value.line = wire::memcached_value_line(key, 0, count, std::nullopt);
    if (key.starts_with("source:") || key.starts_with("broken:")) {
      const bool whole = key.starts_with("source:");
      value.body_bytes = whole ? count : count + 1;
      value.body = std::make_unique<test::MadeSource>(
          count, whole ? test::MadeSource::End::kEnd : test::MadeSource::End::kError);
    } else if (key.starts_with("big:")) {
      value.bytes = Bytes(std::string(count, 'b'));
    } else if (const auto found = values.find(key); found != values.end()) {
      value.line = wire::memcached_value_line(key, 0, found->second.size(), std::nullopt);
      value.bytes = Bytes(found->second);
    } else {
      return;
    }
    reply.values.push_back(std::move(value));
  }

  runtime::Loop& loop_;
};

struct World {
  explicit World(api::MemcachedServerOptions options = {}, api::HttpServerOptions limits = {})
      : budgets(std::make_shared<api::ByteBudgets>(limits.received_bytes_max, limits.sending_bytes_max)),
        server(world.loop(), "test", {{&world.loop(), &handler}}, traffic, budgets, options) {
    const Status opened = server.open("127.0.0.1", 0);
    ASSERT(opened.ok());
  }
  ~World() {
    world.run([&]() -> Task<> { co_await server.stop(); });
    CHECK(budgets->received.used() == 0);
    CHECK(budgets->sending.used() == 0);
    CHECK(traffic.connected == 0);
  }

  // What a client is answered to `request`, up to `end`, or to the end of the connection; with to_the_end the server
  // has forgotten it, too, though the client has not closed its side.
  std::string ask(std::string request, std::string end = "") {
    return world.run([&]() -> Task<std::string> {
      RawClient client(world.loop());
      co_await client.connect(server.port());
      co_await client.send(request);
      std::string answer;
      if (!end.empty()) {
        answer = co_await client.receive_until(end);
        co_return answer;
      }
      answer = co_await client.receive_all();
      CHECK(client.ended());  // by the server, not by this client's impatience
      if (to_the_end) co_await wait_until(world.loop(), nobody);
      co_return answer;
    });
  }

  const std::function<bool()> nobody = [this] { return server.connections() == 0 && traffic.connected == 0; };

  bool to_the_end = false;
  test::RealLoop world;
  MapHandler handler{world.loop()};
  api::MemcachedTraffic traffic;
  std::shared_ptr<api::ByteBudgets> budgets;
  api::MemcachedServer server;
};

std::string set_line(const std::string& key, std::size_t size) {
  return "set " + key + " 0 0 " + std::to_string(size) + "\r\n";
}

TEST_CASE("requests that come together are answered in order, and quit ends the connection") {
  World memcached;
  const std::string answer = memcached.ask(
      "set a 0 0 1\r\n1\r\nset b 0 0 2 noreply\r\n22\r\nget a b c\r\nnonsense\r\nget a\r\nquit\r\nget a\r\n");
  CHECK(answer == "STORED\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 2\r\n22\r\nEND\r\nERROR\r\nVALUE a 0 1\r\n1\r\nEND\r\n");
  memcached.world.run([&]() -> Task<> { co_await wait_until(memcached.world.loop(), memcached.nobody); });
  CHECK(memcached.traffic.bytes_written == answer.size());
}

TEST_CASE("a flood of noreply takes no memory and loses nothing") {
  World memcached;
  std::string flood;
  for (int i = 0; i < 50'000; ++i) flood += "set k" + std::to_string(i % 100) + " 0 0 5 noreply\r\n12345\r\n";
  CHECK(memcached.ask(flood + "quit\r\n").empty());
  CHECK(memcached.handler.handled == 50'000);
}

TEST_CASE("a line with any number of keys is one answer") {
  World memcached;
  memcached.handler.values["k"] = "v";
  std::string line = "get";
  for (int i = 0; i < 5'000; ++i) line += " k";
  const std::string answer = memcached.ask(line + "\r\nquit\r\n");
  CHECK(test::occurrences(answer, "VALUE k 0 1\r\nv\r\n") == 5'000);
  CHECK(test::occurrences(answer, "END\r\n") == 1);
  CHECK(memcached.ask("get k cut" + line.substr(3) + "\r\nquit\r\n") == "VALUE k 0 1\r\nv\r\nSERVER_ERROR cut\r\n");
}

TEST_CASE("large blocks and values pass in pieces") {
  World memcached;
  const std::string value(1'000'000, 'v');
  const std::string answer = memcached.ask(set_line("k", value.size()) + value + "\r\nget k\r\nquit\r\n");
  CHECK(answer == "STORED\r\nVALUE k 0 1000000\r\n" + value + "\r\nEND\r\n");
  CHECK(memcached.handler.values["k"] == value);
  const std::string streamed = memcached.ask("get source:3000000\r\nquit\r\n");
  CHECK(streamed == "VALUE source:3000000 0 3000000\r\n" + std::string(3'000'000, 's') + "\r\nEND\r\n");
}

TEST_CASE("a large block that is refused is skipped, and the stream goes on") {
  World memcached;
  const std::string block(600'000, '\n');
  CHECK(memcached.ask(set_line("refuse", block.size()) + block + "\r\nversion\r\nquit\r\n") ==
        "SERVER_ERROR refused\r\nOK\r\n");
  api::MemcachedServerOptions options;
  options.skip_bytes_max = 500'000;
  World strict(options);
  CHECK(strict.ask(set_line("refuse", block.size()) + block + "\r\nversion\r\n") == "SERVER_ERROR refused\r\n");
}

TEST_CASE("a large block without its line end is stored by nobody") {
  World memcached;
  const std::string block(600'000, 'x');
  CHECK(memcached.ask(set_line("k", block.size() - 1) + block + "\r\nversion\r\nquit\r\n") ==
        "CLIENT_ERROR bad data chunk\r\nOK\r\n");
  CHECK(memcached.handler.values.empty());
  CHECK(memcached.handler.failures == std::vector<std::string>{"bad data chunk"});
}

TEST_CASE("what is wrong with a noreply request is not said, but for the number of its words") {
  World memcached;
  const std::string block(600'000, 'x');
  const std::string large = "set k 0 0 599999 noreply\r\n" + block + "\r\n";
  const std::string small = "set k 0 0 3 noreply\r\nabcd\r\nset k x 0 1 noreply\r\nx\r\n";
  CHECK(memcached.ask(large + small + "delete k 5 noreply\r\nincr k 1 2 noreply\r\nquit\r\n") == "ERROR\r\n");
  CHECK(memcached.handler.values.empty());
}

TEST_CASE("an HTTP request and a line without an end close the connection at once, without a word of their own") {
  api::MemcachedServerOptions options;
  options.linger = hours(1);
  World memcached(options);
  memcached.to_the_end = true;
  const std::string behind = "Host: h\r\n\r\nset k 0 0 1\r\nx\r\n" + std::string(1 << 20, 'x');
  CHECK(memcached.ask("POST / HTTP/1.1\r\n" + behind).empty());
  CHECK(memcached.ask("version\r\nPOST / HTTP/1.1\r\n") == "OK\r\n");
  CHECK(memcached.ask(std::string(wire::kMemcachedLineBytesMax, 'x')).empty());
  CHECK(memcached.handler.values.empty());
}

TEST_CASE("lines longer than those of honest clients are held only while there is room for them") {
  api::HttpServerOptions limits;
  limits.received_bytes_max = 5'000;
  api::MemcachedServerOptions options;
  options.line_limit = hours(1);
  World memcached(options, limits);
  CHECK(memcached.ask(std::string(4'000, 'x') + "\r\nquit\r\n") == "ERROR\r\n");
  CHECK(memcached.ask(std::string(6'000, 'x')).empty());
}

TEST_CASE("a value that breaks off ends the connection") {
  World memcached;
  const std::string answer = memcached.ask("get broken:300000\r\nversion\r\n");
  CHECK(answer.size() < 300'100);
  CHECK(test::occurrences(answer, "END") == 0);
}

TEST_CASE("blocks and values of all connections together are bounded") {
  api::HttpServerOptions limits;
  limits.received_bytes_max = 100'000;
  limits.sending_bytes_max = 100'000;
  World memcached({}, limits);
  const std::string block(200'000, 'x');
  const std::string refused = memcached.ask(set_line("k", block.size()) + block + "\r\nversion\r\nquit\r\n");
  CHECK(refused.starts_with("SERVER_ERROR out of memory storing object"));
  CHECK(refused.ends_with("\r\nOK\r\n"));
  const std::string large(600'000, 'x');
  const std::string refused_large = memcached.ask(set_line("k", large.size()) + large + "\r\nversion\r\nquit\r\n");
  CHECK(refused_large.starts_with("SERVER_ERROR out of memory storing object"));
  CHECK(refused_large.ends_with("\r\nOK\r\n"));
  CHECK(memcached.handler.values.empty());
  const std::string get = memcached.ask("get big:200000 big:10\r\nversion\r\nquit\r\n");
  CHECK(get.starts_with("SERVER_ERROR out of memory writing get response"));
  CHECK(get.ends_with("\r\nOK\r\n"));
}

TEST_CASE("clients that stall are let go, wherever they do") {
  api::MemcachedServerOptions options;
  options.idle_max = options.line_limit = options.pace.byte_within = milliseconds(30);
  World memcached(options);
  CHECK(memcached.ask("").empty());
  CHECK(memcached.ask("get half").empty());
  CHECK(memcached.ask("set k 0 0 10\r\nabc").empty());
  CHECK(memcached.ask(set_line("k", 600'000) + "abc").empty());
  CHECK(memcached.ask(set_line("refuse", 600'000) + "abc") == "SERVER_ERROR refused\r\n");
  memcached.world.run([&]() -> Task<> {
    RawClient client(memcached.world.loop());
    co_await client.connect(memcached.server.port());
    co_await client.send("get big:33554432\r\n");
    const auto all = [&] { return memcached.traffic.connections == 6; };
    co_await wait_until(memcached.world.loop(), all);
    co_await wait_until(memcached.world.loop(), memcached.nobody);
  });
}

TEST_CASE("memcached clients that vanish leave nothing behind") {
  World memcached;
  const std::string requests[] = {"",
                                  "get half",
                                  "set k 0 0 10\r\nabc",
                                  set_line("k", 600'000) + std::string(300'000, 'x'),
                                  "set hold 0 0 1\r\nx\r\n",
                                  "get big:33554432\r\n",
                                  "get source:33554432\r\n"};
  memcached.world.run([&]() -> Task<> {
    std::size_t clients = 0;
    std::size_t sent = 0;
    const auto taken = [&] {
      return memcached.traffic.connections == clients && memcached.traffic.bytes_read == sent;
    };
    for (const std::string& request : requests) {
      RawClient client(memcached.world.loop());
      co_await client.connect(memcached.server.port());
      co_await client.send(request);
      ++clients;
      sent += request.size();
      co_await wait_until(memcached.world.loop(), taken);
      client.reset();
    }
    memcached.handler.released = true;
    co_await wait_until(memcached.world.loop(), memcached.nobody);
  });
  // What was whole is carried out, what was not is not; ~World looks for what is held.
  CHECK(memcached.handler.values.size() == 1);
  CHECK(memcached.handler.values.count("hold") == 1);
  CHECK(memcached.handler.failures == std::vector<std::string>{"the client did not send all of it"});
}

TEST_CASE("a server that stops answers what is under way") {
  World memcached;
  memcached.world.run([&]() -> Task<> {
    RawClient client(memcached.world.loop());
    co_await client.connect(memcached.server.port());
    co_await client.send("set hold 0 0 1\r\nx\r\nversion\r\n");
    const auto begun = [&] { return memcached.handler.handled > 0; };
    co_await wait_until(memcached.world.loop(), begun);
    memcached.world.loop().post([&] { memcached.handler.released = true; });
    co_await memcached.server.stop();
    const std::string answer = co_await client.receive_all();
    // What stood behind it in the same bytes may have been begun too.
    CHECK(answer.substr(0, 8) == "STORED\r\n");
  });
}

}  // namespace
}  // namespace tako
