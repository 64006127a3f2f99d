#include <doctest/doctest.h>

#include "ctl/cluster_client.h"
#include "ctl/console.h"
#include "ctl/table.h"

namespace tako::ctl_test {
namespace {

using ctl::Align;
using ctl::Cell;
using ctl::Table;
using ctl::Tone;

TEST_CASE("a table's columns are as wide as their widest cell, and no line ends with spaces") {
  Table table({"NODE", "ITEMS", ""});
  table.align(1, Align::kRight);
  table.add({"n1", "7", "x"});
  table.add({"a longer id", "12345678", ""});

  CHECK(table.text(false) == "NODE            ITEMS\n"
                             "n1                  7  x\n"
                             "a longer id  12345678\n");
}

TEST_CASE("a table without titles has no title line, and counts letters and not bytes") {
  Table table({"", ""});
  table.add({"ключ", "1"});
  table.add({"key", "2"});

  CHECK(table.text(false) == "ключ  1\nkey   2\n");
}

TEST_CASE("colour changes no width, and is there only if asked for") {
  Table table({"", ""});
  table.add({Cell("up", Tone::kGood), "1"});
  table.add({Cell("down", Tone::kBad), "2"});

  CHECK(table.text(false) == "up    1\ndown  2\n");
  CHECK(table.text(true) == "\x1b[32mup\x1b[0m    1\n\x1b[31mdown\x1b[0m  2\n");
}

TEST_CASE("a timestamp is shown as a date in UTC") {
  CHECK(ctl::utc_of(0) == "1970-01-01 00:00:00.000000 UTC");
  CHECK(ctl::utc_of(1'700'000'000'123'456) == "2023-11-14 22:13:20.123456 UTC");
  CHECK(ctl::utc_of(253'402'300'799'999'999) == "9999-12-31 23:59:59.999999 UTC");
  CHECK(ctl::utc_of(~0ull) == "after the year 9999");
}

TEST_CASE("bytes are shown with two digits at least") {
  CHECK(ctl::bytes_of(0) == "0 B");
  CHECK(ctl::bytes_of(999) == "999 B");
  CHECK(ctl::bytes_of(1000) == "1.0 kB");
  CHECK(ctl::bytes_of(9'940) == "9.9 kB");
  CHECK(ctl::bytes_of(9'960) == "10 kB");
  CHECK(ctl::bytes_of(999'700) == "1.0 MB");
  CHECK(ctl::bytes_of(12'000'000'000) == "12 GB");
  CHECK(ctl::bytes_of(~0ull) == "18 EB");
}

TEST_CASE("control characters are shown, not sent") {
  CHECK(ctl::printable("a\x1b[2J\n\x7f" "b") == "a\\x1b[2J\\x0a\\x7fb");
}

TEST_CASE("a key becomes a path: any bytes, and only '/' and what needs no escape stand for themselves") {
  CHECK(*ctl::target_of("/values/", "a/b-c_d.e~f") == "/values/a/b-c_d.e~f");
  CHECK(*ctl::target_of("/values/", "a b+c?d#e%f") == "/values/a%20b%2Bc%3Fd%23e%25f");
  CHECK(*ctl::target_of("/stat/", std::string("\x00\xff\n", 3)) == "/stat/%00%FF%0A");
  CHECK(ctl::target_of("/values/", "").code() == ErrorCode::kInvalid);
  CHECK(ctl::target_of("/values/", std::string(1024, 'k')).ok());
  CHECK(ctl::target_of("/values/", std::string(1025, 'k')).code() == ErrorCode::kInvalid);
}

TEST_CASE("an address of a proxy") {
  const auto check = [](const char* text, const char* host, int port) {
    const auto url = ctl::parse_url(text);
    REQUIRE_MESSAGE(url.ok(), text);
    CHECK(url->host == host);
    CHECK(url->port == port);
  };
  check("http://127.0.0.1:8080", "127.0.0.1", 8080);
  check("http://proxy.example/", "proxy.example", 80);
  check("proxy:81", "proxy", 81);
  check("http://[::1]:8080/", "::1", 8080);

  for (const char* text : {"", "http://", "http://:80", "http://h:0", "http://h:65536", "http://h:8o", "http://h:",
                           "https://h", "http://h/values", "http://[::1", "http://[::1]8", "http://a@b", "ftp://h"}) {
    CHECK_MESSAGE(!ctl::parse_url(text).ok(), text);
  }
}

}  // namespace
}  // namespace tako::ctl_test
