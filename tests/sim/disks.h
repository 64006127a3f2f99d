// Disks: what all nodes store, read from their simulated disks behind their backs: the last word on convergence.
//
// What has ended by the highest floor that any of the owners has is gone, whether its row has been dropped or not yet.
// Held to: every owner of a key, in each live deployment, stores the same record, byte for byte; nobody else stores it;
// and the pieces on a disk are exactly those of the records on it; and the digests are what a recount says.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/record.h"
#include "sim/world.h"

namespace tako::sim {

// What is kept on a node's disk of its floor in a partition, and of its fence; 0: none.
Timestamp floor_on(const store::SimDisk& disk, model::Partition partition);
Timestamp fence_on(const store::SimDisk& disk);

class Disks {
 public:
  explicit Disks(World& world);

  // Empty: converged. `everywhere`: also that nobody else has a copy, and no piece is left over.
  std::string first_difference(bool everywhere) const;
  // Pieces that belong to no record: they are swept some time after the upload broke off.
  std::string first_leak() const { return leaks_.empty() ? "" : leaks_.front(); }

  // Empty: what each node that runs says of what it holds, by partition, is what is on its disk; and it says so of all
  // partitions, but for those with an unreadable row. REQUIRES: nothing is being written
  std::string first_wrong_digest() const;

  // The newest copy of each key, with its value. What an owner's floor has ended is no copy, wherever it lies.
  std::map<std::string, std::optional<model::Record>> newest() const;

 private:
  struct Copy {
    std::size_t node = 0;
    std::string row;                      // as stored, without the promise
    std::optional<model::Record> record;  // with its value; none: only a promise, or unreadable
    std::string problem;
  };
  Timestamp floor_of(model::Partition partition) const;  // the highest of its owners
  bool live(const Copy& copy, Timestamp floor) const;
  void read(std::size_t node);
  std::string wrong_digest(const NodeMachine& node, const store::Digests& digests) const;
  Copy copy_of(std::size_t node, const std::string& row_key, const std::string& row, std::size_t& pieces) const;

  World& world_;
  std::map<std::string, std::vector<Copy>> copies_;
  std::vector<std::string> leaks_;
};

}  // namespace tako::sim
