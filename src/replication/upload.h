// Upload: one large value on its way to the replicas of its key, piece by piece, until they have all of it and a commit
// can make it visible. The commit itself: commit.h. One per value; on its Replicator's loop, held by shared_ptr by
// those of its calls that are under way.
//
// Why a value is visible only whole, and on as many replicas as w says in each deployment.
// A piece is staged under the name of its upload, a random number, and no read, listing or repair looks there. What is
// visible is the slot, and the one thing that changes a slot is the replica's acceptor, in one batch, on a Write: for a
// large record it takes one only if every piece is staged here under the upload's name and their sizes and checksums
// add up to the record's. So each replica has either all of it or none. The first commit leaves when as many replicas
// as the level asks, in each deployment of the configuration at hand, have said of every piece that they stored it; and
// success is counted as for a small write: so many have stored this very ballot (rules 8 and 9). Staging is no vote, no
// promise and not ordered: the version is drawn after the last piece, so the order of writes is that of completion.
//
// A replica without the pieces (it was given up, or the configuration names it since the upload began) is told to fetch
// them from one that has stored the record; it counts when its own acceptor has stored it. That may take longer than
// votes keep (a fetch of gigabytes against node/serve/shard.h's kOperationLifetimeMax), so the commit goes in rounds of
// limited length, each a question to all replicas anew under the same ballot, and only the answers of one round are
// counted together (rule 8): a replica that stored in an earlier round says so again, from memory.
//
// When the proxy dies
//   before the commit:        the pieces lie staged; the sweep of the replicas frees them. No slot was touched.
//   between two commits:      as with a small write: some replicas have stored it, whole; a quorum read or repair
//                             finishes it, node to node, or a newer write covers it. The others' pieces are swept.
//   after:                    nothing is left to do but what repair does.
// When the configuration changes in the middle: pieces go on to where they went, staging is outside configurations. The
// commit goes by the configuration of its moment, and is begun anew under the same ballot when a replica says "stale"
// (rule 30). Its replicas that are not among the upload's fetch: from one that is and has stored it, else from any node
// where all pieces are staged, though it owns the key no more.
// When commits are refused: under a new ballot only if nobody has or may have stored the old one (rule 10), else it has
// lost or its outcome is unknown (the same code as for small values). The pieces stay staged meanwhile, under the name
// of the upload and not of a ballot, so no byte is sent twice. A record is under one ballot per replica at most, since
// the batch that stores it takes the staged pieces with it: a second commit of the same ballot finds it stored, one of
// another ballot finds nothing.
// When a replica loses its staged pieces (a restart; the sweep, after long silence): its acceptor says kNotFound, which
// is certain: it did not store. It fetches then, like one that was given up.
// After any end, replicas that did not store are told to discard, once no call of ours to them is under way that could
// bring a piece after that; where this is lost, the sweep does it.
//
// Back-pressure: a replica has kWindow pieces under way, and the source is read only while each is less than kLagMax
// pieces behind. One that fails, or has let the others wait for longer than kHoldMax and a tenth of the upload's time,
// is given up if the others are enough for the level; else it is waited for, and its calls are repeated, for `step`.
// At the end nobody waits for the ones that are not needed: they get their last pieces while the others commit.
// Memory: kLagMax + 1 pieces, fewer when those of all uploads of this loop are many (PieceBudget).
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/checksum.h"
#include "model/placement.h"
#include "model/verdict.h"
#include "net/byte_source.h"
#include "replication/context.h"

namespace tako::replication {

class Upload : public std::enable_shared_from_this<Upload> {
 public:
  static constexpr std::size_t kWindow = 4;
  static constexpr std::uint32_t kLagMax = 8;
  static constexpr Duration kHoldMax = seconds(2);

  struct Plan {
    std::string key;
    std::shared_ptr<const model::Placement> placement;
    model::WriteLevel level = model::WriteLevel::kTwo;
    Duration step{};  // a piece, from the source being read to enough replicas having stored it
  };

  Upload(Context& context, Plan plan);

  // Brings the first two pieces, then the rest of the source, to as many replicas as the level asks. An error: it
  // cannot become visible any more. REQUIRES: `first` has kPieceBytes, `second` is not empty; once
  Task<Status> bring(Bytes first, Bytes second, net::ByteSource& rest);

  const model::UploadId& id() const { return id_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t checksum() const { return checksum_.value(); }
  enum class At : std::uint8_t { kMissing, kOnTheWay, kStaged };
  // What the node has of it. REQUIRES: bring() has returned
  At at(std::string_view node) const;

  // Nodes that have all of it, not stored yet as far as is known.
  std::vector<std::string> staged_at() const;

  // A commit is under way to the node, and what became of it.
  void commit_begins(std::string_view node);
  void commit_ends(std::string_view node, bool stored);
  // No commit begins any more. Where none was stored and none is under way, what is staged is freed.
  void end();
  // The node has lost what was staged there.
  void lost_at(std::string_view node);

  std::size_t given_up() const;

 private:
  // Shared by the lanes; its place in memory is free again when the last has stored it.
  struct Piece;
  // The way to one replica.
  struct Lane {
    net::Peer peer;  // views into the placement
    bool live = true;
    bool committed = false;
    bool discarded = false;
    std::uint32_t sent = 0;
    std::uint32_t stored = 0;
    std::uint32_t under_way = 0;
    std::uint32_t commits = 0;  // under way
  };

  Task<Status> add(Bytes bytes);
  std::uint32_t lag_allowed() const;
  // Until no live replica is further behind.
  Task<Status> wait_for_room(std::uint32_t behind_max);
  Task<Status> wait_for_enough();
  void push();
  Task<> send(std::shared_ptr<Upload> self, std::size_t i, std::uint32_t index, std::shared_ptr<const Piece> piece);
  Task<> free_at(std::shared_ptr<Upload> self, net::Peer peer);
  Lane* lane_of(std::string_view node);
  void drop(Lane& lane);
  void discard(Lane& lane);

  template <class Counts>
  bool enough(Counts counts) const;
  bool enough_without(const Lane& lane) const;
  std::uint32_t behind(const Lane& lane) const;
  Error failure() const;

  Context& context_;
  const Plan plan_;
  const model::UploadId id_;
  const model::ReplicaSet replicas_;
  std::vector<Lane> lanes_;
  std::deque<std::shared_ptr<const Piece>> window_;  // not yet sent to all: [first_, count_)
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint64_t size_ = 0;
  model::ValueChecksum checksum_;
  const TimePoint began_;
  Duration held_{};
  bool ended_ = false;
  Error last_error_;
  runtime::Signal changed_;
};

// A body of any size: its value if that has up to a piece, else the upload that has brought it to the replicas.
struct TakenBody {
  Bytes value;
  std::shared_ptr<Upload> upload;
};
// Reads the body to its end. `step`: see Upload::Plan. REQUIRES: whoever takes the upload calls its end()
Task<Result<TakenBody>> take_body(Context& context, std::string key, model::WriteLevel level, net::ByteSource& body,
                                  Duration step);

}  // namespace tako::replication
