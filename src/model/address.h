// Hosts and ports as people write them: in a configuration, on a command line, in a variable. Pure functions; every
// place that is given an address goes through them. A host that was read is bare: an IPv6 address without brackets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tako::model {

constexpr std::size_t kHostBytesMax = 253;  // of a DNS name

struct Address {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

// "db1.example", "10.0.0.1", "::1", "[::1]". kInvalid: neither a name nor an address can look like this.
Result<std::string> parse_host(std::string_view text);

// "db1.example:4710", "[::1]:4710".
Result<Address> parse_address(std::string_view text);

// What a server can bind: "0.0.0.0", "::1", "[::]".
Result<std::string> parse_bind_address(std::string_view text);

// The numeric address to bind for a host of this machine alone: 127.0.0.0/8, ::1, or the name localhost. None: it is
// another one, or a name, of which nobody knows before it was asked for.
std::optional<std::string> loopback_of(const std::string& host);

}  // namespace tako::model
