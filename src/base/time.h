// The two kinds of time, as types that do not mix.
//
// TimePoint is monotonic and means nothing outside the process: deadlines and waits. Timestamp is the wall clock in
// microseconds since 1970: versions and what users see. Neither has a now(): a Clock (runtime/clock.h) is asked, so
// that a simulated world can answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tako {

using Duration = std::chrono::microseconds;

struct MonotonicTag {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicTag>;
  static constexpr bool is_steady = true;
};
using TimePoint = std::chrono::time_point<MonotonicTag>;

using Timestamp = std::uint64_t;  // microseconds since 1970

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// An interval as configurations write it: `1d 0:00:00`, `24:00:00`, `1 day, 0:00:00`, `2 days, 3:04:05`, `90s`,
// `15m`, `12h`, `1d`. Anything else, zero, and what does not fit are errors.
Result<Duration> parse_interval(std::string_view text);

// The form that configurations are written in: `1 day, 0:00:00`, `0:01:00`.
std::string format_interval(Duration interval);

// RFC 9110 HTTP-date (always GMT), e.g. `Fri, 18 Mar 2011 22:06:54 GMT`.
std::string format_http_date(Timestamp at);
// That form, or one of the two older ones: `Friday, 18-Mar-11 22:06:54 GMT`, `Fri Mar 18 22:06:54 2011`.
std::optional<Timestamp> parse_http_date(std::string_view text);

}  // namespace tako
