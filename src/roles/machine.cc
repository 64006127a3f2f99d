#include "roles/machine.h"

#include <thread>

#include "net/resolver.h"

namespace tako::roles {

Machine::Machine(unsigned threads, wire::Hello self)
    : process_(threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency())) {
  for (std::size_t i = 0; i < loops(); ++i) {
    tcp_.push_back(std::make_unique<net::TcpTransport>(loop(i), workers(), self));
    local_.push_back(std::make_unique<net::LocalTransport>(loop(i), switchboard_, tcp_.back().get()));
  }
}

std::vector<runtime::Loop*> Machine::all_loops() {
  std::vector<runtime::Loop*> all;
  for (std::size_t i = 0; i < loops(); ++i) all.push_back(&loop(i));
  return all;
}

Task<> Machine::stop() {
  for (std::size_t i = 0; i < loops(); ++i) {
    co_await runtime::run_on(loop(i), local_[i]->stop());
    co_await runtime::run_on(loop(i), tcp_[i]->stop());
  }
}

Task<Result<std::string>> address_to_bind(Machine& machine, std::string host, std::string listen) {
  if (!listen.empty()) co_return listen;
  net::Resolver resolver(machine.first(), machine.workers());
  const auto addresses = co_await resolver.resolve(host);
  if (!addresses) {
    co_return Error(ErrorCode::kUnavailable, "the configuration's host " + host + " cannot be resolved (" +
                                             addresses.error().message + "); give the address to bind with --listen");
  }
  co_return addresses->front().to_string();
}

}  // namespace tako::roles
