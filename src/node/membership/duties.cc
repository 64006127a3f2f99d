#include "node/membership/duties.h"

#include <vector>

namespace tako::node {
namespace {

constexpr std::uint8_t kInBoth = model::kInActive | model::kInTarget;

}  // namespace

std::shared_ptr<const Duties> duties_of(const model::Placement& placement, std::string_view node_id) {
  auto duties = std::make_shared<Duties>();
  duties->stamp = wire::stamp_of(placement);
  const auto self = placement.find(node_id);
  if (!self) return duties;
  struct OfSet {  // what a set of replicas means to this node
    PartitionSet* own = nullptr;
    bool in_target = false;
    bool staying = false;
    std::vector<PartitionSet*> with;
  };
  std::vector<OfSet> meaning(placement.sets());
  for (std::uint32_t number = 0; number < meaning.size(); ++number) {
    OfSet& of = meaning[number];
    for (const auto& replica : placement.set(number)) {
      if (replica.node != *self) continue;
      of.own = replica.deployments & model::kInActive ? &duties->active : &duties->target_only;
      of.in_target = (replica.deployments & model::kInTarget) != 0;
    }
    for (const auto& replica : placement.set(number)) {
      of.staying |= of.in_target && of.own == &duties->active && replica.deployments != kInBoth;
      if (of.own && replica.node != *self) of.with.push_back(&duties->shared[replica.node]);
    }
  }
  for (std::uint32_t p = 0; p < model::kPartitions; ++p) {
    const OfSet& of = meaning[placement.set_of(static_cast<model::Partition>(p))];
    if (!of.own) continue;
    of.own->set(p);
    if (of.in_target) duties->target.set(p);
    if (of.staying) duties->staying.set(p);
    for (PartitionSet* shared : of.with) shared->set(p);
  }
  return duties;
}

}  // namespace tako::node
