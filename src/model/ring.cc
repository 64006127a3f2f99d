#include "model/ring.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/hash.h"
#include "model/ring_match.h"

namespace tako::model {
namespace {

using ring::Contender;
using ring::kOne;
using ring::rate_of_share;
using ring::Rows;
using ring::Wide;

constexpr std::uint64_t kTagCapacity = 6;
constexpr std::uint64_t kOnePartition = 1ull << 16;  // as a share
constexpr std::uint64_t kTiny = 1ull << 20;          // what rounding can do to a zone's share

struct Member {
  std::uint64_t key;
  std::size_t input;  // index into the buckets given
  std::uint16_t zone;
  std::uint64_t share = 0;
};

struct Zone {
  std::string name;
  std::vector<std::uint16_t> members;  // ascending
  std::uint64_t weight = 0;
  std::uint64_t share = 0;
};

// 1.05 of the fair share, and room for one partition beyond it. In whole partitions: as buckets are added, it falls by
// one now and then, and if it fell for all buckets together each full one would hand on a partition in that moment.
// The key decides how early a bucket follows, within the first quarter of the fraction.
std::uint32_t capacity_of(std::uint64_t key, std::uint64_t share) {
  const std::uint64_t wanted = std::max(share + share * 5 / 100, share + kOnePartition);
  const bool stepped_down = ring::hash(key, kTagCapacity, 0) >> 48 >= 4 * (wanted & (kOnePartition - 1));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kPartitions, (wanted >> 16) - (stepped_down ? 1 : 0)));
}

// The rate for `share` where the mean is `mean`; within a sixteenth of the proportional one it is that one's, so that
// small changes of shares reorder nothing.
std::uint64_t calibrated(std::uint64_t share, std::uint64_t mean) {
  const std::uint64_t rate = rate_of_share(share);
  const auto reference = static_cast<std::uint64_t>(Wide{rate_of_share(mean)} * share / mean);
  const std::uint64_t band = reference / 16;
  if (rate > reference + band) return rate - band;
  if (rate + band < reference) return rate + band;
  return reference;
}

class Placing {
 public:
  Placing(const std::vector<RingBucket>& buckets, unsigned replicas) : replicas_(replicas), rows_(replicas) {
    number(buckets);
    share_out(buckets);
  }

  RingTable run() {
    if (zones_.size() == 1) {
      one_zone();
    } else if (level_ == 1) {
      one_replica_a_zone();
    } else {
      several_replicas_a_zone();
    }
    for (std::uint16_t& owner : rows_.owners) owner = static_cast<std::uint16_t>(members_[owner].input);
    return {replicas_, std::move(rows_.owners)};
  }

 private:
  // Buckets by (key, id) and zones by name: the order of the input leaves no trace.
  void number(const std::vector<RingBucket>& buckets) {
    for (const RingBucket& bucket : buckets) zones_.push_back({bucket.zone, {}});
    const auto by_name = [](const Zone& a, const Zone& b) { return a.name < b.name; };
    std::sort(zones_.begin(), zones_.end(), by_name);
    const auto same = [](const Zone& a, const Zone& b) { return a.name == b.name; };
    zones_.erase(std::unique(zones_.begin(), zones_.end(), same), zones_.end());

    for (std::size_t i = 0; i < buckets.size(); ++i) {
      const auto zone = std::lower_bound(zones_.begin(), zones_.end(), Zone{buckets[i].zone, {}}, by_name);
      members_.push_back({xxh3_64(buckets[i].id), i, static_cast<std::uint16_t>(zone - zones_.begin())});
    }
    std::sort(members_.begin(), members_.end(), [&](const Member& a, const Member& b) {
      return a.key != b.key ? a.key < b.key : buckets[a.input].id < buckets[b.input].id;
    });
    for (std::size_t n = 0; n < members_.size(); ++n) {
      zones_[members_[n].zone].members.push_back(static_cast<std::uint16_t>(n));
    }
  }

  // First the zones, as evenly as their sizes allow, then the buckets within each, both by weight.
  void share_out(const std::vector<RingBucket>& buckets) {
    const auto places = [&](std::size_t level) {
      std::size_t sum = 0;
      for (const Zone& zone : zones_) sum += std::min(zone.members.size(), level);
      return sum;
    };
    while (places(level_) < replicas_) ++level_;

    std::vector<ring::Vessel> vessels;
    for (Zone& zone : zones_) {
      for (const std::uint16_t n : zone.members) zone.weight += buckets[members_[n].input].weight;
      const std::size_t size = zone.members.size();
      vessels.push_back({zone.weight, std::min(size, level_ - 1) * kOne, std::min(size, level_) * kOne});
    }
    const std::vector<std::uint64_t> zone_shares = ring::fill(vessels, replicas_ * kOne);
    for (std::size_t z = 0; z < zones_.size(); ++z) {
      zones_[z].share = zone_shares[z];
      vessels.clear();
      for (const std::uint16_t n : zones_[z].members) vessels.push_back({buckets[members_[n].input].weight, 1, kOne});
      const std::vector<std::uint64_t> shares = ring::fill(vessels, zone_shares[z]);
      for (std::size_t i = 0; i < shares.size(); ++i) members_[zones_[z].members[i]].share = shares[i];
    }
  }

  Contender contender(std::uint16_t n, std::uint64_t rate) const {
    const Member& m = members_[n];
    return {m.key, m.share, rate, capacity_of(m.key, m.share), n};
  }

  std::vector<std::uint16_t> need_everywhere(unsigned count) const {
    return std::vector<std::uint16_t>(kPartitions, static_cast<std::uint16_t>(count));
  }

  void one_zone() {
    std::vector<Contender> contenders;
    for (std::size_t n = 0; n < members_.size(); ++n) {
      const std::uint64_t share = members_[n].share;
      contenders.push_back(contender(static_cast<std::uint16_t>(n), replicas_ == 1 ? share : rate_of_share(share)));
    }
    ring::match(contenders, need_everywhere(replicas_), rows_, nullptr);
  }

  // At least as many zones as replicas.
  void one_replica_a_zone() {
    std::vector<std::uint16_t> zone_of;
    std::vector<bool> whole;
    std::vector<std::uint64_t> zone_rates;
    for (const Zone& zone : zones_) {
      whole.push_back(zone.share == kOne);
      zone_rates.push_back(replicas_ == 1 ? zone.share : calibrated(zone.share, replicas_ * kOne / zones_.size()));
    }
    std::vector<Contender> contenders;
    for (std::size_t n = 0; n < members_.size(); ++n) {
      const Member& m = members_[n];
      zone_of.push_back(m.zone);
      const std::uint64_t zone_share = std::max<std::uint64_t>(zones_[m.zone].share, 1);
      const auto rate = static_cast<std::uint64_t>(Wide{zone_rates[m.zone]} * m.share / zone_share);
      contenders.push_back(contender(static_cast<std::uint16_t>(n), rate));
    }
    const auto whole_count = static_cast<unsigned>(std::count(whole.begin(), whole.end(), true));
    ring::ZoneRule rule{zone_of, whole, need_everywhere(whole_count)};
    ring::match(contenders, need_everywhere(replicas_), rows_, &rule);
  }

  // Fewer zones than replicas: every zone has a fixed number in every row, and the rest is a ring of zones.
  void several_replicas_a_zone() {
    std::vector<std::uint64_t> whole;
    std::uint64_t extra = replicas_;
    for (const Zone& zone : zones_) {
      whole.push_back((zone.share + kTiny) >> 32);
      extra -= whole.back();
    }
    const Rows guests = extra > 0 ? match_zones(whole, static_cast<unsigned>(extra)) : Rows(0);
    for (std::size_t z = 0; z < zones_.size(); ++z) {
      std::vector<std::uint16_t> need = need_everywhere(static_cast<unsigned>(whole[z]));
      for (std::uint32_t p = 0; p < kPartitions && extra > 0; ++p) {
        if (guests.has(static_cast<Partition>(p), static_cast<std::uint16_t>(z))) ++need[p];
      }
      std::vector<Contender> contenders;
      for (const std::uint16_t n : zones_[z].members) {
        const std::uint64_t share = members_[n].share;
        contenders.push_back(contender(n, zones_[z].share <= kOne + kTiny ? share : rate_of_share(share)));
      }
      ring::match(contenders, std::move(need), rows_, nullptr);
    }
  }

  Rows match_zones(const std::vector<std::uint64_t>& whole, unsigned extra) const {
    std::vector<std::uint64_t> parts;
    for (std::size_t z = 0; z < zones_.size(); ++z) {
      const std::uint64_t floor = whole[z] * kOne;
      parts.push_back(zones_[z].share > floor ? zones_[z].share - floor : 0);
    }
    const auto sharing = std::count_if(parts.begin(), parts.end(), [](std::uint64_t part) { return part > kTiny; });
    const std::uint64_t mean = extra * kOne / static_cast<std::uint64_t>(std::max<std::ptrdiff_t>(sharing, 1));
    std::vector<Contender> contenders;
    for (std::size_t z = 0; z < zones_.size(); ++z) {
      const std::uint64_t part = parts[z];
      const std::uint64_t rate = extra == 1 ? part : calibrated(part, mean);
      const std::uint64_t capacity = std::min<std::uint64_t>(kPartitions, (part + part * 2 / 100 + 65'535) >> 16);
      contenders.push_back({xxh3_64(zones_[z].name, 1), part, rate, static_cast<std::uint32_t>(capacity),
                            static_cast<std::uint16_t>(z)});
    }
    Rows guests(extra);
    ring::match(contenders, need_everywhere(extra), guests, nullptr);
    return guests;
  }

  unsigned replicas_;
  std::size_t level_ = 1;  // the most replicas of a partition that one zone has to take
  Rows rows_;
  std::vector<Member> members_;  // by number
  std::vector<Zone> zones_;      // by number
};

}  // namespace

RingTable make_ring(const std::vector<RingBucket>& buckets, unsigned buckets_per_key) {
  ASSERT(!buckets.empty() && buckets.size() <= kRingBucketsMax && buckets_per_key >= 1);
  for (const RingBucket& bucket : buckets) ASSERT(bucket.weight >= 1 && bucket.weight <= kRingWeightMax);
  return Placing(buckets, static_cast<unsigned>(std::min<std::size_t>(buckets_per_key, buckets.size()))).run();
}

}  // namespace tako::model
