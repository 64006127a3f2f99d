// HttpWorld: an HttpServer with a simple handler on the test's loop.
//
// The handler answers "METHOD /target" to everything, and the body to /echo; /hold is answered when released, and
// /big:N with N bytes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/http_client.h"
#include "net/http_server.h"
#include "raw_client.h"
#include "support/run_loop.h"

namespace tako::test {

inline std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

class PlainHandler final : public net::HttpHandler {
 public:
  explicit PlainHandler(runtime::Loop& loop) : loop_(loop) {}

  Task<net::HttpReply> handle(wire::HttpRequest request, net::ByteSource*) override {
    ++handled;
    bool running = true;
    while (request.path == "/hold" && !released_ && running) running = co_await loop_.sleep(milliseconds(1));
    wire::HttpResponse response;
    response.body = Bytes(request.method + " " + request.target);
    if (request.path == "/echo") response.body = request.body;
    if (request.path.starts_with("/big:")) response.body = Bytes(std::string(std::stoul(request.path.substr(5)), 'b'));
    net::HttpReply reply(std::move(response));
    co_return reply;
  }

  void release() { released_ = true; }

  std::size_t handled = 0;

 private:
  runtime::Loop& loop_;
  bool released_ = false;
};

struct HttpWorld {
  explicit HttpWorld(net::HttpServerOptions options = {})
      : budgets(std::make_shared<net::HttpBudgets>(options)),
        server(world.loop(), "test", {net::HttpServer::Target{&world.loop(), &handler}}, options, budgets) {
    const Status opened = server.open("127.0.0.1", 0);
    ASSERT(opened.ok());
  }
  ~HttpWorld() { stop(); }

  void stop() {
    world.run([&]() -> Task<> { co_await server.stop(); });
  }

  // RETURNS all that one client received that does as `talk` says.
  std::string exchange(std::function<Task<>(RawClient&)> talk) {
    return world.run([&]() -> Task<std::string> {
      RawClient client(world.loop());
      co_await client.connect(server.port());
      co_await talk(client);
      co_return client.received();
    });
  }

  Result<wire::HttpResponse> fetch(net::HttpFetch request, Duration limit = seconds(60)) {
    return world.run([&]() -> Task<Result<wire::HttpResponse>> {
      const TimePoint deadline = world.loop().now() + limit;
      co_return co_await net::fetch(world.loop(), world.workers(), "127.0.0.1", server.port(), request, deadline);
    });
  }

  RealLoop world;
  PlainHandler handler{world.loop()};
  std::shared_ptr<net::HttpBudgets> budgets;
  net::HttpServer server;
};

}  // namespace tako::test
