#include "node/membership/standing.h"

#include "base/log.h"
#include "base/plant.h"
#include "wire/cluster/codec.h"

namespace tako::node {
namespace {

constexpr char kMarkKey[] = "standing";
constexpr std::uint8_t kMarkFormat = 2;
constexpr std::uint8_t kFirstMarkFormat = 1;
constexpr std::size_t kBootIdBytesMax = 128;
enum Flags : std::uint8_t { kClean = 1, kEverVoted = 2, kHasStamp = 4 };

void store(std::atomic<std::uint64_t>& to, std::uint64_t word) { to.store(word, std::memory_order_relaxed); }

}  // namespace

// mark := format:u8=2 flags:u8 incarnation:u64 boot_id:text boot:u64 nonce:u64 stamp_counter:u64 stamp_hash:u64
//         word:u64[1024]
// Before: format:u8=1 clean:u8 incarnation:u64 boot_id:text word:u64[1024]
std::string Standing::encode(bool clean) const {
  const wire::ConfigStamp stamp = stamp_.value_or(wire::ConfigStamp{});
  wire::Writer writer(128 + 8 * PartitionSet::kWords);
  writer.u8(kMarkFormat);
  writer.u8(
      static_cast<std::uint8_t>((clean ? kClean : 0) | (ever_voted_ ? kEverVoted : 0) | (stamp_ ? kHasStamp : 0)));
  writer.u64(incarnation());
  writer.text(boot_id_);
  writer.u64(boot_);
  writer.u64(nonce_);
  writer.u64(stamp.counter);
  writer.u64(stamp.hash);
  for (const auto& word : informed_) writer.u64(word.load(std::memory_order_relaxed));
  return writer.take();
}

Status Standing::decode(const std::string& mark) {
  wire::Reader reader{std::string_view(mark)};
  const std::uint8_t format = reader.u8();
  const std::uint8_t flags = reader.u8();
  marked_clean_ = flags & kClean;
  incarnation_ = reader.u64();
  marked_boot_id_ = reader.text(kBootIdBytesMax);
  boot_ = 0;
  if (format == kMarkFormat) {
    ever_voted_ = flags & kEverVoted;
    boot_ = reader.u64();
    previous_nonce_ = reader.u64();
    wire::ConfigStamp stamp;
    stamp.counter = reader.u64();
    stamp.hash = reader.u64();
    if (flags & kHasStamp) stamp_ = stamp;
  }
  for (auto& word : informed_) {
    store(word, reader.u64());
    if (format == kFirstMarkFormat && word != 0) ever_voted_ = true;
  }
  const Status finished = reader.finish("mark");
  if ((format != kMarkFormat && format != kFirstMarkFormat) || !finished) {
    return {ErrorCode::kCorrupt,
            "the node's own mark in its database does not decode; wipe the data folder to start as a new node"};
  }
  return ok_status();
}

Task<Status> Standing::load(store::Engine& engine, Start start) {
  boot_id_ = start.boot_id;
  nonce_ = start.nonce;
  start_sequence_ = engine.sequence();
  const auto mark = co_await engine.get(store::Family::kSystem, kMarkKey);
  if (!mark) co_return mark.error();
  if (!mark->has_value()) {
    incarnation_ = start.fresh_incarnation;
    if (planted(Plant::kWipedVotes)) set_votes_everywhere();
  } else {
    Status decoded = decode(**mark);
    if (!decoded) co_return decoded;
    believe_or_not(start);
  }
  co_return co_await save(engine);
}

void Standing::believe_or_not(const Start& start) {
  ++boot_;
  const bool machine_restarted = !boot_id_.empty() && boot_id_ != marked_boot_id_;
  if (machine_restarted && !marked_clean_ && !start.sync_always && !planted(Plant::kCrashForgiven)) {
    log::warn("standing_lost", {{"reason", "the machine stopped without a clean stop and sync is an interval"}});
    start_over(std::max(incarnation(), start.fresh_incarnation));
  }
  if (planted(Plant::kRollbackUnseen)) return;
  for (auto& word : suspended_) store(word, ~0ull);
  suspends_ = true;
}

// Its own kind of batch, so that a full disk takes it: a node has to start, and to lose its votes, on that too.
Task<Status> Standing::write_mark(store::Engine& engine, bool clean) {
  const std::uint64_t incarnation_now = incarnation();
  const auto stamp_now = stamp_;
  store::Batch batch;
  batch.frees_space = true;
  batch.put(store::Family::kSystem, kMarkKey, encode(clean));
  Status written = co_await engine.write(std::move(batch));
  if (written) {
    durable_incarnation_ = std::max(durable_incarnation_, incarnation_now);
    durable_stamp_ = stamp_now;
  }
  co_return written;
}

void Standing::adopt(const Duties& duties) {
  if (stamp_ == duties.stamp) return;
  stamp_ = duties.stamp;
  for (std::size_t i = 0; i < informed_.size() && !planted(Plant::kVotesKept); ++i) {
    informed_[i].fetch_and(duties.active.word(i), std::memory_order_relaxed);
    if (planted(Plant::kArrivedAtOnce)) informed_[i].fetch_or(duties.target_only.word(i), std::memory_order_relaxed);
  }
}

PartitionSet Standing::informed() const {
  PartitionSet set;
  for (std::size_t i = 0; i < informed_.size(); ++i) set.set_word(i, informed_[i].load(std::memory_order_relaxed));
  return set;
}

PartitionSet Standing::suspended() const {
  PartitionSet set;
  for (std::size_t i = 0; i < suspended_.size(); ++i) set.set_word(i, suspended_[i].load(std::memory_order_relaxed));
  return set;
}

// Informed since this start: whatever the disk had forgotten before it is no matter any more.
void Standing::set_votes(model::Partition partition) {
  const std::uint64_t bit = 1ull << (partition & 63);
  informed_[partition >> 6].fetch_or(bit, std::memory_order_relaxed);
  suspended_[partition >> 6].fetch_and(~bit, std::memory_order_relaxed);
  ever_voted_ = true;
  ++gains_;
}

void Standing::set_votes_everywhere() {
  for (auto& word : informed_) store(word, ~0ull);
  lift_all();
  ever_voted_ = true;
}

bool Standing::lose_vote(model::Partition partition) {
  const std::uint64_t bit = 1ull << (partition & 63);
  return (informed_[partition >> 6].fetch_and(~bit, std::memory_order_relaxed) & bit) != 0;
}

void Standing::lift(const PartitionSet& partitions) {
  for (std::size_t i = 0; i < suspended_.size(); ++i) {
    suspended_[i].fetch_and(~partitions.word(i), std::memory_order_relaxed);
  }
  ++gains_;
}

void Standing::lift_all() {
  for (auto& word : suspended_) store(word, 0);
  suspends_ = false;
  ++gains_;
}

void Standing::start_over(std::uint64_t above) {
  for (auto& word : informed_) store(word, 0);
  raise_incarnation(above);
}

}  // namespace tako::node
