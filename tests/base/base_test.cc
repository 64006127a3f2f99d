#include <set>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/result.h"

using namespace tako;

TEST_CASE("a result is a value or an error, and an unfilled one is an internal error") {
  const Result<int> value = 5;
  REQUIRE(value.ok());
  CHECK(*value == 5);

  const Result<int> error{ErrorCode::kNoSpace, "disk full"};
  REQUIRE_FALSE(error.ok());
  CHECK(error.code() == ErrorCode::kNoSpace);
  CHECK(error.error().message == "disk full");

  const Result<int> unfilled;
  REQUIRE_FALSE(unfilled.ok());
  CHECK(unfilled.code() == ErrorCode::kInternal);
  CHECK(ok_status().ok());
}

TEST_CASE("every error code has a name of its own") {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kStopping); ++code) {
    names.insert(name_of(static_cast<ErrorCode>(code)));
  }
  CHECK(names.size() == static_cast<std::size_t>(ErrorCode::kStopping) + 1);
  CHECK(names.count("unknown") == 0);
}

TEST_CASE("copies and slices of bytes share one buffer that outlives the original") {
  Bytes part;
  const char* address = nullptr;
  {
    const Bytes whole(std::string(1000, 'x') + "tail");
    const Bytes copy = whole;
    CHECK(copy.view().data() == whole.view().data());
    address = whole.view().data();
    part = whole.slice(1000, 4);
  }
  CHECK(part.view() == "tail");
  CHECK(part.view().data() == address + 1000);
  CHECK(part.slice(4, 0).empty());
  CHECK(part == Bytes::copy_of("tail"));
}

TEST_CASE("moving short bytes leaves the view valid") {
  Bytes small = Bytes::copy_of("abc");
  const Bytes moved = std::move(small);
  CHECK(moved.view() == "abc");
}

TEST_CASE("the same seed draws the same history, another seed another") {
  Random a(7);
  Random b(7);
  Random c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t drawn = a.next();
    CHECK(drawn == b.next());
    differs = differs || drawn != c.next();
  }
  CHECK(differs);
}

TEST_CASE("draws stay within their bounds and reach all of them") {
  Random random(1);
  std::set<std::uint64_t> below;
  std::set<std::uint64_t> between;
  for (int i = 0; i < 1000; ++i) {
    below.insert(random.below(5));
    between.insert(random.between(10, 12));
  }
  CHECK(below == std::set<std::uint64_t>{0, 1, 2, 3, 4});
  CHECK(between == std::set<std::uint64_t>{10, 11, 12});
  CHECK_FALSE(random.chance_ppm(0));
  CHECK(random.chance_ppm(1'000'000));
}

TEST_CASE("streams split by label are independent of each other") {
  Random parent(3);
  Random same(3);
  Random disk = parent.split("disk");
  Random net = same.split("net");
  CHECK(disk.next() != net.next());
  CHECK(parent.next() == same.next());
}

TEST_CASE("positions are XXH3-64, for ever") {
  CHECK(xxh3_64("b1") == 0x07ebb745a9af4972);
  CHECK(xxh3_64("b2") == 0x87f944956994b2bc);
}
