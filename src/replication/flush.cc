#include "replication/flush.h"

#include <utility>

#include "base/plant.h"
#include "replication/round.h"
#include "replication/rounds.h"

namespace tako::replication {
namespace {

constexpr Duration kPageDeadline = seconds(10);
constexpr Duration kKeyDeadline = seconds(10);

}  // namespace

Task<Result<std::uint64_t>> Flush::run(TimePoint deadline) {
  auto placement = replicator_.placement();
  if (!placement) co_return no_configuration();
  Status emptied = co_await empty_all(*placement, deadline);
  // A key may have gone from one that was still to be asked to one that had been asked.
  while (emptied && replicator_.placement() != placement) {
    placement = replicator_.placement();
    emptied = co_await empty_all(*placement, deadline);
  }
  co_await gate_.drained();
  if (!emptied) co_return emptied.error();
  if (failed_) co_return *failed_;
  co_return removed_;
}

// REQUIRES: the placement outlives it
Task<Status> Flush::empty_all(const model::Placement& placement, TimePoint deadline) {
  for (const auto& node : placement.nodes()) {
    const net::Peer peer{node.id, node.host, node.port};
    const Status emptied = co_await empty(node.id, peer, deadline);
    if (!emptied) co_return emptied;
    if (planted(Plant::kFlushFirstNode)) break;
  }
  co_return ok_status();
}

// REQUIRES: the peer's texts are the placement's
Task<Status> Flush::empty(std::string id, net::Peer node, TimePoint deadline) {
  wire::List list;
  list.asker = std::move(id);  // the keys that the node shares with itself are all it owns
  list.entries_max = kPageEntries;
  complete_ = false;
  while (!complete_) {
    const Status listed = co_await page(node, list, deadline);
    if (!listed) co_return listed;
  }
  co_return ok_status();
}

Task<Status> Flush::page(const net::Peer& node, wire::List& list, TimePoint deadline) {
  const wire::ConfigStamp stamp = wire::stamp_of(*replicator_.placement());
  const TimePoint until = std::min(deadline, loop_.now() + kPageDeadline);
  auto answer = co_await net::call(transport_, node, stamp, list, until);
  if (!answer) {
    co_return Error(ErrorCode::kUnavailable, "a node cannot be asked for its keys, so some may be left; flush again (" +
                                                 answer.error().message + ")");
  }
  for (auto& entry : answer->entries) {
    const bool turn = co_await free_.acquire(deadline);
    if (failed_) co_return *failed_;
    if (!turn) {
      co_return Error(ErrorCode::kTimeout,
                      std::to_string(removed_) + " keys were deleted in time, others not; flush again");
    }
    loop_.spawn(gate_, remove(std::move(entry.key), entry.ballot, std::min(deadline, loop_.now() + kKeyDeadline)));
  }
  complete_ = answer->complete;
  list.position = answer->next_position;
  list.key = std::move(answer->next_key);
  co_return ok_status();
}

Task<> Flush::remove(std::string key, model::Ballot listed, TimePoint deadline) {
  // Another node's copy was first. What has only expired is deleted too: our clock may be ahead.
  auto read = co_await replicator_.read(key, model::ReadLevel::kLatest, false, deadline);
  const bool absent = read && (!read->record || read->record->tombstone());
  // Whoever holds what was listed may not have answered just now.
  const bool newer = read && (read->record ? read->record->ballot >= listed : read->silent == 0);
  if (!absent || !(newer || planted(Plant::kFlushMayLose))) {
    Mutation mutation;
    mutation.tombstone = true;
    // Above it whatever our clock says. What it loses to then came later, or is listed by another node.
    const Timestamp above = std::max(listed.timestamp, read && read->record ? read->record->ballot.timestamp : 0);
    if (above >= replicator_.clock().wall()) mutation.timestamp = above + 1;
    if (planted(Plant::kFlushMayLose)) mutation.timestamp = replicator_.clock().wall();
    auto answer = co_await replicator_.write(std::move(key), std::move(mutation), model::WriteLevel::kTwo, deadline);
    if (answer) {
      ++removed_;
      newest_ = std::max(newest_, answer->winner);
    } else if (!failed_) {
      failed_ = answer.error();
    }
  }
  free_.release();
}

}  // namespace tako::replication
