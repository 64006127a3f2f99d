// What the ring does at every size: load, movement, neighbours, time. The table of the figures that are promised.
//
//   ring_bench [DRAWS]        so many sizes are drawn around each of the big ones (default 10)
//
// Not a test: it prints figures, and marks with ! what is beyond its promise. Loads are in shares of the fair one,
// movement in the least that is possible: add and remove are the replicas that change place over the share of the
// bucket that comes or goes. Capacities are whole partitions and step down as buckets are added, so one exact size
// flatters or punishes: from 200 buckets on, the figures are means over sizes within 4 %, and the worst of them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/ring.h"

namespace tako::bench {
namespace {

using namespace model;

constexpr unsigned kNodesPerBucket = 2;
constexpr unsigned kDrawnFrom = 200;

std::vector<RingBucket> numbered(unsigned count) {
  std::vector<RingBucket> buckets;
  for (unsigned i = 1; i <= count; ++i) buckets.push_back({"b" + std::to_string(i), 120, ""});
  return buckets;
}

// Replicas that are elsewhere in `after`. The buckets that both have stand first in both.
std::size_t moved(const RingTable& before, const RingTable& after) {
  std::size_t count = 0;
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const auto old_row = before.row(static_cast<Partition>(p));
    for (const std::uint16_t owner : after.row(static_cast<Partition>(p))) {
      count += std::find(old_row.begin(), old_row.end(), owner) == old_row.end();
    }
  }
  return count;
}

struct Column {
  double sum = 0;
  double worst = 0;
  unsigned count = 0;
  void take(double value) {
    sum += value;
    worst = std::max(worst, value);
    ++count;
  }
  double mean() const { return count ? sum / count : 0; }
};

struct Figures {
  Column heaviest, lightest, add, remove, neighbours, milliseconds;
  bool over = false;  // a bucket beyond 1.05 of its share and beyond its share and one partition

  void take(unsigned count, unsigned per_key) {
    const auto begin = std::chrono::high_resolution_clock::now();
    const RingTable table = make_ring(numbered(count), per_key);
    const std::chrono::duration<double, std::milli> spent = std::chrono::high_resolution_clock::now() - begin;
    milliseconds.take(spent.count());

    const double fair = static_cast<double>(kPartitions) * table.replicas / count;
    std::vector<std::uint32_t> load(count);
    std::vector<std::set<std::uint16_t>> met(count);
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      const auto row = table.row(static_cast<Partition>(p));
      for (const std::uint16_t a : row) {
        ++load[a];
        met[a].insert(row.begin(), row.end());
      }
    }
    const auto [least, most] = std::minmax_element(load.begin(), load.end());
    heaviest.take(*most / fair);
    lightest.take(-(*least / fair));
    over = over || (*most > fair * 1.05 && *most > fair + 1);
    for (const auto& others : met) neighbours.take(static_cast<double>(others.size() - 1));

    const double moved_in = static_cast<double>(moved(table, make_ring(numbered(count + 1), per_key)));
    add.take(moved_in / (static_cast<double>(kPartitions) * per_key / (count + 1)));
    if (count > per_key) {
      const double moved_out = static_cast<double>(moved(table, make_ring(numbered(count - 1), per_key)));
      remove.take(moved_out / *std::prev(load.end()));
    }
  }

  void print(unsigned count, unsigned per_key) const {
    const double movement_max = count <= kDrawnFrom ? 1.02 : count <= 500 ? 1.15 : 3;
    char removed[40] = "    -            ";
    if (remove.count) std::snprintf(removed, sizeof removed, "%5.3f (%5.3f)   ", remove.mean(), remove.worst);
    std::printf("%7u  %3u   %6.3f%s %7.3f    %5.3f (%5.3f)%s  %s %6.1f (%4.0f) %8.0f %10.0f%s\n", count, per_key,
                heaviest.worst, over ? "!" : " ", -lightest.sum / lightest.count, add.mean(), add.worst,
                add.mean() > movement_max ? "!" : " ", removed, neighbours.mean(), neighbours.worst,
                (neighbours.worst + 1) * kNodesPerBucket - 1, milliseconds.worst, milliseconds.worst > 100 ? "!" : "");
  }
};

int run(unsigned draws) {
  Random random(1);
  std::printf(
      "buckets  bpk  heaviest lightest  add mean (worst)  remove mean (worst)  neighbours (max)  "
      "peers/node  ms worst\n");
  for (const unsigned size : {3u, 5u, 10u, 50u, 200u, 500u, 5000u}) {
    for (const unsigned per_key : {2u, 3u}) {
      Figures figures;
      figures.take(size, per_key);
      for (unsigned i = 1; size >= kDrawnFrom && i < draws; ++i) {
        figures.take(static_cast<unsigned>(random.between(size * 96 / 100, size * 104 / 100)), per_key);
      }
      figures.print(size, per_key);
    }
  }
  return 0;
}

}  // namespace
}  // namespace tako::bench

int main(int argc, char** argv) {
  const int draws = argc > 1 ? std::atoi(argv[1]) : 10;
  if (draws < 1) {
    std::fprintf(stderr, "ring_bench: '%s' is no number of draws; expected 1 or more\n", argv[1]);
    return 2;
  }
  return tako::bench::run(static_cast<unsigned>(draws));
}
