// The cycle that an operator asks for (repair.h): a repair is a full pass with each peer, done by the tasks that follow
// them; a dry run reads through copies of the sources, and leaves the real ones and the data as they are.
#include "node/repair/repair.h"

namespace tako::node {
namespace {

constexpr Duration kMeetMax = seconds(10);  // a peer that does not answer for so long is away
constexpr Duration kMeetPause = milliseconds(250);

}  // namespace

Status Repairer::begin_cycle(bool dry_run) {
  if (dry_run && cycle_.looking > 0) {
    return {ErrorCode::kOverloaded, "node " + parts_.id + " is still busy with a dry run; try again when it is over"};
  }
  cycle_.dry_run = dry_run;
  ++cycle_.number;
  cycle_.before = counters_.copied;
  cycle_.counted = Pass::Counters();
  cycle_.sources.clear();
  for (const auto& [id, source] : sources_) {
    auto part = source;
    if (dry_run) {
      const auto index = placement_->find(id);
      if (!index) continue;
      part = std::make_shared<Source>(loop(), placement_->nodes()[*index]);
      part->shared = source->shared;
    }
    part->owed = true;
    part->full = true;
    part->todo = part->shared;
    part->pass_at = TimePoint();
    cycle_.sources.push_back(part);
    if (dry_run) {
      ++cycle_.looking;
      loop().spawn(gate_, look_through(part, cycle_.number));
    } else {
      part->kick.notify();
    }
  }
  return ok_status();
}

Task<> Repairer::look_through(std::shared_ptr<Source> copy, std::uint64_t cycle) {
  co_await look_at(*copy, cycle);
  --cycle_.looking;
}

Task<> Repairer::look_at(Source& copy, std::uint64_t cycle) {
  const auto wanted = [this, cycle, &copy] {
    return !loop().stopping() && cycle == cycle_.number && sources_.contains(copy.id);
  };
  // This node may just have begun.
  for (const TimePoint end = loop().now() + kMeetMax; wanted() && loop().now() < end;) {
    const Source& source = *sources_.at(copy.id);
    copy.up = source.up;
    copy.incarnation = source.incarnation;
    if (copy.up) break;
    co_await loop().sleep(kMeetPause);
  }
  const bool turn = co_await passes_.acquire(TimePoint::max());
  if (!turn) co_return;
  if (wanted() && copy.up) {
    Pass::Parts parts = parts_of_pass(copy);
    parts.dry_run = true;
    parts.take_floors = nullptr;
    Pass::Counters counted;
    Pass pass(std::move(parts), copy, counted);
    const bool whole = co_await pass.run();
    if (cycle == cycle_.number) {
      cycle_.counted.keys_compared += counted.keys_compared;
      cycle_.counted.keys_differing += counted.keys_differing;
      cycle_.counted.failures += !whole;
    }
    copy.owed = !whole;
    copy.up = whole;
  }
  passes_.release();
}

wire::RepairReply Repairer::cycle_progress() const {
  wire::RepairReply reply;
  reply.cycle = cycle_.number;
  reply.dry_run = cycle_.dry_run;
  for (const auto& source : cycle_.sources) {
    const bool left = source->owed && !source->gone;
    ++reply.peers;
    reply.peers_done += !left;
    reply.peers_away += left && !source->up;
    reply.partitions += source->shared.count();
    if (left) reply.partitions_left += (source->todo & source->shared).count();
  }
  const Pass::Counters& now = cycle_.dry_run ? cycle_.counted : counters_.copied;
  const Pass::Counters before = cycle_.dry_run ? Pass::Counters() : cycle_.before;
  reply.keys_compared = now.keys_compared - before.keys_compared;
  reply.keys_differing = now.keys_differing - before.keys_differing;
  reply.keys_pulled = now.keys_pulled - before.keys_pulled;
  reply.keys_pushed = now.keys_pushed - before.keys_pushed;
  reply.bytes_pulled = now.bytes_pulled - before.bytes_pulled;
  reply.bytes_pushed = now.bytes_pushed - before.bytes_pushed;
  reply.failures = now.failures - before.failures;
  return reply;
}

}  // namespace tako::node
