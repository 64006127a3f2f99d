#include "base/time.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

namespace tako {
namespace {

// So that "now plus a few intervals" can never overflow a Duration.
constexpr std::uint64_t kIntervalSecondsMax = 1'000'000ull * 86'400;

constexpr Timestamp kMicrosPerSecond = 1'000'000;
constexpr std::uint64_t kSecondsPerDay = 86'400;
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::uint64_t kHttpDateSecondsMax = 253'402'300'799;  // the last second of the year 9999: four digits

// What is left of the text, taken from the front.
struct Cursor {
  std::string_view rest;

  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }

  bool take_spaces() {
    const std::size_t before = rest.size();
    while (take(" ")) {}
    return rest.size() != before;
  }

  // At most `digits_max` digits, no sign.
  bool take_number(std::size_t digits_max, std::uint64_t& number) {
    std::size_t digits = 0;
    number = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
      if (++digits > digits_max) return false;
      number = number * 10 + static_cast<std::uint64_t>(rest[digits - 1] - '0');
    }
    rest.remove_prefix(digits);
    return digits > 0;
  }
};

constexpr std::size_t kDigitsMax = 15;  // so that a sum in seconds stays within 64 bits

// `:minutes:seconds` behind the hours.
bool take_minutes_seconds(Cursor& at, std::uint64_t hours, std::uint64_t& seconds) {
  std::uint64_t minute = 0;
  std::uint64_t second = 0;
  if (!at.take(":") || !at.take_number(2, minute) || !at.take(":") || !at.take_number(2, second)) return false;
  if (minute > 59 || second > 59) return false;
  seconds += hours * 3600 + minute * 60 + second;
  return true;
}

// interval = number ("s" | "m" | "h") | time | days [[","] " " time]
// days = number [" "] ("days" | "day" | "d") ;  time = hours ":" minutes ":" seconds
bool parse_seconds(Cursor at, std::uint64_t& seconds) {
  std::uint64_t number = 0;
  seconds = 0;
  if (!at.take_number(kDigitsMax, number)) return false;
  if (at.rest.starts_with(":")) return take_minutes_seconds(at, number, seconds) && at.rest.empty();
  if (at.rest == "s" || at.rest == "m" || at.rest == "h") {
    seconds = number * (at.rest == "s" ? 1u : at.rest == "m" ? 60u : 3600u);
    return true;
  }
  at.take_spaces();
  if (!at.take("days") && !at.take("day") && !at.take("d")) return false;
  seconds = number * kSecondsPerDay;
  if (at.rest.empty()) return true;
  at.take(",");
  if (!at.take_spaces() || !at.take_number(kDigitsMax, number)) return false;
  return take_minutes_seconds(at, number, seconds) && at.rest.empty();
}

// The text as it was written, on one line and not for ever.
std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 40;
  std::string out;
  for (const char c : text.substr(0, kShownMax)) out += c < 0x20 && c >= 0 ? '?' : c;
  return out + (text.size() > kShownMax ? "..." : "");
}

}  // namespace

Result<Duration> parse_interval(std::string_view text) {
  std::uint64_t seconds = 0;
  if (!parse_seconds(Cursor{text}, seconds)) {
    return {ErrorCode::kInvalid, "'" + shown(text) +
                                     "' is not an interval; expected a form like 90s, 15m, 12h, 1d, 24:00:00, "
                                     "1d 0:00:00 or 2 days, 3:04:05"};
  }
  if (seconds == 0) return {ErrorCode::kInvalid, "interval '" + shown(text) + "' is zero; expected at least 1s"};
  if (seconds > kIntervalSecondsMax) {
    return {ErrorCode::kInvalid, "interval '" + shown(text) + "' is too long; expected at most 1000000 days"};
  }
  return Duration(std::chrono::seconds(seconds));
}

std::string format_interval(Duration interval) {
  const auto total = static_cast<std::uint64_t>(std::max<std::int64_t>(interval.count(), 0)) / kMicrosPerSecond;
  const std::uint64_t days = total / kSecondsPerDay;
  const std::uint64_t rest = total % kSecondsPerDay;
  char time[16];
  std::snprintf(time, sizeof time, "%u:%02u:%02u", static_cast<unsigned>(rest / 3600),
                static_cast<unsigned>(rest / 60 % 60), static_cast<unsigned>(rest % 60));
  if (days == 0) return time;
  return std::to_string(days) + (days == 1 ? " day, " : " days, ") + time;
}

std::string format_http_date(Timestamp at) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const std::uint64_t seconds = std::min<std::uint64_t>(at / kMicrosPerSecond, kHttpDateSecondsMax);
  const std::chrono::sys_days day{std::chrono::days(seconds / kSecondsPerDay)};
  const std::chrono::year_month_day date(day);
  const auto rest = static_cast<unsigned>(seconds % kSecondsPerDay);
  // Every answer to a read has such a date: with snprintf that took 6 % of a whole read.
  std::string text = "day, 00 mon 0000 00:00:00 GMT";
  const auto put_word = [&text](std::size_t at, const char* word) { text.replace(at, 3, word, 3); };
  const auto put_number = [&text](std::size_t at, unsigned number) {
    text[at] = static_cast<char>('0' + number / 10);
    text[at + 1] = static_cast<char>('0' + number % 10);
  };
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  put_word(0, kDays[std::chrono::weekday(day).c_encoding()]);
  put_number(5, static_cast<unsigned>(date.day()));
  put_word(8, kMonths[static_cast<unsigned>(date.month()) - 1]);
  put_number(12, year / 100);
  put_number(14, year % 100);
  put_number(17, rest / 3600);
  put_number(20, rest / 60 % 60);
  put_number(23, rest % 60);
  return text;
}

// The words of a date, whatever stands between them: the three forms differ in their order.
std::optional<Timestamp> parse_http_date(std::string_view text) {
  constexpr std::size_t kWordsMax = 8;
  std::array<std::string_view, kWordsMax + 1> words;
  std::size_t count = 0;
  while (count <= kWordsMax) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,-:"), text.size()));
    if (text.empty()) break;
    words[count] = text.substr(0, text.find_first_of(" ,-:"));
    text.remove_prefix(words[count++].size());
  }
  const bool old_form = count == 7;  // of asctime: month and day, and the year at the end
  if (!old_form && (count != 8 || words[7] != "GMT")) return std::nullopt;
  const std::size_t clock = old_form ? 3 : 4;
  const auto month_name = words[old_form ? 1 : 2];
  const auto month = std::find(std::begin(kMonths), std::end(kMonths), month_name) - std::begin(kMonths) + 1;
  std::array<std::uint64_t, 5> numbers;  // day, year, hours, minutes, seconds
  const std::array<std::string_view, 5> texts = {words[old_form ? 2 : 1], words[old_form ? 6 : 3], words[clock],
                                                 words[clock + 1], words[clock + 2]};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Cursor at{texts[i]};
    if (!at.take_number(4, numbers[i]) || !at.rest.empty()) return std::nullopt;
  }
  auto [day, year, hour, minute, second] = numbers;
  if (texts[1].size() == 2) year += year < 70 ? 2000 : 1900;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto days = static_cast<std::uint64_t>(std::chrono::sys_days(date).time_since_epoch().count());
  return (days * kSecondsPerDay + hour * 3600 + minute * 60 + second) * kMicrosPerSecond;
}

}  // namespace tako
