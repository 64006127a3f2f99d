#include "net/tcp_server.h"

#include <utility>

#include "base/log.h"
#include "runtime/run_on.h"

namespace tako::net {
namespace {

constexpr Duration kLogEvery = minutes(1);

}  // namespace

// The server's connections on one loop.
class TcpServer::Part final : public Taker {
 public:
  Part(Loop& loop, const TcpServer& server) : loop_(loop), server_(server), log_limit_(kLogEvery), gate_(loop) {}

  Loop& loop() { return loop_; }

  void take(Accepted connection) override {
    if (!stopping_) loop_.spawn(gate_, serve(std::move(connection)));
  }

  Task<> stop() {
    stopping_ = true;
    for (TcpSession* session : sessions_) session->stop();
    co_await gate_.drained();
  }

 private:
  Task<> serve(Accepted connection) {
    const asio::ip::tcp::endpoint from = connection.from;
    TcpSession session(loop_, server_.shards_, server_.self_, server_.options_);
    sessions_.insert(&session);
    const std::string wrong = co_await session.run(std::move(connection));
    sessions_.erase(&session);
    if (wrong.empty()) co_return;
    const std::string address = from.address().to_string();
    if (log_limit_.allow(address, loop_.now())) {
      log::warn("bad_client", {{"server", server_.self_.id}, {"from", text_of(from)}, {"reason", wrong}});
    }
  }

  Loop& loop_;
  const TcpServer& server_;
  bool stopping_ = false;
  std::set<TcpSession*> sessions_;
  LogLimit log_limit_;
  runtime::Gate gate_;
};

TcpServer::TcpServer(Loop& loop, const std::vector<Loop*>& loops, const Shards& shards, wire::Hello self,
                     TcpServerOptions options)
    : shards_(shards), self_(std::move(self)), options_(options) {
  std::vector<Listener::Target> targets;
  for (Loop* each : loops) {
    parts_.push_back(std::make_unique<Part>(*each, *this));
    targets.push_back({each, parts_.back().get()});
  }
  listener_ = std::make_unique<Listener>(loop, self_.id, std::move(targets), options_.connections_max);
}

TcpServer::~TcpServer() = default;

Task<> TcpServer::stop() {
  co_await listener_->stop();
  for (const auto& part : parts_) co_await runtime::run_on(part->loop(), part->stop());
}

}  // namespace tako::net
