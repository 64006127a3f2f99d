// What a node may vote in, by what its Repairer has read (node/membership/source.h).
#include <algorithm>

#include "base/log.h"
#include "node/repair/alike.h"
#include "node/repair/repair.h"

namespace tako::node {

PartitionSet Repairer::unsettleable() const {
  const auto sources = sources_by_index();
  const auto voting = [&sources](model::Partition partition, model::NodeIndex node) {
    const Source* source = sources[node];
    return source && !source->without_vote[partition];
  };
  const auto undecidable = [&](model::Partition partition) {
    for (const std::uint8_t deployment : {model::kInActive, model::kInTarget}) {
      unsigned members = 0;
      unsigned voters = 0;
      for (const auto& replica : placement_->replicas(partition)) {
        if (!(replica.deployments & deployment)) continue;
        ++members;
        voters += voting(partition, replica.node);
      }
      if (members > 0 && voters < members / 2 + 1) return true;
    }
    return false;
  };
  std::vector<const PartitionSet*> without_vote;
  for (const auto& [id, source] : sources_) without_vote.push_back(&source->without_vote);
  PartitionSet found;
  const auto note = [&found](model::Partition partition, bool yes) {
    if (yes) found.set(partition);
  };
  for_each_alike(*placement_, owned_ - parts_.standing->informed(), without_vote, undecidable, note);
  return found;
}

std::vector<const Source*> Repairer::sources_by_index() const {
  std::vector<const Source*> by_index(placement_->nodes().size(), nullptr);
  for (const auto& [id, source] : sources_) {
    if (const auto index = placement_->find(id)) by_index[*index] = source.get();
  }
  return by_index;
}

// What a Judge of these sources rests on.
std::vector<const PartitionSet*> Repairer::what_was_read() const {
  std::vector<const PartitionSet*> facts;
  for (const auto& [id, source] : sources_) facts.insert(facts.end(), {&source->pulled, &source->pulled_as_voter});
  return facts;
}

Task<> Repairer::reconsider_votes(PartitionSet partitions) {
  Standing& standing = *parts_.standing;
  const auto self = placement_->find(parts_.id);
  partitions &= owned_;
  partitions -= standing.informed();
  if (!self || partitions.none()) co_return;
  // What this node has told others of a fence may be forgotten: theirs is at least as high (node/gc/collector.h).
  const auto placement = placement_;
  Timestamp fence = 0;
  for (const auto& [id, source] : sources_) fence = std::max(fence, source->fence);
  const bool fenced = co_await parts_.raise_fence(fence);
  if (!fenced || placement != placement_ || loop().stopping()) co_return;
  partitions -= standing.informed();
  Judge judge(*placement_, *self, sources_by_index());
  std::size_t gained = 0;
  std::size_t doubtful = 0;
  const auto ask = [&judge](model::Partition partition) { return judge.informed_of(partition); };
  for_each_alike(*placement_, partitions, what_was_read(), ask, [&](model::Partition partition, Informed informed) {
    if (!informed.yes) return;
    standing.set_votes(partition);
    ++gained;
    doubtful += informed.possible_loss && came_back_;  // one that is new has lost nothing
  });
  if (gained == 0) co_return;
  counters_.possible_losses += doubtful;
  log::info("votes_gained", {{"node", parts_.id}, {"partitions", gained}});
  if (doubtful > 0) {
    log::warn("possible_loss",
              {{"node", parts_.id},
               {"partitions", doubtful},
               {"reason", "too few replicas with memory were left; what only the lost disks had is gone"}});
  }
  co_await save_standing();
}

}  // namespace tako::node
