#include <doctest/doctest.h>

#include "model/verdict.h"

using tako::Timestamp;
using namespace tako::model;
using State = ReplicaReply::State;

namespace {

ReplicaReply reply(State state, bool votes = true, std::uint64_t ballot = 0, std::uint8_t deployments = kInActive) {
  ReplicaReply made;
  made.state = state;
  made.votes = votes;
  made.informed = votes;
  made.ballot = Ballot{ballot, ballot ? 1ull : 0ull};
  made.version = made.ballot;
  made.deployments = deployments;
  return made;
}

using Replies = std::vector<ReplicaReply>;

}  // namespace

TEST_CASE("a level has one name each, and no other word is one") {
  CHECK(parse_read_level("one") == ReadLevel::kOne);
  CHECK(parse_read_level("latest") == ReadLevel::kLatest);
  CHECK(parse_read_level("quorum") == ReadLevel::kQuorum);
  CHECK(parse_read_level("all") == ReadLevel::kAll);
  CHECK(parse_write_level("one") == WriteLevel::kOne);
  CHECK(parse_write_level("two") == WriteLevel::kTwo);
  CHECK(parse_write_level("quorum") == WriteLevel::kQuorum);
  CHECK(parse_write_level("all") == WriteLevel::kAll);
  for (const char* word : {"", "newest", "ONE", "all ", "1"}) {
    CAPTURE(word);
    CHECK_FALSE(parse_read_level(word).has_value());
    CHECK_FALSE(parse_write_level(word).has_value());
  }
  CHECK_FALSE(parse_read_level("two").has_value());
  CHECK_FALSE(parse_write_level("latest").has_value());
}

TEST_CASE("a write waits while the replies to come can decide, and not longer") {
  CHECK(judge_write(WriteLevel::kTwo, Replies{reply(State::kStored), reply(State::kPending), reply(State::kFailed)}) ==
        Verdict::kWait);
  CHECK(judge_write(WriteLevel::kTwo, Replies{reply(State::kStored), reply(State::kStored), reply(State::kPending)}) ==
        Verdict::kYes);
  CHECK(judge_write(WriteLevel::kTwo, Replies{reply(State::kStored), reply(State::kFailed), reply(State::kFailed)}) ==
        Verdict::kNo);
}

TEST_CASE("two is one where there is only one replica, and refused is not stored") {
  CHECK(judge_write(WriteLevel::kTwo, Replies{reply(State::kStored)}) == Verdict::kYes);
  CHECK(judge_write(WriteLevel::kOne, Replies{reply(State::kRefused, true, 9), reply(State::kRefused, true, 9)}) ==
        Verdict::kNo);
}

TEST_CASE("a quorum is counted in voters: who has forgotten stores, but does not count") {
  CHECK(judge_write(WriteLevel::kQuorum, Replies{reply(State::kStored), reply(State::kStored, false),
                                                 reply(State::kPending)}) == Verdict::kWait);
  CHECK(judge_write(WriteLevel::kQuorum, Replies{reply(State::kStored), reply(State::kStored, false),
                                                 reply(State::kFailed)}) == Verdict::kNo);
}

TEST_CASE("who has forgotten makes up two with one that it has met, as that one was when it stored") {
  for (const WriteLevel level : {WriteLevel::kTwo, WriteLevel::kAll}) {
    Replies replies = {reply(State::kStored), reply(State::kStored, false)};
    CHECK(judge_write(level, replies) == Verdict::kNo);
    replies[0].met = {1};  // that is not what is asked
    CHECK(judge_write(level, replies) == Verdict::kNo);
    replies[1].met = {0};
    CHECK(judge_write(level, replies) == Verdict::kYes);
    replies[0].votes = false;
    CHECK(judge_write(level, replies) == Verdict::kYes);
    replies[0].met.clear();
    CHECK(judge_write(level, replies) == Verdict::kNo);
  }
  Replies three = {reply(State::kStored), reply(State::kStored, false), reply(State::kPending)};
  CHECK(judge_write(WriteLevel::kTwo, three) == Verdict::kWait);
  three[2] = reply(State::kStored, false);
  three[2].met = {1};  // the two together; neither has met the voter, nor the second the third
  CHECK(judge_write(WriteLevel::kTwo, three) == Verdict::kNo);
  CHECK(judge_write(WriteLevel::kAll, three) == Verdict::kNo);
  three[2] = reply(State::kStored);
  CHECK(judge_write(WriteLevel::kTwo, three) == Verdict::kYes);
  CHECK(judge_write(WriteLevel::kAll, three) == Verdict::kYes);
}

TEST_CASE("one that has forgotten is enough where one is asked for, or is all there is") {
  CHECK(judge_write(WriteLevel::kOne, Replies{reply(State::kStored, false), reply(State::kFailed)}) == Verdict::kYes);
  for (const WriteLevel level : {WriteLevel::kTwo, WriteLevel::kAll}) {
    CHECK(judge_write(level, Replies{reply(State::kStored, false)}) == Verdict::kYes);
    const Replies leap = {reply(State::kStored), reply(State::kStored), reply(State::kStored, false, 0, kInTarget)};
    CHECK(judge_write(level, leap) == Verdict::kYes);
  }
  // Two of a deployment are not made by one of each.
  Replies move = {reply(State::kStored, false, 0, kInActive), reply(State::kStored, true, 0, kInActive),
                  reply(State::kStored, true, 0, kInTarget), reply(State::kStored, true, 0, kInTarget)};
  move[0].met = {2, 3};
  CHECK(judge_write(WriteLevel::kTwo, move) == Verdict::kNo);
  move[0].met = {1};
  CHECK(judge_write(WriteLevel::kTwo, move) == Verdict::kYes);
  move[3].votes = false;  // it has not heard of the configuration yet
  CHECK(judge_write(WriteLevel::kTwo, move) == Verdict::kYes);
  move[3].outdated = true;
  CHECK(judge_write(WriteLevel::kTwo, move) == Verdict::kNo);
}

TEST_CASE("what was stored before a loss counts for no level") {
  ReplicaReply before = reply(State::kStored, false);
  before.outdated = true;
  CHECK(judge_write(WriteLevel::kOne, Replies{before, reply(State::kFailed)}) == Verdict::kNo);
  CHECK(judge_write(WriteLevel::kTwo, Replies{before, reply(State::kStored), reply(State::kPending)}) ==
        Verdict::kWait);
  CHECK(judge_write(WriteLevel::kTwo, Replies{before, reply(State::kStored), reply(State::kFailed)}) == Verdict::kNo);
  CHECK(judge_write(WriteLevel::kTwo, Replies{before, reply(State::kStored), reply(State::kStored)}) == Verdict::kYes);
  CHECK(judge_write(WriteLevel::kAll, Replies{before, reply(State::kStored), reply(State::kStored)}) == Verdict::kNo);
  CHECK_FALSE(nobody_has_it(Replies{before, reply(State::kRefused)}));
}

TEST_CASE("a write that lost names the newest version that is as safe as it would have been") {
  const Version ours{5, 1};
  const auto safe = [&ours](const Replies& replies) { return safe_version(WriteLevel::kTwo, ours, replies); };
  const auto refused = [](Timestamp held) {
    ReplicaReply refusal = reply(State::kRefused, true, 9);
    refusal.version = {held, 1};
    return refusal;
  };
  const ReplicaReply away = reply(State::kFailed);
  CHECK(safe({refused(9), refused(9), away}) == Version{9, 1});
  CHECK(safe({refused(7), refused(9), away}) == Version{7, 1});
  CHECK(safe({refused(7), refused(9), refused(8)}) == Version{8, 1});
  CHECK(safe({refused(9), reply(State::kStored), away}) == ours);
  CHECK(safe({refused(9), refused(5), away}) == ours);  // ours, under a higher ballot
  CHECK_FALSE(safe({refused(9), away, away}));
  CHECK_FALSE(safe({refused(9), refused(4), away}));  // for a promise
  CHECK_FALSE(safe({refused(9), refused(0), refused(0)}));
  ReplicaReply before = refused(9);
  before.outdated = true;
  CHECK_FALSE(safe({refused(9), before, away}));
  ReplicaReply forgot = refused(9);
  forgot.votes = false;
  CHECK_FALSE(safe({refused(9), forgot, away}));
  forgot.met = {0};
  CHECK(safe({refused(9), forgot, away}) == Version{9, 1});
}

TEST_CASE("during a reconfiguration a level is reached in each deployment, not in their union") {
  const Replies majority_of_the_union = {
      reply(State::kStored, true, 0, kInActive), reply(State::kStored, true, 0, kInActive),
      reply(State::kStored, true, 0, kInActive), reply(State::kFailed, true, 0, kInTarget),
      reply(State::kFailed, true, 0, kInTarget)};
  CHECK(judge_write(WriteLevel::kQuorum, majority_of_the_union) == Verdict::kNo);
  CHECK(judge_write(WriteLevel::kTwo, majority_of_the_union) == Verdict::kNo);
  const std::uint8_t both = kInActive | kInTarget;
  CHECK(judge_write(WriteLevel::kTwo, Replies{reply(State::kStored, true, 0, both),
                                              reply(State::kStored, true, 0, both)}) == Verdict::kYes);
}

TEST_CASE("a write may be issued again only when nobody can have it") {
  CHECK(nobody_has_it(Replies{reply(State::kRefused), reply(State::kUnsent)}));
  CHECK_FALSE(nobody_has_it(Replies{reply(State::kRefused), reply(State::kFailed)}));
  CHECK_FALSE(nobody_has_it(Replies{reply(State::kRefused), reply(State::kStored)}));
  CHECK_FALSE(nobody_has_it(Replies{reply(State::kRefused), reply(State::kPending)}));
}

TEST_CASE("latest answers when every reachable replica has, and \"absent\" only on the word of one that remembers") {
  CHECK(judge_read(ReadLevel::kLatest, Replies{reply(State::kPresent, true, 5), reply(State::kPending)}) ==
        Verdict::kWait);
  CHECK(judge_read(ReadLevel::kLatest, Replies{reply(State::kPresent, false, 5), reply(State::kFailed)}) ==
        Verdict::kYes);
  CHECK(judge_read(ReadLevel::kLatest, Replies{reply(State::kAbsent, false), reply(State::kFailed)}) == Verdict::kNo);
  CHECK(judge_read(ReadLevel::kLatest, Replies{reply(State::kAbsent, true), reply(State::kFailed)}) == Verdict::kYes);
  // All replicas there are have answered: nothing more can be known.
  CHECK(judge_read(ReadLevel::kLatest, Replies{reply(State::kAbsent, false), reply(State::kAbsent, false)}) ==
        Verdict::kYes);
  CHECK(judge_read(ReadLevel::kLatest, Replies{reply(State::kFailed), reply(State::kFailed)}) == Verdict::kNo);
}

TEST_CASE("one takes the first answer that counts") {
  CHECK(judge_read(ReadLevel::kOne, Replies{reply(State::kAbsent, false), reply(State::kPending)}) == Verdict::kWait);
  CHECK(judge_read(ReadLevel::kOne, Replies{reply(State::kAbsent, true), reply(State::kPending)}) == Verdict::kYes);
  CHECK(judge_read(ReadLevel::kOne, Replies{reply(State::kPresent, false, 1), reply(State::kPending)}) ==
        Verdict::kYes);
}

TEST_CASE("a quorum read needs a majority of voters") {
  CHECK(judge_read(ReadLevel::kQuorum, Replies{reply(State::kPresent, true, 5), reply(State::kAbsent),
                                               reply(State::kPending)}) == Verdict::kYes);
  CHECK(judge_read(ReadLevel::kQuorum, Replies{reply(State::kPresent, true, 5), reply(State::kAbsent, false),
                                               reply(State::kPending)}) == Verdict::kWait);
  CHECK(judge_read(ReadLevel::kAll, Replies{reply(State::kPresent, true, 5), reply(State::kFailed)}) == Verdict::kNo);
}

TEST_CASE("settled means a majority of voters with exactly that ballot") {
  const Ballot five{5, 1};
  CHECK(settled(five, Replies{reply(State::kPresent, true, 5), reply(State::kPresent, true, 5),
                              reply(State::kPresent, true, 4)}));
  CHECK_FALSE(
      settled(five, Replies{reply(State::kPresent, true, 5), reply(State::kPresent, true, 6), reply(State::kPending)}));
  CHECK_FALSE(settled(
      five, Replies{reply(State::kPresent, true, 5), reply(State::kPresent, false, 5), reply(State::kPending)}));
  CHECK(newest(Replies{reply(State::kPresent, true, 5), reply(State::kPresent, true, 6), reply(State::kAbsent)}) == 1);
}

namespace {

ReplicaReply gone_at(Timestamp floor, State state = State::kAbsent) {
  ReplicaReply made = reply(state);
  made.floor = floor;
  return made;
}

ReplicaReply tombstone(std::uint64_t ballot, Timestamp floor = 0) {
  ReplicaReply made = reply(State::kPresent, true, ballot);
  made.ends = ballot;
  made.floor = floor;
  return made;
}

ReplicaReply value(std::uint64_t ballot, Timestamp floor = 0) {
  ReplicaReply made = reply(State::kPresent, true, ballot);
  made.floor = floor;
  return made;
}

}  // namespace

TEST_CASE("absence at a floor is a tombstone: newer than what is below it, and one with what it has ended") {
  const Replies dropped = {gone_at(10), tombstone(8), value(5)};
  CHECK(deciding_floor(dropped) == 10);
  CHECK_FALSE(newest(dropped).has_value());
  CHECK(settled(Ballot{}, dropped));
  const Replies stale = {gone_at(10), value(5), value(5)};
  CHECK_FALSE(newest(stale).has_value());
  CHECK_FALSE(settled(Ballot{}, stale));
  const Replies promised = {gone_at(10, State::kPromised), tombstone(8), reply(State::kFailed)};
  CHECK_FALSE(newest(promised).has_value());
  CHECK(settled(Ballot{}, promised));
  CHECK(deciding_floor(Replies{tombstone(8, 10), value(5)}) == 10);
}

TEST_CASE("a floor decides nothing where its replica holds something live, or has forgotten") {
  const Replies behind = {value(5, 10), gone_at(0), reply(State::kFailed)};
  CHECK(deciding_floor(behind) == 0);
  CHECK(newest(behind) == 0);
  CHECK_FALSE(settled(Ballot{5, 1}, behind));
  ReplicaReply forgetful = gone_at(10);
  forgetful.informed = forgetful.votes = false;
  CHECK(newest(Replies{forgetful, value(5)}) == 1);
  const Replies newer = {gone_at(10), value(11), value(11)};
  CHECK(newest(newer) == 1);
  CHECK(settled(Ballot{11, 1}, newer));
}

TEST_CASE("a failed write lacks votes only if all that have stored it would be enough") {
  const ReplicaReply voteless = reply(State::kStored, false);
  CHECK(lacks_votes_only(WriteLevel::kTwo, Replies{voteless, voteless, reply(State::kFailed)}));
  CHECK(lacks_votes_only(WriteLevel::kAll, Replies{voteless, voteless, voteless}));
  CHECK_FALSE(lacks_votes_only(WriteLevel::kAll, Replies{voteless, reply(State::kStored), reply(State::kFailed)}));
  CHECK_FALSE(lacks_votes_only(WriteLevel::kTwo, Replies{voteless, reply(State::kFailed), reply(State::kFailed)}));
  // It did not fail.
  CHECK_FALSE(lacks_votes_only(WriteLevel::kTwo, Replies{reply(State::kStored), reply(State::kStored)}));
}
