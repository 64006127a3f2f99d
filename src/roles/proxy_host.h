// ProxyHost: a proxy in a process: a Replicator and its faces on each loop, and one port of each kind for all of them.
// Made on the first loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "net/memcached_server.h"
#include "proxy/http_face.h"
#include "proxy/memcached_face.h"
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
  net::HttpHandler& handler() { return *lanes_.front()->face; }
  const std::string& id() const { return id_; }

  // Before the loops stop, and after.
  Task<> close_ports();
  Task<> stop();

 private:
  struct Lane {
    std::unique_ptr<proxy::StatusBoard> status;
    std::unique_ptr<proxy::HttpFace> face;
    std::unique_ptr<proxy::MemcachedFace> memcached;
  };

  Machine& machine_;
  const std::string id_;
  std::unique_ptr<replication::Replicators> replicators_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // one for each loop
  const std::shared_ptr<net::HttpBudgets> budgets_;
  proxy::MemcachedStats stats_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::MemcachedServer> memcached_;
};

}  // namespace tako::roles
