#include "api/http/server.h"

#include <utility>

#include "net/session_set.h"
#include "runtime/run_on.h"

namespace tako::api {

// The server's connections on one loop.
class HttpServer::Part {
 public:
  Part(const Target& target, const HttpServerOptions& options, ByteBudgets& budgets)
      : sessions_(*target.loop, options.stop_grace, [this, target, &options, &budgets] {
          return std::make_unique<HttpSession>(*target.loop, *target.handler, options, budgets, date_);
        }) {}

  net::SessionSet<HttpSession>& sessions() { return sessions_; }

 private:
  wire::HttpDate date_;
  net::SessionSet<HttpSession> sessions_;
};

HttpServer::HttpServer(Loop& loop, std::string name, const std::vector<Target>& targets, HttpServerOptions options,
                       std::shared_ptr<ByteBudgets> budgets)
    : options_(options),
      budgets_(budgets ? std::move(budgets)
                       : std::make_shared<ByteBudgets>(options_.received_bytes_max, options_.sending_bytes_max)) {
  std::vector<net::Listener::Target> takers;
  for (const Target& target : targets) {
    ASSERT(target.loop && target.handler);
    parts_.push_back(std::make_unique<Part>(target, options_, *budgets_));
    takers.push_back({target.loop, &parts_.back()->sessions()});
  }
  listener_ = std::make_unique<net::Listener>(loop, std::move(name), std::move(takers), options_.connections_max);
}

HttpServer::~HttpServer() = default;

Task<> HttpServer::stop() {
  co_await listener_->stop();
  for (const auto& part : parts_) {
    net::SessionSet<HttpSession>& sessions = part->sessions();
    co_await runtime::run_on(sessions.loop(), sessions.stop());
  }
}

}  // namespace tako::api
