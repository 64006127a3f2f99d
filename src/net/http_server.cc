#include "net/http_server.h"

#include <set>
#include <utility>

#include "runtime/run_on.h"

namespace tako::net {

// The server's connections on one loop.
class HttpServer::Part final : public Taker {
 public:
  Part(const Target& target, const HttpServerOptions& options, HttpBudgets& budgets)
      : loop_(*target.loop), handler_(*target.handler), options_(options), budgets_(budgets), left_(loop_),
        gate_(loop_) {}

  Loop& loop() { return loop_; }

  void take(Accepted connection) override {
    if (!stopping_) loop_.spawn(gate_, serve(std::move(connection)));
  }

  Task<> stop() {
    stopping_ = true;
    for (HttpSession* session : sessions_) session->stop();
    const TimePoint deadline = loop_.now() + options_.stop_grace;
    while (!sessions_.empty()) {
      const bool woken = co_await left_.wait(deadline);
      if (!woken) break;
    }
    for (HttpSession* session : sessions_) session->close();
    co_await gate_.drained();
  }

 private:
  Task<> serve(Accepted connection) {
    HttpSession session(loop_, handler_, options_, budgets_, date_);
    sessions_.insert(&session);
    co_await session.run(std::move(connection));
    sessions_.erase(&session);
    left_.notify();
  }

  Loop& loop_;
  HttpHandler& handler_;
  const HttpServerOptions& options_;
  HttpBudgets& budgets_;
  wire::HttpDate date_;
  bool stopping_ = false;
  std::set<HttpSession*> sessions_;
  runtime::Signal left_;
  runtime::Gate gate_;
};

HttpServer::HttpServer(Loop& loop, std::string name, const std::vector<Target>& targets, HttpServerOptions options,
                       std::shared_ptr<HttpBudgets> budgets)
    : options_(options), budgets_(budgets ? std::move(budgets) : std::make_shared<HttpBudgets>(options_)) {
  std::vector<Listener::Target> takers;
  for (const Target& target : targets) {
    ASSERT(target.loop && target.handler);
    parts_.push_back(std::make_unique<Part>(target, options_, *budgets_));
    takers.push_back({target.loop, parts_.back().get()});
  }
  listener_ = std::make_unique<Listener>(loop, std::move(name), std::move(takers), options_.connections_max);
}

HttpServer::~HttpServer() = default;

Task<> HttpServer::stop() {
  co_await listener_->stop();
  for (const auto& part : parts_) co_await runtime::run_on(part->loop(), part->stop());
}

}  // namespace tako::net
