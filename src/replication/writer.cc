#include "replication/writer.h"

#include <algorithm>

#include "base/plant.h"

namespace tako::replication {

using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

// Of one round of commits: well below the time for which nodes name those that lost their memory (node/serve/shard.h).
constexpr Duration kRoundMax = seconds(20);

bool refused_by_newer(const Round& round, const model::Version& version) {
  return std::any_of(round.replies.begin(), round.replies.end(), [&version](const auto& reply) {
    return reply.state == State::kRefused && reply.version > version;
  });
}

std::string count_of(const Round& round, State state) {
  std::size_t count = 0;
  for (const auto& reply : round.replies) count += reply.state == state;
  return std::to_string(count) + " of " + std::to_string(round.replies.size());
}

// What a replica may take to fetch a value from another, where the write waits for it.
constexpr Duration kFetchPatience = seconds(60);
constexpr std::uint64_t kFetchBytesPerSecond = 4 << 20;

}  // namespace

Proposal Writer::proposal_of(std::string key, Mutation mutation, model::WriteLevel level) {
  model::Version version = mutation.timestamp ? context_.clock.given(*mutation.timestamp) : context_.clock.next();
  if (mutation.timestamp && planted(Plant::kVersionReused)) version.writer = 1;
  Proposal proposal;
  proposal.key = std::move(key);
  proposal.record = mutation.tombstone
                        ? model::make_tombstone(version)
                        : model::make_value(version, std::move(mutation.value), std::move(mutation.content_type));
  if (!mutation.tombstone) {
    proposal.record.flags = mutation.flags;
    proposal.record.expires_at = mutation.expires_at;
  }
  proposal.level = level;
  proposal.own_timestamp = !mutation.timestamp;
  return proposal;
}

Task<Result<WriteAnswer>> Writer::write(std::string key, Mutation mutation, model::WriteLevel level,
                                        TimePoint deadline) {
  Proposal proposal = proposal_of(std::move(key), std::move(mutation), level);
  proposal.deadline = deadline;
  co_return co_await propose(std::move(proposal));
}

Task<Result<WriteAnswer>> Writer::write_large(std::string key, Mutation mutation, net::ByteSource& body,
                                              model::WriteLevel level, Duration step) {
  auto taken = co_await take_body(context_, key, level, body, step);
  if (!taken) co_return taken.error();
  const std::shared_ptr<Upload> upload = taken->upload;
  if (!upload) {
    mutation.value = std::move(taken->value);
    co_return co_await write(std::move(key), std::move(mutation), level, context_.loop.now() + step);
  }
  Proposal proposal = proposal_of(std::move(key), std::move(mutation), level);
  proposal.record.size = upload->size();
  proposal.record.checksum = upload->checksum();
  proposal.record.value.reset();
  proposal.upload = upload;
  proposal.deadline = context_.loop.now() + step;
  const auto fetch_seconds = static_cast<std::int64_t>(upload->size() / kFetchBytesPerSecond);
  proposal.fetch_deadline = proposal.deadline + kFetchPatience + seconds(fetch_seconds);
  auto answer = co_await propose(std::move(proposal));
  upload->end();
  co_return answer;
}

// Null for a small value.
std::shared_ptr<Commit> Writer::ask_all(const SharedRound& round, const Proposal& proposal, TimePoint deadline) {
  if (proposal.upload) {
    auto commit = std::make_shared<Commit>(context_, round, proposal.upload, proposal.key, proposal.record, deadline);
    commit->begin();
    return commit;
  }
  for (std::size_t i = 0; i < round->replicas.size(); ++i) {
    rounds_.ask_write(round, i, proposal.key, proposal.record, deadline);
  }
  return nullptr;
}

Task<Result<WriteAnswer>> Writer::propose(Proposal proposal) {
  ++context_.counters.writes;
  model::Record& record = proposal.record;
  const TimePoint votes_until = std::min(proposal.deadline, context_.loop.now() + kVotesWithin);
  bool perhaps_stored = false;  // this very ballot, in an earlier round
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (!context_.placement) co_return no_configuration();
    const TimePoint until = proposal.upload ? std::min(std::max(proposal.deadline, proposal.fetch_deadline),
                                                       context_.loop.now() + kRoundMax)
                                            : proposal.deadline;
    const SharedRound round = rounds_.begin(proposal.key);
    const std::shared_ptr<Commit> commit = ask_all(round, proposal, until);
    const Verdict verdict = co_await rounds_.wait_for_write(round, proposal.level, until);
    context_.clock.learn(round->highest);
    if (verdict == Verdict::kYes) co_return WriteAnswer{record.version, true};
    if (round->stale) {
      const bool renewed = co_await rounds_.wait_for_newer(round->placement, proposal.deadline);
      perhaps_stored |= !model::nobody_has_it(round->replies);
      if (renewed) continue;  // the same ballot, to the newer configuration's replicas
    }
    if (commit && commit->fetching() && verdict == Verdict::kWait && context_.loop.now() < proposal.fetch_deadline) {
      perhaps_stored = true;
      --attempt;  // nothing failed
      continue;
    }
    // A moment later it has caught up, or has met the others at least.
    const bool quorum = proposal.level == model::WriteLevel::kQuorum;
    const bool votes_missing =
        !round->pending() && (quorum ? round->without_vote() : model::lacks_votes_only(proposal.level, round->replies));
    if (votes_missing && round->highest <= record.ballot && context_.loop.now() < votes_until &&
        !context_.loop.stopping()) {
      perhaps_stored = true;
      co_await context_.loop.sleep(kVotesPause);
      continue;  // the same ballot: who has stored it says so again
    }
    const bool refused = round->highest >= record.ballot && proposal.own_timestamp && !round->pending();
    const bool nowhere = !perhaps_stored && model::nobody_has_it(round->replies);
    if (refused && (nowhere || planted(Plant::kRetryAfterRefusal))) {
      ++context_.counters.writes_again;
      record.ballot = record.version = record.root = context_.clock.next(round->highest);
      continue;
    }
    const bool lost = !quorum && refused_by_newer(*round, record.version);
    const auto safe = lost ? model::safe_version(proposal.level, record.version, round->replies) : std::nullopt;
    if (safe) {
      const bool won = *safe == record.version;  // the newer one is on too few disks to be named
      context_.counters.writes_lost += !won;
      co_return WriteAnswer{*safe, won};
    }
    if (lost && !round->pending() && !round->no_space && context_.loop.now() < proposal.deadline) {
      // Something newer has won, but too few hold it yet, and a promise may keep others from taking it.
      const bool completed = co_await complete(proposal.key, proposal.deadline);
      perhaps_stored |= completed;
      if (completed) continue;  // the same ballot: who holds the newer one by now says so
    }
    const bool promised = round->highest > record.ballot && !refused_by_newer(*round, record.version);
    const bool in_part = promised || (quorum && round->highest > record.ballot);
    proposal.nowhere = nowhere;
    if (in_part && !round->no_space && context_.loop.now() < proposal.deadline)
      co_return co_await updater_.finish(std::move(proposal));
    co_return write_failed(*round, proposal);
  }
  co_return Error(ErrorCode::kTimeout,
                  "the key is written too fast by others; it is unknown which write stands: read it again");
}

Result<WriteAnswer> Writer::write_failed(const Round& round, const Proposal& proposal) {
  const model::Version& version = proposal.record.version;
  if (round.no_space) {
    return {ErrorCode::kNoSpace, "the disks of too many replicas are full (stored on " +
                                     count_of(round, State::kStored) + "); free some space and write again"};
  }
  if (refused_by_newer(round, version)) {
    complete_later(proposal.key);
    return {ErrorCode::kTimeout,
            "others write this key at the same time; it is unknown which write stands: read it again"};
  }
  if (round.pending() || context_.loop.now() >= proposal.deadline) {
    ++context_.counters.timeouts;
    return {ErrorCode::kTimeout,
            "stored on " + count_of(round, State::kStored) +
                " replicas before the time was up; it is unknown whether the write stands: write it again"};
  }
  ++context_.counters.unavailable;
  return {ErrorCode::kUnavailable, "stored on " + count_of(round, State::kStored) +
                                       " replicas, which is too few; the write may or may not stand: write it again (" +
                                       round.problem + ")"};
}

// A newer write that few hold stands in the way of every later one: some replicas refuse those, the others store them.
// Once all have it all refuse, and the next write goes above it. So it is finished for its author by a quorum read; its
// timestamp may be far ahead, and then nobody else would for as long. False: too few replicas can be reached.
Task<bool> Writer::complete(std::string key, TimePoint deadline) {
  const auto read = co_await reader_.read(std::move(key), model::ReadLevel::kQuorum, false, deadline);
  if (read) ++context_.counters.completed;
  co_return read.ok();
}

void Writer::complete_later(const std::string& key) {
  if (context_.repairs_running >= kRepairsMax) {
    ++context_.counters.repairs_skipped;
    return;
  }
  ++context_.repairs_running;
  auto finish = [](Writer* self, std::string of) -> Task<> {
    co_await self->complete(std::move(of), self->context_.loop.now() + kRepairDeadline);
    --self->context_.repairs_running;
  };
  context_.loop.spawn(context_.gate, finish(this, key));
}

}  // namespace tako::replication
