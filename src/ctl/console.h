// Console: where a verb of `tako ctl` reads and writes, and how it ends. Made by the role, on the loop of the program.
//
// What was asked for goes to `out`, complaints to `err` as one line, `tako ctl: ...`. Colour only on a terminal, never
// in JSON. The exit code is what a script goes by.
#pragma once

#include <istream>
#include <ostream>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "runtime/clock.h"
#include "runtime/descriptor_buf.h"
#include "runtime/workers.h"

namespace tako::ctl {

constexpr int kExitYes = 0;
constexpr int kExitNo = 1;     // absent, unhealthy, refused, unreachable
constexpr int kExitUsage = 2;  // the question is wrong: a bad key, a file that is not there or not valid

struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool colour = false;  // `out` is a terminal
  bool json = false;    // --json
  // For transfers that take long. `err` is a terminal, then there is a clock; no workers: what blocks is done in place.
  bool progress = false;
  const runtime::Clock* clock = nullptr;
  runtime::Workers* workers = nullptr;
  const runtime::DescriptorBuf* descriptor = nullptr;  // that of `out`, for the reason when it fails
};

// Complains, and returns the exit code.
int fail(Console& console, int exit_code, const std::string& message);

// The same of an error: kExitUsage if the question was wrong, else kExitNo.
int fail(Console& console, const Error& error);

// One line on a terminal that takes the place of the one before; empty: there is none any more.
void redraw(Console& console, const std::string& line);

// `out` is bad: why.
Error output_failure(const Console& console);

// Flushes what was written. A full disk or a closed pipe is a failure, not silence. For a verb that succeeded the
// program does this too, at its end.
int finish(Console& console, int exit_code);

// For people: control characters as \xNN, so that a key cannot drive the terminal.
std::string printable(std::string_view text);
// "2023-11-14 22:13:20.000000 UTC".
std::string utc_of(Timestamp at);
// "999 B", "1.5 kB", "12 MB".
std::string bytes_of(std::uint64_t count);

}  // namespace tako::ctl
