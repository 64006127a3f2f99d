// Progress: how far a transfer is, on one line that replaces itself. On a terminal only; else it does nothing.
//
// On the stack of a verb; end() (or its end) takes the line away, so that what is said next stands where it stood.
#pragma once

#include <cstdint>
#include <optional>

#include "ctl/console.h"

namespace tako::ctl {

class Progress {
 public:
  // `total`: none if it is not known. `done`: what an earlier run has brought.
  Progress(Console& console, std::optional<std::uint64_t> total, std::uint64_t done);
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(std::uint64_t bytes);
  void end();

 private:
  void draw();

  Console& console_;
  const std::optional<std::uint64_t> total_;
  const std::uint64_t before_;
  std::uint64_t done_;
  TimePoint began_;
  TimePoint drawn_;
  bool shown_ = false;
};

// "1.2 GB of 4.0 GB  [=====>        ]  30 %  210 MB/s  0:13 left"; without a total "1.2 GB  210 MB/s". `bytes_here`:
// what this run has moved in `elapsed`.
struct Moved {
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total;
  std::uint64_t bytes_here = 0;
  Duration elapsed{};
};
std::string progress_line(const Moved& moved);

}  // namespace tako::ctl
