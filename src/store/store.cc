#include "store/store.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/plant.h"
#include "model/checksum.h"
#include "store/store_state.h"

namespace tako::store {

using model::Ballot;
using model::Record;
using model::Slot;
using model::UploadId;

namespace {

constexpr std::size_t kListBytesMax = 4 << 20;
constexpr std::size_t kDamagedMax = 1024;
constexpr std::uint64_t kUnreadableLogEvery = 1000;

bool matches(const Record& record, std::string_view value) {
  if (planted(Plant::kChecksumUnseen)) return true;
  return value.size() == record.size && model::checksum_of(value) == record.checksum;
}

// A value that came with its record: in the slot, or as a single piece under the name `id`.
void put_value(Batch& batch, std::uint64_t position, const std::string& key, const UploadId& id, StoredSlot& fresh) {
  Record& record = *fresh.slot.record;
  if (!record.value || record.value->size() <= Store::kInlineBytesMax) return;
  const std::string_view piece = record.value->view();
  fresh.pieces_id = id;
  fresh.pieces = 1;
  batch.put(Family::kChunks, piece_key(position, key, id, 0), encode_piece(model::piece_checksum(piece), piece));
  record.value.reset();
}

// The same value, proposed again under another ballot.
bool same_value(const Record& a, const Record& b) {
  return a.version == b.version && a.kind == b.kind && a.size == b.size && a.checksum == b.checksum;
}

// A page of rows that are to travel is as long as a message may be.
std::size_t list_bytes_max(std::size_t values_bytes_max) {
  return values_bytes_max > 0 ? std::min(values_bytes_max, kListBytesMax) : kListBytesMax;
}

// One whose value is elsewhere, or is damaged, is left to be read by itself.
std::optional<Record> whole_in_row(std::optional<Record> record) {
  const bool whole = record && (record->tombstone() || (record->value && matches(*record, record->value->view())));
  return whole ? std::move(record) : std::nullopt;
}

Accepted describe(const Slot& slot, Timestamp fence) {
  Accepted accepted;
  accepted.ballot = slot.ballot();
  if (slot.gone()) accepted.ballot = std::max(accepted.ballot, model::ballot_of_floor(slot.floor));
  if (slot.record) accepted.version = slot.record->version;
  accepted.promise = std::max(slot.promise, model::promise_of_fence(fence));
  return accepted;
}

}  // namespace

Status check_record(const std::string& key, const Record& record) {
  if (key.size() > model::kKeyBytesMax) return {ErrorCode::kInvalid, "the key is too long"};
  if (record.ballot.none()) return {ErrorCode::kInvalid, "a record without a ballot"};
  if (record.tombstone()) {
    if (record.value || record.size != 0) return {ErrorCode::kInvalid, "a tombstone with a value"};
    return ok_status();
  }
  if (record.size > model::kValueBytesMax) return {ErrorCode::kTooLarge, "the value is too large"};
  if (record.in_pieces() && record.value) return {ErrorCode::kInvalid, "a value of more than a piece comes in pieces"};
  if (record.in_pieces()) return ok_status();
  if (!record.value) return {ErrorCode::kInvalid, "a record without its value"};
  if (record.value->size() != record.size || model::checksum_of(record.value->view()) != record.checksum) {
    return {ErrorCode::kInvalid, "the value does not match its checksum; send it again"};
  }
  return ok_status();
}

Store::Store(runtime::Loop& loop, Engine& engine, Part part, Floors& floors)
    : state_(std::make_unique<State>(loop, engine, part, &floors)) {}
Store::Store(runtime::Loop& loop, Engine& engine, Part part)
    : state_(std::make_unique<State>(loop, engine, part, nullptr)) {}
Store::Store(runtime::Loop& loop, Engine& engine) : Store(loop, engine, Part()) {}
Store::~Store() = default;

void Store::report_to(Findings findings) { state_->findings = std::move(findings); }

std::size_t Store::uploads() const { return state_->staging.uploads(); }

// --- reading ----------------------------------------------------------------------------------------------------

Task<Result<StoredSlot>> Store::State::load(std::string key) {
  std::string row_key = slot_key(model::position_of(key), key);
  auto found = co_await engine.get(Family::kMeta, std::move(row_key));
  if (!found && found.code() == ErrorCode::kCorrupt) note_unreadable(&key);
  if (!found) co_return Result<StoredSlot>(found.error());
  if (!*found) co_return Result<StoredSlot>(StoredSlot{});
  auto stored = decode_slot(std::move(**found));
  if (!stored) note_unreadable(&key);
  co_return stored;
}

// The floor of before: what is absent then is dead by it, whatever comes meanwhile.
Task<Result<Slot>> Store::read(std::string key, bool want_value) {
  state_->check_here(key);
  const Timestamp floor = state_->floors.of(model::partition_of(key));
  auto slot = co_await state_->read(std::move(key), want_value);
  if (!slot) co_return slot;
  slot->floor = floor;
  slot->promise = std::max(slot->promise, model::promise_of_fence(state_->floors.fence()));
  co_return slot;
}

Task<Result<Slot>> Store::State::read(std::string key, bool want_value) {
  auto stored = co_await load(key);
  if (!stored) co_return Result<Slot>(stored.error());
  Slot& slot = stored->slot;
  if (!slot.record) co_return Result<Slot>(std::move(slot));
  if (!want_value || slot.record->in_pieces()) {
    slot.record->value.reset();
    co_return Result<Slot>(std::move(slot));
  }
  if (stored->pieces > 0) co_return co_await load_value(std::move(key), std::move(*stored));
  if (slot.record->value && !matches(*slot.record, slot.record->value->view())) {
    note_damaged(key, slot.record->ballot);
    co_return Result<Slot>(damaged_error());
  }
  co_return Result<Slot>(std::move(slot));
}

// --- writing ----------------------------------------------------------------------------------------------------

bool Store::State::shut_out(const std::string& key, const Ballot& ballot, const Slot& slot, Origin origin) const {
  const bool fenced = origin == Origin::kProposal && ballot.timestamp <= floors.fence();
  if (fenced && !planted(Plant::kFloorUnfenced)) return true;
  const Timestamp floor = floors.of(model::partition_of(key));
  const bool gone = !slot.record || model::ends_at(*slot.record) <= floor;
  return gone && ballot.timestamp <= floor;
}

Task<Result<Accepted>> Store::accept(std::string key, Record record, std::optional<UploadId> upload, Ballot promise,
                                     Origin origin) {
  state_->check_here(key);
  const Status valid = check_record(key, record);
  if (!valid) co_return Result<Accepted>(valid.error());
  if (buggify(state_->loop.random(), "store/late_accept")) co_await state_->loop.sleep(milliseconds(1));
  KeyLock lock(state_->locks, key);
  const Status locked = co_await lock.acquire();
  if (!locked) co_return Result<Accepted>(locked.error());
  auto loaded = co_await state_->load(key);
  if (!loaded) co_return Result<Accepted>(loaded.error());
  StoredSlot& stored = *loaded;
  stored.slot.floor = state_->floors.of(model::partition_of(key));

  Accepted accepted = describe(stored.slot, state_->floors.fence());
  const bool same = record.ballot == stored.slot.ballot();
  const bool mends = same && state_->is_damaged(key, record.ballot) && !planted(Plant::kNeverMends);
  const bool newer = planted(Plant::kAcceptsOlder)
                         ? !same
                         : record.ballot > stored.slot.ballot() &&
                               (record.ballot >= stored.slot.promise || planted(Plant::kPromiseIgnored)) &&
                               !state_->shut_out(key, record.ballot, stored.slot, origin);
  accepted.stored = same;
  if (!newer && !mends) {
    if (same && upload) {  // the value came another way
      const Status freed = co_await state_->end_upload(key, *upload);
      if (!freed) log::debug("upload_not_freed", {{"key", key}, {"reason", freed.error().message}});
    }
    if (same) accepted.ballot = record.ballot;
    co_return Result<Accepted>(std::move(accepted));
  }
  const model::Version version = record.version;
  const Ballot ballot = record.ballot;
  std::optional<Record> overtaken;
  const auto& replaced = stored.slot.record;
  // A conditional one that was never chosen is dead: its condition held for what is not there any more.
  // And one whose writer knew what he wrote over (replication/updater.cc, finish()) has overtaken nothing.
  const bool unknowing = replaced && std::max(record.version, record.base) < replaced->version;
  if (unknowing && replaced->root == replaced->version) {
    overtaken = co_await state_->whole_record(key, stored);
  }
  // The fence may have been raised meanwhile; from here to the batch there is no other moment.
  if (!mends && state_->shut_out(key, ballot, stored.slot, origin)) {
    co_return Result<Accepted>(describe(stored.slot, state_->floors.fence()));
  }
  accepted.ballot = ballot;
  accepted.version = version;

  SlotWrites writes(state_->digests);
  writes.batch.frees_space = record.tombstone();
  const Status put = state_->replace(writes, key, stored, std::move(record), upload, promise);
  if (!put) co_return Result<Accepted>(put.error());
  const Status written = co_await state_->commit(writes);
  if (!written) co_return Result<Accepted>(written.error());

  if (upload) state_->staging.end(key, *upload);
  accepted.stored = accepted.written = true;
  accepted.promise = std::max(accepted.promise, promise);
  if (overtaken && state_->findings.overtaken) state_->findings.overtaken(key, std::move(*overtaken));
  co_return Result<Accepted>(std::move(accepted));
}

Task<Result<Accepted>> Store::accept(std::string key, Record record, std::optional<UploadId> upload) {
  return accept(std::move(key), std::move(record), upload, Ballot(), Origin::kCopy);
}

Task<Result<Accepted>> Store::accept(std::string key, Record record) {
  return accept(std::move(key), std::move(record), std::nullopt, Ballot(), Origin::kCopy);
}

// A floor falls in the batch that loses a record. What is refused as overloaded was not written; of any other error
// nobody knows.
Task<Status> Store::State::commit(SlotWrites& writes) {
  Status written(ErrorCode::kStopping, "the node is stopping; try another one");
  const bool refused = closing;
  if (!refused) {
    for (const auto& change : writes.records_) {
      if (change.loss) begin_loss(writes.batch, model::partition_of(change.key));
    }
    written = co_await engine.write(std::move(writes.batch));
  }
  const bool not_written = refused || (!written && written.code() == ErrorCode::kOverloaded);
  for (auto& change : writes.records_) {
    if (written) {
      change.digest.written();
      damaged.erase(change.key);
    } else if (not_written) {
      change.digest.not_written();
    }
    if (change.loss && !refused) end_loss(model::partition_of(change.key), written);
    if (change.unreadable) digests.doubt(model::partition_of(change.key));
  }
  co_return written;
}

// The slot with the record in the place of the one stored, and its value from where it is: in the record, staged, or
// in the pieces of the version stored.
Status Store::State::replace(SlotWrites& writes, const std::string& key, const StoredSlot& stored, Record record,
                             const std::optional<UploadId>& upload, const Ballot& promise) {
  const std::uint64_t position = model::position_of(key);
  const bool carried = record.tombstone() || record.value;
  const Staging::Upload* staged = upload ? staging.find(key, *upload) : nullptr;
  StoredSlot fresh;
  fresh.slot.promise = std::max(stored.slot.promise, promise);
  fresh.slot.record = std::move(record);
  const Record& now = *fresh.slot.record;
  if (carried) {
    put_value(writes.batch, position, key, draw_id(), fresh);
  } else if (staged) {
    const Status complete = planted(Plant::kVisibleEarly) ? ok_status() : staged->complete(now);
    if (!complete) return complete;
    fresh.pieces = model::pieces_of(now.size);
    fresh.pieces_id = staged->local;
    writes.batch.erase(Family::kSystem, staged_key(position, key, staged->local));
  } else if (stored.pieces > 0 && same_value(*stored.slot.record, now) && !is_damaged(key, stored.slot.ballot())) {
    fresh.pieces = stored.pieces;
    fresh.pieces_id = stored.pieces_id;
  } else {
    return {ErrorCode::kNotFound, "the value's pieces are not here; send them, or say who has them"};
  }
  writes.put(key, stored, fresh);
  return ok_status();
}

Task<Result<bool>> Store::drop(std::string key, Ballot ballot) {
  state_->check_here(key);
  KeyLock lock(state_->locks, key);
  const Status locked = co_await lock.acquire();
  if (!locked) co_return Result<bool>(locked.error());
  auto loaded = co_await state_->load(key);
  if (!loaded) co_return Result<bool>(loaded.error());
  StoredSlot& stored = *loaded;
  const bool changed = stored.slot.ballot() != ballot;
  if (!stored.slot.record || changed) co_return Result<bool>(false);

  SlotWrites writes(state_->digests);
  writes.drop(key, stored);
  const Status written = co_await state_->commit(writes);
  if (!written) co_return Result<bool>(written.error());
  co_return Result<bool>(true);
}

Task<Result<bool>> Store::erase_unreadable(std::string key) {
  state_->check_here(key);
  KeyLock lock(state_->locks, key);
  const Status locked = co_await lock.acquire();
  if (!locked) co_return Result<bool>(locked.error());
  const auto loaded = co_await state_->load(key);
  if (loaded && !state_->is_damaged(key, loaded->slot.ballot())) co_return Result<bool>(false);
  if (!loaded && loaded.code() != ErrorCode::kCorrupt) co_return Result<bool>(loaded.error());

  SlotWrites writes(state_->digests);
  if (loaded) {
    writes.erase_damaged(key, loaded->slot);
  } else {
    writes.erase_unreadable(key);
  }
  const auto staged = state_->staging.of_key(key);
  for (const UploadId& upload : staged) {
    const UploadId local = state_->staging.find(key, upload)->local;
    writes.batch.erase(Family::kSystem, staged_key(model::position_of(key), key, local));
    state_->staging.end(key, upload);
  }
  const Status written = co_await state_->commit(writes);
  if (!written) co_return Result<bool>(written.error());
  co_return Result<bool>(true);
}

// --- listing ----------------------------------------------------------------------------------------------------

Task<Result<Listing>> Store::list(std::uint64_t position, std::string key, std::uint64_t position_last,
                                  std::size_t entries_max, std::size_t values_bytes_max) {
  state_->check_here();
  Range range;
  range.begin = slot_key(position, key);
  if (position_last != ~0ull) range.end = slot_key(position_last + 1, "");
  if (buggify(state_->loop.random(), "store/short_page")) entries_max = std::min<std::size_t>(entries_max, 2);
  ScanLimits limits;
  limits.entries_max = std::max<std::size_t>(1, entries_max) + 1;  // the last is where to go on
  limits.bytes_max = buggify(state_->loop.random(), "store/oversized_rows") ? 1 : list_bytes_max(values_bytes_max);
  auto page = co_await state_->engine.scan(Family::kMeta, std::move(range), limits);
  if (!page && page.code() == ErrorCode::kCorrupt) state_->note_unreadable(nullptr);
  if (!page) co_return Result<Listing>(page.error());

  Listing listing;
  auto& rows = page->entries;
  if (page->unreadable) {
    const auto bad = parse_slot_key(*page->unreadable);
    state_->note_unreadable(bad ? &bad->key : nullptr);
    SlotKey behind = slot_key_at(*page->unreadable + std::string(1, '\0'));
    listing.complete = false;
    listing.next_position = behind.position;
    listing.next_key = std::move(behind.key);
  }
  const bool more = !page->unreadable && (!page->complete || rows.size() == limits.entries_max);
  if (more) {
    // The last row is where to go on; a page of one row is an oversized one, to go on behind.
    listing.complete = false;
    const bool alone = rows.size() == 1;
    const std::string resume = rows.back().first + (alone ? std::string(1, '\0') : "");
    SlotKey next = slot_key_at(resume);
    listing.next_position = next.position;
    listing.next_key = std::move(next.key);
    if (!alone) rows.pop_back();
  }
  for (auto& [row_key, row] : rows) {
    auto parsed = parse_slot_key(row_key);
    auto stored = decode_slot(std::move(row));
    if (!parsed || !stored) {
      state_->note_unreadable(parsed ? &parsed->key : nullptr);
      continue;
    }
    Listing::Entry entry;
    entry.position = parsed->position;
    entry.key = std::move(parsed->key);
    entry.ballot = stored->slot.ballot();
    entry.promise = stored->slot.promise;
    if (stored->slot.record) {
      entry.ends = model::ends_at(*stored->slot.record);
      entry.size = stored->slot.record->size;
    }
    const bool tombstone = stored->slot.record && stored->slot.record->tombstone();
    if (tombstone && planted(Plant::kTombstoneUnlisted)) continue;
    if (values_bytes_max > 0) entry.record = whole_in_row(std::move(stored->slot.record));
    listing.entries.push_back(std::move(entry));
  }
  if (planted(Plant::kListSkips) && listing.entries.size() > 1) listing.entries.pop_back();
  co_return Result<Listing>(std::move(listing));
}

// --- damage -----------------------------------------------------------------------------------------------------

void Store::State::note_damaged(const std::string& key, const Ballot& ballot) {
  log::warn("value_damaged", {{"key", key}, {"ballot", model::to_string(ballot)}});
  const std::size_t most = buggify(loop.random(), "store/damage_forgotten") ? 1 : kDamagedMax;
  if (damaged.size() >= most) damaged.erase(damaged.begin());
  damaged[key] = ballot;
  if (findings.damaged) findings.damaged(key, ballot);
}

bool Store::State::is_damaged(const std::string& key, const Ballot& ballot) const {
  const auto found = damaged.find(key);
  return found != damaged.end() && found->second == ballot;
}

// No key: a row that is no slot's, or somewhere in a stretch that the engine cannot read.
void Store::State::note_unreadable(const std::string* key) {
  const std::string name = key ? *key : "unknown";
  if (unreadable++ % kUnreadableLogEvery == 0) log::warn("row_unreadable", {{"key", name}, {"count", unreadable}});
  if (!key) return;
  const model::Partition partition = model::partition_of(*key);
  if (digests.ours(partition)) digests.doubt(partition);
  if (findings.unreadable) findings.unreadable(*key);
}

}  // namespace tako::store
