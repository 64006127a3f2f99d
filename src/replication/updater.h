// Updater: linearizable updates of one key: prepare, decide, accept, over the same registers as plain writes. Rules 10
// to 17 of protocol.md. Part of a Replicator; on its loop.
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
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/byte_source.h"
#include "replication/proposer.h"

namespace tako::replication {

// A plain write that has its version.
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

class Updater {
 public:
  // Promises given ahead (rule 14) that a loop keeps, and how long: the version of an update that uses one is as old.
  static constexpr std::size_t kPromisesAheadMax = 1024;
  static constexpr Duration kPromiseAheadMax = seconds(1);
  static constexpr std::uint64_t kValueAheadMax = 16 << 10;  // of a value that is kept with it

  // REQUIRES: all outlive it
  Updater(Context& context, Rounds& rounds, Proposer& proposer)
      : context_(context), rounds_(rounds), proposer_(proposer) {}

  // See Replicator::update, Replicator::update_large.
  Task<Result<UpdateAnswer>> update(std::string key, UpdateFn decide, bool want_value, TimePoint deadline);
  Task<Result<UpdateAnswer>> update_large(std::string key, UpdateFn decide, net::ByteSource& body, Duration step);
  // A plain write that some may have stored and some have refused (rule 11), at quorum, or because of a promise.
  Task<Result<WriteAnswer>> finish(Proposal proposal);

  // By this proxy's clock, or by a floor that readers may go by.
  bool expired(const model::Record& record, const model::Ballot& at) const;

 private:
  using Prepared = Proposer::Prepared;
  using Acceptance = Proposer::Acceptance;
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

  model::Record record_of(const Mutation& mutation, const Prepared& prepared) const;
  Task<Result<UpdateAnswer>> update_with(std::string key, UpdateFn decide, std::shared_ptr<Upload> upload,
                                         bool want_value, TimePoint deadline);
  Task<std::optional<Result<UpdateAnswer>>> update_once(std::string key, const UpdateFn& decide,
                                                        std::shared_ptr<Upload> upload, Prepared& prepared,
                                                        Attempts& attempts, TimePoint deadline);
  Task<std::optional<Result<UpdateAnswer>>> store_decided(std::string key, Acceptance what, SharedRound before,
                                                          std::optional<model::Record> now, Attempts& attempts,
                                                          TimePoint deadline);
  void keep_promise(const std::string& key, const model::Record& record, const model::Ballot& promise,
                    const Round& round);
  Task<std::optional<Result<UpdateAnswer>>> update_ahead(std::string key, const UpdateFn& decide, bool want_value,
                                                         Attempts& attempts, TimePoint deadline);

  Context& context_;
  Rounds& rounds_;
  Proposer& proposer_;
  std::map<std::string, LeasedBallot> leased_;  // by key
  KeyQueues queues_;                            // of updates, by key
};

}  // namespace tako::replication
