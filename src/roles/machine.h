// Machine: what every server process stands on: the loops, a transport on each, and the switchboard of who is in this
// process. The composition root of production; the simulator has its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/local_transport.h"
#include "net/switchboard.h"
#include "net/tcp_transport.h"
#include "replication/version_clock.h"
#include "runtime/process.h"
#include "runtime/run_on.h"

namespace tako::roles {

using runtime::Task;

class Machine {
 public:
  // `threads` 0: one for each core. `self` is what peers are told in the handshake.
  Machine(unsigned threads, wire::Hello self);

  runtime::Process& process() { return process_; }
  std::size_t loops() const { return process_.size(); }
  runtime::Loop& loop(std::size_t i) { return process_.loop(i); }
  runtime::Loop& first() { return process_.loop(0); }
  std::vector<runtime::Loop*> all_loops();
  runtime::Workers& workers() { return process_.workers(); }
  net::Switchboard& switchboard() { return switchboard_; }
  net::Transport& transport(std::size_t i) { return *local_[i]; }
  std::shared_ptr<replication::VersionMark> version_mark() { return version_mark_; }

  // After the loops were stopped.
  Task<> stop();

 private:
  runtime::Process process_;
  net::Switchboard switchboard_;
  std::shared_ptr<replication::VersionMark> version_mark_ = std::make_shared<replication::VersionMark>(0);
  std::vector<std::unique_ptr<net::TcpTransport>> tcp_;
  std::vector<std::unique_ptr<net::LocalTransport>> local_;
};

// What to bind for a host of the configuration: an address, a name's first one, or `listen` where it was given.
Task<Result<std::string>> address_to_bind(Machine& machine, std::string host, std::string listen);

}  // namespace tako::roles
