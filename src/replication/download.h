// Download: the bytes [begin, end) of one large value, read from its replicas piece by piece. A ByteSource, owned by
// whoever reads; on its Replicator's loop. What is under way holds its state, and ends by itself when the reader goes.
//
// A piece is asked for by the exact ballot, so pieces of two versions never mix, whichever replicas they come from.
// Where nobody holds that ballot any more the key is looked at again: settled meanwhile, it has the same version under
// another one.
// Each piece is checked against its checksum and length before it is handed on, and a whole value against the record's
// checksum before its last piece is. One replica is read, with up to kReadAhead pieces ahead of the reader: as many as
// the reader has taken so far, so that one that stalls early holds little, and beyond the first of these only while
// half of the places for pieces are free; one that stalls gives them back (PieceBudget). When it fails, the next one
// that holds the ballot goes on with that very piece: one that is away is tried again after the others, one that holds
// another version by now is not, and of one whose copy is damaged nothing more is read; it mends itself
// (node/integrity/mender.h). The configuration at hand then says who the others are.
// Errors: kConflict: nobody holds this version any more; kTimeout, kUnavailable: no replica could bring the next piece
// within `step`. After an error there is no more: the bytes before it were right, but they are not all.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/byte_source.h"
#include "replication/context.h"
#include "replication/round.h"

namespace tako::replication {

using runtime::Task;

class Download final : public net::ByteSource {
 public:
  static constexpr std::uint32_t kReadAhead = 4;

  struct Found {
    model::Record record;
    std::shared_ptr<const Round> round;  // who holds it
  };

  struct Plan {
    std::string key;
    model::Record record;                // without its value
    std::shared_ptr<const Round> round;  // who holds it
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Duration step{};                                                    // for a piece
    std::function<std::shared_ptr<const model::Placement>()> placement;  // of now
    std::function<Task<std::optional<Found>>(TimePoint deadline)> look;  // at the key, as it is now
  };

  Download(Context& context, Plan plan);
  ~Download() override;

  Task<Result<Bytes>> next() override;

 private:
  struct Piece;
  class Replicas;
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace tako::replication
