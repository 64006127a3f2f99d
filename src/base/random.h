// Random: a small deterministic generator (xoshiro256**, Blackman and Vigna 2018), seeded by whoever builds the world.
//
// Not for secrets. One per loop or role; split() gives an independent stream for a part, so that adding a draw in one
// place does not change the history of another.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace tako {

class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (auto& word : state_) word = splitmix(seed);
  }

  std::uint64_t next() {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound). REQUIRES: bound > 0
  std::uint64_t below(std::uint64_t bound) {
    ASSERT(bound > 0);
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  // Uniform in [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }

  // True with probability `parts` in a million.
  bool chance_ppm(std::uint32_t parts) { return below(1'000'000) < parts; }

  Random split(std::string_view label) {
    std::uint64_t seed = next();
    for (const char c : label) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return Random(seed);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  static std::uint64_t splitmix(std::uint64_t& x) {
    std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  std::uint64_t state_[4];
};

}  // namespace tako
