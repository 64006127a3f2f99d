// Draws: the distributions that a scenario's numbers come from; both ends are included.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/random.h"

namespace tako::sim {

// Log-uniform: small numbers are as likely as large ones.
inline std::int64_t spread(Random& random, std::int64_t low, std::int64_t high) {
  std::uint64_t doublings = 0;
  while ((low << (doublings + 1)) <= high) ++doublings;
  const std::int64_t base = low << random.below(doublings + 1);
  const std::int64_t top = std::min(high, 2 * base);
  return static_cast<std::int64_t>(random.between(static_cast<std::uint64_t>(base), static_cast<std::uint64_t>(top)));
}

inline std::int64_t even(Random& random, std::int64_t low, std::int64_t high) {
  return static_cast<std::int64_t>(random.between(static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high)));
}

inline bool coin(Random& random, std::uint32_t percent) { return random.chance_ppm(percent * 10'000); }

}  // namespace tako::sim
