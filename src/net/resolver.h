// Resolver: host names to addresses, for one loop. Numeric addresses at once, names by getaddrinfo on a worker thread,
// the answers kept for a while.
//
// getaddrinfo cannot be cancelled and takes as long as the system's settings say: callers bound their own wait.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <asio/ip/address.hpp>

#include "base/result.h"
#include "runtime/loop.h"
#include "runtime/workers.h"

namespace tako::net {

using Addresses = std::vector<asio::ip::address>;

class Resolver {
 public:
  static constexpr Duration kKept = seconds(30);
  static constexpr std::size_t kNamesMax = 4'096;
  static constexpr std::size_t kAddressesMax = 8;  // of one name

  // REQUIRES: both outlive it
  Resolver(runtime::Loop& loop, runtime::Workers& workers) : loop_(loop), workers_(workers) {}

  // At least one address. kUnsent: the name is unknown, or cannot be asked for now.
  runtime::Task<Result<Addresses>> resolve(std::string host);

 private:
  struct Known {
    Addresses addresses;
    TimePoint until;
  };

  void remember(const std::string& host, const Addresses& addresses);

  runtime::Loop& loop_;
  runtime::Workers& workers_;
  std::map<std::string, Known> known_;
};

}  // namespace tako::net
