// CoordinatorHost: a coordinator in a process: its folder, the Coordinator, its port. On the first loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/coordinator.h"
#include "net/tcp_server.h"
#include "roles/machine.h"

namespace tako::roles {

class CoordinatorHost {
 public:
  struct Options {
    std::string id;
    std::string folder;
    std::optional<model::Configuration> file;
    std::string listen;
  };

  // REQUIRES: machine outlives it
  CoordinatorHost(Machine& machine, Options options);
  ~CoordinatorHost();

  Task<Result<std::string>> open();
  Task<> close_ports();
  Task<> stop();

 private:
  Machine& machine_;
  const Options options_;
  std::unique_ptr<runtime::DiskFiles> files_;
  std::unique_ptr<control::Coordinator> coordinator_;
  std::unique_ptr<net::Shards> shards_;
  std::unique_ptr<net::TcpServer> server_;
};

}  // namespace tako::roles
