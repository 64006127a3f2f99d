// Repairs: what a read does for the replicas that it found behind: it writes the newest version back under its own
// ballot, before a quorum read answers (settle) or behind the answer's back (repair). Part of a Replicator; on its
// loop.
#pragma once

#include <optional>
#include <string>

#include "replication/proposer.h"
#include "replication/rounds.h"

namespace tako::replication {

class Repairs {
 public:
  // REQUIRES: all outlive it
  Repairs(Context& context, Rounds& rounds, Proposer& proposer)
      : context_(context), rounds_(rounds), proposer_(proposer) {}

  // True: a majority of voters holds exactly `newest`. False: something newer turned up, or too few answer.
  Task<bool> settle(SharedRound round, std::string key, model::Record newest, TimePoint deadline);
  // In the background, if there is anything to do and the configuration wants it.
  void repair(const SharedRound& round, const std::string& key, const std::optional<model::Record>& newest);

 private:
  Task<> finish_and_repair(SharedRound round, std::string key, std::optional<model::Record> newest);

  Context& context_;
  Rounds& rounds_;
  Proposer& proposer_;
};

inline constexpr Duration kRepairDeadline = seconds(30);
inline constexpr std::size_t kRepairsMax = 64;  // at once, each with its value

}  // namespace tako::replication
