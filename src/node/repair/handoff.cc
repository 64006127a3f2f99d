#include "node/repair/handoff.h"

#include "base/log.h"
#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr std::size_t kPageEntries = 500;
constexpr Duration kCallDeadline = seconds(30);
constexpr Duration kDropPoll = milliseconds(5);
constexpr Duration kRetryInterval = seconds(10);
constexpr Duration kSettleBeforeStart = seconds(1);  // a change is seldom alone

std::uint32_t next_not_in(const PartitionSet& set, std::uint32_t p) {
  while (p < model::kPartitions && set[p]) ++p;
  return p;
}

}  // namespace

Handoff::Handoff(Parts parts) : parts_(std::move(parts)), kick_(loop()), gate_(loop()) {}

void Handoff::adopt(std::shared_ptr<const model::Placement> placement, const Duties& duties) {
  placement_ = std::move(placement);
  owned_ = planted(Plant::kDropsOwned) ? duties.active : duties.owned();
  changed_ = true;
  kick_.notify();
  if (!std::exchange(running_, true)) loop().spawn(gate_, run());
}

Task<> Handoff::run() {
  while (!loop().stopping()) {
    co_await loop().sleep(kSettleBeforeStart);
    if (buggify(loop().random(), "handoff/late_start")) co_await loop().sleep(seconds(5));
    changed_ = false;
    const bool allowed = placement_->policy().background_repair;
    const bool ready = parts_.standing->durable_for(wire::stamp_of(*placement_));
    if (allowed && ready && !loop().stopping()) co_await cycle();
    if (loop().stopping()) break;
    const Duration interval = placement_->policy().background_repair_interval;
    const Duration wait = counters_.waiting > 0 || !ready ? std::min(interval, kRetryInterval) : interval;
    const TimePoint next = loop().now() + wait;
    while (!changed_ && !loop().stopping() && loop().now() < next) {
      co_await kick_.wait(std::min(next, loop().now() + kRetryInterval));
      const bool strays = co_await holds_strays();
      if (strays) break;
    }
  }
}

namespace {

Task<bool> holds_other_than(Shard* shard, std::shared_ptr<const PartitionSet> owned) {
  const PartitionSet strays = shard->store().digests().occupied() - *owned;
  co_return !strays.none();
}

}  // namespace

// As far as the digests know, and without a look at the disk.
Task<bool> Handoff::holds_strays() {
  const auto owned = std::make_shared<const PartitionSet>(owned_);
  for (Shard* shard : *parts_.shards) {
    auto look = holds_other_than(shard, owned);
    const bool strays = co_await runtime::run_on(shard->loop(), std::move(look));
    if (strays) co_return true;
  }
  co_return false;
}

// From one key that does not belong here to the next: runs of partitions that are owned, or empty, are stepped over.
Task<> Handoff::cycle() {
  const PartitionSet owned = owned_;
  counters_.waiting = 0;
  const std::uint64_t before = counters_.handed_off;
  for (std::uint32_t p = next_not_in(owned, 0); p < model::kPartitions && !changed_ && !loop().stopping();) {
    const auto stored = co_await next_stored(p);
    if (!stored) ++counters_.waiting;
    if (!stored || *stored == model::kPartitions) break;
    p = next_not_in(owned, *stored);
    if (p != *stored) continue;
    std::uint32_t last = p;
    while (last + 1 < model::kPartitions && !owned[last + 1]) ++last;
    const bool read = co_await drain(static_cast<model::Partition>(p), static_cast<model::Partition>(last));
    if (!read) ++counters_.waiting;
    p = next_not_in(owned, last + 1);
  }
  ++counters_.cycles;
  if (counters_.handed_off > before) {
    log::info("handed_off",
              {{"node", parts_.id}, {"copies", counters_.handed_off - before}, {"waiting", counters_.waiting}});
  }
}

// The first partition from `first` on in which anything is stored; kPartitions: none.
Task<Result<std::uint32_t>> Handoff::next_stored(std::uint32_t first) {
  const std::uint64_t position = static_cast<std::uint64_t>(first) << 48;
  auto listing = co_await parts_.shards->list(position, "", ~0ULL, 1);
  if (!listing) co_return listing.error();
  if (!listing->entries.empty()) co_return model::partition_of_position(listing->entries.front().position);
  if (listing->complete) co_return model::kPartitions;
  co_return model::partition_of_position(listing->next_position);
}

// False: the listing could not be read.
Task<bool> Handoff::drain(model::Partition first, model::Partition last) {
  std::uint64_t position = static_cast<std::uint64_t>(first) << 48;
  const std::uint64_t position_last = (static_cast<std::uint64_t>(last) << 48) | 0xffff'ffff'ffffULL;
  std::string key;
  while (!changed_ && !loop().stopping()) {
    const std::size_t entries_max = buggify(loop().random(), "handoff/page") ? 1 : kPageEntries;
    auto listing = co_await parts_.shards->list(position, key, position_last, entries_max);
    if (!listing) co_return false;
    for (auto& entry : listing->entries) {
      const bool gone = co_await settle(std::move(entry));
      if (gone) {
        ++counters_.handed_off;
      } else {
        ++counters_.waiting;
      }
      if (changed_ || loop().stopping()) co_return true;
    }
    if (listing->complete) co_return true;
    position = listing->next_position;
    key = std::move(listing->next_key);
  }
  co_return true;
}

Task<bool> Handoff::settle(store::Listing::Entry entry) {
  const auto placement = placement_;
  const model::Partition partition = model::partition_of_position(entry.position);
  const auto owners = placement->replicas(partition);
  if (owners.size() == 0) co_return false;
  const wire::ConfigStamp stamp = wire::stamp_of(*placement);
  const bool small = entry.size <= store::Store::kInlineBytesMax;
  std::vector<net::Peer> unread;
  for (const auto& owner : owners) {
    if (planted(Plant::kHandoffActive) && owner.deployments == model::kInTarget) continue;
    const auto& node = placement->nodes()[owner.node];
    net::Peer peer{node.id, node.host, node.port};
    const Word word = co_await word_of(peer, stamp, entry, small);
    if (word == Word::kHasNot) co_return false;
    if (word == Word::kHas) unread.push_back(peer);
    if (planted(Plant::kHandoffOne)) break;
  }
  for (const net::Peer& owner : unread) {
    if (planted(Plant::kHandoffUnverified)) break;
    const Word word = co_await word_of(owner, stamp, entry, true);
    if (word != Word::kSound) co_return false;
  }
  if (placement_ != placement) co_return false;  // others own it now, or will: they are asked by the next cycle
  if (buggify(loop().random(), "handoff/late_drop")) co_await loop().sleep(seconds(2));
  const bool dropped = co_await drop(partition, std::move(entry));
  co_return dropped;
}

Task<bool> Handoff::drop(model::Partition partition, store::Listing::Entry entry) {
  ++drops_begun_;
  Shard& shard = parts_.shards->of(partition);
  auto drop = shard.drop(std::move(entry.key), entry.ballot);
  const auto dropped = co_await runtime::run_on(shard.loop(), std::move(drop));
  ++drops_ended_;
  co_return dropped.ok() && *dropped;
}

Task<> Handoff::drop_ended() {
  const std::uint64_t begun = planted(Plant::kDropUnderWay) ? 0 : drops_begun_;
  while (drops_ended_ < begun && !loop().stopping()) co_await loop().sleep(kDropPoll);
}

// One that has not gets the copy, and so does one whose own is damaged; that is not taken for granted, but asked again.
Task<Handoff::Word> Handoff::word_of(net::Peer owner, wire::ConfigStamp stamp, const store::Listing::Entry& entry,
                                     bool verify) {
  if (planted(Plant::kHandoffBlind)) co_return Word::kSound;
  if (buggify(loop().random(), "handoff/covered")) co_return Word::kHasNot;
  wire::Read read;
  read.key = entry.key;
  read.want_value = false;
  read.verify = verify && !planted(Plant::kHandoffUnverified);
  const TimePoint deadline = loop().now() + copy_deadline(entry.size);
  auto held = co_await net::call(*parts_.transport, owner, stamp, std::move(read), deadline);
  const bool damaged = !held && held.code() == ErrorCode::kCorrupt;
  if (!held && !damaged) co_return Word::kHasNot;
  if (held && held->slot.ballot() == entry.ballot) co_return verify ? Word::kSound : Word::kHas;
  const bool newer = held && held->slot.ballot() > entry.ballot;
  const bool informed = held && (held->voter.informed || planted(Plant::kHandoffForgetful));
  if (newer || (informed && held->slot.covers(entry.ballot))) co_return Word::kSound;

  auto slot = co_await parts_.shards->read(entry.key, true);
  if (!slot || !slot->record || slot->record->ballot != entry.ballot) co_return Word::kHasNot;
  const auto reply = co_await send(owner, stamp, entry.key, std::move(*slot->record));
  if (!reply) co_return Word::kHasNot;
  if (reply->stored < entry.ballot) parts_.settler->note(entry.key, reply->promise);  // a promise refuses it
  // The copy is not there, but dead by a floor: that is the word of one who has read what all agreed on.
  const bool by_floor = reply->stored == model::ballot_of_floor(reply->stored.timestamp);
  if (by_floor && !reply->voter.informed && !planted(Plant::kHandoffForgetful)) co_return Word::kHasNot;
  const bool has = damaged ? reply->stored > entry.ballot : reply->stored >= entry.ballot;
  co_return has ? Word::kSound : Word::kHasNot;
}

Task<Result<wire::WriteReply>> Handoff::send(net::Peer owner, wire::ConfigStamp stamp, std::string key,
                                             model::Record record) {
  wire::Write write;
  write.key = std::move(key);
  write.record = std::move(record);
  write.source = wire::Write::Source::kCopy;
  const bool large = left_out(write.record);
  wire::Write copy = write;
  if (large) copy.value_from = parts_.id;
  const TimePoint deadline = loop().now() + copy_deadline(write.record.size);
  auto reply = co_await net::call(*parts_.transport, owner, stamp, std::move(copy), deadline);
  const bool unknown = !reply && reply.code() == ErrorCode::kNotFound && large;
  if (!unknown) co_return reply;
  co_return co_await send_by_pieces(owner, stamp, std::move(write));
}

// To one who cannot fetch: this node is in no deployment any more, and has no address.
Task<Result<wire::WriteReply>> Handoff::send_by_pieces(net::Peer owner, wire::ConfigStamp stamp, wire::Write write) {
  const std::uint64_t high = loop().random().next();
  const model::UploadId upload{high, loop().random().next()};
  Shard& shard = parts_.shards->of(write.key);
  Result<wire::WriteReply> outcome(ErrorCode::kStopping, "the node is stopping");
  bool sent = true;
  for (std::uint32_t i = 0; i < model::pieces_of(write.record.size) && sent && !loop().stopping(); ++i) {
    auto reading = shard.store().read_piece(write.key, write.record.ballot, i);
    auto piece = co_await runtime::run_on(shard.loop(), std::move(reading));
    if (!piece) co_return piece.error();
    wire::WritePiece part;
    part.key = write.key;
    part.upload = upload;
    part.index = i;
    part.checksum = piece->checksum;
    part.piece = std::move(piece->bytes);
    const auto stored =
        co_await net::call(*parts_.transport, owner, stamp, std::move(part), loop().now() + kCallDeadline);
    sent = stored.ok();
    if (!sent) outcome = stored.error();
  }
  if (!sent || loop().stopping()) co_return outcome;  // the owner sweeps what it has
  write.upload = upload;
  outcome = co_await net::call(*parts_.transport, owner, stamp, std::move(write), loop().now() + kCallDeadline);
  co_return outcome;
}

}  // namespace tako::node
