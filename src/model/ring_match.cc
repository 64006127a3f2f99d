#include "model/ring_match.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tako::model::ring {
namespace {

constexpr std::uint64_t kTagScore = 5;
constexpr std::uint64_t kNearlyOne = kOne - 64;
constexpr std::size_t kPairsMax = 1u << 25;  // part of the definition: no deployment is known to come near it
constexpr unsigned kEvenRounds = 16;

std::vector<std::uint64_t> make_edges() {
  std::vector<std::uint64_t> edges(kPartitions + 1);
  for (std::uint64_t j = 0; j < kPartitions; ++j) edges[j + 1] = edges[j] + (1ull << 57) / (2 * (kPartitions - j) - 1);
  return edges;
}

const std::vector<std::uint64_t>& edges() {
  static const std::vector<std::uint64_t> table = make_edges();
  return table;
}

// -ln(1 - u/2^64) in Q56, straight between two edges.
std::uint64_t negative_log(const std::uint64_t* table, std::uint64_t u) {
  const std::uint64_t i = u >> 48;
  const std::uint64_t fraction = (u << 16) >> 32;
  return table[i] + static_cast<std::uint64_t>(Wide{table[i + 1] - table[i]} * fraction >> 32);
}

struct Pair {
  std::uint64_t score;
  std::uint32_t order;  // contender << 16 | partition: breaks ties

  friend bool operator<(const Pair& a, const Pair& b) {
    return a.score != b.score ? a.score < b.score : a.order < b.order;
  }
};

// Draws the pairs in rounds of rising score, so that of the 65,536 pairs of a bucket only its best few are made. That
// changes nothing: full buckets and served partitions are so for good.
class Matching {
 public:
  Matching(const std::vector<Contender>& contenders, std::vector<std::uint16_t> need, Rows& rows, ZoneRule* rule)
      : contenders_(contenders), need_(std::move(need)), rows_(rows), rule_(rule) {
    for (const Contender& c : contenders_) {
      const bool whole = c.share >= kNearlyOne;
      const std::uint64_t inverse_rate = whole ? 0 : (1ull << 52) / std::max<std::uint64_t>(c.rate, 4096);
      bids_.push_back({inverse_rate, score(c.key, inverse_rate, 0), 0, c.capacity});
      if (!whole) rate_sum_ += c.rate;
    }
    for (const std::uint16_t n : need_) open_ += n;
  }

  void run() {
    for (unsigned round = 1; open_ > 0 && drawn_ < kPairsMax && !exhausted_; ++round) {
      draw(threshold(round));
      sort_pairs();
      for (const Pair& pair : pairs_) hear(pair);
    }
    if (open_ > 0) last_resort();
  }

 private:
  struct Bid {
    std::uint64_t inverse_rate;
    std::uint64_t score;  // of the stratum to draw next
    std::uint32_t next;   // that stratum; kPartitions: none is left
    std::uint32_t room;
  };

  std::uint64_t threshold(unsigned round) const {
    const Wide unit = (Wide{1} << 68) / rate_sum_;
    const unsigned doublings = round > kEvenRounds ? std::min(round - kEvenRounds, 40u) : 0;
    const Wide at = (unit * std::min(round, kEvenRounds)) << doublings;
    return at > ~0ull ? ~0ull : static_cast<std::uint64_t>(at);
  }

  // One score in each of 65,536 strata, jittered inside it; it grows with the stratum.
  std::uint64_t score(std::uint64_t key, std::uint64_t inverse_rate, std::uint64_t stratum) const {
    const std::uint64_t u = stratum << 48 | hash(key, kTagScore, stratum) >> 16;
    return static_cast<std::uint64_t>(Wide{negative_log(table_, u)} * inverse_rate >> 40);
  }

  void draw(std::uint64_t threshold) {
    pairs_.clear();
    runs_.clear();
    exhausted_ = true;
    for (std::size_t b = 0; b < contenders_.size(); ++b) {
      Bid& bid = bids_[b];
      runs_.push_back(pairs_.size());
      if (bid.room == 0) continue;
      if (bid.inverse_rate == 0) {
        draw_whole(b);
        continue;
      }
      const std::uint64_t key = contenders_[b].key;
      while (bid.score <= threshold && bid.next < kPartitions) {
        ++drawn_;
        const Partition p = permuted(key, bid.next);
        if (need_[p] > 0) pairs_.push_back({bid.score, static_cast<std::uint32_t>(b << 16 | p)});
        if (++bid.next < kPartitions) bid.score = score(key, bid.inverse_rate, bid.next);
      }
      if (bid.next < kPartitions) exhausted_ = false;
    }
  }

  // Whoever has everything bids 0 for each partition.
  void draw_whole(std::size_t b) {
    if (std::exchange(bids_[b].next, kPartitions) == kPartitions) return;
    drawn_ += kPartitions;
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      if (need_[p] > 0) pairs_.push_back({0, static_cast<std::uint32_t>(b << 16 | p)});
    }
  }

  // Each bucket's pairs are in order already, but for equal scores: so they are merged, two runs at a time.
  void sort_pairs() {
    runs_.push_back(pairs_.size());
    for (std::size_t b = 0; b + 1 < runs_.size(); ++b) {
      Pair* const first = pairs_.data() + runs_[b];
      Pair* const last = pairs_.data() + runs_[b + 1];
      if (!std::is_sorted(first, last)) std::sort(first, last);
    }
    merged_.resize(pairs_.size());
    while (runs_.size() > 2) {
      std::size_t kept = 0;
      for (std::size_t b = 0; b + 1 < runs_.size(); b += 2) {
        const std::size_t middle = runs_[b + 1];
        const std::size_t last = b + 2 < runs_.size() ? runs_[b + 2] : middle;
        std::merge(pairs_.data() + runs_[b], pairs_.data() + middle, pairs_.data() + middle, pairs_.data() + last,
                   merged_.data() + runs_[b]);
        runs_[kept++] = runs_[b];
      }
      runs_[kept++] = pairs_.size();
      runs_.resize(kept);
      pairs_.swap(merged_);
    }
  }

  void hear(const Pair& pair) {
    const auto p = static_cast<Partition>(pair.order);
    const std::size_t b = pair.order >> 16;
    if (need_[p] == 0 || bids_[b].room == 0) return;
    if (rule_ != nullptr && !rule_->allows(rows_, p, contenders_[b].number, need_[p])) return;
    give(p, b);
    --bids_[b].room;
  }

  void give(Partition p, std::size_t b) {
    rows_.add(p, contenders_[b].number);
    if (rule_ != nullptr) rule_->added(p, contenders_[b].number);
    --need_[p];
    --open_;
  }

  // Never seen: a row that no pair could fill gets whoever is least loaded, capacity and zones or not.
  void last_resort() {
    std::vector<std::uint64_t> load;
    for (std::size_t b = 0; b < contenders_.size(); ++b) load.push_back(contenders_[b].capacity - bids_[b].room);
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      while (need_[p] > 0) {
        std::size_t best = contenders_.size();
        for (std::size_t b = 0; b < contenders_.size(); ++b) {
          if (contenders_[b].capacity == 0 || rows_.has(static_cast<Partition>(p), contenders_[b].number)) continue;
          if (best == contenders_.size() ||
              load[b] * contenders_[best].capacity < load[best] * contenders_[b].capacity) {
            best = b;
          }
        }
        ASSERT(best < contenders_.size());
        give(static_cast<Partition>(p), best);
        ++load[best];
      }
    }
  }

  const std::uint64_t* table_ = edges().data();
  const std::vector<Contender>& contenders_;
  std::vector<std::uint16_t> need_;
  Rows& rows_;
  ZoneRule* rule_;
  std::vector<Bid> bids_;
  std::vector<Pair> pairs_;
  std::vector<Pair> merged_;
  std::vector<std::size_t> runs_;  // where in `pairs_` the pairs of each bucket begin
  std::uint64_t rate_sum_ = 1;  // of those that do not own everything anyway
  std::uint64_t open_ = 0;      // replicas not yet placed
  std::size_t drawn_ = 0;
  bool exhausted_ = false;
};

}  // namespace

std::uint64_t edge(std::uint32_t j) { return edges()[j]; }

std::uint64_t rate_of_share(std::uint64_t share) {
  return share >= kNearlyOne ? 16 * kOne : negative_log(edges().data(), share << 32) >> 24;
}

std::vector<std::uint64_t> fill(const std::vector<Vessel>& vessels, std::uint64_t total) {
  std::vector<std::uint64_t> terms(vessels.size());
  const auto pour = [&](std::uint64_t a) {
    Wide sum = 0;
    for (std::size_t i = 0; i < vessels.size(); ++i) {
      const Vessel& v = vessels[i];
      terms[i] = static_cast<std::uint64_t>(std::clamp<Wide>(Wide{v.weight} * a >> 24, v.low, v.high));
      sum += terms[i];
    }
    return sum <= total;
  };
  std::uint64_t a = 0;
  for (int bit = 62; bit >= 0; --bit) {
    if (pour(a | 1ull << bit)) a |= 1ull << bit;
  }
  pour(a);
  return terms;
}

bool Rows::has(Partition p, std::uint16_t owner) const {
  const auto first = owners.begin() + static_cast<std::ptrdiff_t>(std::size_t{p} * width);
  return std::find(first, first + counts[p], owner) != first + counts[p];
}

bool ZoneRule::allows(const Rows& rows, Partition p, std::uint16_t number, unsigned need) const {
  const std::uint16_t zone = zone_of[number];
  const std::uint16_t* row = rows.owners.data() + std::size_t{p} * rows.width;
  for (unsigned i = 0; i < rows.counts[p]; ++i) {
    if (zone_of[row[i]] == zone) return false;
  }
  return whole[zone] || need > whole_missing[p];
}

void ZoneRule::added(Partition p, std::uint16_t number) {
  if (whole[zone_of[number]]) --whole_missing[p];
}

void match(const std::vector<Contender>& contenders, std::vector<std::uint16_t> need, Rows& rows, ZoneRule* rule) {
  Matching(contenders, std::move(need), rows, rule).run();
}

}  // namespace tako::model::ring
