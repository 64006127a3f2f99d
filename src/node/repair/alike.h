// for_each_alike: a question about many partitions, whose answer depends on their replicas and on a few facts about
// each, asked once for all that are alike in both. A placement has few sets of replicas, and most facts (what was read
// from this peer?) hold for whole ranges: 65,536 partitions cost some tens of questions, and a look at their words.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/partition_set.h"
#include "model/placement.h"

namespace tako::node {

// visit(partition, ask(partition)) for each, in ascending order. REQUIRES: ask() rests on nothing but the partition's
// set of replicas, which of the facts hold for it, and what is the same for all partitions.
template <class Ask, class Visit>
void for_each_alike(const model::Placement& placement, const model::PartitionSet& partitions,
                    const std::vector<const model::PartitionSet*>& facts, Ask ask, Visit visit) {
  struct Known {
    std::uint32_t pattern = 0;
    decltype(ask(model::Partition{})) answer{};
  };
  std::vector<Known> known(placement.sets());
  std::vector<char> holds(facts.size());
  std::uint32_t pattern = 1;  // grows when a fact begins or ceases to hold
  for (std::size_t i = 0; i < model::PartitionSet::kWords; ++i) {
    const std::uint64_t wanted = partitions.word(i);
    if (wanted == 0) continue;
    bool even = true;  // each fact holds for all of the word, or for nothing of it
    bool changed = false;
    for (std::size_t f = 0; f < facts.size(); ++f) {
      const std::uint64_t word = facts[f]->word(i) & wanted;
      even &= word == 0 || word == wanted;
      changed |= std::exchange(holds[f], word != 0) != (word != 0);
    }
    pattern += changed;
    for (std::uint64_t left = wanted; left != 0; left &= left - 1) {
      const auto p = static_cast<model::Partition>(i * 64 + static_cast<std::size_t>(std::countr_zero(left)));
      if (!even) {
        visit(p, ask(p));
        continue;
      }
      Known& of = known[placement.set_of(p)];
      if (std::exchange(of.pattern, pattern) != pattern) of.answer = ask(p);
      visit(p, of.answer);
    }
  }
}

}  // namespace tako::node
