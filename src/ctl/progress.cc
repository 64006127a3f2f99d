#include "ctl/progress.h"

#include <algorithm>
#include <cstdio>

namespace tako::ctl {
namespace {

constexpr Duration kDrawEvery = milliseconds(200);
constexpr std::size_t kBarWidth = 24;
constexpr const char* kClearLine = "\r\x1b[K";

std::string clock_of(std::uint64_t seconds) {
  char text[48];
  const auto hours = static_cast<unsigned long long>(seconds / 3600);
  const auto minutes = static_cast<unsigned>(seconds / 60 % 60);
  const auto rest = static_cast<unsigned>(seconds % 60);
  if (hours > 0)
    std::snprintf(text, sizeof text, "%llu:%02u:%02u", hours, minutes, rest);
  else
    std::snprintf(text, sizeof text, "%u:%02u", minutes, rest);
  return text;
}

}  // namespace

std::string progress_line(const Moved& moved) {
  const double seconds = std::max(static_cast<double>(moved.elapsed.count()) / 1e6, 0.001);
  const double rate = static_cast<double>(moved.bytes_here) / seconds;
  std::string line = bytes_of(moved.done);
  if (moved.total && *moved.total > 0) {
    const std::uint64_t done = std::min(moved.done, *moved.total);
    const double share = static_cast<double>(done) / static_cast<double>(*moved.total);
    std::string bar(static_cast<std::size_t>(share * kBarWidth), '=');
    if (bar.size() < kBarWidth) bar += '>';
    bar.resize(kBarWidth, ' ');
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3u %%", static_cast<unsigned>(share * 100));
    line += " of " + bytes_of(*moved.total) + "  [" + bar + "]  " + percent;
  }
  line += "  " + bytes_of(static_cast<std::uint64_t>(rate)) + "/s";
  if (moved.total && rate >= 1 && *moved.total > moved.done) {
    line +=
        "  " + clock_of(static_cast<std::uint64_t>(static_cast<double>(*moved.total - moved.done) / rate)) + " left";
  }
  return line;
}

Progress::Progress(Console& console, std::optional<std::uint64_t> total, std::uint64_t done)
    : console_(console), total_(total), before_(done), done_(done) {
  if (console_.progress) began_ = drawn_ = console_.clock->now();
}

void Progress::add(std::uint64_t bytes) {
  done_ += bytes;
  if (!console_.progress || console_.clock->now() - drawn_ < kDrawEvery) return;
  draw();
}

void Progress::draw() {
  drawn_ = console_.clock->now();
  shown_ = true;
  Moved moved;
  moved.done = done_;
  moved.total = total_;
  moved.bytes_here = done_ - before_;
  moved.elapsed = drawn_ - began_;
  console_.err << kClearLine << progress_line(moved) << std::flush;
}

void Progress::end() {
  if (std::exchange(shown_, false)) console_.err << kClearLine << std::flush;
}

}  // namespace tako::ctl
