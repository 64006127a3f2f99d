#include "node/integrity/mender.h"

#include <algorithm>

#include "base/log.h"
#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr Duration kCallDeadline = seconds(30);
constexpr Duration kRetryInterval = seconds(5);
constexpr Duration kBetweenBatches = seconds(1);

}  // namespace

Mender::Mender(Parts parts) : parts_(std::move(parts)), kick_(loop()), gate_(loop()) {}

void Mender::adopt(std::shared_ptr<const model::Placement> placement) {
  placement_ = std::move(placement);
  if (!std::exchange(running_, true)) loop().spawn(gate_, run());
}

Shard& Mender::shard_of(const std::string& key) const {
  return parts_.shards->of(key);
}

Mender::Others Mender::others(const model::Placement& placement, model::Partition partition) const {
  Others others;
  for (const auto& replica : placement.replicas(partition)) {
    const auto& node = placement.nodes()[replica.node];
    if (node.id == parts_.id) continue;
    others.owners.push_back(net::Peer{node.id, node.host, node.port});
    others.active |= (replica.deployments & model::kInActive) != 0 || planted(Plant::kTargetKnows);
  }
  return others;
}

void Mender::unreadable(std::string key, bool voted) {
  lost_.set(model::partition_of(key));
  lost_votes_ |= voted;
  const bool known = std::find(unreadable_.begin(), unreadable_.end(), key) != unreadable_.end();
  if (!known && unreadable_.size() < kKeysMax) unreadable_.push_back(std::move(key));
  kick_.notify();
}

void Mender::damaged(std::string key, model::Ballot ballot) {
  const auto known = damaged_.find(key);
  if (known != damaged_.end()) {
    known->second.ballot = ballot;
  } else if (damaged_.size() < kKeysMax) {
    damaged_[std::move(key)] = Damaged{ballot, 0, loop().now()};
    ++counters_.values_damaged;
    kick_.notify();
  }
}

Task<> Mender::run() {
  while (!loop().stopping()) {
    if (!unreadable_.empty()) {
      co_await forget_unreadable();
      co_await loop().sleep(kBetweenBatches);
    }
    if (!loop().stopping()) co_await mend_due();
    if (loop().stopping()) break;
    const bool more = !unreadable_.empty() || !damaged_.empty();
    const TimePoint next = more ? loop().now() + kRetryInterval : TimePoint::max();
    co_await kick_.wait(next);
  }
}

// --- unreadable rows --------------------------------------------------------------------------------------------

Task<> Mender::forget_unreadable() {
  Standing& standing = *parts_.standing;
  std::deque<std::string> keys;
  keys.swap(unreadable_);
  PartitionSet lost;
  std::swap(lost, lost_);
  bool voted = std::exchange(lost_votes_, false);
  lost.for_each([&](model::Partition partition) {
    const bool votes = standing.lose_vote(partition);  // it may have become a voter since
    voted |= votes;
  });
  if (voted) {
    standing.raise_incarnation(standing.incarnation());
    parts_.repairer->read_again(PartitionSet::all());
  } else {
    parts_.repairer->read_again(lost);
  }
  const Status saved = co_await standing.save(parts_.shards->engine());
  if (!saved) {
    log::warn("standing_not_saved", {{"node", parts_.id}, {"reason", saved.error().message}});
    for (std::string& key : keys) unreadable_.push_back(std::move(key));
    lost_ |= lost;
    co_return;
  }
  std::uint64_t forgotten = 0;
  for (std::string& key : keys) {
    if (others(*placement_, model::partition_of(key)).owners.empty()) continue;
    Shard& shard = shard_of(key);
    auto erase = shard.erase_unreadable(std::move(key));
    const auto erased = co_await runtime::run_on(shard.loop(), std::move(erase));
    forgotten += erased.ok() && *erased;
  }
  counters_.rows_forgotten += forgotten;
  if (forgotten > 0) {
    log::warn("rows_forgotten", {{"node", parts_.id},
                                 {"rows", forgotten},
                                 {"reason", "they were unreadable; they are read from the other replicas again"}});
  }
  co_await parts_.repairer->reconsider_votes(lost);
}

// --- damaged values ---------------------------------------------------------------------------------------------

Task<> Mender::mend_due() {
  std::vector<std::string> due;
  for (const auto& [key, damaged] : damaged_) {
    if (damaged.next <= loop().now()) due.push_back(key);
  }
  for (const std::string& key : due) {
    if (loop().stopping()) co_return;
    const model::Ballot ballot = damaged_[key].ballot;
    const Outcome outcome = co_await mend(key, ballot);
    Damaged& damaged = damaged_[key];
    if (outcome == Outcome::kMended) {
      ++counters_.values_mended;
    } else if (outcome == Outcome::kNobodyHasIt) {
      ++counters_.values_lost;
      log::warn("value_lost",
                {{"node", parts_.id},
                 {"key", key},
                 {"ballot", model::to_string(ballot)},
                 {"reason", "damaged here, and no other replica has it: what they have takes its place"}});
      unreadable(key, true);
    } else if (++damaged.attempts >= kAttemptsMax) {
      ++counters_.values_given_up;
      log::warn("value_not_mended",
                {{"node", parts_.id},
                 {"key", key},
                 {"ballot", model::to_string(ballot)},
                 {"reason", "damaged here, and no replica that answers has it whole"},
                 {"action", "it is tried again when it is next read; if it is lost, write it anew or delete it"}});
    } else {
      damaged.next = loop().now() + kRetryInterval * damaged.attempts;
      continue;
    }
    damaged_.erase(key);
  }
}

// The shard has to know of the damage itself: it takes a copy of the same ballot then.
Task<Mender::Outcome> Mender::mend(std::string key, model::Ballot ballot) {
  Shard& shard = shard_of(key);
  auto verifying = shard.store().verify(key, ballot);
  const Status sound = co_await runtime::run_on(shard.loop(), std::move(verifying));
  const bool over = sound || sound.code() == ErrorCode::kNotFound;  // perhaps replaced meanwhile
  if (over) co_return Outcome::kMended;
  const auto placement = placement_;  // the peers' names stand in it
  const Others others = this->others(*placement, model::partition_of(key));
  bool nobody = others.active && placement->find(parts_.id).has_value();
  for (const net::Peer& from : others.owners) {
    const Outcome outcome = co_await fetch(key, ballot, from);
    if (outcome == Outcome::kMended) co_return outcome;
    nobody &= outcome == Outcome::kNobodyHasIt;
  }
  co_return nobody ? Outcome::kNobodyHasIt : Outcome::kLater;
}

Task<Mender::Outcome> Mender::fetch(std::string key, model::Ballot ballot, net::Peer from) {
  if (buggify(loop().random(), "mender/fetch")) co_return Outcome::kLater;
  wire::Read read;
  read.key = key;
  const wire::ConfigStamp stamp = wire::stamp_of(*placement_);
  auto held = co_await net::call(*parts_.transport, from, stamp, std::move(read), loop().now() + kCallDeadline);
  if (!held) co_return Outcome::kLater;
  if (held->slot.ballot() < ballot) co_return Outcome::kNobodyHasIt;
  model::Record record = std::move(*held->slot.record);
  Result<store::Accepted> accepted;
  if (left_out(record)) {
    Fetcher::From source(std::string(from.id));
    accepted =
        co_await parts_.fetcher->fetch(std::move(key), std::move(record), std::move(source), TimePoint::max());
  } else {
    Shard& shard = shard_of(key);
    auto accept = shard.accept_copy(std::move(key), std::move(record));
    accepted = co_await runtime::run_on(shard.loop(), std::move(accept));
  }
  co_return accepted.ok() && accepted->stored ? Outcome::kMended : Outcome::kLater;
}

}  // namespace tako::node
