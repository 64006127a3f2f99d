#include "model/address.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace tako::model {
namespace {

// The scope of an IPv6 address, as in fe80::1%eth0, is the system's to judge.
bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) == 1;
}

std::optional<std::uint32_t> ipv4_of(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

// What ends in a number is no name (300.0.0.1); the system's other ways to write an address stay its own (127.1).
bool looks_numeric(const std::string& host) {
  const std::string last = host.substr(host.rfind('.') + 1);
  return !last.empty() && std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(const std::string& host) {
  if (!std::all_of(host.begin(), host.end(), is_name_character)) return false;
  in_addr ignored{};
  return !looks_numeric(host) || ::inet_aton(host.c_str(), &ignored) != 0;
}

}  // namespace

Result<std::string> parse_host(std::string_view text) {
  const Error bad(ErrorCode::kInvalid, "expected a host name or address, such as c1.example, 10.0.0.1 or ::1");
  std::string host(text);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.size() > kHostBytesMax || host.find('\0') != std::string::npos) return bad;
  const bool six = host.find(':') != std::string::npos;
  if (six || bracketed ? !is_ipv6(host) : !is_name(host)) return bad;
  return host;
}

Result<Address> parse_address(std::string_view text) {
  const Error bad(ErrorCode::kInvalid, "expected HOST:PORT, such as c1.example:4710 or [::1]:4710");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  const std::string_view host = text.substr(0, colon);
  const bool bare_six = host.find(':') != std::string_view::npos && !host.starts_with('[');
  auto known = parse_host(host);
  if (bare_six || !known) return bad;
  Address address;
  address.host = std::move(*known);
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || at != end || address.port == 0) return bad;
  return address;
}

Result<std::string> parse_bind_address(std::string_view text) {
  auto host = parse_host(text);
  if (host && (ipv4_of(*host) || is_ipv6(*host))) return host;
  return {ErrorCode::kInvalid, "expected a numeric address of this machine, such as 0.0.0.0, 127.0.0.1 or ::1"};
}

std::optional<std::string> loopback_of(const std::string& host) {
  std::string lower = host;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (lower == "localhost" || lower == "localhost.") return "127.0.0.1";
  if (const auto four = ipv4_of(host)) {
    if (*four >> 24 != 127) return std::nullopt;
    return host;
  }
  in6_addr six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six) != 1 || !IN6_IS_ADDR_LOOPBACK(&six)) return std::nullopt;
  return "::1";
}

}  // namespace tako::model
