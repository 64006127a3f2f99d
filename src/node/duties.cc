#include "node/duties.h"

namespace tako::node {

wire::ConfigStamp stamp_of(const model::Placement& placement) {
  return wire::ConfigStamp{placement.config().counter, placement.config().hash};
}

std::shared_ptr<const Duties> duties_of(const model::Placement& placement, std::string_view node_id) {
  auto duties = std::make_shared<Duties>();
  duties->stamp = stamp_of(placement);
  const auto self = placement.find(node_id);
  if (!self) return duties;
  for (std::uint32_t p = 0; p < model::kPartitions; ++p) {
    const auto partition = static_cast<model::Partition>(p);
    if (!placement.owns(*self, partition)) continue;
    for (const auto& replica : placement.replicas(partition)) {
      if (replica.node != *self) {
        duties->shared[replica.node].set(p);
      } else if (replica.deployments & model::kInActive) {
        duties->active.set(p);
      } else {
        duties->target_only.set(p);
      }
    }
  }
  return duties;
}

}  // namespace tako::node
