#include "model/ring.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>

#include <doctest/doctest.h>

#include "base/hash.h"
#include "base/random.h"
#include "model/ring_match.h"
#include "support/sanitized.h"

using namespace tako;
using namespace tako::model;

namespace {

std::vector<RingBucket> numbered(unsigned count) {
  std::vector<RingBucket> buckets;
  for (unsigned i = 1; i <= count; ++i) buckets.push_back({"b" + std::to_string(i), 120, ""});
  return buckets;
}

// XXH3-64 of the owners' 64-bit keys, little-endian, row by row.
std::uint64_t digest(const std::vector<RingBucket>& buckets, const RingTable& table) {
  std::vector<std::uint64_t> keys;
  for (const RingBucket& bucket : buckets) keys.push_back(xxh3_64(bucket.id));
  std::string bytes;
  bytes.reserve(table.owners.size() * 8);
  for (const std::uint16_t owner : table.owners) {
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(keys[owner] >> shift);
  }
  return xxh3_64(bytes);
}

std::vector<std::uint32_t> loads(const std::vector<RingBucket>& buckets, const RingTable& table) {
  std::vector<std::uint32_t> load(buckets.size());
  for (const std::uint16_t owner : table.owners) ++load[owner];
  return load;
}

std::string row_text(const std::vector<RingBucket>& buckets, const RingTable& table, Partition p) {
  std::string text;
  for (const std::uint16_t owner : table.row(p)) text += (text.empty() ? "" : ",") + buckets[owner].id;
  return text;
}

struct Golden {
  const char* name;
  std::vector<RingBucket> buckets;
  unsigned replicas;
  std::uint64_t digest;
  std::uint32_t load_min;
  std::uint32_t load_max;
  std::vector<std::string> rows;  // of 0x0000, 0x0001, 0x0002, 0x1234 and 0xffff
};

std::vector<RingBucket> with(std::vector<RingBucket> buckets,
                             const std::function<void(RingBucket&, std::size_t)>& set) {
  for (std::size_t i = 0; i < buckets.size(); ++i) set(buckets[i], i);
  return buckets;
}

std::vector<RingBucket> weighing(unsigned count, std::uint64_t weight) {
  return with(numbered(count), [&](RingBucket& b, std::size_t) { b.weight = weight; });
}

std::vector<Golden> golden() {
  const auto steps = with(numbered(6), [](RingBucket& b, std::size_t i) { b.weight = 1u << i % 3; });
  const auto xyz = with(numbered(9), [](RingBucket& b, std::size_t i) { b.zone = std::string(1, "xyz"[i % 3]); });
  const auto eight_two = with(numbered(10), [](RingBucket& b, std::size_t i) { b.zone = i % 5 == 0 ? "y" : "x"; });
  return {
      {"1", numbered(1), 1, 0xe416b77a35c9fb78, 65536, 65536, {"b1", "b1", "b1", "b1", "b1"}},
      {"3 R2", numbered(3), 2, 0x0ca61f5452310c44, 43622, 43778, {"b2,b3", "b2,b3", "b1,b2", "b2,b3", "b1,b3"}},
      {"3 R3", numbered(3), 3, 0x9a633b9a455f3485, 65536, 65536,
       {"b1,b2,b3", "b1,b2,b3", "b1,b2,b3", "b1,b2,b3", "b1,b2,b3"}},
      {"5 R2", numbered(5), 2, 0x993d3ea8c5fb8157, 26166, 26245, {"b2,b5", "b2,b3", "b1,b2", "b5,b4", "b5,b1"}},
      {"5 R1", numbered(5), 1, 0x0c6410c573705a25, 13008, 13199, {"b2", "b2", "b1", "b5", "b5"}},
      {"10 R3", numbered(10), 3, 0xa8e94597b88836d0, 19550, 19753,
       {"b8,b9,b2", "b10,b6,b2", "b7,b1,b2", "b5,b9,b10", "b5,b1,b10"}},
      {"50 R5", numbered(50), 5, 0xd8f0ca056fd285da, 6473, 6659,
       {"b43,b8,b27,b34,b9", "b31,b49,b48,b22,b20", "b7,b29,b17,b15,b33", "b25,b17,b29,b5,b9", "b40,b24,b32,b22,b5"}},
      {"500 R3", numbered(500), 3, 0x718f9e6b4183c8f6, 358, 412,
       {"b301,b86,b43", "b192,b193,b79", "b193,b152,b7", "b92,b398,b316", "b485,b97,b76"}},
      {"5000 R2", numbered(5000), 2, 0xbb1a9c576e9ef03d, 16, 27,
       {"b2547,b301", "b3619,b3123", "b2448,b2180", "b4611,b4183", "b2808,b4167"}},
      {"5000 R3", numbered(5000), 3, 0xe4d3f1dbf30390ef, 26, 41,
       {"b2547,b301,b2196", "b3619,b3123,b3081", "b2448,b2180,b4594", "b4611,b4183,b4733", "b2808,b4167,b2780"}},
      {"5 R2, 240 points", weighing(5, 240), 2, 0x993d3ea8c5fb8157, 26166, 26245, {}},
      {"5 R2, weight 1", weighing(5, 1), 2, 0x993d3ea8c5fb8157, 26166, 26245, {}},
      {"5 R2, weight 4e9", weighing(5, 4'000'000'000), 2, 0x993d3ea8c5fb8157, 26166, 26245, {}},
      {"6 R2, weights 1 2 4", steps, 2, 0x73c8250a70c8c6d4, 8577, 38875,
       {"b2,b3", "b6,b3", "b6,b1", "b5,b4", "b5,b1"}},
      {"9 R3, three zones", xyz, 3, 0x4a4cf0cdaa815269, 21688, 21961,
       {"b8,b9,b7", "b6,b2,b7", "b7,b2,b6", "b5,b9,b4", "b5,b1,b9"}},
      {"9 R2, three zones", xyz, 2, 0x8fa6cb7af5d92ddf, 14468, 14735, {"b8,b9", "b6,b2", "b7,b2", "b5,b9", "b5,b1"}},
      {"10 R3, zones of 8 and 2", eight_two, 3, 0x4fc9e7a8bf1584c1, 16330, 32822,
       {"b8,b9,b6", "b10,b2,b6", "b7,b2,b1", "b5,b9,b6", "b5,b10,b1"}},
  };
}

}  // namespace

TEST_CASE("the ring's integer functions are what they were when the first key was placed") {
  const std::uint64_t key = xxh3_64("b1");
  const Partition permuted[] = {55864, 56437, 45775, 50831, 40930};
  for (unsigned i = 0; i < 5; ++i) CHECK(ring::permuted(key, i) == permuted[i]);
  CHECK(ring::edge(1) == 1099520016448);
  CHECK(ring::edge(32768) == 49946518143209417);
  CHECK(ring::edge(65535) == 796514910594429583);
  CHECK(ring::edge(65536) == 940630098670285455);
}

TEST_CASE("every golden deployment places all partitions where it always did") {
  for (const Golden& g : golden()) {
    CAPTURE(g.name);
    const RingTable table = make_ring(g.buckets, g.replicas);
    REQUIRE(table.replicas == g.replicas);
    REQUIRE(table.owners.size() == std::size_t{kPartitions} * g.replicas);
    CHECK(digest(g.buckets, table) == g.digest);
    const std::vector<std::uint32_t> load = loads(g.buckets, table);
    CHECK(*std::min_element(load.begin(), load.end()) == g.load_min);
    CHECK(*std::max_element(load.begin(), load.end()) == g.load_max);
    const Partition shown[] = {0x0000, 0x0001, 0x0002, 0x1234, 0xffff};
    for (std::size_t i = 0; i < g.rows.size(); ++i) CHECK(row_text(g.buckets, table, shown[i]) == g.rows[i]);
  }
}

TEST_CASE("the order in which buckets are written does not matter") {
  Random random(5);
  std::vector<RingBucket> buckets = numbered(40);
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i].zone = "z" + std::to_string(i % 2);
  const std::uint64_t expected = digest(buckets, make_ring(buckets, 3));
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = buckets.size(); i > 1; --i) std::swap(buckets[i - 1], buckets[random.below(i)]);
    CHECK(digest(buckets, make_ring(buckets, 3)) == expected);
  }
}

TEST_CASE("an added bucket takes from the others and they exchange nothing among themselves") {
  for (const unsigned count : {3u, 10u, 50u}) {
    CAPTURE(count);
    std::vector<RingBucket> buckets = numbered(count);
    const RingTable before = make_ring(buckets, 2);
    buckets.push_back({"newcomer", 120, ""});
    const RingTable after = make_ring(buckets, 2);
    std::size_t moved_between_old = 0;
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      const auto old_row = before.row(static_cast<Partition>(p));
      for (const std::uint16_t owner : after.row(static_cast<Partition>(p))) {
        const bool stayed = std::find(old_row.begin(), old_row.end(), owner) != old_row.end();
        if (!stayed && owner != count) ++moved_between_old;
      }
    }
    CHECK(moved_between_old == 0);
    buckets.pop_back();
    CHECK(digest(buckets, make_ring(buckets, 2)) == digest(buckets, before));
  }
}

TEST_CASE("more replicas than buckets are as many as there are buckets") {
  const RingTable table = make_ring(numbered(2), 3);
  CHECK(table.replicas == 2);
  CHECK(loads(numbered(2), table) == std::vector<std::uint32_t>{65536, 65536});
}

TEST_CASE("in random deployments no bucket is over its capacity, owners differ and zones are spread") {
  Random random(11);
  for (int round = 0; round < rounds(25); ++round) {
    const unsigned replicas = static_cast<unsigned>(random.between(1, 5));
    const auto count = static_cast<unsigned>(random.between(1, 120));
    const std::uint64_t zones = random.between(1, 6);
    std::vector<RingBucket> buckets;
    std::map<std::string, std::size_t> zone_sizes;
    for (unsigned i = 0; i < count; ++i) {
      buckets.push_back({"r" + std::to_string(random.next()), 1, "z" + std::to_string(random.below(zones))});
      ++zone_sizes[buckets.back().zone];
    }
    CAPTURE(round);
    CAPTURE(count);
    CAPTURE(replicas);
    const RingTable table = make_ring(buckets, replicas);
    const std::size_t spread = std::min<std::size_t>(table.replicas, zone_sizes.size());
    bool differ = true;
    bool zones_spread = true;
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      const auto row = table.row(static_cast<Partition>(p));
      std::vector<std::uint16_t> sorted(row.begin(), row.end());
      std::sort(sorted.begin(), sorted.end());
      differ = differ && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
      std::vector<std::string> seen;
      for (const std::uint16_t owner : row) {
        if (std::find(seen.begin(), seen.end(), buckets[owner].zone) == seen.end()) seen.push_back(buckets[owner].zone);
      }
      zones_spread = zones_spread && seen.size() == spread;
    }
    CHECK(differ);
    CHECK(zones_spread);
    if (zone_sizes.size() == 1) {
      const std::uint64_t fair = std::uint64_t{kPartitions} * table.replicas / count;
      const std::vector<std::uint32_t> load = loads(buckets, table);
      CHECK(*std::max_element(load.begin(), load.end()) <= std::max(fair * 105 / 100 + 1, fair + 2));
    }
  }
}

// What the weights are worth, in partitions, where no bucket can hold more than one replica of each.
std::vector<double> shares_of(const std::vector<RingBucket>& buckets, unsigned replicas) {
  double low = 0;
  double high = 2.0 * static_cast<double>(kRingWeightMax) * replicas;
  const auto share = [](const RingBucket& b, double level) {
    return std::min(1.0, static_cast<double>(b.weight) * level);
  };
  for (int step = 0; step < 200; ++step) {
    const double level = (low + high) / 2;
    double sum = 0;
    for (const RingBucket& bucket : buckets) sum += share(bucket, level);
    (sum > replicas ? high : low) = level;
  }
  std::vector<double> shares;
  for (const RingBucket& bucket : buckets) shares.push_back(kPartitions * share(bucket, low));
  return shares;
}

TEST_CASE("random weights and zones: capacity is kept, order means nothing, and what is added can be removed") {
  Random random(23);
  for (int round = 0; round < rounds(12); ++round) {
    const auto replicas = static_cast<unsigned>(random.between(1, 4));
    const std::uint64_t zones = round % 2 == 0 ? 1 : random.between(2, 5);
    std::vector<RingBucket> buckets;
    for (std::uint64_t left = random.between(replicas, 80); left > 0; --left) {
      const std::string zone = zones == 1 ? "" : "z" + std::to_string(random.below(zones));
      buckets.push_back({"r" + std::to_string(random.next()), random.between(1, 1ull << random.below(12)), zone});
    }
    CAPTURE(round);
    const RingTable table = make_ring(buckets, replicas);
    const std::uint64_t expected = digest(buckets, table);
    if (zones == 1) {
      const std::vector<std::uint32_t> load = loads(buckets, table);
      const std::vector<double> shares = shares_of(buckets, table.replicas);
      for (std::size_t b = 0; b < buckets.size(); ++b) {
        CAPTURE(shares[b]);
        CHECK(load[b] <= std::max(shares[b] * 1.05, shares[b] + 1) + 0.01);
      }
    }
    for (std::size_t i = buckets.size(); i > 1; --i) std::swap(buckets[i - 1], buckets[random.below(i)]);
    CHECK(digest(buckets, make_ring(buckets, replicas)) == expected);
    std::vector<RingBucket> more = buckets;
    more.insert(more.begin(), {"newcomer", random.between(1, 50), zones == 1 ? "" : "z0"});
    CHECK(digest(more, make_ring(more, replicas)) != expected);
    more.erase(more.begin());
    CHECK(digest(more, make_ring(more, replicas)) == expected);
  }
}

TEST_CASE("weights are met within the bound") {
  Random random(17);
  for (int round = 0; round < 5; ++round) {
    std::vector<RingBucket> buckets = numbered(20);
    std::uint64_t sum = 0;
    for (RingBucket& bucket : buckets) sum += bucket.weight = random.between(1, 4);
    const RingTable table = make_ring(buckets, 2);
    const std::vector<std::uint32_t> load = loads(buckets, table);
    for (std::size_t b = 0; b < buckets.size(); ++b) {
      const std::uint64_t share = 2ull * kPartitions * buckets[b].weight / sum;
      CAPTURE(share);
      CHECK(load[b] <= share * 105 / 100 + 2);
      CHECK(load[b] >= share * 85 / 100);
    }
  }
}

TEST_CASE("unequal zones get what their weight is worth, and no bucket is over its capacity") {
  struct Case {
    std::vector<unsigned> sizes;  // buckets a zone
    unsigned replicas;
    std::vector<double> shares;  // of a zone: replicas of a partition
    std::uint64_t heavy;         // the weight of every second bucket
    std::uint64_t digest;        // as first computed
  };
  const Case cases[] = {
      {{4, 3, 2, 1}, 2, {0.8, 0.6, 0.4, 0.2}, 1, 0xead550b2f56b1c38},
      {{10, 2, 2}, 2, {1, 0.5, 0.5}, 1, 0x09bc1a45f46c2f06},
      {{6, 4}, 3, {1.8, 1.2}, 1, 0x1c47a0cc2f630c87},
      {{5, 4, 3}, 4, {5.0 / 3, 4.0 / 3, 1}, 1, 0xb666a541823444b3},
      {{5, 5, 4, 4, 2}, 7, {5.0 / 3, 5.0 / 3, 4.0 / 3, 4.0 / 3, 1}, 1, 0x9aae08d18e8cc563},
      {{3, 2}, 1, {0.6, 0.4}, 1, 0x0c6410c573705a25},
      {{16, 4}, 3, {2, 1}, 2, 0x812ac9825a7c2b60},
      {std::vector<unsigned>(20, 2), 21, std::vector<double>(20, 1.05), 1, 0xaad51486b181a1ab},
  };
  for (const Case& c : cases) {
    std::vector<RingBucket> buckets;
    std::vector<double> fair;
    for (std::size_t z = 0; z < c.sizes.size(); ++z) {
      const double zone_weight = c.sizes[z] / 2 * static_cast<double>(c.heavy) + (c.sizes[z] + 1) / 2;
      for (unsigned i = 0; i < c.sizes[z]; ++i) {
        const std::uint64_t weight = i % 2 == 0 ? 1 : c.heavy;
        buckets.push_back({"b" + std::to_string(buckets.size() + 1), weight, "z" + std::to_string(z)});
        fair.push_back(kPartitions * c.shares[z] * static_cast<double>(weight) / zone_weight);
      }
    }
    CAPTURE(c.sizes.size());
    CAPTURE(c.replicas);
    const RingTable table = make_ring(buckets, c.replicas);
    const std::vector<std::uint32_t> load = loads(buckets, table);
    for (std::size_t b = 0; b < buckets.size(); ++b) {
      CAPTURE(b);
      CHECK(load[b] <= fair[b] * 1.05 + 1);
      CHECK(load[b] >= fair[b] * 0.9);
    }
    CHECK(digest(buckets, table) == c.digest);
  }
}

TEST_CASE("a zone that is worth a whole replica has one of every partition") {
  std::vector<RingBucket> buckets = numbered(14);
  for (std::size_t b = 0; b < buckets.size(); ++b) buckets[b].zone = b < 10 ? "x" : b < 12 ? "y" : "z";
  const RingTable table = make_ring(buckets, 2);
  bool everywhere = true;
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const auto row = table.row(static_cast<Partition>(p));
    everywhere = everywhere && std::count_if(row.begin(), row.end(), [](std::uint16_t b) { return b < 10; }) == 1;
  }
  CHECK(everywhere);
}

TEST_CASE("capacities step down bucket by bucket as buckets are added, not all at once") {
  // 1.05 of the fair load is 136.4, 136.1 and 135.9 partitions.
  const auto full = [](unsigned count) {
    const std::vector<RingBucket> buckets = numbered(count);
    const std::vector<std::uint32_t> load = loads(buckets, make_ring(buckets, 2));
    CHECK(*std::max_element(load.begin(), load.end()) <= 136);
    return std::count(load.begin(), load.end(), 136);
  };
  const auto before = full(1009);
  const auto midway = full(1011);
  CHECK(before > 100);
  CHECK(midway < before * 3 / 4);
  CHECK(midway > before / 4);
  CHECK(full(1013) == 0);
}

TEST_CASE("five thousand buckets are placed, with no more than the bound each") {
  const std::vector<RingBucket> buckets = numbered(5000);
  const auto start = std::chrono::high_resolution_clock::now();
  const RingTable table = make_ring(buckets, 3);
  const auto spent = std::chrono::high_resolution_clock::now() - start;
  const std::vector<std::uint32_t> load = loads(buckets, table);
  CHECK(*std::max_element(load.begin(), load.end()) <= 41);
  MESSAGE("5000 buckets: " << std::chrono::duration_cast<std::chrono::milliseconds>(spent).count() << " ms");
}
