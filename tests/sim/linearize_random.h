// Histories for the tests of linearize.h: what a register has done, the same with an error, and nonsense; and the
// definition itself, tried out.
//
// Everything is drawn from the Random that is handed in. Times are microseconds.
#pragma once

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/random.h"
#include "sim/linearize.h"

namespace tako::sim::ordering {

using Kind = Operation::Kind;
using History = std::vector<Operation>;

// The definition, tried out: every order that respects time, and every choice of the unknown ones.
class BruteForce {
 public:
  explicit BruteForce(const History& history) : history_(history) {}
  bool linearizable(std::uint64_t initial) { return from(0, initial); }

 private:
  bool from(std::uint32_t done, std::uint64_t value) {
    if (!met_.emplace(done, value).second) return false;
    bool open = false;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (done >> i & 1) continue;
      const Operation& next = history_[i];
      open |= next.end.has_value();
      bool waits = false;
      for (std::size_t j = 0; j < history_.size(); ++j) {
        waits |= !(done >> j & 1) && history_[j].end && *history_[j].end < next.begin;
      }
      if (waits) continue;
      std::uint64_t after = value;
      if (next.kind == Kind::kRead) {
        if (next.end && next.value != value) continue;
      } else if (next.kind == Kind::kWrite) {
        after = next.value;
      } else {
        const bool match = value == next.expected;
        if (next.end ? match != next.succeeded : !match) continue;
        if (match) after = next.value;
      }
      if (from(done | 1u << i, after)) return true;
    }
    return !open;
  }

  const History& history_;
  std::set<std::pair<std::uint32_t, std::uint64_t>> met_;  // that lead nowhere
};

struct Mix {
  std::size_t operations = 1000;
  std::size_t clients = 20;
  std::int64_t length = 100'000;  // of an operation, at most, in microseconds
  std::int64_t gap = 10'000;      // between two of a client, at most
  std::uint64_t unknown = 20;     // these are percents
  std::uint64_t reads = 40;
  std::uint64_t swaps = 20;    // the rest are writes
  std::uint64_t deletes = 15;  // of the writes and swaps
  std::uint64_t initial = 0;
};

// What the clients of a real register see: each operation takes effect at one instant of its interval, one of unknown
// outcome at any later time or never.
inline History play(Random& random, const Mix& mix) {
  struct Instant {
    std::int64_t at;
    std::size_t operation;
  };
  const auto up_to = [&random](std::int64_t limit) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(limit) + 1));
  };
  History history(mix.operations);
  std::vector<std::int64_t> free(mix.clients);
  std::vector<Instant> instants;
  for (std::size_t i = 0; i < mix.operations; ++i) {
    auto& client = *std::min_element(free.begin(), free.end());
    const std::int64_t begin = client + up_to(mix.gap);
    const std::int64_t end = begin + up_to(mix.length);
    client = end;
    Operation& operation = history[i];
    operation.id = i + 1;
    operation.begin = TimePoint(Duration(begin));
    const std::uint64_t kind = random.below(100);
    operation.kind = kind < mix.reads               ? Kind::kRead
                     : kind < mix.reads + mix.swaps ? Kind::kCompareAndSet
                                                    : Kind::kWrite;
    if (random.below(100) >= mix.unknown) operation.end = TimePoint(Duration(end));
    if (operation.kind != Kind::kRead && random.below(100) >= mix.deletes) operation.value = 100 + i;
    const std::int64_t span = operation.end ? end - begin : mix.length * 5;
    if (operation.end || random.below(2)) instants.push_back({begin + up_to(span), i});
  }
  std::stable_sort(instants.begin(), instants.end(), [](const Instant& a, const Instant& b) { return a.at < b.at; });
  std::uint64_t value = mix.initial;
  std::vector<std::uint64_t> seen{0, 0, mix.initial};
  for (const Instant& instant : instants) {
    Operation& operation = history[instant.operation];
    if (operation.kind == Kind::kRead) {
      operation.value = value;
      continue;
    }
    if (operation.kind == Kind::kCompareAndSet) {
      operation.expected =
          random.below(2) ? value : seen[seen.size() - 1 - random.below(std::min<std::size_t>(seen.size(), 5))];
      operation.succeeded = operation.expected == value;
      if (!operation.succeeded) continue;
    }
    value = operation.value;
    seen.push_back(value);
  }
  return history;
}

// One answer or one time changed.
inline void spoil(Random& random, History& history, std::uint64_t initial) {
  Operation& operation = history[random.below(history.size())];
  const Duration half = operation.end ? (*operation.end - operation.begin + Duration(1)) / 2 : Duration(0);
  const std::uint64_t what = random.below(operation.kind == Kind::kWrite ? 3 : 6);
  if (what == 0 && operation.end) {
    *operation.end -= half;
  } else if (what == 1 && operation.end) {
    operation.begin += half;
  } else if (what == 2) {
    operation.begin += Duration(random.below(10));
    if (operation.end) *operation.end += Duration(9);
  } else if (what == 3 && operation.kind == Kind::kCompareAndSet) {
    operation.succeeded = !operation.succeeded;
  } else if (operation.kind != Kind::kWrite) {
    const Operation& other = history[random.below(history.size())];
    const std::uint64_t value = other.kind == Kind::kRead || random.below(6) == 0 ? initial : other.value;
    (operation.kind == Kind::kRead ? operation.value : operation.expected) = value;
  }
}

// Nothing but chance: what clients might claim to have seen.
inline History invent(Random& random, std::size_t operations, std::uint64_t initial) {
  const std::uint64_t unknown = random.below(60);
  const std::uint64_t reads = random.below(50);
  const std::uint64_t refusals = random.below(100);
  const std::uint64_t deletes = random.below(60);
  const std::uint64_t span = 1 + random.below(20);
  const auto value_of = [&]() -> std::uint64_t {
    if (random.below(100) < deletes) return random.below(2) * initial;
    return 100 + random.below(operations);
  };
  History history(operations);
  for (std::size_t i = 0; i < operations; ++i) {
    Operation& operation = history[i];
    operation.id = i + 1;
    operation.begin = TimePoint(Duration(random.below(span)));
    if (random.below(100) >= unknown) operation.end = operation.begin + Duration(random.below(span));
    operation.kind = random.below(100) < reads ? Kind::kRead : random.below(2) ? Kind::kWrite : Kind::kCompareAndSet;
    operation.value = operation.kind == Kind::kRead ? value_of() : random.below(100) < deletes ? 0 : 100 + i;
    operation.expected = value_of();
    operation.succeeded = random.below(100) >= refusals;
  }
  return history;
}

}  // namespace tako::sim::ordering
