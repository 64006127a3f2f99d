// Duties: what one node has to do with each partition under one configuration: which it owns, and with whom.
//
// Made once when a configuration is adopted (it asks the placement about all partitions), then only read. A value
// behind a shared_ptr; the node indexes mean nothing under another placement. Made and used on the node's first loop.
#pragma once

#include <map>
#include <memory>
#include <string_view>

#include "model/partition_set.h"
#include "model/placement.h"
#include "wire/cluster/message.h"

namespace tako::node {

using model::PartitionSet;

struct Duties {
  wire::ConfigStamp stamp;
  PartitionSet active;                              // owned in the active deployment
  PartitionSet target_only;                         // owned in the target deployment and not in the active one
  PartitionSet target;                              // owned in the target deployment, whoever has it in the active one
  PartitionSet staying;                             // of these: owned in both, while other owners come or go
  std::map<model::NodeIndex, PartitionSet> shared;  // by peer

  PartitionSet owned() const { return active | target_only; }
};

std::shared_ptr<const Duties> duties_of(const model::Placement& placement, std::string_view node_id);

}  // namespace tako::node
