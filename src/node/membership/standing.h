// Standing: which of a node's answers are votes. The amnesia rule (protocol rules 6 and 21 to 25).
//
// Why it is needed. A quorum read is right because two majorities share a replica that remembers. A replica whose disk
// was emptied, or went back in time, does not: asked after the loss it says "nothing" about a write it helped to
// choose, and with one other that never had it makes a majority for a history that did not happen. So a node that may
// have forgotten stores and serves at once, but is no voter in a partition until it is informed there again. (Owners in
// the target alone are the one exception, see below.) To be informed:
//
//  - it announces its incarnation to each source before it reads from it (21), so that a vote it gave before the loss,
//    still under way in some proxy, is not added to one it gives after: sources name the new incarnation in their
//    replies for as long as an operation can live, and the proxy drops the older vote. A source that loses its own disk
//    forgets what it was told. So the answer to an announcement says which incarnations the source knows, and who is
//    to read from it takes these over first, durably, and names them as if it had been told itself (D5b). Let X become
//    a voter, and Y after it. X has told N - q + 1 others, and Y reads as many of N - 1. So Y reads X, or one whom X
//    has told. What the "stored" of a node is worth that has no vote yet, and so may not know, is in model/verdict.h;
//  - it reads all of the partition from N - q + 1 voters of the full replica set (22): every majority that ever chose
//    something has a member among those. Where fewer voters are left, only when all others have answered; what was
//    chosen on the lost disks alone is gone then, and that is reported;
//  - it takes the newest of each key, and the highest promise; where sources differ below what was promised, the key
//    has to be settled first (23), and its partition stays without vote here (node/repair/pass.h);
//  - then, partition by partition, it votes (24).
// A brand-new cluster is the case "all others have answered, all of them blank" (25), which costs one exchange of
// empty lists; a node alone has nobody to ask and votes at once.
//
// "Arrived" (27) is said of owners in the target, and of one {A,B} only; control/arrival.h asks them. An owner in the
// target alone has arrived in a partition when it is informed there. It becomes that by the same path, but reads more:
// a majority of A, for what quorums have decided, and all but one of A, for what was answered at `two`. Both are
// counted in voters, each read after it was fenced by this {A,B}. Where fewer vote it reads all of A. An owner in both
// has arrived when it is informed and has read as many of A, counting itself (Judge::has_read_active).
//
// Target owners vote before they have arrived (26), and have to: without them no majority of the target could be
// made, and quorum operations would stand still while the data moves. What they say is counted in the target alone,
// beside a majority of the active deployment, which has forgotten nothing. That a vote of theirs is not lost on the
// way to promotion: let X be a target owner that has arrived, in its incarnation i, when {B} is published, and W a
// write that was chosen. X has read a majority of A, so a member s of the one that chose W. If s had W then, X has it.
// If not, s took W after X had announced i to it, and said so in its reply: then an older vote of X for W was dropped,
// and one of i is on X's disk. So of the votes for W that were counted in B all are still held. (An unreadable row of
// X counts as a loss of votes here too, and raises i.) It holds for {A,B} alone: under {B} the others may decide
// without anybody who remembers. So the vote is for requests of exactly the configuration that this node goes by: one
// that slept, or was told late, is asked by those who know more, and does not vote. And "nothing" from it is no
// knowledge: a read that is content with less than a majority does not take it for an absence (wire::Voter::informed).
//
// One bit a partition: "informed". It says: of what this node acknowledged here, or read when it became a voter, it
// has forgotten nothing. It is durable only after the data it stands for (the write-ahead log keeps order).
//
// Configurations (adopt()). The bit is kept with the configuration it was last valid for, durably. Under another one:
//  - A partition that is not owned loses it: the node hears of no write there any more, and hands its copies off. The
//    hand-off waits until the loss is durable (durable_for()): were it forgotten by a crash after copies had gone, a
//    later configuration that brings the partition back would find a voter without memory. A crash before that is
//    harmless: the mark still names the older configuration, and adopt() does it all again.
//  - One that is owned in the target only loses it too: what it has read must be read after this very configuration
//    has fenced the active owners. A node that slept from one {A,B} through {A} to another has read what was there
//    before {A} went on alone. It votes in this target all the same, as above.
//  - One that is owned in the active deployment keeps it. If the node was an active owner before, it has forgotten
//    nothing that it acknowledged, and that is all that is asked of a member. If it was a target owner, {A,B} -> {B},
//    then the bit is its arrival under {A,B}, since promotion waits until all of B say that they have arrived (28).
//    For quorums a majority of them would do: those who slept are outvoted. All are asked because `two` counts in B
//    from then on (control/arrival.h). A target owner that lost its bit after it had said so, or that was promoted by
//    force, has no bit, and reads on.
//  - Aborted, {A,B} -> {A}: owners in A keep theirs, the others lose it. Down during {A,B} and back in {B}: who owned
//    the partition in A keeps it as above, a newcomer has none and informs itself from N - q + 1 owners in B.
//  - The bits of a new-born cluster are set for all partitions, before the first configuration; it clears the rest.
//  - A mark of an older release names no configuration: as if it were another one, so active members lose nothing.
//
// A disk that went back in time (a restored snapshot) looks sound from inside; its peers know better (peer_memory.h):
// a start of the disk is counted and has a nonce, writes have a number, and every announcement says how far they are.
// A node that is told so clears all bits, raises its incarnation, and only when both are durable announces that one
// and reads everybody anew, like a wiped one. Until it is told, it must not vote: after a start on a used folder its
// votes are suspended, in each partition until as many other owners have answered an announcement as it takes to make
// a majority with it (in each live deployment). No quorum could be reached without so many, so that takes away no
// answer that was possible, but that of a node that stands alone: "nothing" is no answer from it then.
// What that does not see: if not one of those peers heard of the later life of this disk (they were away while others
// voted with it, and those are away now), or if all that was lost is younger than the last announcement, a second.
//
// What is unreadable is forgotten (node/integrity/mender.h): the row's partition loses its bit at once, the incarnation
// is raised, and when that is durable the row is erased, and comes back from those that are read anew.
//
// The bits are read on all loops of the node and set on its first one (they may be cleared on all): single words, so
// atomics do. Everything else is of the first loop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "node/membership/duties.h"
#include "store/engine/engine.h"

namespace tako::node {

using runtime::Task;

class Standing {
 public:
  // What the data folder says, and whether it can be believed.
  struct Start {
    std::string boot_id;                  // of the kernel that runs now; empty: unknown
    bool sync_always = false;             // nothing acknowledged can be missing after a machine's crash
    std::uint64_t fresh_incarnation = 0;  // for a folder that has none, or is not believed
    std::uint64_t nonce = 0;              // random, of this start
  };

  // Reads it from the engine; a folder without a mark is new. Writes the mark of this start before it returns.
  Task<Status> load(store::Engine& engine, Start start);

  // A clean stop: nothing acknowledged is missing, whatever happens to the machine from here on.
  Task<Status> save_clean_stop(store::Engine& engine) { return write_mark(engine, true); }
  Task<Status> save(store::Engine& engine) { return write_mark(engine, false); }

  // Before anything else goes by the configuration. To be saved then, unless it is durable already.
  void adopt(const Duties& duties);
  bool durable_for(const wire::ConfigStamp& stamp) const { return durable_stamp_ == stamp; }
  // Of the configurations that this node ever went by, as far as its mark knows; 0: none of the history.
  std::uint64_t newest_counter() const { return stamp_ ? stamp_->counter : 0; }

  // Informed, and not suspended. What else is a vote, of an owner in the target alone: Shard::worth().
  bool votes(model::Partition partition) const { return (voting_word(partition >> 6) >> (partition & 63)) & 1; }
  // 64 partitions from 64 * i.
  std::uint64_t voting_word(std::size_t i) const {
    return informed_[i].load(std::memory_order_relaxed) & ~suspended_[i].load(std::memory_order_relaxed);
  }
  PartitionSet informed() const;
  void set_votes(model::Partition partition);
  void set_votes_everywhere();
  // Says whether it was informed. On any loop; to be saved.
  bool lose_vote(model::Partition partition);

  bool suspended(model::Partition partition) const {
    return (suspended_[partition >> 6].load(std::memory_order_relaxed) >> (partition & 63)) & 1;
  }
  // After a start on a folder that was used: until lift().
  PartitionSet suspended() const;
  bool suspends() const { return suspends_; }
  void lift(const PartitionSet& partitions);
  void lift_all();

  // Never voted since its folder was made.
  bool blank() const { return !ever_voted_; }
  // Grows whenever it becomes a voter somewhere.
  std::uint64_t gains() const { return gains_; }

  std::uint64_t incarnation() const { return incarnation_.load(std::memory_order_relaxed); }
  bool incarnation_durable() const { return durable_incarnation_ == incarnation(); }
  // Ours has to be above it. To be saved before it is announced.
  void raise_incarnation(std::uint64_t above) { incarnation_ = above + 1; }
  // The disk went back in time: nothing is known any more.
  void start_over(std::uint64_t above);

  std::uint64_t boot() const { return boot_; }
  std::uint64_t nonce() const { return nonce_; }
  std::uint64_t previous_nonce() const { return previous_nonce_; }
  // The disk's writes before this start's first.
  std::uint64_t start_sequence() const { return start_sequence_; }

 private:
  Task<Status> write_mark(store::Engine& engine, bool clean);
  std::string encode(bool clean) const;
  Status decode(const std::string& mark);
  void believe_or_not(const Start& start);

  using Words = std::array<std::atomic<std::uint64_t>, PartitionSet::kWords>;
  Words informed_{};
  Words suspended_{};
  bool suspends_ = false;
  bool ever_voted_ = false;
  std::uint64_t gains_ = 0;
  std::atomic<std::uint64_t> incarnation_{0};
  std::optional<wire::ConfigStamp> stamp_;  // for which the bits hold
  std::uint64_t durable_incarnation_ = 0;
  std::optional<wire::ConfigStamp> durable_stamp_;
  std::uint64_t boot_ = 1;  // starts of this folder, with this one
  std::uint64_t nonce_ = 0;
  std::uint64_t previous_nonce_ = 0;
  std::uint64_t start_sequence_ = 0;
  std::string boot_id_;         // of this start
  std::string marked_boot_id_;  // of the start that wrote the mark
  bool marked_clean_ = false;
};

}  // namespace tako::node
