#include "node/membership/source.h"

#include <algorithm>

#include "base/plant.h"

namespace tako::node {
namespace {

struct Count {
  unsigned members = 0;
  unsigned others = 0;
  unsigned read = 0;
  unsigned read_as_voter = 0;
  bool self_in = false;
  bool had_keys = false;
};

Informed enough(const Count& count) {
  const unsigned quorum = count.members / 2 + 1;
  // A member has to read one of every majority: N - q + 1 (22). A newcomer takes promises over too, so it reads a
  // majority; and one of any two, so all but one: what w=two has answered must be in the target when the others are let
  // go (27).
  const unsigned all_but_one = planted(Plant::kMajorityArrives) ? 0 : count.members - 1;
  unsigned voters_wanted = count.self_in ? count.members - quorum + 1 : std::max(quorum, all_but_one);
  if (planted(Plant::kOneSource)) voters_wanted = 1;
  if (count.others > 0 && count.read_as_voter >= voters_wanted) return {true, false};
  if (count.read == count.others) return {true, count.had_keys};
  return {false, false};
}

}  // namespace

Judge::Judge(const model::Placement& placement, model::NodeIndex self, std::vector<const Source*> sources)
    : placement_(placement), self_(self), sources_(std::move(sources)), known_(placement.sets()) {}

Informed Judge::informed_of(model::Partition partition) {
  const std::uint32_t set = placement_.set_of(partition);
  const model::ReplicaSet replicas = placement_.set(set);
  if (replicas.size() >= 32) return judge(replicas, partition);
  std::uint64_t read = 0;
  for (const auto& replica : replicas) {
    const Source* source = sources_[replica.node];
    read <<= 2;
    if (source) read |= static_cast<unsigned>(source->pulled[partition]) | 2u * source->pulled_as_voter[partition];
  }
  Known& known = known_[set];
  if (known.read != read) known = Known{read, judge(replicas, partition)};
  return known.informed;
}

Informed Judge::judge(model::ReplicaSet replicas, model::Partition partition) const {
  Informed all{true, false};
  for (const std::uint8_t deployment : {model::kInActive, model::kInTarget}) {
    Count count;
    for (const auto& replica : replicas) {
      if (!(replica.deployments & deployment)) continue;
      ++count.members;
      if (replica.node == self_) {
        count.self_in = true;
        continue;
      }
      ++count.others;
      const Source* source = sources_[replica.node];
      if (!source || !source->pulled[partition]) continue;
      ++count.read;
      if (source->pulled_as_voter[partition]) ++count.read_as_voter;
      count.had_keys |= source->keys_listed > 0 && !source->blank;
    }
    if (count.members == 0) continue;
    const Informed here = enough(count);
    all.yes &= here.yes;
    all.possible_loss |= here.possible_loss;
  }
  return all;
}

// With itself, which is one of them and has its own, a majority, and all but one: as a newcomer has read.
bool Judge::has_read_active(model::Partition partition) const {
  if (planted(Plant::kStayerArrives)) return true;
  Count count;
  for (const auto& replica : placement_.replicas(partition)) {
    if (!(replica.deployments & model::kInActive)) continue;
    ++count.members;
    if (replica.node == self_) continue;
    ++count.others;
    const Source* source = sources_[replica.node];
    if (!source || !source->pulled[partition]) continue;
    ++count.read;
    count.read_as_voter += source->pulled_as_voter[partition];
  }
  const unsigned wanted = std::max(count.members / 2 + 1, count.members - 1);
  return count.read_as_voter + 1 >= wanted || count.read == count.others;
}

bool majority_with(model::ReplicaSet replicas, model::NodeIndex self,
                   const std::function<bool(model::NodeIndex)>& present) {
  for (const std::uint8_t deployment : {model::kInActive, model::kInTarget}) {
    unsigned members = 0;
    unsigned there = 0;
    for (const auto& replica : replicas) {
      if (!(replica.deployments & deployment)) continue;
      ++members;
      there += replica.node == self || present(replica.node);
    }
    if (members > 0 && there < members / 2 + 1) return false;
  }
  return true;
}

}  // namespace tako::node
