// Plan: what a reconfiguration moves and what it could break, worked out from the two deployments alone.
//
// Made of a placement with a target: what is there already, and what would be. Partitions are counted (there are
// 65,536 of them), since how much is in each only the nodes know. Pure; a few milliseconds.
#pragma once

#include <string>
#include <vector>

#include "model/placement.h"

namespace tako::model {

struct Plan {
  struct NodeShare {
    std::string id;
    std::uint32_t before = 0;  // partitions it owns
    std::uint32_t after = 0;
    std::uint32_t gains = 0;  // ... that it did not own before
    std::uint32_t loses = 0;
  };

  std::vector<NodeShare> nodes;  // in the placement's order
  std::uint32_t moving = 0;      // partitions whose owners change
  std::uint64_t copies = 0;      // replicas to be made: the sum of all gains
  std::uint32_t strangers = 0;   // partitions of which no owner stays
  unsigned replicas_before = 0;  // of the partition that has fewest
  unsigned replicas_after = 0;
  std::vector<std::string> dangers;  // what may go wrong in the new shape, one line each; empty: nothing
};

// REQUIRES: placement.has_target()
Plan plan_of(const Placement& placement);

}  // namespace tako::model
