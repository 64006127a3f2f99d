// Replicator: carries out reads and writes over the replicas of a key: the proposer and reader of protocol.md. One per
// loop; used on that loop.
//
// Its parts, each of which uses only those before it: Rounds asks replicas and waits, Proposer prepares and accepts,
// Updater makes linearizable updates of these two, Repairs writes back what a read found, Reader and Writer serve plain
// reads and writes. What they share is the Context.
//
// A request that is told "stale" waits for the newer configuration and begins anew with it, inside its deadline.
// Values of more than a piece come and go in pieces (upload.h, download.h): write_large(), and open() for what a read
// answered without its value. Replicas that are behind are told where to fetch it, and no byte of that passes here.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "model/verdict.h"
#include "net/byte_source.h"
#include "replication/context.h"
#include "replication/operations.h"

namespace tako::replication {

class Replicator {
 public:
  // REQUIRES: all outlive it. `mark`: one for all Replicators of a process.
  Replicator(runtime::Loop& loop, net::Transport& transport, const runtime::Clock& clock,
             std::shared_ptr<VersionMark> mark);
  ~Replicator();

  void adopt(std::shared_ptr<const model::Placement> placement);
  std::shared_ptr<const model::Placement> placement() const;

  // REQUIRES: the value has up to a piece
  Task<Result<WriteAnswer>> write(std::string key, Mutation mutation, model::WriteLevel level, TimePoint deadline);
  // A value of any size: of up to a piece it is write(). `step`: the time for a piece to reach enough replicas,
  // for all to be committed, and for the replicas to show that they live while they copy from one another. Where they
  // need not, the write takes as long as the source does, and little more.
  Task<Result<WriteAnswer>> write_large(std::string key, Mutation mutation, net::ByteSource& body,
                                        model::WriteLevel level, Duration step);
  // Reads and writes as one step, linearizable with all that goes on at `quorum` (updater.h). An error of `decide` is
  // answered as it is; kTimeout: it is unknown whether it was written; any other: it was not.
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
  Task<> stop();

  const Counters& counters() const;
  // Of large values: written and not yet stored everywhere, or read ahead.
  std::size_t pieces_in_memory() const;
  const VersionClock& clock() const;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace tako::replication
