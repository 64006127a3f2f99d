#include "replication/updater.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"

namespace tako::replication {

using model::Ballot;
using model::Record;
using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

Error unknown_outcome() {
  return {ErrorCode::kTimeout,
          "others write this key at the same time; it is unknown whether this write took effect: read it again"};
}

// Decided on another record, not blind.
bool conditional(const Record& record) { return record.root != record.version; }

}  // namespace

// Of one operation: what it has proposed so far. An earlier proposal that was given up may still be found to be the one
// that stands, finished by somebody else before the later one was stored anywhere that mattered.
struct Updater::Attempts {
  struct Own {
    Record record;                 // as proposed
    std::optional<Record> before;  // what it was decided on
    bool nowhere = false;          // all have refused it
  };
  std::vector<Own> own;
  bool often = false;      // this proxy has updated the key a moment ago
  bool of_upload = false;  // it took the pieces of an upload, which are there once

  enum class Fate : std::uint8_t { kDone, kDead, kUnknown };
  // The one that took effect, by what was found: itself, or what was decided on it.
  const Own* done(const std::optional<Record>& found) const {
    if (!found || planted(Plant::kAppliedTwice)) return nullptr;
    for (const Own& one : own) {
      if (one.record.version == found->version || one.record.version == found->base) return &one;
    }
    return nullptr;
  }
  // `floor`: by which nothing was found.
  Fate fate(const std::optional<Record>& found, Timestamp floor) const {
    if (done(found)) return Fate::kDone;
    const bool covered = !found && own.back().record.ballot.timestamp <= floor && !own.back().nowhere;
    if (covered && !planted(Plant::kAppliedTwice)) return Fate::kUnknown;
    const model::Version& last = own.back().record.version;
    if (!found || found->version < last || planted(Plant::kAppliedTwice)) return Fate::kDead;
    return conditional(*found) && found->base < last ? Fate::kDead : Fate::kUnknown;
  }
};

// One update of a key at a time. In the frame of the update. REQUIRES: the table and the key outlive it
class Updater::KeyTurn {
 public:
  KeyTurn(runtime::Loop& loop, KeyQueues& turns, const std::string& key) : queues_(turns), key_(key) {
    auto& slots = queues_[key_];
    if (!slots) slots = std::make_shared<runtime::Slots>(loop, 1);
    slots_ = slots;
  }
  ~KeyTurn() {
    if (taken_) slots_->release();
    if (slots_.use_count() == 2) queues_.erase(key_);  // nobody else has it, or waits for it
  }
  KeyTurn(const KeyTurn&) = delete;
  KeyTurn& operator=(const KeyTurn&) = delete;

  Task<bool> wait(TimePoint deadline) {
    taken_ = co_await slots_->acquire(deadline);
    co_return taken_;
  }

 private:
  KeyQueues& queues_;
  const std::string& key_;
  std::shared_ptr<runtime::Slots> slots_;
  bool taken_ = false;
};

bool Updater::expired(const Record& record, const Ballot& at) const {
  return record.expires_at != 0 &&
         (record.expires_at <= context_.clock.wall() || model::ends_at(record) <= at.timestamp);
}

Record Updater::record_of(const Mutation& mutation, const Prepared& prepared) const {
  Record record = mutation.tombstone ? model::make_tombstone(prepared.ballot)
                                     : model::make_value(prepared.ballot, mutation.value, mutation.content_type);
  record.flags = mutation.flags;
  record.expires_at = mutation.expires_at;
  record.base = prepared.newest ? prepared.newest->version : model::Version();
  record.root = prepared.newest ? prepared.newest->root : model::Version();
  return record;
}

Task<Result<UpdateAnswer>> Updater::update(std::string key, UpdateFn decide, bool want_value, TimePoint deadline) {
  co_return co_await update_with(std::move(key), std::move(decide), nullptr, want_value, deadline);
}

Task<Result<UpdateAnswer>> Updater::update_large(std::string key, UpdateFn decide, net::ByteSource& body,
                                                 Duration step) {
  auto taken = co_await take_body(context_, key, model::WriteLevel::kQuorum, body, step);
  if (!taken) co_return taken.error();
  const std::shared_ptr<Upload> upload = taken->upload;
  if (!upload) {
    auto with_value = [decide = std::move(decide), value = std::move(taken->value)](const auto& now) {
      auto decided = decide(now);
      if (decided && *decided) (*decided)->value = value;
      return decided;
    };
    co_return co_await update(std::move(key), std::move(with_value), false, context_.loop.now() + step);
  }
  auto answer = co_await update_with(std::move(key), std::move(decide), upload, false, context_.loop.now() + step);
  upload->end();
  co_return answer;
}

Task<Result<UpdateAnswer>> Updater::update_with(std::string key, UpdateFn decide, std::shared_ptr<Upload> upload,
                                                bool want_value, TimePoint deadline) {
  ++context_.counters.updates;
  KeyTurn turn(context_.loop, queues_, key);
  const bool mine = co_await turn.wait(deadline);
  if (!mine) {
    ++context_.counters.timeouts;
    co_return Error(ErrorCode::kTimeout, "others write this key at the same time; nothing was written: try again");
  }
  Attempts attempts;
  Duration pause = Proposer::kPauseMin;
  bool hurried = false;
  if (!upload) {
    auto short_way = co_await update_ahead(key, decide, want_value, attempts, deadline);
    if (short_way) co_return std::move(*short_way);
  }
  while (context_.loop.now() < deadline && !context_.loop.stopping()) {
    auto prepared = co_await proposer_.prepare(key, want_value, deadline);
    if (!prepared && attempts.own.empty()) co_return prepared.error();
    if (!prepared) break;
    auto answer = co_await update_once(key, decide, upload, *prepared, attempts, deadline);
    if (answer) co_return std::move(*answer);
    ++context_.counters.contended;
    // Stored in part: what is found tells its fate only until others have updated the key twice more. So no time is
    // lost, once; who always hurried would only drive the others back.
    const bool hurry = !attempts.own.empty() && !std::exchange(hurried, true);
    if (!hurry) co_await proposer_.back_off(pause);
  }
  if (!attempts.own.empty()) co_return unknown_outcome();
  ++context_.counters.timeouts;
  co_return Error(ErrorCode::kTimeout, "others write this key at the same time; nothing was written: try again");
}

// One prepared ballot's worth. None: somebody was faster, or too few answered; what to do is to be looked at again.
Task<std::optional<Result<UpdateAnswer>>> Updater::update_once(std::string key, const UpdateFn& decide,
                                                               std::shared_ptr<Upload> upload, Prepared& prepared,
                                                               Attempts& attempts, TimePoint deadline) {
  const auto& newest = prepared.newest;
  if (!attempts.own.empty()) {
    const auto fate = attempts.fate(newest, prepared.floor);
    if (fate == Attempts::Fate::kUnknown) co_return unknown_outcome();
    if (fate == Attempts::Fate::kDone) {
      bool agreed = prepared.settled;
      if (!agreed) agreed = co_await proposer_.propose_again(prepared, key, deadline);
      if (!agreed) co_return std::nullopt;
      const Attempts::Own& done = *attempts.done(newest);
      co_return UpdateAnswer{true, done.record.version, done.before, done.record};
    }
    if (attempts.of_upload) co_return unknown_outcome();
  }
  const bool over = newest && expired(*newest, prepared.ballot);
  const bool visible = newest && !newest->tombstone() && !over;
  const std::optional<Record> now = visible ? newest : std::nullopt;
  auto decided = decide(now);
  if (decided && *decided) {
    Acceptance what;
    what.record = record_of(**decided, prepared);
    if (upload) {
      what.record.size = upload->size();
      what.record.checksum = upload->checksum();
      what.record.value.reset();
      what.upload = upload;
      attempts.of_upload = true;
    }
    co_return co_await store_decided(key, std::move(what), prepared.round, now, attempts, deadline);
  }
  const bool write_down = !attempts.own.empty() || !prepared.settled;
  if (over && !planted(Plant::kExpiryByClock)) {
    Mutation nothing;
    nothing.tombstone = true;
    Acceptance absence;
    absence.record = record_of(nothing, prepared);
    const SharedRound round = co_await proposer_.accept(prepared.round, key, std::move(absence), deadline);
    if (!stored_by_majority(*round)) co_return std::nullopt;
  } else if (write_down && !planted(Plant::kDirtyRefusal)) {
    const bool agreed = co_await proposer_.propose_again(prepared, key, deadline);
    if (!agreed) co_return std::nullopt;
  }
  if (!decided) co_return decided.error();
  co_return UpdateAnswer{false, now ? now->version : model::Version(), now, std::nullopt};
}

Task<std::optional<Result<UpdateAnswer>>> Updater::store_decided(std::string key, Acceptance what, SharedRound before,
                                                                 std::optional<Record> now, Attempts& attempts,
                                                                 TimePoint deadline) {
  attempts.own.push_back({what.record, now, false});
  const bool ahead = attempts.often && !what.upload && !what.record.in_pieces();
  what.promise = ahead ? context_.clock.next(what.record.ballot) : Ballot();
  const Record record = what.record;
  const Ballot promise = what.promise;
  const SharedRound round = co_await proposer_.accept(std::move(before), key, std::move(what), deadline);
  if (!stored_by_majority(*round)) {
    // Refused by all: nothing of it is anywhere, and never will be.
    if (model::nobody_has_it(round->replies)) attempts.own.pop_back();
    co_return std::nullopt;
  }
  keep_promise(key, record, promise, *round);
  co_return UpdateAnswer{true, record.version, std::move(now), record};
}

// --- plain writes ---------------------------------------------------------------------------------------------

// A plain write that some may have stored and some have refused (rule 11), at quorum, or because of a promise. What is
// found newer tells nothing of it, unless that was built on it. Of a client's own timestamp the version is compared,
// and stays: where a newer one is found it is lost, also if it was nowhere before.
Task<Result<WriteAnswer>> Updater::finish(Proposal proposal) {
  Record& record = proposal.record;
  Attempts attempts;
  attempts.own.push_back({record.without_value(), std::nullopt, proposal.nowhere});
  Duration pause = Proposer::kPauseMin;
  while (context_.loop.now() < proposal.deadline && !context_.loop.stopping()) {
    auto prepared = co_await proposer_.prepare(proposal.key, false, proposal.deadline);
    if (!prepared) break;
    const auto& newest = prepared->newest;
    const auto fate = attempts.fate(newest, prepared->floor);
    const bool newer = fate == Attempts::Fate::kUnknown || (newest && newest->version > record.version);
    const bool lost = fate != Attempts::Fate::kDone && newer && !proposal.own_timestamp && newest;
    if (fate == Attempts::Fate::kUnknown && !lost) {
      // Else it would stand in the way of the next one too.
      if (newest && !prepared->settled) co_await proposer_.propose_again(*prepared, proposal.key, proposal.deadline);
      break;
    }
    const bool again = fate == Attempts::Fate::kDead && !lost;
    bool agreed = !again && prepared->settled;
    if (again) {
      Acceptance what;
      what.record = record;
      what.record.ballot = prepared->ballot;
      if (proposal.own_timestamp) what.record.version = what.record.root = prepared->ballot;
      // Of an older version than what a floor has ended: replicas where that still stands are to know that we know.
      if (!newest && prepared->floor != 0) what.record.base = model::ballot_of_floor(prepared->floor);
      what.upload = proposal.upload;
      attempts.own.push_back({what.record.without_value(), std::nullopt, false});
      const SharedRound round =
          co_await proposer_.accept(prepared->round, proposal.key, std::move(what), proposal.deadline);
      agreed = stored_by_majority(*round) && model::judge_write(proposal.level, round->replies) == Verdict::kYes;
    } else if (!agreed) {
      agreed = co_await proposer_.propose_again(*prepared, proposal.key, proposal.deadline);
    }
    if (agreed && lost) {
      ++context_.counters.writes_lost;
      co_return WriteAnswer{newest->version, false};
    }
    const Attempts::Own* done = attempts.done(newest);
    if (agreed) co_return WriteAnswer{(done ? *done : attempts.own.back()).record.version, true};
    ++context_.counters.contended;
    co_await proposer_.back_off(pause);
  }
  co_return unknown_outcome();
}

// --- promised ahead -------------------------------------------------------------------------------------------

// Asked for where updates of a key follow one another only: a promise that nobody uses is in the way of repair. It is
// kept if a majority of voters has given it together with storing the record.
void Updater::keep_promise(const std::string& key, const Record& record, const Ballot& promise, const Round& round) {
  std::vector<model::ReplicaReply> replies = round.replies;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (round.promises[i] != promise) replies[i].state = State::kFailed;
  }
  const bool given = !promise.none() && model::judge_write(model::WriteLevel::kQuorum, replies) == Verdict::kYes;
  Ballot next = given ? promise : Ballot();
  if (planted(Plant::kPromiseTwice) && !leased_[key].promise.none()) next = leased_[key].promise;
  if (leased_.size() >= kPromisesAheadMax) leased_.erase(leased_.begin());
  const bool large = record.size > kValueAheadMax;
  leased_[key] = LeasedBallot{large ? record.without_value() : record, next, round.placement,
                              context_.loop.now() + kPromiseAheadMax};
}

// None: there is no promise, or it did not suffice.
Task<std::optional<Result<UpdateAnswer>>> Updater::update_ahead(std::string key, const UpdateFn& decide,
                                                                bool want_value, Attempts& attempts,
                                                                TimePoint deadline) {
  const auto found = leased_.find(key);
  if (found == leased_.end()) co_return std::nullopt;
  const LeasedBallot ahead = found->second;
  if (!planted(Plant::kPromiseTwice)) leased_.erase(found);
  attempts.often = context_.loop.now() < ahead.until;
  if (ahead.promise.none()) co_return std::nullopt;
  if (ahead.placement != context_.placement || context_.loop.now() >= ahead.until) co_return std::nullopt;
  if (expired(ahead.record, ahead.promise) || (want_value && lacks_value(ahead.record))) co_return std::nullopt;
  const std::optional<Record> now = ahead.record.tombstone() ? std::nullopt : std::optional<Record>(ahead.record);
  auto decided = decide(now);
  // A refusal is a read, and that it still stands is not known.
  if (!decided || !*decided) co_return std::nullopt;
  Prepared prepared;
  prepared.round = rounds_.begin(key);
  prepared.ballot = ahead.promise;
  prepared.newest = ahead.record;
  Acceptance what;
  what.record = record_of(**decided, prepared);
  ++context_.counters.updates_ahead;
  co_return co_await store_decided(std::move(key), std::move(what), prepared.round, now, attempts, deadline);
}

}  // namespace tako::replication
