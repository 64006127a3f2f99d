#include "replication/replicators.h"

#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::replication {
namespace {

// Messages between loops may overtake one another.
void adopt_newer(Replicator& replicator, std::shared_ptr<const model::Placement> placement) {
  const auto current = replicator.placement();
  if (current && current->config().counter > placement->config().counter) return;
  replicator.adopt(std::move(placement));
}

Task<Counters> counters_of(const Replicator* replicator) { co_return replicator->counters(); }

}  // namespace

Replicators::Replicators(std::vector<LoopParts> loops, const runtime::Clock& clock, std::shared_ptr<VersionMark> mark)
    : loops_(std::move(loops)) {
  ASSERT(!loops_.empty());
  for (const LoopParts& on : loops_) {
    const auto own = planted(Plant::kMarkPerLoop) ? std::make_shared<VersionMark>(0) : mark;
    replicators_.push_back(std::make_unique<Replicator>(*on.loop, *on.transport, clock, own));
  }
}

void Replicators::adopt(std::shared_ptr<const model::Placement> placement) {
  adopt_newer(*replicators_.front(), placement);
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    Replicator* replicator = replicators_[i].get();
    loops_[i].loop->post([replicator, placement] { adopt_newer(*replicator, placement); });
  }
}

Task<Counters> Replicators::counters() {
  Counters all;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    auto read = counters_of(replicators_[i].get());
    const Counters of_loop = co_await runtime::run_on(*loops_[i].loop, std::move(read));
    all += of_loop;
  }
  co_return all;
}

Task<> Replicators::stop() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    auto stop = replicators_[i]->stop();
    co_await runtime::run_on(*loops_[i].loop, std::move(stop));
  }
}

}  // namespace tako::replication
