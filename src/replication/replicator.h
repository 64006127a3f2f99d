// Replicator: carries out reads and writes over the replicas of a key: the proposer and reader of protocol.md, for
// plain operations. One per loop.
//
// Writes go to all replicas at once and are answered when as many as the level asks have stored that very ballot; the
// rest goes on in the background, and what fails is repair's. A write that every replica refused (our clock is
// behind) is issued again above all that was seen; one that some refused has lost to a newer one, and says so: it is
// never issued twice, because a conditional write may already have built on it (rule 10).
// Reads ask one replica for the value and the others for the version. Reads at `quorum` are settled: what is answered
// is held by a majority of voters in each deployment, written back under its own ballot if need be (rules 15, 16), so
// no later quorum read sees something older. Older and damaged copies seen on the way are repaired.
// A request that is told "stale" waits for the newer configuration and begins anew with it, inside its deadline.
// Values of more than a piece come and go in pieces (upload.h, download.h): write_large(), and open() for what a read
// answered without its value. Replicas that are behind are told where to fetch it, and no byte of that passes here.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/placement.h"
#include "model/verdict.h"
#include "net/byte_source.h"
#include "net/transport.h"
#include "replication/download.h"
#include "replication/piece_budget.h"
#include "replication/round.h"
#include "replication/upload.h"
#include "replication/version_clock.h"
#include "runtime/sync.h"

namespace tako::replication {

using runtime::Task;

class Commit;

struct Mutation {
  bool tombstone = false;
  Bytes value;
  std::string content_type;
  std::uint32_t flags = 0;             // memcached's
  Timestamp expires_at = 0;            // 0: never
  std::optional<Timestamp> timestamp;  // the client's own
};

struct WriteAnswer {
  model::Version winner;  // what the key is at now, as far as is known; ours if it won
  bool won = true;
};

struct ReadAnswer {
  std::optional<model::Record> record;  // the newest; a tombstone counts as absent
  std::size_t silent = 0;               // replicas that had not answered, or could not
  std::shared_ptr<const Round> round;   // who holds it
};

struct ReplicaState {
  std::string node;
  std::string state;  // current, older, absent, no_vote, unreachable
  std::optional<Timestamp> timestamp;
};

struct StatAnswer {
  std::optional<model::Record> record;
  std::vector<ReplicaState> replicas;
};

// Called with what the key holds, agreed on by a majority (none: absent, deleted or expired); with its value if it has
// up to a piece and is wanted. Says what to write, nothing (leave it as it is), or why not. May be called several
// times.
using UpdateFn = std::function<Result<std::optional<Mutation>>(const std::optional<model::Record>& now)>;

struct UpdateAnswer {
  bool written = false;
  model::Version version;               // of what was written, or of what was left as it is
  std::optional<model::Record> before;  // what it was decided on
  std::optional<model::Record> after;   // what was written: of all that was decided, the one that took effect
};

class Replicator {
 public:
  // Promises given ahead (rule 14) that a loop keeps, and how long: the version of an update that uses one is as old.
  static constexpr std::size_t kPromisesAheadMax = 1024;
  static constexpr Duration kPromiseAheadMax = seconds(1);
  static constexpr std::uint64_t kValueAheadMax = 16 << 10;  // of a value that is kept with it

  struct Counters {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t writes_lost = 0;   // to a newer version
    std::uint64_t writes_again = 0;  // refused by all, issued again
    std::uint64_t updates = 0;
    std::uint64_t updates_ahead = 0;  // in one round, by a promise given ahead
    std::uint64_t contended = 0;      // rounds that others were faster in
    std::uint64_t unavailable = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t repairs = 0;          // copies sent to replicas that were behind
    std::uint64_t completed = 0;        // writes of others that stood in the way of ours
    std::uint64_t repairs_skipped = 0;  // over the limit of repairs at once
    Counters& operator+=(const Counters& other);
  };

  // REQUIRES: all outlive it. `mark`: one for all Replicators of a process.
  Replicator(runtime::Loop& loop, net::Transport& transport, const runtime::Clock& clock,
             std::shared_ptr<VersionMark> mark);

  void adopt(std::shared_ptr<const model::Placement> placement) { placement_ = std::move(placement); }
  std::shared_ptr<const model::Placement> placement() const { return placement_; }

  // REQUIRES: the value has up to a piece
  Task<Result<WriteAnswer>> write(std::string key, Mutation mutation, model::WriteLevel level, TimePoint deadline);
  // A value of any size: of up to a piece it is write(). `step`: the time for a piece to reach enough replicas,
  // for all to be committed, and for the replicas to show that they live while they copy from one another. Where they
  // need not, the write takes as long as the source does, and little more.
  Task<Result<WriteAnswer>> write_large(std::string key, Mutation mutation, net::ByteSource& body,
                                        model::WriteLevel level, Duration step);
  // Reads and writes as one step, linearizable with all that goes on at `quorum` (replicator_strict.cc). An error of
  // `decide` is answered as it is; kTimeout: it is unknown whether it was written; any other: it was not.
  Task<Result<UpdateAnswer>> update(std::string key, UpdateFn decide, bool want_value, TimePoint deadline);
  // write_large() of what `decide` says, its value aside, when all pieces are there.
  Task<Result<UpdateAnswer>> update_large(std::string key, UpdateFn decide, net::ByteSource& body, Duration step);
  // The value is in the answer if it is wanted and has up to a piece.
  Task<Result<ReadAnswer>> read(std::string key, model::ReadLevel level, bool want_value, TimePoint deadline);
  // The value's bytes [begin, end). REQUIRES: `answer` is a read's of this key, its record in_pieces(), begin <= end <=
  // its size; the source is gone before the Replicator. `step`: for each piece.
  std::unique_ptr<net::ByteSource> open(std::string key, const ReadAnswer& answer, std::uint64_t begin,
                                        std::uint64_t end, Duration step);
  Task<Result<StatAnswer>> stat(std::string key, TimePoint deadline);
  // Re-proposes what is newest, or a tombstone where nothing is, under a fresh ballot: above `promise`, which one
  // replica has given, and above all that a majority has. Of a record that was `rescued`, it proposes that one unless
  // there is a newer version. REQUIRES: its value is at hand. The ballot that a majority holds then; none: there was no
  // majority, or no time.
  Task<std::optional<model::Ballot>> agree(std::string key, std::optional<model::Record> rescued,
                                           model::Ballot promise, TimePoint deadline);

  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  const Counters& counters() const { return counters_; }
  // Of large values: written and not yet stored everywhere, or read ahead.
  std::size_t pieces_in_memory() const;
  const VersionClock& clock() const { return clock_; }

 private:
  using Shared = std::shared_ptr<Round>;

  // A write that has its version.
  struct Proposal {
    std::string key;
    model::Record record;
    model::WriteLevel level = model::WriteLevel::kTwo;
    bool own_timestamp = true;       // not the client's: it may be issued again, above what refuses it
    std::shared_ptr<Upload> upload;  // a large one's
    bool nowhere = false;            // no replica has stored it, or ever will
    TimePoint deadline;
    TimePoint fetch_deadline;  // as long as replicas fetch
  };

  // A majority has promised the ballot.
  struct Prepared {
    Shared round;
    model::Ballot ballot;
    std::optional<model::Record> newest;  // of what they hold
    bool settled = false;                 // a majority holds exactly that, or nothing
    Timestamp floor = 0;                  // at which the key is a tombstone; 0: there is none that decides
  };
  // What is to be stored under a prepared ballot.
  struct Acceptance {
    model::Record record;
    std::string from;                // who has its value, if it is large and was stored before
    std::shared_ptr<Upload> upload;  // ... or where it was staged
    model::Ballot promise;           // asked for ahead
  };
  // A promise given ahead: for one update of a key that holds the record.
  struct LeasedBallot {
    model::Record record;
    model::Ballot promise;
    std::shared_ptr<const model::Placement> placement;
    TimePoint until;
  };
  struct Attempts;
  class KeyTurn;
  using KeyQueues = std::map<std::string, std::shared_ptr<runtime::Slots>>;

  Shared new_round(const std::string& key);
  void ask_read(const Shared& round, std::size_t i, const std::string& key, bool want_value, TimePoint deadline);
  void ask_write(const Shared& round, std::size_t i, const std::string& key, const model::Record& record,
                 TimePoint deadline, std::string value_from = {}, model::Ballot promise = {});
  Task<> call_read(Shared round, std::size_t i, wire::Request request, TimePoint deadline);
  Task<> call_write(Shared round, std::size_t i, wire::Request request, model::Ballot ballot, TimePoint deadline);
  std::size_t whom_to_ask(const Round& round);

  CallContext call_context() { return {loop_, transport_, gate_, places_}; }
  Proposal proposal_of(std::string key, Mutation mutation, model::WriteLevel level);
  Task<Result<WriteAnswer>> propose(Proposal proposal);
  std::shared_ptr<Commit> ask_all(const Shared& round, const Proposal& proposal, TimePoint deadline);
  Task<model::Verdict> wait_for_write(Shared round, model::WriteLevel level, TimePoint deadline);
  // What has not answered by then is not reachable, as far as a `latest` read goes.
  TimePoint reachable_until(TimePoint deadline) const;
  Task<model::Verdict> wait_for_read(Shared round, model::ReadLevel level, TimePoint deadline);
  Result<WriteAnswer> write_failed(const Round& round, const Proposal& proposal);
  Task<bool> complete(std::string key, TimePoint deadline);
  void complete_later(const std::string& key);
  Error read_failed(const Round& round, model::Verdict verdict);
  Task<bool> wait_for_newer(std::shared_ptr<const model::Placement> than, TimePoint deadline);

  void ask_prepare(const Shared& round, std::size_t i, const std::string& key, const model::Ballot& ballot,
                   bool want_value, TimePoint deadline);
  Task<> call_prepare(Shared round, std::size_t i, wire::Request request, TimePoint deadline);
  Task<model::Verdict> wait_for_promises(Shared round, TimePoint deadline);
  Task<> back_off(Duration& pause);
  // `above`: what is known to be in the way.
  Task<Result<Prepared>> prepare(std::string key, bool want_value, TimePoint deadline, model::Ballot above = {});
  Task<bool> complete_value(Prepared& prepared, std::string key, bool want_value, TimePoint deadline);
  Task<Shared> accept(Shared before, std::string key, Acceptance what, TimePoint deadline);
  Task<bool> propose_again(Prepared& prepared, std::string key, TimePoint deadline);
  bool expired(const model::Record& record, const model::Ballot& at) const;
  model::Record record_of(const Mutation& mutation, const Prepared& prepared) const;
  Task<Result<UpdateAnswer>> update_with(std::string key, UpdateFn decide, std::shared_ptr<Upload> upload,
                                         bool want_value, TimePoint deadline);
  Task<std::optional<Result<UpdateAnswer>>> update_once(std::string key, const UpdateFn& decide,
                                                        std::shared_ptr<Upload> upload, Prepared& prepared,
                                                        Attempts& attempts, TimePoint deadline);
  Task<std::optional<Result<UpdateAnswer>>> store_decided(std::string key, Acceptance what, Shared before,
                                                          std::optional<model::Record> now, Attempts& attempts,
                                                          TimePoint deadline);
  void keep_promise(const std::string& key, const model::Record& record, const model::Ballot& promise,
                    const Round& round);
  Task<std::optional<Result<UpdateAnswer>>> update_ahead(std::string key, const UpdateFn& decide, bool want_value,
                                                         Attempts& attempts, TimePoint deadline);
  Task<Result<WriteAnswer>> finish(Proposal proposal);
  std::shared_ptr<Upload> new_upload(const std::string& key, model::WriteLevel level, Duration step);

  Task<std::optional<Download::Found>> look_again(std::string key, TimePoint deadline);
  std::string holder_of(const Round& round, const model::Record& record);
  // True: settled. False: something newer turned up, or too few answer.
  Task<bool> settle(Shared round, std::string key, model::Record newest, TimePoint deadline);
  Task<Result<model::Record>> fetch_value(Shared round, std::string key, model::Ballot ballot, TimePoint deadline);
  void repair(const Shared& round, const std::string& key, const std::optional<model::Record>& newest);
  Task<> finish_and_repair(Shared round, std::string key, std::optional<model::Record> newest);

  runtime::Loop& loop_;
  net::Transport& transport_;
  VersionClock clock_;
  std::shared_ptr<const model::Placement> placement_;
  std::map<std::string, LeasedBallot> leased_;  // by key
  KeyQueues queues_;                            // of updates, by key
  std::size_t repairs_running_ = 0;
  runtime::Gate gate_;
  PieceBudget places_;
  Counters counters_;
};

}  // namespace tako::replication
