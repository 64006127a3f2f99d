// The inner part of ring.cc: integer logarithms, shares, and the greedy matching of buckets to partitions.
//
// Units: a share or a rate is replicas per partition in Q32 (kOne = one replica of every partition). With 2^16
// partitions the same number is a count of partitions in Q16. Scores are Q36. Nothing here knows ids or configurations.
#pragma once

#include <cstdint>
#include <vector>

#include "model/record.h"

namespace tako::model::ring {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kOne = 1ull << 32;

// The keyed hash (the finaliser of splitmix64): every use has a tag of its own.
inline std::uint64_t hash(std::uint64_t key, std::uint64_t tag, std::uint64_t x) {
  std::uint64_t h = key + tag * 0x9e3779b97f4a7c15 + x * 0xd1b54a32d192ed03;
  h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9;
  h = (h ^ h >> 27) * 0x94d049bb133111eb;
  return h ^ h >> 31;
}

// A permutation of the partitions that belongs to `key`: four rounds of Feistel on 16 bits.
inline Partition permuted(std::uint64_t key, std::uint32_t index) {
  std::uint64_t left = index >> 8;
  std::uint64_t right = index & 255;
  for (std::uint64_t round = 1; round <= 4; ++round) {
    const std::uint64_t next = left ^ (hash(key, round, right) >> 56);
    left = right;
    right = next;
  }
  return static_cast<Partition>(left << 8 | right);
}

// edge(j) = -ln(1 - j/65536) in Q56, for j in 0..65536.
std::uint64_t edge(std::uint32_t j);
// -ln(1 - share): the rate at which a bucket must bid to win `share` against many others.
std::uint64_t rate_of_share(std::uint64_t share);

// Water-filling: a * weight for the largest a at which the sum, each term kept within its bounds, is within `total`.
struct Vessel {
  std::uint64_t weight;
  std::uint64_t low;
  std::uint64_t high;
};
std::vector<std::uint64_t> fill(const std::vector<Vessel>& vessels, std::uint64_t total);

// The table while it is being filled: rows of different lengths.
struct Rows {
  Rows(unsigned width_max) : width(width_max), owners(std::size_t{kPartitions} * width_max), counts(kPartitions) {}

  bool has(Partition p, std::uint16_t owner) const;
  void add(Partition p, std::uint16_t owner) { owners[std::size_t{p} * width + counts[p]++] = owner; }

  unsigned width;
  std::vector<std::uint16_t> owners;
  std::vector<std::uint16_t> counts;
};

struct Contender {
  std::uint64_t key;
  std::uint64_t share;
  std::uint64_t rate;
  std::uint32_t capacity;  // partitions
  std::uint16_t number;    // what is put down in the rows
};

// One replica a zone: no second one in a zone, and no guest takes the place of a zone that must be in every row.
struct ZoneRule {
  const std::vector<std::uint16_t>& zone_of;  // by number
  const std::vector<bool>& whole;             // by zone: it owns every partition
  std::vector<std::uint16_t> whole_missing;   // by partition: whole zones that are not yet in its row

  bool allows(const Rows& rows, Partition p, std::uint16_t number, unsigned need) const;
  void added(Partition p, std::uint16_t number);
};

// Adds `need[p]` contenders to each row p. They stand in the order that breaks ties. `rule` may be null.
void match(const std::vector<Contender>& contenders, std::vector<std::uint16_t> need, Rows& rows, ZoneRule* rule);

}  // namespace tako::model::ring
