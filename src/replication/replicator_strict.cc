// The Replicator's strict operations: prepare, decide, accept (CASPaxos: Rystsov, 2018), over the same registers as
// plain writes. Rules 10 to 17 of the replication protocol.
//
// Why an update is linearizable, beside blind writes, repair, hand-off and deletes.
// 1. A ballot is prepared when a majority of voters in each deployment has promised it, durably: they refuse whatever
//    is below it from then on, whoever sends it, a copy too. `newest` is the highest ballot among what they hold.
//    Anything that was chosen below has a member in that majority, so it is `newest` or older than it; what was not
//    chosen by then never will be, unless somebody writes it again under a higher ballot, which is to finish it.
// 2. What is decided on is `newest`, and the record made of it is accepted under the prepared ballot: a majority that
//    stores it has stored nothing in between. So it follows `newest` directly, and that was finished by being built on.
// 3. A decision to write nothing is a read: it is answered only when a majority holds exactly `newest`, or holds it
//    after it was accepted again under the prepared ballot, its version unchanged (15). Else the refusal would rest on
//    a write that may yet turn out never to have been.
// 4. An accept that some stored and some refused is of unknown outcome, and is never simply issued again: whoever came
//    between may have built on it. The next prepared ballot tells (13). It finds our version, or one whose base is
//    ours: ours was chosen, or is by finishing what was found. It finds something older, or something decided on what
//    is older: ours reached nobody in that majority and never will, so it is decided anew. A blind write above ours
//    tells neither; then the answer is "unknown".
//    Once ours is given up, the answer rests on what was found being accepted under the new ballot: the copies of ours
//    that are left stay below it.
//    Where nothing is found because a floor has ended it (model/record.h), and ours was at or below that floor, it may
//    have taken effect and been deleted since: "unknown" too, unless all had refused it.
// 5. What has expired counts as absent, by this proxy's clock. Another's may say otherwise, and somebody may build on
//    it. So absence is written down, as a tombstone under the prepared ballot, before it is answered (17).
//    Owners drop what has expired when a floor F ends it (ends_at <= F), and others answer "absent" by that floor while
//    we prepare. So what ends at or below our own ballot has expired for us, whatever our clock says: if we decide on
//    it as present our ballot is below ends_at, so below every such F; the fence at F refuses our accept then, and what
//    was accepted before it was there when the owners synced. Readers go by the highest ballot or promise that a
//    replica names, its fence among them.
// 6. One operation goes by one configuration from prepare to accept; told "stale", it begins anew, as under 4 (30).
// 7. A record may come into being only under a majority's promise. There is no "store it if E is stored": that E was
//    chosen is more than one replica can know.
// A majority that stores a record with a promise for the next ballot spares the next update its first round (14): the
// promise serves one update, by the proxy that has it, under the same configuration; refused anywhere it matters, the
// update goes the long way, where 4 holds for it.
//
// Updates of one key take turns within a loop, so that they do not refuse one another. Proxies that do are kept apart
// by pauses of random length, which grow.
#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "replication/commit.h"
#include "replication/replicating.h"

namespace tako::replication {

using model::Ballot;
using model::Record;
using model::Verdict;
using State = model::ReplicaReply::State;

namespace {

constexpr Duration kPauseMin = milliseconds(2);
constexpr Duration kPauseMax = milliseconds(200);
constexpr Duration kRoundMax = seconds(5);  // of prepare or accept, before it is looked at again

Error unknown_outcome() {
  return {ErrorCode::kTimeout,
          "others write this key at the same time; it is unknown whether this write took effect: read it again"};
}

// Decided on another record, not blind.
bool conditional(const Record& record) { return record.root != record.version; }

}  // namespace

// --- prepare --------------------------------------------------------------------------------------------------

void Replicator::ask_prepare(const Shared& round, std::size_t i, const std::string& key, const Ballot& ballot,
                             bool want_value, TimePoint deadline) {
  wire::Prepare prepare;
  prepare.key = key;
  prepare.ballot = ballot;
  prepare.want_value = want_value;
  wire::Request request = request_by(*round->placement);
  request.body = std::move(prepare);
  loop_.spawn(gate_, call_prepare(round, i, std::move(request), deadline));
}

Task<> Replicator::call_prepare(Shared round, std::size_t i, wire::Request request, TimePoint deadline) {
  auto answer = co_await transport_.call(round->peer(i), std::move(request), deadline);
  round->heard_promise(i, std::move(answer));
}

Task<Verdict> Replicator::wait_for_promises(Shared round, TimePoint deadline) {
  Verdict verdict = model::judge_promise(round->replies);
  while (verdict == Verdict::kWait) {
    const bool woken = co_await round->changed.wait(deadline);
    verdict = model::judge_promise(round->replies);
    if (!woken) break;
  }
  co_return verdict;
}

Task<> Replicator::back_off(Duration& pause) {
  co_await loop_.sleep(Duration(1 + loop_.random().below(static_cast<std::uint64_t>(pause.count()))));
  pause = std::min(2 * pause, kPauseMax);
}

Task<Result<Replicator::Prepared>> Replicator::prepare(std::string key, bool want_value, TimePoint deadline,
                                                       Ballot above) {
  Duration pause = kPauseMin;
  const TimePoint votes_until = std::min(deadline, loop_.now() + kVotesWithin);
  while (loop_.now() < deadline && !loop_.stopping()) {
    if (!placement_) co_return no_configuration();
    const Shared round = new_round(key);
    Prepared prepared;
    prepared.round = round;
    prepared.ballot = clock_.next(above);
    const std::size_t from = whom_to_ask(*round);
    const TimePoint until = std::min(deadline, loop_.now() + kRoundMax);
    for (std::size_t i = 0; i < round->replicas.size(); ++i) {
      ask_prepare(round, i, key, prepared.ballot, want_value && i == from, until);
    }
    const Verdict verdict = co_await wait_for_promises(round, until);
    clock_.learn(round->highest);
    above = std::max(above, round->highest);
    if (verdict == Verdict::kYes) {
      const bool found = co_await complete_value(prepared, key, want_value, deadline);
      if (found) co_return prepared;
    }
    if (round->stale) {
      const bool renewed = co_await wait_for_newer(round->placement, deadline);
      if (!renewed) co_return outdated();
      continue;
    }
    const bool refused = std::any_of(round->replies.begin(), round->replies.end(),
                                     [](const auto& reply) { return reply.state == State::kRefused; });
    if (verdict == Verdict::kNo && !refused && loop_.now() >= votes_until) {
      co_return read_failed(*round, verdict);
    }
    ++counters_.contended;
    if (verdict == Verdict::kNo && !refused) pause = kVotesPause;
    co_await back_off(pause);
  }
  ++counters_.timeouts;
  co_return Error(ErrorCode::kTimeout, "no agreement on this key before the time was up; try again");
}

// What is newest there, with its value where that has to be at hand. False: it is not to be had just now.
Task<bool> Replicator::complete_value(Prepared& prepared, std::string key, bool want_value, TimePoint deadline) {
  const Round& round = *prepared.round;
  const auto best = model::newest(round.replies);
  if (best) prepared.newest = round.records[*best];
  prepared.floor = best ? 0 : model::deciding_floor(round.replies);
  prepared.settled = model::settled(best ? round.replies[*best].ballot : Ballot(), round.replies);
  // Where it has to be written again, too.
  const bool needed = prepared.newest && lacks_value(*prepared.newest) && (want_value || !prepared.settled);
  if (!needed) co_return true;
  auto fetched = co_await fetch_value(prepared.round, std::move(key), prepared.newest->ballot, deadline);
  if (!fetched) co_return false;
  prepared.newest = std::move(*fetched);
  co_return true;
}

// --- accept ---------------------------------------------------------------------------------------------------

// Under a prepared ballot, or one promised ahead. `from`: who holds the value, if it is large and held by anybody.
Task<Replicator::Shared> Replicator::accept(Shared before, std::string key, Acceptance what, TimePoint deadline) {
  const Shared round = std::make_shared<Round>(loop_, before->placement, key);
  round->learn_from(*before);
  deadline = std::min(deadline, loop_.now() + kRoundMax);
  if (what.upload) {
    auto commit = std::make_shared<Commit>(call_context(), round, what.upload, key, what.record, deadline);
    commit->begin();
  } else {
    for (std::size_t i = 0; i < round->replicas.size(); ++i) {
      ask_write(round, i, key, what.record, deadline, what.from, what.promise);
    }
  }
  (void)co_await wait_for_write(round, model::WriteLevel::kQuorum, deadline);
  clock_.learn(round->highest);
  co_return round;
}

// The newest, or that there is nothing, under the prepared ballot.
Task<bool> Replicator::propose_again(Prepared& prepared, std::string key, TimePoint deadline) {
  Acceptance again;
  if (prepared.newest && lacks_value(*prepared.newest)) {
    auto fetched = co_await fetch_value(prepared.round, key, prepared.newest->ballot, deadline);
    if (!fetched) co_return false;
    prepared.newest = std::move(*fetched);
  }
  if (prepared.newest) {
    again.record = *prepared.newest;
    again.from = holder_of(*prepared.round, again.record);
  } else {
    again.record = model::make_tombstone(prepared.ballot);
  }
  again.record.ballot = prepared.ballot;
  const Shared round = co_await accept(prepared.round, std::move(key), std::move(again), deadline);
  co_return model::judge_write(model::WriteLevel::kQuorum, round->replies) == Verdict::kYes;
}

Task<std::optional<Ballot>> Replicator::agree(std::string key, std::optional<Record> rescued, Ballot promise,
                                                 TimePoint deadline) {
  std::optional<Ballot> none;
  if (planted(Plant::kSettlesBelow)) promise = Ballot();
  auto prepared = co_await prepare(key, false, deadline, promise);
  if (!prepared) co_return none;
  const auto& newest = prepared->newest;
  // All owners had it when they agreed on a floor above it: what came after it did so with their knowledge.
  const bool covered = rescued && !newest && rescued->ballot.timestamp <= prepared->floor;
  if (covered) co_return model::ballot_of_floor(prepared->floor);
  const bool older = rescued && (!newest || newest->version < rescued->version);
  if (rescued && !older) co_return newest->ballot;
  if (rescued) prepared->newest = std::move(rescued);
  const bool agreed = co_await propose_again(*prepared, std::move(key), deadline);
  if (!agreed) co_return none;
  co_return prepared->ballot;
}

// --- update ---------------------------------------------------------------------------------------------------

// Of one operation: what it has proposed so far. An earlier proposal that was given up may still be found to be the one
// that stands, finished by somebody else before the later one was stored anywhere that mattered.
struct Replicator::Attempts {
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
class Replicator::KeyTurn {
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

bool Replicator::expired(const Record& record, const Ballot& at) const {
  return record.expires_at != 0 && (record.expires_at <= clock_.wall() || model::ends_at(record) <= at.timestamp);
}

Record Replicator::record_of(const Mutation& mutation, const Prepared& prepared) const {
  Record record = mutation.tombstone ? model::make_tombstone(prepared.ballot)
                                  : model::make_value(prepared.ballot, mutation.value, mutation.content_type);
  record.flags = mutation.flags;
  record.expires_at = mutation.expires_at;
  record.base = prepared.newest ? prepared.newest->version : model::Version();
  record.root = prepared.newest ? prepared.newest->root : model::Version();
  return record;
}

Task<Result<UpdateAnswer>> Replicator::update(std::string key, UpdateFn decide, bool want_value, TimePoint deadline) {
  co_return co_await update_with(std::move(key), std::move(decide), nullptr, want_value, deadline);
}

Task<Result<UpdateAnswer>> Replicator::update_with(std::string key, UpdateFn decide, std::shared_ptr<Upload> upload,
                                                   bool want_value, TimePoint deadline) {
  ++counters_.updates;
  KeyTurn turn(loop_, queues_, key);
  const bool mine = co_await turn.wait(deadline);
  if (!mine) {
    ++counters_.timeouts;
    co_return Error(ErrorCode::kTimeout, "others write this key at the same time; nothing was written: try again");
  }
  Attempts attempts;
  Duration pause = kPauseMin;
  bool hurried = false;
  if (!upload) {
    auto short_way = co_await update_ahead(key, decide, want_value, attempts, deadline);
    if (short_way) co_return std::move(*short_way);
  }
  while (loop_.now() < deadline && !loop_.stopping()) {
    auto prepared = co_await prepare(key, want_value, deadline);
    if (!prepared && attempts.own.empty()) co_return prepared.error();
    if (!prepared) break;
    auto answer = co_await update_once(key, decide, upload, *prepared, attempts, deadline);
    if (answer) co_return std::move(*answer);
    ++counters_.contended;
    // Stored in part: what is found tells its fate only until others have updated the key twice more. So no time is
    // lost, once; who always hurried would only drive the others back.
    const bool hurry = !attempts.own.empty() && !std::exchange(hurried, true);
    if (!hurry) co_await back_off(pause);
  }
  if (!attempts.own.empty()) co_return unknown_outcome();
  ++counters_.timeouts;
  co_return Error(ErrorCode::kTimeout, "others write this key at the same time; nothing was written: try again");
}

// One prepared ballot's worth. None: somebody was faster, or too few answered; what to do is to be looked at again.
Task<std::optional<Result<UpdateAnswer>>> Replicator::update_once(std::string key, const UpdateFn& decide,
                                                                  std::shared_ptr<Upload> upload, Prepared& prepared,
                                                                  Attempts& attempts, TimePoint deadline) {
  const auto& newest = prepared.newest;
  if (!attempts.own.empty()) {
    const auto fate = attempts.fate(newest, prepared.floor);
    if (fate == Attempts::Fate::kUnknown) co_return unknown_outcome();
    if (fate == Attempts::Fate::kDone) {
      bool agreed = prepared.settled;
      if (!agreed) agreed = co_await propose_again(prepared, key, deadline);
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
    const Shared round = co_await accept(prepared.round, key, std::move(absence), deadline);
    if (model::judge_write(model::WriteLevel::kQuorum, round->replies) != Verdict::kYes) co_return std::nullopt;
  } else if (write_down && !planted(Plant::kDirtyRefusal)) {
    const bool agreed = co_await propose_again(prepared, key, deadline);
    if (!agreed) co_return std::nullopt;
  }
  if (!decided) co_return decided.error();
  co_return UpdateAnswer{false, now ? now->version : model::Version(), now, std::nullopt};
}

Task<std::optional<Result<UpdateAnswer>>> Replicator::store_decided(std::string key, Acceptance what, Shared before,
                                                                    std::optional<Record> now, Attempts& attempts,
                                                                    TimePoint deadline) {
  attempts.own.push_back({what.record, now, false});
  const bool ahead = attempts.often && !what.upload && !what.record.in_pieces();
  what.promise = ahead ? clock_.next(what.record.ballot) : Ballot();
  const Record record = what.record;
  const Ballot promise = what.promise;
  const Shared round = co_await accept(std::move(before), key, std::move(what), deadline);
  if (model::judge_write(model::WriteLevel::kQuorum, round->replies) != Verdict::kYes) {
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
Task<Result<WriteAnswer>> Replicator::finish(Proposal proposal) {
  Record& record = proposal.record;
  Attempts attempts;
  attempts.own.push_back({record.without_value(), std::nullopt, proposal.nowhere});
  Duration pause = kPauseMin;
  while (loop_.now() < proposal.deadline && !loop_.stopping()) {
    auto prepared = co_await prepare(proposal.key, false, proposal.deadline);
    if (!prepared) break;
    const auto& newest = prepared->newest;
    const auto fate = attempts.fate(newest, prepared->floor);
    const bool newer = fate == Attempts::Fate::kUnknown || (newest && newest->version > record.version);
    const bool lost = fate != Attempts::Fate::kDone && newer && !proposal.own_timestamp && newest;
    if (fate == Attempts::Fate::kUnknown && !lost) {
      // Else it would stand in the way of the next one too.
      if (newest && !prepared->settled) co_await propose_again(*prepared, proposal.key, proposal.deadline);
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
      const Shared round = co_await accept(prepared->round, proposal.key, std::move(what), proposal.deadline);
      agreed = model::judge_write(model::WriteLevel::kQuorum, round->replies) == Verdict::kYes &&
               model::judge_write(proposal.level, round->replies) == Verdict::kYes;
    } else if (!agreed) {
      agreed = co_await propose_again(*prepared, proposal.key, proposal.deadline);
    }
    if (agreed && lost) {
      ++counters_.writes_lost;
      co_return WriteAnswer{newest->version, false};
    }
    const Attempts::Own* done = attempts.done(newest);
    if (agreed) co_return WriteAnswer{(done ? *done : attempts.own.back()).record.version, true};
    ++counters_.contended;
    co_await back_off(pause);
  }
  co_return unknown_outcome();
}

// --- promised ahead -------------------------------------------------------------------------------------------

// Asked for where updates of a key follow one another only: a promise that nobody uses is in the way of repair. It is
// kept if a majority of voters has given it together with storing the record.
void Replicator::keep_promise(const std::string& key, const Record& record, const Ballot& promise, const Round& round) {
  std::vector<model::ReplicaReply> replies = round.replies;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (round.promises[i] != promise) replies[i].state = State::kFailed;
  }
  const bool given = !promise.none() && model::judge_write(model::WriteLevel::kQuorum, replies) == Verdict::kYes;
  Ballot next = given ? promise : Ballot();
  if (planted(Plant::kPromiseTwice) && !leased_[key].promise.none()) next = leased_[key].promise;
  if (leased_.size() >= kPromisesAheadMax) leased_.erase(leased_.begin());
  const bool large = record.size > kValueAheadMax;
  leased_[key] =
      LeasedBallot{large ? record.without_value() : record, next, round.placement, loop_.now() + kPromiseAheadMax};
}

// None: there is no promise, or it did not suffice.
Task<std::optional<Result<UpdateAnswer>>> Replicator::update_ahead(std::string key, const UpdateFn& decide,
                                                                   bool want_value, Attempts& attempts,
                                                                   TimePoint deadline) {
  const auto found = leased_.find(key);
  if (found == leased_.end()) co_return std::nullopt;
  const LeasedBallot ahead = found->second;
  if (!planted(Plant::kPromiseTwice)) leased_.erase(found);
  attempts.often = loop_.now() < ahead.until;
  if (ahead.promise.none()) co_return std::nullopt;
  if (ahead.placement != placement_ || loop_.now() >= ahead.until) co_return std::nullopt;
  if (expired(ahead.record, ahead.promise) || (want_value && lacks_value(ahead.record))) co_return std::nullopt;
  const std::optional<Record> now = ahead.record.tombstone() ? std::nullopt : std::optional<Record>(ahead.record);
  auto decided = decide(now);
  // A refusal is a read, and that it still stands is not known.
  if (!decided || !*decided) co_return std::nullopt;
  Prepared prepared;
  prepared.round = new_round(key);
  prepared.ballot = ahead.promise;
  prepared.newest = ahead.record;
  Acceptance what;
  what.record = record_of(**decided, prepared);
  ++counters_.updates_ahead;
  co_return co_await store_decided(std::move(key), std::move(what), prepared.round, now, attempts, deadline);
}

}  // namespace tako::replication
