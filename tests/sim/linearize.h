// Linearizability of one register (one key), from what its clients saw.
//
// A history is linearizable if every operation can be given one instant between its begin and its end, so that the
// register, stepped through the operations in the order of those instants, answers what the clients were answered.
// Intervals are closed: an operation that begins in the microsecond in which another ends is concurrent with it.
//
// The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of the
// configurations that were met ("Testing for linearizability", 2017), as in Knossos and Porcupine. That every written
// value is unique makes most of its choices forced, after Gibbons and Korach ("Testing Shared Memories", 1997): the
// arguments are at the head of linearize_search.cc. Pure: no loop, no clock, no state. Times are printed in
// milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace tako::sim {

// One operation of one client. Values are ids: 0 is absence, every other one is written by one operation at most.
struct Operation {
  enum class Kind { kRead, kWrite, kCompareAndSet };
  Kind kind = Kind::kRead;
  std::uint64_t id = 0;  // for messages
  TimePoint begin{};
  // None: the outcome is unknown (an error, a deadline, a client that died). It takes effect once, at any time after
  // `begin`, or never.
  std::optional<TimePoint> end;
  std::uint64_t value = 0;     // a read: what it returned; else what it stores, 0 for a delete
  std::uint64_t expected = 0;  // a compare-and-set: the value that it was conditional on
  bool succeeded = true;       // a compare-and-set with an end: whether it took effect, or was refused for certain
};

struct Verdict {
  bool linearizable = false;
  bool gave_up = false;            // neither found nor excluded within the bound; `linearizable` is false
  std::size_t configurations = 0;  // what the search took
  std::string explanation;         // unless linearizable: lines for a human, without a last line break
};

// Each takes up to some hundred bytes. A history that can be ordered takes two for each operation, seldom more.
constexpr std::size_t kConfigurationsMax = 200'000;

// REQUIRES: values unique as said above, and none of them the initial one; no operation ends before it begins.
Verdict check_linearizable(const std::vector<Operation>& history, std::uint64_t initial = 0,
                           std::size_t configurations_max = kConfigurationsMax);

}  // namespace tako::sim
