// HttpWorld: an HttpServer with a simple handler on the test's loop.
//
// The handler answers "METHOD /target" to everything, and the body to /echo; /hold is answered when released, and
// /big:N with N bytes. /sink reads the body to its end and says how it came, /refuse answers 400 without reading any,
// /source:N sends N bytes in pieces, and /broken:N fails after as many.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "api/http/server.h"
#include "net/http_client.h"
#include "net/raw_client.h"
#include "support/run_loop.h"

namespace tako::test {

inline std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

// So many bytes, made as they are asked for. Then the end, or an error.
class MadeSource final : public net::ByteSource {
 public:
  enum class End : unsigned char { kEnd, kError };
  MadeSource(std::uint64_t bytes, End end) : left_(bytes), end_(end) {}

  Task<Result<Bytes>> next() override {
    const bool broken = left_ == 0 && end_ == End::kError;
    if (broken) co_return Error(ErrorCode::kUnavailable, "it broke");
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, model::kPieceBytes));
    left_ -= count;
    co_return Bytes(std::string(count, 's'));
  }

 private:
  std::uint64_t left_;
  const End end_;
};

class PlainHandler final : public api::HttpHandler {
 public:
  explicit PlainHandler(runtime::Loop& loop) : loop_(loop) {}

  Task<api::HttpReply> handle(wire::HttpRequest request, net::ByteSource* body) override {
    ++handled;
    api::HttpReply reply;
    bool running = true;
    while (request.path == "/hold" && !released_ && running) running = co_await loop_.sleep(milliseconds(1));
    wire::HttpResponse& response = reply.head;
    response.body = Bytes(request.method + " " + request.target);
    if (request.path == "/echo") response.body = request.body;
    if (request.path == "/refuse") response.status = 400;
    if (request.path == "/sink") response.body = co_await sink(std::move(request), body);
    if (request.path.starts_with("/source:")) stream(reply, request.path.substr(8), MadeSource::End::kEnd);
    if (request.path.starts_with("/broken:")) stream(reply, request.path.substr(8), MadeSource::End::kError);
    if (request.path.starts_with("/big:")) response.body = Bytes(std::string(std::stoul(request.path.substr(5)), 'b'));
    co_return reply;
  }

  void release() { released_ = true; }

  std::size_t handled = 0;
  std::size_t pieces = 0;  // that /sink has read, of all bodies
  bool holding = false;    // /sink reads no further

 private:
  // "BYTES bytes in PIECES", or what became of the body. Pieces are whole but for the last.
  Task<Bytes> sink(wire::HttpRequest request, net::ByteSource* body) {
    if (body == nullptr) co_return Bytes(std::to_string(request.body.size()) + " bytes at once");
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    bool more = true;
    while (more) {
      while (holding && !loop_.stopping()) co_await loop_.sleep(milliseconds(1));
      const Result<Bytes> piece = co_await body->next();
      if (!piece) {
        failed_bodies.push_back(piece.error().message);
        co_return Bytes("never seen");
      }
      more = !piece->empty();
      if (more) CHECK(bytes == count * model::kPieceBytes);
      bytes += piece->size();
      count += more;
      pieces += more;
    }
    co_return Bytes(std::to_string(bytes) + " bytes in " + std::to_string(count));
  }

  static void stream(api::HttpReply& reply, const std::string& bytes, MadeSource::End end) {
    const std::uint64_t count = std::stoull(bytes);
    reply.head.body = Bytes();
    reply.head.content_length = end == MadeSource::End::kEnd ? count : count + 1;
    reply.body = std::make_unique<MadeSource>(count, end);
  }

 public:
  std::vector<std::string> failed_bodies;

 private:
  runtime::Loop& loop_;
  bool released_ = false;
};

struct HttpWorld {
  explicit HttpWorld(api::HttpServerOptions options = {})
      : budgets(std::make_shared<api::ByteBudgets>(options.received_bytes_max, options.sending_bytes_max)),
        server(world.loop(), "test", {api::HttpServer::Target{&world.loop(), &handler}}, options, budgets) {
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
  std::shared_ptr<api::ByteBudgets> budgets;
  api::HttpServer server;
};

}  // namespace tako::test
