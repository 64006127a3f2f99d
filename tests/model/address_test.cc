#include "model/address.h"

#include <doctest/doctest.h>

namespace tako::model {
namespace {

TEST_CASE("a host is a name or an address, and an IPv6 address may stand in brackets") {
  for (const char* host : {"h", "c1.example", "a_b-c.d", "10.0.0.1", "127.1", "1a.2b", "::1", "fe80::1%eth0", "::"}) {
    CAPTURE(host);
    CHECK(*parse_host(host) == host);
  }
  CHECK(*parse_host("[::1]") == "::1");
  CHECK(*parse_host("[fe80::1%eth0]") == "fe80::1%eth0");
  for (const char* wrong : {"", "[]", "[", "]", "[::1", "::1]", "[h]", "[127.0.0.1]", "[[::1]]", "h:1", "1:2", ":::",
                            "a b", "a/b", "h,g", "300.0.0.1", "1.2.3.4.5", "\xc3\xa9"}) {
    CAPTURE(wrong);
    CHECK(parse_host(wrong).code() == ErrorCode::kInvalid);
  }
  CHECK(parse_host(std::string(253, 'h')).ok());
  CHECK_FALSE(parse_host(std::string(254, 'h')).ok());
  CHECK_FALSE(parse_host(std::string("::1\0x", 5)).ok());
}

TEST_CASE("an address is a host and a port") {
  CHECK(*parse_address("c1.example:4710") == Address{"c1.example", 4710});
  CHECK(*parse_address("[::1]:65535") == Address{"::1", 65535});
  for (const char* wrong : {"", ":", "h", "h:", ":1", "h:0", "h:65536", "h:-1", "h:1x", "h: 1", "::1:4710", "[::1]",
                            "[::1]4710", "http://h:1", "h:1:2", "[::1]:"}) {
    CAPTURE(wrong);
    CHECK(parse_address(wrong).code() == ErrorCode::kInvalid);
  }
}

TEST_CASE("what is bound is numeric") {
  CHECK(*parse_bind_address("0.0.0.0") == "0.0.0.0");
  CHECK(*parse_bind_address("[::]") == "::");
  for (const char* wrong : {"", "localhost", "h", "127.1", "127.0.0.1:80", "[::1]:80", "1.2.3.256"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_bind_address(wrong).ok());
  }
}

TEST_CASE("loopback addresses are those that no other machine means") {
  CHECK(*loopback_of("127.0.0.1") == "127.0.0.1");
  CHECK(*loopback_of("127.255.0.9") == "127.255.0.9");
  CHECK(*loopback_of("::1") == "::1");
  CHECK(*loopback_of("0:0:0:0:0:0:0:1") == "::1");
  CHECK(*loopback_of("LocalHost") == "127.0.0.1");
  for (const char* other : {"128.0.0.1", "0.0.0.0", "10.0.0.1", "::", "::2", "h", "localhost.example", "127.1"}) {
    CAPTURE(other);
    CHECK_FALSE(loopback_of(other));
  }
}

}  // namespace
}  // namespace tako::model
