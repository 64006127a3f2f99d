#include "node/integrity/scrubber.h"

#include <algorithm>
#include <bit>

#include "base/log.h"
#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr Duration kStepMin = seconds(1);
constexpr Duration kOffPoll = seconds(60);
constexpr std::size_t kPageEntries = 200;
constexpr Duration kAwake = milliseconds(10);  // before a pause is worth its timer

struct Step {
  Duration time;
  std::uint32_t partitions;
};

// A partition at a time, or as many as a second's share is.
Step step_of(Duration interval) {
  const Duration each = interval / static_cast<std::int64_t>(model::kPartitions);
  if (each >= kStepMin) return {each, 1};
  const std::int64_t seconds_each = std::max<std::int64_t>(1, interval / kStepMin);
  return {kStepMin, static_cast<std::uint32_t>(model::kPartitions / seconds_each)};
}

// As long asleep as awake.
class DutyCycle {
 public:
  explicit DutyCycle(runtime::Loop& loop) : loop_(loop), awake_(loop.now()) {}

  // Unless it was awake for less than that.
  Task<> pause(Duration least) {
    const Duration busy = loop_.now() - awake_;
    if (busy <= least) co_return;
    co_await loop_.sleep(std::min(busy, kMost));
    awake_ = loop_.now();
  }

 private:
  static constexpr Duration kMost = seconds(10);

  runtime::Loop& loop_;
  TimePoint awake_;
};

}  // namespace

Scrubber::Scrubber(std::string id, const LocalShards& shards)
    : id_(std::move(id)), shards_(shards), gate_(loop()) {}

void Scrubber::adopt(std::shared_ptr<const model::Placement> placement, const Duties& duties) {
  placement_ = std::move(placement);
  const bool gained = !(duties.owned() - owned_).none();
  owned_ = duties.owned();
  if (gained) begin_round();
  if (!std::exchange(running_, true)) loop().spawn(gate_, run());
}

Task<> Scrubber::run() {
  next_ = static_cast<std::uint32_t>(loop().random().below(model::kPartitions));
  TimePoint due = loop().now();
  while (!loop().stopping()) {
    const model::Deployment& policy = placement_->policy();
    if (!policy.background_repair) {
      co_await loop().sleep(kOffPoll);
      continue;
    }
    const Step step = step_of(policy.background_scrub_interval);
    due = std::max(loop().now(), due + step.time);  // what took longer than its share is not made up for
    co_await loop().sleep(due - loop().now());
    if (!loop().stopping()) co_await read_partitions(step.partitions);
  }
}

namespace {

// In which something is held, or may be.
Task<PartitionSet> held_by(Shard* shard) {
  const store::Digests& digests = shard->store().digests();
  co_return digests.occupied() | digests.unknown();
}

}  // namespace

Task<> Scrubber::read_partitions(std::uint32_t count) {
  PartitionSet held;
  for (Shard* shard : shards_) {
    auto look = held_by(shard);
    const PartitionSet there = co_await runtime::run_on(shard->loop(), std::move(look));
    held |= there;
  }
  while (count > 0 && !loop().stopping()) {
    const auto partition = static_cast<model::Partition>(next_);
    const std::uint64_t from_here = (owned_.word(next_ / 64) & held.word(next_ / 64)) >> (next_ % 64);
    const std::uint32_t empty = std::min<std::uint32_t>(std::countr_zero(from_here), 64 - next_ % 64);
    const std::uint32_t gone = std::min({std::max(empty, 1u), count, left_});  // at once: there is nothing in them
    next_ = (next_ + gone) % model::kPartitions;
    count -= gone;
    if (empty == 0) {
      Shard& shard = shards_.of(partition);
      auto reading = read_partition(&shard, partition);
      const Counters read = co_await runtime::run_on(shard.loop(), std::move(reading));
      counters_.values += read.values;
      counters_.bytes += read.bytes;
      counters_.damaged += read.damaged;
      counters_.failures += read.failures;
    }
    left_ -= gone;
    if (left_ == 0) end_round();
  }
}

void Scrubber::end_round() {
  const bool whole = counters_.failures == at_begin_.failures;
  const std::uint64_t damaged = counters_.damaged - at_begin_.damaged;
  if (whole) ++counters_.rounds;
  if (whole && damaged == 0) clean_since_ = round_began_;
  if (damaged > 0) {
    log::warn("scrub_found_damage", {{"node", id_},
                                     {"values", damaged},
                                     {"of", counters_.values - at_begin_.values},
                                     {"action", "they are read from the other replicas again"}});
  }
  begin_round();
}

std::optional<Duration> Scrubber::since_clean() const {
  if (!clean_since_) return std::nullopt;
  return loop().now() - *clean_since_;
}

void Scrubber::begin_round() {
  at_begin_ = counters_;
  round_began_ = loop().now();
  left_ = model::kPartitions;
}

// On the shard's loop.
Task<Scrubber::Counters> Scrubber::read_partition(Shard* shard, model::Partition partition) {
  Counters read;
  runtime::Loop& loop = shard->loop();
  if (planted(Plant::kScrubsNothing)) co_return read;
  DutyCycle duty(loop);
  std::uint64_t position = static_cast<std::uint64_t>(partition) << 48;
  const std::uint64_t position_last = position | 0xffff'ffff'ffffULL;
  std::string key;
  for (bool complete = false; !complete && !loop.stopping();) {
    auto listing = co_await shard->store().list(position, std::move(key), position_last, kPageEntries);
    if (!listing) {
      ++read.failures;
      break;
    }
    for (auto& entry : listing->entries) {
      if (entry.ballot.none()) continue;
      const Status sound = co_await shard->store().verify(std::move(entry.key), entry.ballot);
      const bool damaged = !sound && sound.code() == ErrorCode::kCorrupt;
      const bool over = sound || damaged || sound.code() == ErrorCode::kNotFound;  // or replaced meanwhile
      read.values += over;
      read.bytes += over ? entry.size : 0;
      read.damaged += damaged;
      read.failures += !over;
      co_await duty.pause(kAwake);
      if (loop.stopping()) break;
    }
    complete = listing->complete;
    position = listing->next_position;
    key = std::move(listing->next_key);
  }
  co_await duty.pause(Duration::zero());
  co_return read;
}

}  // namespace tako::node
