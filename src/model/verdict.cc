#include "model/verdict.h"

#include <algorithm>
#include <functional>

#include "base/plant.h"

namespace tako::model {
namespace {

using State = ReplicaReply::State;

constexpr std::uint8_t kInEither = kInActive | kInTarget;

bool votes(const ReplicaReply& reply) {
  if (reply.state == State::kStored && planted(Plant::kForgetfulStores)) return true;
  if (reply.state == State::kAbsent && planted(Plant::kForgetfulAbsent)) return true;
  return reply.votes;
}

bool informed(const ReplicaReply& reply) {
  return reply.informed || (reply.state == State::kAbsent && planted(Plant::kForgetfulAbsent));
}

struct Count {
  unsigned replicas = 0;
  unsigned yes = 0;
  unsigned pending = 0;
};

// Counts one deployment's replicas; `yes` decides which replies are counted.
template <class Yes>
Count count(std::uint8_t deployment, std::span<const ReplicaReply> replies, Yes yes) {
  Count counted;
  for (const ReplicaReply& reply : replies) {
    if (!(reply.deployments & deployment)) continue;
    ++counted.replicas;
    if (reply.state == State::kPending)
      ++counted.pending;
    else if (yes(reply))
      counted.yes += counted.yes == 0 && planted(Plant::kTwiceCounted) ? 2 : 1;
  }
  return counted;
}

unsigned quorum_of(unsigned replicas) {
  if (planted(Plant::kSmallQuorum)) return std::max(1u, replicas / 2);
  return replicas / 2 + 1;
}

// Which replicas are counted as one: those of a deployment, or, as no rule has it, of both.
std::uint8_t counted_together(std::uint8_t deployment, Plant mistake) {
  return planted(mistake) ? kInEither : deployment;
}

unsigned wanted(WriteLevel level, unsigned replicas) {
  switch (level) {
    case WriteLevel::kOne: return std::min(1u, replicas);
    case WriteLevel::kTwo: return std::min(2u, replicas);
    case WriteLevel::kQuorum: return quorum_of(replicas);
    case WriteLevel::kAll: return replicas;
  }
  return replicas;
}

// The verdict of the deployments together: no if one says no, yes if all say yes.
template <class Yes, class Wanted>
Verdict judge(std::span<const ReplicaReply> replies, Yes yes, Wanted how_many, Plant mistake = Plant::kUnionMajority) {
  Verdict verdict = Verdict::kYes;
  for (const std::uint8_t deployment : {kInActive, kInTarget}) {
    const Count counted = count(counted_together(deployment, mistake), replies, yes);
    if (counted.replicas == 0) continue;
    const unsigned need = how_many(counted.replicas);
    if (counted.yes >= need) continue;
    if (counted.yes + counted.pending < need) return Verdict::kNo;
    verdict = Verdict::kWait;
  }
  return verdict;
}

bool answered(const ReplicaReply& reply) { return reply.state == State::kPresent || reply.state == State::kAbsent; }

Verdict judge_latest(std::span<const ReplicaReply> replies) {
  bool known = false;
  bool all_answered = true;
  for (const ReplicaReply& reply : replies) {
    if (reply.state == State::kAbsent && planted(Plant::kLatestHasty)) return Verdict::kYes;
    if (reply.state == State::kPending) return Verdict::kWait;
    known |= reply.state == State::kPresent || (reply.state == State::kAbsent && informed(reply));
    all_answered &= answered(reply);
  }
  return known || all_answered ? Verdict::kYes : Verdict::kNo;
}

Verdict judge_one(std::span<const ReplicaReply> replies) {
  for (const ReplicaReply& reply : replies) {
    if (reply.state == State::kPresent || (reply.state == State::kAbsent && informed(reply))) return Verdict::kYes;
  }
  return judge_latest(replies);
}

}  // namespace

std::optional<WriteLevel> parse_write_level(std::string_view text) {
  if (text == "one") return WriteLevel::kOne;
  if (text == "two") return WriteLevel::kTwo;
  if (text == "quorum") return WriteLevel::kQuorum;
  if (text == "all") return WriteLevel::kAll;
  return std::nullopt;
}

std::optional<ReadLevel> parse_read_level(std::string_view text) {
  if (text == "one") return ReadLevel::kOne;
  if (text == "latest") return ReadLevel::kLatest;
  if (text == "quorum") return ReadLevel::kQuorum;
  if (text == "all") return ReadLevel::kAll;
  return std::nullopt;
}

namespace {

bool stored(const ReplicaReply& reply) {
  if (reply.state == State::kRefused) return planted(Plant::kRefusedIsAck);
  return reply.state == State::kStored && (!reply.outdated || planted(Plant::kLostAckCounts));
}

// D5b, of the first of two: what the second lost before it stored would be known to it.
bool knows(std::span<const ReplicaReply> replies, std::size_t one, std::size_t other) {
  const ReplicaReply& reply = replies[one];
  if (reply.votes || planted(Plant::kVotelessMakesTwo)) return true;
  if (reply.outdated && planted(Plant::kLostAckCounts)) return true;  // it voted when it was asked
  return std::find(reply.met.begin(), reply.met.end(), other) != reply.met.end();
}

// Are two of a deployment's that have it on two disks? Of one replica: nobody can lose it but itself.
template <class Has>
bool on_two_disks(std::uint8_t deployment, std::span<const ReplicaReply> replies, Has has) {
  unsigned replicas = 0;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!(replies[i].deployments & deployment)) continue;
    ++replicas;
    if (!has(replies[i])) continue;
    for (std::size_t j = 0; j < i; ++j) {
      const bool both = (replies[j].deployments & deployment) && has(replies[j]);
      if (both && knows(replies, i, j) && knows(replies, j, i)) return true;
    }
  }
  return replicas < 2;
}

// As many have it as the level asks; and where it asks for more than one, but for no majority, two that count together
// in the active deployment.
template <class Has>
Verdict judge_level(WriteLevel level, std::span<const ReplicaReply> replies, Has has) {
  const Plant mistake = level == WriteLevel::kTwo ? Plant::kTwoInUnion : Plant::kUnionMajority;
  Verdict verdict = judge(
      replies, has, [level](unsigned replicas) { return wanted(level, replicas); }, mistake);
  const bool plain = level == WriteLevel::kTwo || level == WriteLevel::kAll;
  const std::uint8_t together = counted_together(kInActive, mistake);
  if (!plain || verdict != Verdict::kYes || on_two_disks(together, replies, has)) return verdict;
  return count(together, replies, has).pending == 0 ? Verdict::kNo : Verdict::kWait;
}

}  // namespace

Verdict judge_write(WriteLevel level, std::span<const ReplicaReply> replies) {
  const bool strict = level == WriteLevel::kQuorum;
  return judge_level(level, replies,
                     [strict](const ReplicaReply& reply) { return stored(reply) && (votes(reply) || !strict); });
}

bool lacks_votes_only(WriteLevel level, std::span<const ReplicaReply> replies) {
  std::vector<ReplicaReply> voting(replies.begin(), replies.end());
  for (ReplicaReply& reply : voting) {
    if (reply.state != State::kStored) continue;
    reply.votes = true;
    reply.outdated = false;
  }
  return judge_write(level, replies) != Verdict::kYes && judge_write(level, voting) == Verdict::kYes;
}

bool nobody_has_it(std::span<const ReplicaReply> replies) {
  return std::all_of(replies.begin(), replies.end(), [](const ReplicaReply& reply) {
    const bool unsent =
        reply.state == State::kUnsent || (reply.state == State::kFailed && planted(Plant::kUnknownIsUnsent));
    return reply.state == State::kRefused || unsent;
  });
}

std::optional<Version> safe_version(WriteLevel level, const Version& version, std::span<const ReplicaReply> replies) {
  std::vector<Version> candidates = {version};
  for (const ReplicaReply& reply : replies) {
    if (reply.state == State::kRefused && reply.version > version) candidates.push_back(reply.version);
  }
  std::sort(candidates.begin(), candidates.end(), std::greater<>());
  if (planted(Plant::kNamesNewest)) candidates.resize(1);
  for (const Version& candidate : candidates) {
    const Version& asked = planted(Plant::kNamesNewest) ? version : candidate;
    const auto has = [&version, &asked](const ReplicaReply& reply) {
      if (stored(reply)) return version >= asked;
      if (reply.state != State::kRefused || reply.outdated) return false;
      return reply.version >= asked || planted(Plant::kPromiseSupersedes);
    };
    if (judge_level(level, replies, has) == Verdict::kYes) return candidate;
  }
  return std::nullopt;
}

Verdict judge_read(ReadLevel level, std::span<const ReplicaReply> replies) {
  switch (level) {
    case ReadLevel::kOne: return judge_one(replies);
    case ReadLevel::kLatest: return judge_latest(replies);
    case ReadLevel::kQuorum:
      return judge(
          replies, [](const ReplicaReply& reply) { return answered(reply) && votes(reply); }, quorum_of);
    case ReadLevel::kAll:
      return judge(
          replies, [](const ReplicaReply& reply) { return answered(reply); },
          [](unsigned replicas) { return replicas; });
  }
  return Verdict::kNo;
}

Verdict judge_promise(std::span<const ReplicaReply> replies) {
  return judge(
      replies, [](const ReplicaReply& reply) { return reply.state == State::kPromised && votes(reply); },
      [](unsigned replicas) {
        const unsigned quorum = quorum_of(replicas);
        return planted(Plant::kPrepareMinority) ? std::max(1u, quorum - 1) : quorum;
      });
}

namespace {

bool holds_something(const ReplicaReply& reply) {
  return reply.state == State::kPresent || (reply.state == State::kPromised && !reply.ballot.none());
}

bool holds_nothing(const ReplicaReply& reply) {
  return reply.state == State::kAbsent || (reply.state == State::kPromised && reply.ballot.none());
}

bool gone_by(Timestamp floor, const ReplicaReply& reply) {
  return floor != 0 && (holds_nothing(reply) || (holds_something(reply) && reply.ends <= floor));
}

}  // namespace

Timestamp deciding_floor(std::span<const ReplicaReply> replies) {
  Timestamp highest = 0;
  for (const ReplicaReply& reply : replies) {
    if (reply.informed && gone_by(reply.floor, reply)) highest = std::max(highest, reply.floor);
  }
  return highest;
}

std::optional<std::size_t> newest(std::span<const ReplicaReply> replies) {
  const Timestamp floor = deciding_floor(replies);
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!holds_something(replies[i]) || replies[i].ballot.timestamp <= floor) continue;
    if (!best || replies[i].ballot > replies[*best].ballot) best = i;
  }
  return best;
}

bool settled(const Ballot& ballot, std::span<const ReplicaReply> replies) {
  const Timestamp floor = deciding_floor(replies);
  return judge(
             replies,
             [&ballot, floor](const ReplicaReply& reply) {
               if (!votes(reply)) return false;
               if (ballot.none()) return holds_nothing(reply) || gone_by(floor, reply);
               return reply.holds(ballot);
             },
             quorum_of) == Verdict::kYes;
}

}  // namespace tako::model
