// Replicators: one Replicator for each loop of a process, and what they share: the configuration, which reaches all of
// them, and the version mark (version_clock.h). Made and told on the first loop; each Replicator is used on its own.
#pragma once

#include <memory>
#include <vector>

#include "replication/replicator.h"

namespace tako::replication {

class Replicators {
 public:
  struct LoopParts {
    runtime::Loop* loop = nullptr;
    net::Transport* transport = nullptr;  // of that loop
  };

  // `mark`: the process's, shared with every other Replicator in it. REQUIRES: all outlive it
  Replicators(std::vector<LoopParts> loops, const runtime::Clock& clock, std::shared_ptr<VersionMark> mark);

  std::size_t size() const { return loops_.size(); }
  Replicator& at(std::size_t loop) { return *replicators_[loop]; }

  // The first loop goes by it when this returns, the others soon after; none goes back to an older one.
  void adopt(std::shared_ptr<const model::Placement> placement);
  // What the first loop goes by.
  std::shared_ptr<const model::Placement> placement() const { return replicators_.front()->placement(); }

  // Of all loops together, each read on its own loop. From any of them.
  Task<Counters> counters();

  // REQUIRES: the loops are stopping
  Task<> stop();

 private:
  const std::vector<LoopParts> loops_;
  std::vector<std::unique_ptr<Replicator>> replicators_;
};

}  // namespace tako::replication
