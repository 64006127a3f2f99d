// Witness: sees every copy that a node erases, and holds it to the rule of hand-off (protocol rule 19): the node does
// not own it, and every owner, in each deployment that the node goes by, holds this ballot or a newer one,
// or is informed and has it dead by its floor.
//
// And every copy that a node drops because it has ended, and holds it to the rule of collection (20): it ends by the
// node's floor, no promise above that goes with it, and, while there was one configuration only and no disk has lost
// anything, every owner is fenced at the floor and holds nothing that is live below it.
// One that owns the partition no more drops by the floor that it has from before: what all owners had agreed on.
// Nodes whose disk was damaged erase what they cannot read, by another rule (node/integrity/mender.h).
// And it sees every configuration when it is first gone by, and holds its active owners to what writers had been told
// by then: those who are left are needed no more. It looks at the disks of the owners behind their backs, at the moment
// of the erasure. Owners that lost something lately, or go by another configuration meanwhile, may have had it when
// they were asked. A node that has just taken a new configuration is held to that or to the one before: the erasure had
// begun.
#pragma once

#include <string>

#include "sim/damage.h"
#include "sim/history.h"
#include "store/slot_codec.h"

namespace tako::sim {

class Witness {
 public:
  // REQUIRES: both outlive it, and no disk erases anything after it is gone
  Witness(World& world, const Damage& damage, const History& history);

 private:
  void begins(const model::Placement& placement);
  void erased(const NodeMachine& by, const std::string& row_key, const std::string& row);
  void collected(const NodeMachine& by, const std::string& key, const model::Slot& slot, const std::string& row_key);
  bool handed_off_before(const NodeMachine& by, const std::string& row_key, const store::StoredSlot& stored) const;
  bool owns(const NodeMachine& node, const std::string& key) const;
  // Empty: by this placement it is right.
  std::string why_wrong(const NodeMachine& by, const model::Placement& placement, const std::string& row_key,
                        const std::string& key, const model::Ballot& ballot) const;
  enum class Covers : std::uint8_t { kNot, kByFloor, kYes };
  Covers covers(const NodeMachine& owner, const std::string& row_key, const model::Ballot& ballot) const;
  static bool informed(const NodeMachine& owner, model::Partition partition);

  World& world_;
  const Damage& damage_;
  const History& history_;
  std::uint64_t configurations_ = 0;  // seen
};

}  // namespace tako::sim
