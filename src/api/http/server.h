// HttpServer: one HTTP port of this process: connections spread over the loops, each loop with its own handler.
//
// Made, opened and stopped on one loop. What a connection may do, and how long: session.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/http/session.h"
#include "net/listener.h"

namespace tako::api {

using runtime::Loop;
using runtime::Task;

class HttpServer {
 public:
  struct Target {
    Loop* loop = nullptr;
    HttpHandler* handler = nullptr;
  };

  // `name` is for the log. Servers of one process share their budgets; null makes some. REQUIRES: loops and handlers
  // outlive it, and all handlers end by a deadline of their own
  HttpServer(Loop& loop, std::string name, const std::vector<Target>& targets, HttpServerOptions options = {},
             std::shared_ptr<ByteBudgets> budgets = nullptr);
  ~HttpServer();

  // Port 0 takes a free one. One line for the operator if it cannot be had.
  Status open(const std::string& address, std::uint16_t port) { return listener_->open(address, port); }
  std::uint16_t port() const { return listener_->port(); }
  std::size_t connections() const { return listener_->connections(); }

  // No further connections or requests; requests under way are answered, then everything is closed.
  Task<> stop();

 private:
  class Part;

  const HttpServerOptions options_;
  const std::shared_ptr<ByteBudgets> budgets_;
  std::vector<std::unique_ptr<Part>> parts_;  // one per loop
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace tako::api
