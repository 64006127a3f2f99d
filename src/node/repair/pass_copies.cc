// The copies of a Pass, both ways, and what is done where a promise refuses one.
#include <algorithm>

#include "base/log.h"
#include "base/plant.h"
#include "node/repair/pass.h"
#include "runtime/run_on.h"

namespace tako::node {

// What came with a page, in one go; what is refused, by itself.
Task<> Pass::store_listed(Shard& shard, std::vector<Entry> entries) {
  std::vector<store::Copy> copies;
  std::vector<std::uint64_t> sizes;
  copies.reserve(entries.size());
  sizes.reserve(entries.size());
  for (const Entry& entry : entries) sizes.push_back(entry.record->size);
  for (Entry& entry : entries) copies.push_back({entry.key, std::move(*entry.record)});
  auto accept = shard.accept_copies(std::move(copies));
  auto outcomes = co_await runtime::run_on(shard.loop(), std::move(accept));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& accepted = outcomes[i];
    const std::uint32_t partition = model::partition_of_position(entries[i].position);
    bool copied = accepted && (accepted->stored || accepted->ballot > entries[i].ballot);
    if (copied) {
      counters_.keys_pulled += accepted->written;
      counters_.bytes_pulled += accepted->written ? sizes[i] : 0;
    } else {
      copied = co_await pull(std::move(entries[i]));
    }
    if (!copied) note_failed(partition);
  }
}

Task<bool> Pass::pull(Entry entry) {
  wire::Read read;
  read.key = entry.key;
  const TimePoint deadline = loop().now() + copy_deadline(0);
  auto reply = co_await net::call(*parts_.transport, source_.peer(), stamp(), std::move(read), deadline);
  if (!reply) co_return false;
  const bool gone = reply->slot.ballot() < entry.ballot;
  if (gone) co_return reply->voter.informed && reply->slot.covers(entry.ballot);  // else handed off meanwhile, or lost
  const bool stored = co_await store_here(std::move(entry), std::move(*reply->slot.record));
  co_return stored;
}

// Here, what was pulled.
Task<bool> Pass::store_here(Entry entry, model::Record record) {
  auto accepted = co_await store_copy(entry.key, record);
  const bool refused = accepted && !accepted->stored && accepted->ballot < record.ballot;
  if (refused) {
    const bool settled = co_await refused_by_promise(entry, record, *accepted);
    if (!settled) co_return false;
  }
  if (!accepted) co_return false;
  if (accepted->written) {
    ++counters_.keys_pulled;
    counters_.bytes_pulled += record.size;
  }
  co_return true;
}

Task<Result<store::Accepted>> Pass::store_copy(std::string key, model::Record record) {
  Result<store::Accepted> accepted;
  if (record.tombstone() || record.value) {
    Shard& shard = parts_.shards->of(key);
    auto accept = shard.accept_copy(std::move(key), std::move(record));
    accepted = co_await runtime::run_on(shard.loop(), std::move(accept));
  } else {
    Fetcher::From from(source_.id);
    accepted = co_await parts_.fetcher->fetch(std::move(key), std::move(record), std::move(from), TimePoint::max());
  }
  co_return accepted;
}

// What this node itself has promised refuses a copy. To a voter that may happen: the key is settled; but one that is to
// go on without those it reads (stays()) has not read their copy before it has it. One that catches up must not vote
// before it has what is the newest: it has the key settled first. Where that cannot be, for lack of voters, its own
// promise gives way: it was given, or taken over, without a vote, so it counted for nobody, and it is promised again
// after the copy (22: the newest has to do).
Task<bool> Pass::refused_by_promise(const Entry& entry, const model::Record& record, store::Accepted& accepted) {
  const std::uint32_t partition = model::partition_of_position(entry.position);
  if (parts_.informed[partition] || planted(Plant::kRefusedIsRead)) {
    note_refused(entry.key, accepted.promise);
    co_return !stays(partition) || planted(Plant::kRefusedIsRead);
  }
  if (!parts_.unsettleable[partition]) {
    doubts_.push_back(entry);
    doubts_.back().promise = std::max(entry.promise, accepted.promise);
    co_return true;
  }
  Shard& shard = parts_.shards->of(static_cast<model::Partition>(partition));
  auto withdraw = shard.store().withdraw_promise(entry.key);
  const auto promised = co_await runtime::run_on(shard.loop(), std::move(withdraw));
  if (!promised) co_return false;
  Entry again = entry;
  again.promise = std::max(*promised, entry.promise);
  promises_.push_back(std::move(again));
  const auto stored = co_await store_copy(entry.key, record);
  if (!stored || !stored->stored) co_return false;
  accepted = *stored;
  co_return true;
}

// Owned by this node in the active deployment and in a target: then it arrives by what it reads, as newcomers do (27).
bool Pass::stays(model::Partition partition) const {
  const auto self = parts_.placement->find(parts_.id);
  const auto replicas = parts_.placement->replicas(partition);
  return std::any_of(replicas.begin(), replicas.end(), [&self](const model::Replica& replica) {
    return replica.node == self && replica.deployments == (model::kInActive | model::kInTarget);
  });
}

Task<bool> Pass::push(std::string key) {
  auto slot = co_await parts_.shards->read(key, true);
  if (!slot) co_return false;
  if (!slot->record) co_return true;
  co_return co_await push_record(std::move(key), std::move(*slot->record));
}

Task<bool> Pass::push_record(std::string key, model::Record record) {
  wire::Write write;
  write.key = key;
  write.record = std::move(record);
  write.source = wire::Write::Source::kCopy;
  const model::Ballot ballot = write.record.ballot;
  const std::uint64_t bytes = write.record.size;
  if (left_out(write.record)) write.value_from = parts_.id;
  const TimePoint deadline = loop().now() + copy_deadline(bytes);
  auto reply = co_await net::call(*parts_.transport, source_.peer(), stamp(), std::move(write), deadline);
  if (!reply) co_return false;
  if (reply->outcome == wire::WriteReply::Outcome::kStored) {
    ++counters_.keys_pushed;
    counters_.bytes_pushed += bytes;
  } else if (reply->stored < ballot) {
    note_refused(key, reply->promise);
  }
  co_return true;
}

void Pass::note_refused(const std::string& key, const model::Ballot& promise) {
  refused_.set(model::partition_of(key));
  parts_.settler->note(key, promise);
}

}  // namespace tako::node
