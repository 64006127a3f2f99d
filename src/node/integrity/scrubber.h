// Scrubber: reads every value that a node owns once in `background_scrub_interval`, so that a flipped bit is found
// while another replica has the value whole, and not years later, when the last one that had it is gone.
//
// What is found damaged is the store's to report and the mender's to replace (mender.h); this one only reads. Its pace
// is that of the partitions, spread evenly over the interval: the more a node holds the more it reads at once, and
// never for more than half of the time, so a round may take longer than the interval. It begins at a partition drawn at
// random: replicas do not read the same values at one time, and a node that is restarted often does not read the same
// ones again and again. No round is remembered over a restart, and one begins anew where the node comes to own more.
// Partitions in which nothing is held cost nothing. Without `background_repair` there is no scrub either. On the node's
// first loop; the reading is on each shard's own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/placement.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"

namespace tako::node {

class Scrubber {
 public:
  struct Counters {
    std::uint64_t rounds = 0;  // in which everything could be read, whether it was damaged or not
    std::uint64_t values = 0;
    std::uint64_t bytes = 0;  // of the values, before compression
    std::uint64_t damaged = 0;
    std::uint64_t failures = 0;  // what could not be read now, and says nothing of the value
  };

  // REQUIRES: the shards outlive it
  Scrubber(std::string id, const LocalShards& shards);

  void adopt(std::shared_ptr<const model::Placement> placement, const Duties& duties);
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  const Counters& counters() const { return counters_; }
  // For so long everything that this node owns has been found sound: since the begin of the last round that found
  // nothing damaged. None: no such round yet.
  std::optional<Duration> since_clean() const;

 private:
  Task<> run();
  Task<> read_partitions(std::uint32_t count);
  void begin_round();
  void end_round();
  static Task<Counters> read_partition(Shard* shard, model::Partition partition);

  runtime::Loop& loop() const { return shards_.loop(); }

  const std::string id_;
  const LocalShards& shards_;
  std::shared_ptr<const model::Placement> placement_;
  PartitionSet owned_;  // by it
  bool running_ = false;
  std::uint32_t next_ = 0;  // partition
  std::uint32_t left_ = model::kPartitions;  // of this round
  TimePoint round_began_{};
  Counters at_begin_;  // of the round
  Counters counters_;
  std::optional<TimePoint> clean_since_;
  runtime::Gate gate_;
};

}  // namespace tako::node
