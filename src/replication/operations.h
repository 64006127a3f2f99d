// What is asked of a Replicator, and what it answers. Values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/record.h"

namespace tako::replication {

struct Round;

// What a client wants a key to hold.
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

// It has to be read before it can be handed on.
inline bool lacks_value(const model::Record& record) {
  return !record.tombstone() && !record.in_pieces() && !record.value;
}

}  // namespace tako::replication
