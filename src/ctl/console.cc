#include "ctl/console.h"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace tako::ctl {

int fail(Console& console, int exit_code, const std::string& message) {
  console.out.flush();
  console.err << "tako ctl: " << printable(message) << std::endl;
  return exit_code;
}

int fail(Console& console, const Error& error) {
  return fail(console, error.code == ErrorCode::kInvalid ? kExitUsage : kExitNo, error.message);
}

void redraw(Console& console, const std::string& line) {
  if (console.progress) console.err << "\r\x1b[K" << line << std::flush;
}

Error output_failure(const Console& console) {
  const int reason = console.descriptor != nullptr ? console.descriptor->error() : 0;
  return {ErrorCode::kIo,
          "cannot write the output" + (reason != 0 ? ": " + std::string(std::strerror(reason)) : std::string())};
}

int finish(Console& console, int exit_code) {
  console.out.flush();
  if (console.out) return exit_code;
  return fail(console, kExitNo, output_failure(console).message);
}

std::string printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string utc_of(Timestamp at) {
  constexpr Timestamp kLastYear = 253'402'300'799'999'999;  // of those with four digits
  if (at > kLastYear) return "after the year 9999";
  const std::chrono::sys_time<microseconds> point{microseconds(static_cast<std::int64_t>(at))};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{point - day};
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d.%06d UTC", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

std::string bytes_of(std::uint64_t count) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (count < 1000) return std::to_string(count) + " B";
  auto amount = static_cast<double>(count);
  std::size_t unit = 0;
  while (amount >= 999.5) {
    amount /= 1000;
    ++unit;
  }
  char text[40];
  std::snprintf(text, sizeof text, amount < 9.95 ? "%.1f %s" : "%.0f %s", amount, kUnits[unit]);
  return text;
}

}  // namespace tako::ctl
