#include "replication/round.h"

#include "base/plant.h"

namespace tako::replication {

using State = model::ReplicaReply::State;

Round::Round(runtime::Loop& loop, std::shared_ptr<const model::Placement> by, const std::string& key)
    : placement(std::move(by)),
      replicas(placement->replicas(model::partition_of(key))),
      replies(replicas.size()),
      records(replicas.size()),
      damaged(replicas.size()),
      promises(replicas.size()),
      changed(loop),
      incarnations_(replicas.size()),
      newest_(replicas.size()) {
  for (std::size_t i = 0; i < replies.size(); ++i) replies[i].deployments = replicas[i].deployments;
}

net::Peer Round::peer(std::size_t i) const {
  const auto& node = placement->nodes()[replicas[i].node];
  return net::Peer{node.id, node.host, node.port};
}

bool Round::pending() const {
  for (const auto& reply : replies) {
    if (reply.state == State::kPending) return true;
  }
  return false;
}

std::size_t Round::silent() const {
  std::size_t silent = 0;
  for (const auto& reply : replies) silent += reply.state != State::kPresent && reply.state != State::kAbsent;
  return silent;
}

bool Round::without_vote() const {
  for (const auto& reply : replies) {
    const bool answered =
        reply.state == State::kPresent || reply.state == State::kAbsent || reply.state == State::kStored;
    if (answered && !reply.votes) return true;
  }
  return false;
}

void Round::give_up() {
  for (auto& reply : replies) {
    if (reply.state != State::kPending) continue;
    reply.state = State::kFailed;
    if (problem.empty()) problem = "no answer in time";
  }
}

void Round::take_over(std::size_t i, const Round& from) {
  ASSERT(from.placement == placement && from.replies.size() == replies.size());
  replies[i] = from.replies[i];
  incarnations_[i] = from.incarnations_[i];
  if (!from.met_.empty() || !met_.empty()) {
    met_.resize(replicas.size());
    met_[i] = from.met_.empty() ? Lives() : from.met_[i];
  }
  learn_from(from);
}

void Round::learn_from(const Round& before) {
  for (std::size_t j = 0; j < newest_.size(); ++j) newest_[j] = std::max(newest_[j], before.newest_[j]);
  compare_lives();
}

bool Round::behind(std::size_t i, const model::Ballot& ballot) const {
  const auto& reply = replies[i];
  const bool gone = reply.state == State::kAbsent || reply.ends <= reply.floor;
  if (gone && ballot.timestamp <= reply.floor) return false;  // it is a tombstone there, newer than that
  return damaged[i] || reply.state == State::kAbsent || (reply.state == State::kPresent && reply.ballot < ballot);
}

void Round::failed(std::size_t i, const Error& error) {
  replies[i].state = error.code == ErrorCode::kUnsent ? State::kUnsent : State::kFailed;
  stale |= error.code == ErrorCode::kStale;
  no_space |= error.code == ErrorCode::kNoSpace;
  damaged[i] = error.code == ErrorCode::kCorrupt;
  problem = error.message;
}

void Round::note(const model::Ballot& seen) {
  if (!planted(Plant::kNoLearning)) highest = std::max(highest, seen);
}

template <class Use>
void Round::for_each_named(const std::vector<wire::Incarnation>& lives, Use use) const {
  for (const wire::Incarnation& life : lives) {
    const auto index = placement->find(life.node);
    for (std::size_t j = 0; index && j < replicas.size(); ++j) {
      if (replicas[j].node == *index) use(j, life.incarnation);
    }
  }
}

void Round::weigh(std::size_t i, const wire::Voter& voter) {
  replies[i].votes = voter.votes;
  replies[i].informed = voter.informed;
  incarnations_[i] = voter.incarnation;
  const auto named = [this](std::size_t j, std::uint64_t life) { newest_[j] = std::max(newest_[j], life); };
  for_each_named(voter.renewed, named);
  for_each_named(voter.met, named);
  if (!voter.met.empty() || !met_.empty()) {
    met_.resize(replicas.size());
    met_[i].assign(voter.met.empty() ? 0 : replicas.size(), 0);
    for_each_named(voter.met, [this, i](std::size_t j, std::uint64_t life) { met_[i][j] = life; });
  }
  compare_lives();
}

void Round::compare_lives() {
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!met_.empty()) replies[i].met.clear();
    for (std::size_t j = 0; !met_.empty() && j < met_[i].size(); ++j) {
      if (met_[i][j] != 0 && met_[i][j] == incarnations_[j]) replies[i].met.push_back(static_cast<std::uint32_t>(j));
    }
    if (incarnations_[i] == 0 || incarnations_[i] >= newest_[i] || planted(Plant::kOldIncarnationVotes)) continue;
    replies[i].outdated = true;
    replies[i].votes = replies[i].informed = false;
  }
}

void Round::take_slot(std::size_t i, model::Slot slot) {
  replies[i].floor = slot.floor;
  if (!slot.record) return;
  replies[i].ballot = slot.record->ballot;
  replies[i].version = slot.record->version;
  replies[i].ends = model::ends_at(*slot.record);
  records[i] = std::move(slot.record);
}

void Round::heard_read(std::size_t i, Result<wire::ReadReply> reply) {
  if (!reply) {
    failed(i, reply.error());
  } else {
    model::Slot& slot = reply->slot;
    note(std::max(slot.ballot(), slot.promise));
    replies[i].state = slot.record ? State::kPresent : State::kAbsent;
    take_slot(i, std::move(slot));
    weigh(i, reply->voter);
  }
  changed.notify();
}

void Round::heard_write(std::size_t i, const model::Ballot& ballot, Result<wire::WriteReply> reply) {
  if (!reply) {
    failed(i, reply.error());
  } else {
    note(std::max(reply->stored, reply->promise));
    // "I have it, or something newer" is no success: only this very ballot is (rule 9).
    const bool stored = reply->outcome == wire::WriteReply::Outcome::kStored && reply->stored == ballot;
    replies[i].state = stored ? State::kStored : State::kRefused;
    replies[i].ballot = reply->stored;
    replies[i].version = reply->version;
    promises[i] = reply->promise;
    weigh(i, reply->voter);
  }
  changed.notify();
}

void Round::heard_promise(std::size_t i, Result<wire::PromiseReply> reply) {
  if (!reply) {
    failed(i, reply.error());
  } else {
    model::Slot& slot = reply->slot;
    note(std::max(slot.ballot(), slot.promise));
    // What it holds counts among what was found in any case, its promise only if it gave one.
    if (reply->promised) {
      replies[i].state = State::kPromised;
    } else if (slot.record && !reply->voter.votes) {
      replies[i].state = State::kPresent;
    } else {
      replies[i].state = reply->voter.votes ? State::kRefused : State::kAbsent;
    }
    take_slot(i, std::move(slot));
    weigh(i, reply->voter);
  }
  changed.notify();
}

}  // namespace tako::replication
