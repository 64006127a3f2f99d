// Damage: which copies of answered writes are gone, so that a fault never takes the last one that is
// promised to be left (src/protocol.md, section 1).
//
// A write that was answered with w >= two outlives the loss of any one machine. So one node at a time may lose stored
// state (its disk, its unsynced writes, a row of it), and the next one only when every node has compared itself to the
// end with each of its peers since: then all of them hold all that was answered before. Digests see no flipped bit:
// where there was one, the node has to have read everything since, and found it sound.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.h"

namespace tako::sim {

class Damage {
 public:
  explicit Damage(World& world) : world_(world) {}

  // May this node lose something now?
  bool allowed(const NodeMachine& node);
  void happened(const NodeMachine& node);
  void bit_flipped(const NodeMachine& node);
  // It may lack what it had a short while ago.
  bool recently(const std::string& node) const;
  bool ever() const { return !last_.empty(); }
  bool any_flipped() const { return any_flipped_; }
  bool ever(const std::string& node) const { return last_.contains(node); }

  // Does every owner vote in all it owns, by the configuration in force?
  bool all_vote();

 private:
  bool over();
  bool found_sound(const NodeMachine& node) const;
  void renew();
  bool every_key_has_two();
  const std::vector<model::Partition>& owned(const std::string& node);

  World& world_;
  std::string damaged_;  // empty: nobody
  TimePoint since_;
  bool flipped_ = false;      // a bit of it
  bool any_flipped_ = false;  // of any node, ever
  std::map<std::string, TimePoint> last_;              // of each node
  std::shared_ptr<const model::Placement> placement_;  // for which the following hold
  std::map<std::string, std::vector<model::Partition>> owned_;
  bool two_ = false;  // replicas of every key, at least, in each live deployment
};

}  // namespace tako::sim
