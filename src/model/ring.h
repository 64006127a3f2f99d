// Ring: which buckets own each of the 65,536 partitions: a pure function of the buckets' ids, weights and zones.
//
// Stratified rendezvous with bounded loads. A bucket's id yields one bid for every partition, one in each of 65,536
// strata, so that its bids are as even as can be. The best bid of all is served first, and so on down; it is passed
// over where the partition has its replicas or the bucket is full. Full means 1.05 of the fair share, so that is the
// most a bucket can carry, and adding or removing one moves little beyond its own share (up to 200 buckets: nothing).
// Integers only, the same bytes on every platform: the golden digests in tests/model/ring_test.cc are binding, since
// any other function would move the data of every deployment there is.
// Ancestors: rendezvous hashing (Thaler, Ravishankar 1998), bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018).
//
// A table is a value: made once per configuration (some 50 ms for 5,000 buckets), read by every loop.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/record.h"

namespace tako::model {

constexpr std::size_t kRingBucketsMax = 65'535;
constexpr std::uint64_t kRingWeightMax = 1ull << 40;

struct RingBucket {
  std::string id;
  std::uint64_t weight = 1;  // 1 to kRingWeightMax; the same everywhere changes nothing
  std::string zone;          // replicas of a partition are spread over as many zones as there are
};

struct RingTable {
  unsigned replicas = 0;               // owners of a partition: buckets_per_key, or as many as there are buckets
  std::vector<std::uint16_t> owners;   // kPartitions rows of `replicas` indexes into the buckets given, best first

  std::span<const std::uint16_t> row(Partition p) const {
    return {owners.data() + std::size_t{p} * replicas, replicas};
  }
};

// REQUIRES: 1 to kRingBucketsMax buckets with different ids, buckets_per_key >= 1. Their order does not matter.
RingTable make_ring(const std::vector<RingBucket>& buckets, unsigned buckets_per_key);

}  // namespace tako::model
