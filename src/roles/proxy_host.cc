#include "roles/proxy_host.h"

#include <unistd.h>

namespace tako::roles {

ProxyHost::ProxyHost(Machine& machine, std::string id)
    : machine_(machine),
      id_(std::move(id)),
      budgets_(std::make_shared<api::ByteBudgets>(api::HttpServerOptions{}.received_bytes_max,
                                                api::HttpServerOptions{}.sending_bytes_max)),
      stats_({::getpid(), machine_.loops(), api::MemcachedServerOptions{}.connections_max}, machine_.first().now()) {
  std::vector<replication::Replicators::LoopParts> parts;
  for (std::size_t i = 0; i < machine_.loops(); ++i) parts.push_back({&machine_.loop(i), &machine_.transport(i)});
  replicators_ = std::make_unique<replication::Replicators>(std::move(parts), machine_.process().clock(),
                                                      machine_.version_mark());
  std::vector<api::HttpServer::Target> targets;
  std::vector<api::MemcachedServer::Target> memcached;
  for (std::size_t i = 0; i < machine_.loops(); ++i) {
    runtime::Loop& loop = machine_.loop(i);
    auto lane = std::make_unique<Lane>();
    replication::Replicator& replicator = replicators_->at(i);
    lane->status = std::make_unique<api::StatusBoard>(id_, loop, machine_.transport(i), *replicators_, i);
    lane->face = std::make_unique<api::HttpApi>(loop, replicator, *lane->status);
    lane->memcached = std::make_unique<api::MemcachedApi>(loop, machine_.transport(i), replicator, stats_);
    targets.push_back({&loop, lane->face.get()});
    memcached.push_back({&loop, lane->memcached.get()});
    lanes_.push_back(std::move(lane));
  }
  server_ =
      std::make_unique<api::HttpServer>(machine_.first(), "http " + id_, targets, api::HttpServerOptions{}, budgets_);
  memcached_ = std::make_unique<api::MemcachedServer>(machine_.first(), "memcached " + id_, memcached, stats_.traffic(),
                                                      budgets_);
}

ProxyHost::~ProxyHost() = default;

void ProxyHost::adopt(std::shared_ptr<const model::Placement> placement) { replicators_->adopt(std::move(placement)); }

Status ProxyHost::listen(const std::string& address, std::uint16_t port) { return server_->open(address, port); }

Status ProxyHost::listen_memcached(const std::string& address, std::uint16_t port) {
  return memcached_->open(address, port);
}

Task<> ProxyHost::close_ports() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    api::MemcachedApi* face = lanes_[i]->memcached.get();
    machine_.loop(i).post([face] { face->end(); });
  }
  co_await server_->stop();
  co_await memcached_->stop();
}

Task<> ProxyHost::stop() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    co_await runtime::run_on(machine_.loop(i), lanes_[i]->memcached->stop());
  }
  co_await replicators_->stop();
}

}  // namespace tako::roles
