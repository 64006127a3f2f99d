// ProxyHost: a proxy in a process: a Replicator and its faces on each loop, and one port of each kind for all of them.
// Made on the first loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/http/api.h"
#include "api/http/server.h"
#include "api/memcached/api.h"
#include "api/memcached/server.h"
#include "roles/machine.h"

namespace tako::roles {

class ProxyHost {
 public:
  // REQUIRES: machine outlives it
  ProxyHost(Machine& machine, std::string id);
  ~ProxyHost();

  void adopt(std::shared_ptr<const model::Placement> placement);
  Status listen(const std::string& address, std::uint16_t port);
  std::uint16_t port() const { return server_->port(); }
  Status listen_memcached(const std::string& address, std::uint16_t port);
  std::uint16_t memcached_port() const { return memcached_->port(); }
  // Of the first loop, for whoever calls without a socket.
  api::HttpHandler& handler() { return *lanes_.front()->face; }
  const std::string& id() const { return id_; }

  // Before the loops stop, and after.
  Task<> close_ports();
  Task<> stop();

 private:
  struct Lane {
    std::unique_ptr<api::StatusBoard> status;
    std::unique_ptr<api::HttpApi> face;
    std::unique_ptr<api::MemcachedApi> memcached;
  };

  Machine& machine_;
  const std::string id_;
  std::unique_ptr<replication::Replicators> replicators_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // one for each loop
  const std::shared_ptr<api::ByteBudgets> budgets_;
  api::MemcachedStats stats_;
  std::unique_ptr<api::HttpServer> server_;
  std::unique_ptr<api::MemcachedServer> memcached_;
};

}  // namespace tako::roles
