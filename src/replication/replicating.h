// What the files of the Replicator share: its limits, and what several of them say.
#pragma once

#include <string>

#include "replication/replicator.h"

namespace tako::replication {

inline constexpr Duration kRepairDeadline = seconds(30);
inline constexpr std::size_t kRepairsMax = 64;  // at once, each with its value
inline constexpr int kAttemptsMax = 16;         // of one request, beside its deadline

// Replicas that answer without a vote may have one in a moment: they hear of a reconfiguration a little later than this
// proxy, or are about to have caught up.
inline constexpr Duration kVotesWithin = seconds(2);
inline constexpr Duration kVotesPause = milliseconds(200);

wire::Request request_by(const model::Placement& placement);

// It has to be read before it can be handed on.
inline bool lacks_value(const model::Record& record) {
  return !record.tombstone() && !record.in_pieces() && !record.value;
}

Error no_configuration();
// Who answers "stale" can be reached, and may hold something newer than all who answered otherwise.
Error outdated();

}  // namespace tako::replication
