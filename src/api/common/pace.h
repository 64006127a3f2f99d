// Pace: whether the other side of a connection keeps up with a body: a byte every so often, and a piece every so often.
// There is no limit on the whole, so that a value of any size passes, and a client that stalls does not.
//
// begin() when bytes are waited for, note() when some moved; `moved` counts them since any beginning. A value of one
// connection; deadline() is for its watchdog.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "model/record.h"

namespace tako::api {

struct PaceLimits {
  Duration byte_within = seconds(10);
  Duration piece_within = seconds(60);  // model::kPieceBytes, or all that is left
};

class Pace {
 public:
  explicit Pace(PaceLimits limits) : limits_(limits) {}

  void begin(TimePoint now, std::uint64_t moved) {
    last_ = piece_since_ = now;
    moved_ = piece_from_ = moved;
  }
  void note(TimePoint now, std::uint64_t moved) {
    if (moved <= moved_) return;
    last_ = now;
    moved_ = moved;
    if (moved - piece_from_ < model::kPieceBytes) return;
    piece_since_ = now;
    piece_from_ = moved;
  }

  TimePoint deadline() const { return std::min(last_ + limits_.byte_within, piece_since_ + limits_.piece_within); }
  bool late(TimePoint now) const { return now >= deadline(); }

 private:
  const PaceLimits limits_;
  TimePoint last_;         // a byte moved
  TimePoint piece_since_;  // a piece had moved, or it began
  std::uint64_t moved_ = 0;
  std::uint64_t piece_from_ = 0;
};

}  // namespace tako::api
