// TcpServer: a party of this process (a node, a coordinator) to those in other processes: one port, connections spread
// over the loops, requests to the shards that own their keys.
//
// Made, opened and stopped on one loop; what a client says is never believed, and a broken client costs its connection
// and one log line per address and minute.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "net/listener.h"
#include "net/switchboard.h"
#include "net/tcp_session.h"

namespace tako::net {

class TcpServer {
 public:
  // `self` is what clients are told, and check. REQUIRES: loops and shards outlive it; `loop` is one of `loops`
  TcpServer(Loop& loop, const std::vector<Loop*>& loops, const Shards& shards, wire::Hello self,
            TcpServerOptions options = {});
  ~TcpServer();

  // Port 0 takes a free one. One line for the operator if it cannot be had.
  Status open(const std::string& address, std::uint16_t port) { return listener_->open(address, port); }
  std::uint16_t port() const { return listener_->port(); }
  std::size_t connections() const { return listener_->connections(); }

  // No further connections; requests under way are answered, then everything is closed.
  Task<> stop();

 private:
  class Part;

  const Shards& shards_;
  const wire::Hello self_;
  const TcpServerOptions options_;
  std::vector<std::unique_ptr<Part>> parts_;  // one per loop
  std::unique_ptr<Listener> listener_;
};

}  // namespace tako::net
