// What the search for a linear order (linearize.h) works on: the operations of a history as steps, those that say
// nothing left out, the ends tightened, and the steps that can only be taken together put into blocks.
//
// Rules are those at the head of linearize_search.cc. Immutable once it is built. Ticks are microseconds.
#pragma once

#include <limits>
#include <unordered_map>
#include <vector>

#include "sim/linearize.h"

namespace tako::sim::ordering {

using Ticks = Duration::rep;
inline constexpr Ticks kNever = std::numeric_limits<Ticks>::max();
inline constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

struct Step {
  enum class Role { kRead, kRefusal, kWrite, kSwap };
  Role role;
  bool required;
  Ticks begin;
  Ticks end;
  std::uint64_t expected;  // not of a write
  std::uint64_t value;     // of a write or swap
  std::size_t source;      // where in the history

  bool changes() const { return role == Role::kWrite || role == Role::kSwap; }
  bool observes(std::uint64_t what) const { return (role == Role::kRead || role == Role::kSwap) && expected == what; }
};
using Role = Step::Role;

struct Block {
  std::vector<std::size_t> changes;  // none: the initial value, unless swapped
  bool from_zero = false;            // begins with a swap from 0, not with a write
  std::uint64_t last = 0;            // the value that it leaves
  Ticks ready = 0;                   // all of its steps have begun
  std::vector<std::size_t> tails;    // optional swaps from the last value
  std::vector<std::size_t> harmed;   // refusals that rule 6 might harm, if the last value is not 0
  std::vector<std::size_t> inner;    // refusals of 0 that might be inside, if the last value is 0
};

struct Plan {
  Plan(const std::vector<Operation>& history, std::uint64_t initial);
  bool expected(std::uint64_t value) const { return refusals.count(value) || tails.count(value); }
  Block block_from(std::size_t head, std::uint64_t value);
  void find_refusals(Block& block) const;

  std::vector<Step> steps;  // the required ones first
  std::uint64_t initial;
  std::vector<std::size_t> required;  // these three by begin
  std::vector<std::size_t> optional;
  std::vector<std::size_t> zeros;  // what writes 0
  std::unordered_map<std::uint64_t, std::size_t> writers;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> readers;   // the reads of a value
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> refusals;  // that expect it
  std::unordered_map<std::uint64_t, std::size_t> next;                   // the required swap from a value
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> tails;     // the optional swaps from it
  std::vector<Block> blocks;                                             // the first: from the initial value on
  std::vector<std::size_t> block_of;                                     // of a step that begins a block
};

}  // namespace tako::sim::ordering
