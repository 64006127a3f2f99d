#include "wire/http/ranges.h"

#include <doctest/doctest.h>

namespace tako::wire {
namespace {

using Kind = RangeChoice::Kind;
using Ranges = std::vector<ByteRange>;

constexpr Timestamp kModified = 1'300'486'014'123'456;  // Fri, 18 Mar 2011 22:06:54.123456 GMT
constexpr char kModifiedText[] = "Fri, 18 Mar 2011 22:06:54 GMT";
const Validators kNow{"\"17-1\"", kModified};

Ranges parts(std::string_view header, std::uint64_t size) {
  const RangeChoice choice = choose_ranges(header, size);
  CHECK(choice.kind == (choice.parts.empty() ? Kind::kWhole : Kind::kParts));
  return choice.parts;
}

TEST_CASE("ranges of every form are what the RFC says") {
  CHECK(parts("bytes=0-4", 10) == Ranges{{0, 5}});
  CHECK(parts("bytes=3-", 10) == Ranges{{3, 10}});
  CHECK(parts("bytes=-4", 10) == Ranges{{6, 10}});
  CHECK(parts("bytes=-40", 10) == Ranges{{0, 10}});
  CHECK(parts("bytes=7-99999999999999999999999", 10) == Ranges{{7, 10}});
  CHECK(parts("Bytes = 0-0 , 2-3,, -1", 10) == Ranges{{0, 1}, {2, 4}, {9, 10}});
  CHECK(parts("bytes=5-6,0-1", 10) == Ranges{{5, 7}, {0, 2}});
  CHECK(parts("bytes=9-,20-30", 10) == Ranges{{9, 10}});
}

TEST_CASE("ranges that cannot be read mean the whole value") {
  for (const char* header : {"", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=4-3", "bytes=a-b", "bytes=1",
                             "lines=0-1", "bytes=0x1-2", "bytes=0-1-2", "bytes=+1-2", "bytes=0-1;2-3", "bytes=0-1,x"}) {
    CAPTURE(header);
    CHECK(choose_ranges(header, 10).kind == Kind::kWhole);
  }
}

TEST_CASE("ranges beyond the end are none, also of an empty value") {
  CHECK(choose_ranges("bytes=10-", 10).kind == Kind::kNone);
  CHECK(choose_ranges("bytes=10-11, 99999999999999999999999-", 10).kind == Kind::kNone);
  CHECK(choose_ranges("bytes=-0", 10).kind == Kind::kNone);
  CHECK(choose_ranges("bytes=0-", 0).kind == Kind::kNone);
  CHECK(choose_ranges("bytes=-1", 0).kind == Kind::kNone);
}

TEST_CASE("no choice of ranges makes an answer larger than the value, or of very many parts") {
  CHECK(choose_ranges("bytes=0-,0-", 10).kind == Kind::kWhole);
  CHECK(choose_ranges("bytes=0-5,4-9", 10).kind == Kind::kWhole);
  CHECK(choose_ranges("bytes=0-5,6-9", 10).kind == Kind::kParts);
  std::string many = "bytes=0-0";
  for (std::size_t i = 1; i < kRangesMax; ++i) many += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  CHECK(choose_ranges(many, 1000).parts.size() == kRangesMax);
  CHECK(choose_ranges(many + ",999-", 1000).kind == Kind::kWhole);
}

TEST_CASE("Content-Range names the bytes") {
  CHECK(content_range({0, 5}, 10) == "bytes 0-4/10");
  CHECK(content_range_none(10) == "bytes */10");
}

TEST_CASE("conditions of a read") {
  const auto check = [](std::string name, std::string value) {
    return check_conditions({{std::move(name), std::move(value)}}, kNow);
  };
  CHECK(check("accept", "x") == Condition::kMet);
  CHECK(check("if-match", "\"17-1\"") == Condition::kMet);
  CHECK(check("if-match", "*") == Condition::kMet);
  CHECK(check("if-match", "\"a, b\", \"17-1\"") == Condition::kMet);
  CHECK(check("if-match", "W/\"17-1\"") == Condition::kFailed);
  CHECK(check("if-match", "\"17-2\"") == Condition::kFailed);
  CHECK(check("if-none-match", "\"17-2\"") == Condition::kMet);
  CHECK(check("if-none-match", "\"x\", W/\"17-1\"") == Condition::kNotModified);
  CHECK(check("if-none-match", "*") == Condition::kNotModified);
  CHECK(check("if-none-match", "17-1") == Condition::kMet);
  CHECK(check("if-none-match", "\"17-1") == Condition::kMet);
  CHECK(check("if-none-match", "W/") == Condition::kMet);
  CHECK(check("if-modified-since", kModifiedText) == Condition::kNotModified);
  CHECK(check("if-modified-since", "Fri, 18 Mar 2011 22:06:53 GMT") == Condition::kMet);
  CHECK(check("if-modified-since", "yesterday") == Condition::kMet);
  CHECK(check("if-unmodified-since", kModifiedText) == Condition::kMet);
  CHECK(check("if-unmodified-since", "Fri, 18 Mar 2011 22:06:53 GMT") == Condition::kFailed);
}

TEST_CASE("entity tags count before dates") {
  const HttpHeaders other{{"if-none-match", "\"other\""}, {"if-modified-since", kModifiedText}};
  CHECK(check_conditions(other, kNow) == Condition::kMet);
  const HttpHeaders match{{"if-match", "\"17-1\""}, {"if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT"}};
  CHECK(check_conditions(match, kNow) == Condition::kMet);
}

TEST_CASE("If-Range holds for the same version only, and for a date that can be no other's") {
  const auto holds = [](std::string value, Timestamp wall = kModified + 2'000'000) {
    return if_range_holds({{"if-range", std::move(value)}}, kNow, wall);
  };
  CHECK(if_range_holds({}, kNow, kModified));
  CHECK(holds("\"17-1\""));
  CHECK_FALSE(holds("W/\"17-1\""));
  CHECK_FALSE(holds("\"17-2\""));
  CHECK_FALSE(holds("\"\""));
  CHECK_FALSE(holds(""));
  CHECK(holds(kModifiedText));
  CHECK_FALSE(holds(kModifiedText, kModified + 1000));
  CHECK_FALSE(holds("Fri, 18 Mar 2011 22:06:55 GMT"));
  CHECK_FALSE(holds("Fri, 18 Mar 2011 22:06:53 GMT"));
}

}  // namespace
}  // namespace tako::wire
