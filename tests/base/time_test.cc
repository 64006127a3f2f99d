#include "base/time.h"

#include <doctest/doctest.h>

using namespace tako;

TEST_CASE("every documented form of an interval is read") {
  struct Form {
    const char* text;
    Duration expected;
  };
  const Form forms[] = {
      {"1d 0:00:00", hours(24)},
      {"24:00:00", hours(24)},
      {"1 day, 0:00:00", hours(24)},
      {"2 days, 3:04:05", hours(51) + minutes(4) + seconds(5)},
      {"90s", seconds(90)},
      {"15m", minutes(15)},
      {"12h", hours(12)},
      {"1d", hours(24)},
      {"0:01:00", minutes(1)},
      {"0:10:00", minutes(10)},
      {"0:00:01", seconds(1)},
      {"100:00:00", hours(100)},
      {"1 d 2:3:4", hours(26) + minutes(3) + seconds(4)},
      {"3 days", hours(72)},
      {"0 days, 0:00:05", seconds(5)},
      {"1000000d", hours(24'000'000)},
  };
  for (const Form& form : forms) {
    CAPTURE(form.text);
    const Result<Duration> parsed = parse_interval(form.text);
    REQUIRE(parsed.ok());
    CHECK(*parsed == form.expected);
  }
}

TEST_CASE("anything else is no interval, and the error says what one looks like") {
  const char* junk[] = {
      "",         " ",         "junk",      "d",        "s",           "1",         "3600",        "1:00",
      "1:2:3:4",  "1:60:00",   "1:00:60",   "1:000:00", "-1d",         "+1d",       " 1d",         "1d ",
      "1D",       "1w",        "1.5h",      "1h30m",    "1d,0:00:00",  "1d0:00:00", "1d 0:00:00x", "1 day,, 0:00:00",
      "90 s",     "1d 0:00",   ":00:00",    "0x10s",    "1 dayz",      "1d\n",      "1day 5",      "9999999999999999s",
      "99999999999999999999999999999999d", "1d, 99999999999999999999:00:00"};
  for (const char* text : junk) {
    CAPTURE(text);
    const Result<Duration> parsed = parse_interval(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.code() == ErrorCode::kInvalid);
    CHECK(parsed.error().message.find("expected") != std::string::npos);
    CHECK(parsed.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a zero interval and one that no clock can count are refused") {
  for (const char* text : {"0s", "0d", "0:00:00", "0 days, 0:00:00"}) {
    CAPTURE(text);
    const Result<Duration> parsed = parse_interval(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message.find("zero") != std::string::npos);
  }
  for (const char* text : {"1000001d", "999999999999999d", "1000000d 0:00:01", "999999999999999:00:00"}) {
    CAPTURE(text);
    const Result<Duration> parsed = parse_interval(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message.find("too long") != std::string::npos);
  }
}

TEST_CASE("an interval is written in a form that reads back as the same") {
  CHECK(format_interval(hours(24)) == "1 day, 0:00:00");
  CHECK(format_interval(minutes(1)) == "0:01:00");
  CHECK(format_interval(hours(51) + minutes(4) + seconds(5)) == "2 days, 3:04:05");
  for (std::int64_t s = 1; s < 40'000'000'000; s = s * 3 + 7) {
    const Duration interval = seconds(s);
    CAPTURE(s);
    const Result<Duration> back = parse_interval(format_interval(interval));
    REQUIRE(back.ok());
    CHECK(*back == interval);
  }
}

TEST_CASE("HTTP dates are those of RFC 9110") {
  CHECK(format_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format_http_date(784'111'777'999'999) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format_http_date(1'300'486'014'123'456) == "Fri, 18 Mar 2011 22:06:54 GMT");
  CHECK(format_http_date(1'709'164'800'000'000) == "Thu, 29 Feb 2024 00:00:00 GMT");
  CHECK(format_http_date(~0ull) == "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST_CASE("HTTP dates of all three forms are read") {
  constexpr Timestamp kThen = 784'111'777'000'000;
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == kThen);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == kThen);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == kThen);
  CHECK(parse_http_date("Friday, 18-Mar-11 22:06:54 GMT") == 1'300'486'014'000'000);
  CHECK(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT") == 1'709'164'800'000'000);
  CHECK(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT") == 253'402'300'799'000'000);
  for (const char* text :
       {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT", "Sun, 06 Nov 19940 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:x7 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text).has_value());
  }
}
