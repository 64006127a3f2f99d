#include "api/memcached/server.h"

#include <utility>

#include "runtime/run_on.h"

namespace tako::api {

MemcachedServer::MemcachedServer(Loop& loop, std::string name, const std::vector<Target>& targets,
                                 MemcachedTraffic& traffic, std::shared_ptr<ByteBudgets> budgets,
                                 MemcachedServerOptions options)
    : options_(options), budgets_(std::move(budgets)) {
  std::vector<net::Listener::Target> takers;
  for (const Target& target : targets) {
    ASSERT(target.loop && target.handler);
    auto make = [this, target, &traffic] {
      return std::make_unique<MemcachedSession>(*target.loop, *target.handler, options_, *budgets_, traffic);
    };
    parts_.push_back(std::make_unique<net::SessionSet<MemcachedSession>>(*target.loop, options_.stop_grace, make));
    takers.push_back({target.loop, parts_.back().get()});
  }
  listener_ = std::make_unique<net::Listener>(loop, std::move(name), std::move(takers), options_.connections_max);
}

MemcachedServer::~MemcachedServer() = default;

Task<> MemcachedServer::stop() {
  co_await listener_->stop();
  for (const auto& part : parts_) co_await runtime::run_on(part->loop(), part->stop());
}

}  // namespace tako::api
