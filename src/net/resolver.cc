#include "net/resolver.h"

#include <memory>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace tako::net {
namespace {

asio::ip::address address_of(const sockaddr& from) {
  if (from.sa_family == AF_INET) {
    return asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in&>(from).sin_addr.s_addr));
  }
  const auto& six = reinterpret_cast<const sockaddr_in6&>(from);
  asio::ip::address_v6::bytes_type bytes;
  std::copy_n(six.sin6_addr.s6_addr, bytes.size(), bytes.begin());
  return asio::ip::address_v6(bytes, six.sin6_scope_id);
}

Result<Addresses> ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &first);
  if (error != 0) return {ErrorCode::kUnsent, "cannot resolve " + host + ": " + ::gai_strerror(error)};

  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(first, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* entry = first; entry && addresses.size() < Resolver::kAddressesMax; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6) addresses.push_back(address_of(*entry->ai_addr));
  }
  if (addresses.empty()) return {ErrorCode::kUnsent, "cannot resolve " + host + ": it has no address"};
  return addresses;
}

}  // namespace

runtime::Task<Result<Addresses>> Resolver::resolve(std::string host) {
  asio::error_code error;
  const auto numeric = asio::ip::make_address(host, error);
  if (!error) co_return Addresses(1, numeric);

  const auto known = known_.find(host);
  if (known != known_.end() && loop_.now() < known->second.until) co_return known->second.addresses;

  auto ask = [host] { return ask_system(host); };
  Result<Addresses> answer = co_await workers_.run(std::move(ask));
  if (answer) remember(host, *answer);
  co_return answer;
}

void Resolver::remember(const std::string& host, const Addresses& addresses) {
  const TimePoint now = loop_.now();
  if (known_.size() >= kNamesMax) std::erase_if(known_, [&](const auto& entry) { return entry.second.until <= now; });
  if (known_.size() >= kNamesMax) known_.clear();
  known_[host] = Known{addresses, now + kKept};
}

}  // namespace tako::net
