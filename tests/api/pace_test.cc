#include "api/common/pace.h"

#include <doctest/doctest.h>

namespace tako::api {
namespace {

constexpr TimePoint kStart{seconds(100)};

TEST_CASE("who moves nothing is late after the time for a byte") {
  Pace pace(PaceLimits{});
  pace.begin(kStart, 500);

  CHECK_FALSE(pace.late(kStart + milliseconds(9'999)));
  CHECK(pace.late(kStart + seconds(10)));
  pace.note(kStart + seconds(9), 500);
  CHECK(pace.late(kStart + seconds(10)));
  pace.note(kStart + seconds(9), 501);
  CHECK_FALSE(pace.late(kStart + seconds(10)));
  CHECK(pace.deadline() == kStart + seconds(19));
}

TEST_CASE("who moves a byte now and then is late after the time for a piece") {
  Pace pace(PaceLimits{});
  pace.begin(kStart, 0);

  for (unsigned at = 9; at < 60; at += 9) pace.note(kStart + seconds(at), at);

  CHECK(pace.deadline() == kStart + seconds(60));
}

TEST_CASE("who moves a piece in its time is never late, however long it takes") {
  Pace pace(PaceLimits{});
  pace.begin(kStart, 0);
  TimePoint now = kStart;
  std::uint64_t moved = 0;

  for (int i = 0; i < 10'000; ++i) {
    now += seconds(9);
    moved += model::kPieceBytes / 6 + 1;
    CHECK_FALSE(pace.late(now));
    pace.note(now, moved);
  }
}

TEST_CASE("a new wait begins with all of its time") {
  Pace pace(PaceLimits{});
  pace.begin(kStart, 0);
  pace.begin(kStart + minutes(5), 0);
  CHECK(pace.deadline() == kStart + minutes(5) + seconds(10));
}

}  // namespace
}  // namespace tako::api
