// The verdict over replicas' replies: pure functions, for writes, reads and promises.
//
// Given what each replica of a key has said so far, what can be answered now? A level is counted in each live
// deployment by itself (protocol rules 8, 9 and 30): during a reconfiguration a key has two sets of replicas, and no
// majority of the union can stand in for a majority of each.
//
// Votes: a replica that has forgotten (node/membership/standing.h) stores and answers, but its "nothing" proves no
// absence and its "stored" makes no quorum. A vote of an older incarnation is dropped once any reply names a newer one.
//
// `two` and `all` (rules 8 and 9, D5). Whoever is answered at `two` is told that the write outlives the loss of any one
// machine. That two replicas have stored it is not enough, if the disk of one was lost since: a write takes time, and a
// disk that was lost comes back empty and catches up meanwhile. Each loss begins a new incarnation of the node. So:
//  (a) "Stored" from before a loss does not count, for any level, once a reply names the newer incarnation. Else: A
//      stores W, is wiped, and reads all of B; then B stores W: "two", and W is on B alone. With the rule: A announced
//      its new incarnation to B before it read B, so B names it beside its "stored". If B had stored W before it was
//      told, then A reads W from B.
//  (b) B may have forgotten what A told it, if B was wiped in its turn. Then A's old "stored" is not dropped, and W is
//      on B alone again. So a node takes over, before it reads anything, which incarnations its sources know, their
//      own among them (node/membership/standing.h). And "stored" without a vote, of a node that has perhaps not got so
//      far, makes up `two` only with a replica that it has *met*: that has told it itself, since it forgot, in which
//      incarnation it is, and that is the one in which the other has stored.
//      Why it is safe: let W be counted for A in its incarnation i and for B without vote in j, and let A lose W by the
//      loss that ends i. B has met A in i after j had begun. So A's loss comes after B's, and A tells B of it before it
//      reads B. That is case (a): B has stored W by then, and A reads it; or B names A's newer incarnation.
// A stricter rule would be simpler: nothing without a vote counts for `two`. It would take away what is promised
// (src/protocol.md, section 1). Of two replicas, or of three of which one is down, one that comes back empty could take
// part in no write at the default level until it has caught up, for hours, or until the third is back. With "met" it
// waits for one exchange with each replica that it is to be counted with, which takes a second. What is left of the
// cost: where it cannot reach that replica and the proxy reaches both, writes at `two` wait for its vote.
// Both were checked as models (src/protocol/checked.md), with a read that asks node by node and may leave one out:
// for N = 2 and 3 and two losses none was found, and each half left out is refuted. Not covered: four and more replicas
// of which one is late (D3), and more losses at once than anything is promised for.
// Where a deployment has one replica of the key, there is nobody to be counted with, and its "stored" is enough. In the
// target deployment (a) and the count are enough: an owner there votes for requests of its own configuration only, and
// meets nobody before it has adopted it. What keeps the write until the promotion is the active deployment, and who is
// promoted has read it there (27).
// Operations at `quorum` have the same gap, and need the same: (a), votes alone, and that whoever votes has taken the
// incarnations over. A loss while a write is under way may make it fail; then it is begun anew.
//
// Floors (rule 20): a replica that is informed and holds nothing, or nothing but what has ended by its partition's
// floor F, says thereby that all owners had agreed on all ballots up to F, and that of this key nothing is left of
// them: it is a tombstone at F. The highest such F decides: what others hold at ballots up to it is dead, and those of
// them that hold nothing, or what has ended by it, hold that same tombstone, whether they have dropped it or will. The
// floor of a replica that holds something live says nothing of the key: others may be empty because they were behind.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/record.h"
#include "model/replica.h"
#include "model/version.h"

namespace tako::model {

enum class WriteLevel : std::uint8_t { kOne, kTwo, kQuorum, kAll };
enum class ReadLevel : std::uint8_t { kOne, kLatest, kQuorum, kAll };

std::optional<WriteLevel> parse_write_level(std::string_view text);
std::optional<ReadLevel> parse_read_level(std::string_view text);

// What one replica has said.
struct ReplicaReply {
  enum class State : std::uint8_t {
    kPending,   // asked, no answer yet
    kUnsent,    // certainly not carried out: the peer was known to be away
    kFailed,    // no answer: away, late, or an error; it may have been carried out
    kStored,    // write: exactly this ballot is held
    kRefused,   // write: something newer is held or promised
    kPresent,   // read: `ballot` is what it holds
    kAbsent,    // read: it holds nothing
    kPromised,  // prepare: it promised, and `ballot` is what it holds, if anything
  };
  std::uint8_t deployments = kInActive;
  State state = State::kPending;
  bool votes = false;     // it counts for a quorum
  bool outdated = false;  // it was given before a loss: what is stored by its word is perhaps gone
  bool informed = false;  // its "nothing" is no mere ignorance: of a voter, but for target owners that have not arrived
  Ballot ballot;          // kRefused, kPresent, kPromised: what it holds

  bool holds(const Ballot& asked) const {
    return (state == State::kPresent || state == State::kStored || state == State::kPromised) && ballot == asked;
  }
  Version version;              // ... and that record's version
  Timestamp floor = 0;          // of the key's partition, as it says
  Timestamp ends = kNeverEnds;  // of what it holds (model::ends_at)
  std::vector<std::uint32_t> met;  // without vote: those of the other replies that it has met, as they were given
};

enum class Verdict : std::uint8_t {
  kWait,  // replies still to come may decide
  kYes,   // write: as many as the level asks have stored it. read: the newest is known
  kNo,    // nobody can change it any more: too few
};

// Has the write reached its level? kNo as soon as the replies still pending cannot bring it there.
Verdict judge_write(WriteLevel level, std::span<const ReplicaReply> replies);

// The write failed, but would have reached its level if all that have stored it had a vote. So the same question may be
// answered better a moment later, when they have caught up or have met the others.
bool lacks_votes_only(WriteLevel level, std::span<const ReplicaReply> replies);

// Every replica refused it, or never got it: nothing of this ballot exists, so the value may be written again under a
// newer one (rule 10).
bool nobody_has_it(std::span<const ReplicaReply> replies);

// A plain write of `version` was refused by some. The newest version, from this one up, such that as many replicas as
// `level` asks for hold it or a newer one; none: not even `version` is as safe as that. It is what the write is
// answered with. A newer version that fewer replicas hold is not named: it may be gone with the next disk. A replica
// that refused for a promise alone holds something older and does not count.
std::optional<Version> safe_version(WriteLevel level, const Version& version, std::span<const ReplicaReply> replies);

// Can the read be answered? kYes: by newest(), or by "absent" where that is empty.
Verdict judge_read(ReadLevel level, std::span<const ReplicaReply> replies);

// Has a majority of voters in each deployment given its promise (rules 11 and 12)?
Verdict judge_promise(std::span<const ReplicaReply> replies);

// At which the key is known to be a tombstone; 0: at none.
Timestamp deciding_floor(std::span<const ReplicaReply> replies);

// The reply with the highest ballot among kPresent and kPromised ones, and above the deciding floor.
std::optional<std::size_t> newest(std::span<const ReplicaReply> replies);

// A majority of voters in each deployment holds exactly `ballot` (none: holds nothing, or what the deciding floor has
// ended): chosen for ever (rule 15).
bool settled(const Ballot& ballot, std::span<const ReplicaReply> replies);

}  // namespace tako::model
