// Reader: reads over the replicas of a key. It asks one replica for the value and the others for the version. What a
// read at `quorum` answers is held by a majority of voters in each deployment, written back under its own ballot if
// need be (rules 15, 16), so no later quorum read sees something older. Part of a Replicator; on its loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/byte_source.h"
#include "replication/download.h"
#include "replication/repairs.h"
#include "replication/updater.h"

namespace tako::replication {

class Reader {
 public:
  // REQUIRES: all outlive it
  Reader(Context& context, Rounds& rounds, Proposer& proposer, Repairs& repairs, Updater& updater)
      : context_(context), rounds_(rounds), proposer_(proposer), repairs_(repairs), updater_(updater) {}

  // See Replicator::read, Replicator::open, Replicator::stat.
  Task<Result<ReadAnswer>> read(std::string key, model::ReadLevel level, bool want_value, TimePoint deadline);
  std::unique_ptr<net::ByteSource> open(std::string key, const ReadAnswer& answer, std::uint64_t begin,
                                        std::uint64_t end, Duration step);
  Task<Result<StatAnswer>> stat(std::string key, TimePoint deadline);

 private:
  Task<std::optional<Download::Found>> look_again(std::string key, TimePoint deadline);

  Context& context_;
  Rounds& rounds_;
  Proposer& proposer_;
  Repairs& repairs_;
  Updater& updater_;
};

}  // namespace tako::replication
