// Floors of a store: how fence and floors are kept, and how what has ended is dropped. What they are: floors.h.
//
// A drop holds the key's lock, reads the row once more, and takes it away together with its pieces: a record that has
// ended by the partition's floor, and a promise at or below it, which the fence stands for. A promise above the floor
// stays as a row without a record: it was given upon what was there, and what was there was nothing.
// The partition's bound (Digests::ends) says when a look at it is worth while.
#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "base/plant.h"
#include "store/store_state.h"

namespace tako::store {

using model::Partition;

namespace {

constexpr std::size_t kPageEntries = 1000;
constexpr std::size_t kPageBytes = 4 << 20;
constexpr std::size_t kDropsAtOnce = 64;  // keys locked, and dropped in one batch
constexpr Duration kPauseMax = seconds(1);
constexpr std::size_t kTimeBytes = 8;
constexpr char kFencePrefix[] = "fence/";
constexpr char kFenceEnd[] = "fence0";  // '0' is what follows '/'
constexpr char kFloorPrefix[] = "floor/";
constexpr char kFloorEnd[] = "floor0";

void put_number(std::string& out, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint64_t take_number(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

std::string time_row(Timestamp time) {
  std::string row;
  put_number(row, time, kTimeBytes);
  return row;
}

// What a row waits for; kNeverEnds: nothing that a floor brings.
Timestamp ends_of(const model::Slot& slot) {
  if (slot.record) return model::ends_at(*slot.record);
  return slot.promise.none() ? model::kNeverEnds : slot.promise.timestamp;
}

}  // namespace

std::string floor_row_key(Partition p) {
  std::string key(kFloorPrefix);
  put_number(key, p, 2);
  return key;
}

const Floors& Store::floors() const { return state_->floors; }

// --- kept -------------------------------------------------------------------------------------------------------

Task<Status> Store::load_floors() {
  state_->check_here();
  const std::size_t head = sizeof kFloorPrefix - 1;  // of either
  for (const bool fences : {true, false}) {
    Range range;
    range.begin = fences ? kFencePrefix : kFloorPrefix;
    range.end = fences ? kFenceEnd : kFloorEnd;
    while (!range.begin.empty()) {
      ScanLimits limits;
      limits.entries_max = kPageEntries;
      auto page = co_await state_->engine.scan(Family::kSystem, range, limits);
      if (!page) co_return Status(page.error());
      for (const auto& [key, row] : page->entries) {
        if (row.size() != kTimeBytes || key.size() != head + 2) continue;
        const auto number = static_cast<Partition>(take_number(std::string_view(key).substr(head)));
        if (fences) state_->floors.raise_fence(take_number(row));
        if (!fences && state_->digests.ours(number)) {
          state_->floors.raise(number, take_number(row));
          state_->floor_rows.set(number);
        }
      }
      if (page->unreadable) {
        co_return Status(ErrorCode::kCorrupt,
                         "a row of the node's own in its database is unreadable; wipe the data folder to start as a "
                         "new node");
      }
      const bool more = !page->complete && !page->entries.empty();
      range.begin = more ? page->entries.back().first + std::string(1, '\0') : "";
    }
  }
  co_return ok_status();
}

// Whatever this store has let through before is on the disk when the row behind it is: batches are written in order.
Task<Status> Store::raise_fence(Timestamp fence) {
  state_->check_here();
  state_->floors.raise_fence(fence);
  std::string key(kFencePrefix);
  put_number(key, state_->part.index, 2);
  Batch batch;
  batch.frees_space = true;
  batch.put(Family::kSystem, std::move(key), time_row(state_->floors.fence()));
  co_return co_await state_->engine.write(std::move(batch));
}

// Of two that raise the same floor the lower one must not be the last on the disk: so one call at a time, and each
// partition once.
Task<Status> Store::raise_floors(std::vector<std::pair<Partition, Timestamp>> floors, std::uint64_t since) {
  state_->check_here();
  if (buggify(state_->loop.random(), "floor/late_raise")) co_await state_->loop.sleep(milliseconds(20));
  const bool turn = co_await state_->raising_turns.acquire(TimePoint::max());
  if (!turn) co_return Status(ErrorCode::kStopping, "the node is stopping");
  auto raise = state_->raise_floors(std::move(floors), since);
  const Status raised = co_await std::move(raise);
  state_->raising_turns.release();
  co_return raised;
}

Task<Status> Store::State::raise_floors(std::vector<std::pair<Partition, Timestamp>> raised, std::uint64_t since) {
  Batch batch;
  batch.frees_space = true;
  std::erase_if(raised, [this, since](const auto& one) {
    return one.second <= floors.of(one.first) || lost_since(one.first, since);
  });
  std::sort(raised.begin(), raised.end(), std::greater<>());
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  raised.erase(std::unique(raised.begin(), raised.end(), same), raised.end());
  if (raised.empty()) co_return ok_status();
  for (const auto& [p, floor] : raised) {
    batch.put(Family::kSystem, floor_row_key(p), time_row(floor));
    floor_rows.set(p);
  }
  const Status written = co_await engine.write(std::move(batch));
  if (!written) co_return written;
  Batch taken_back;
  taken_back.frees_space = true;
  for (const auto& [p, floor] : raised) {
    if (lost_since(p, since)) {
      taken_back.erase(Family::kSystem, floor_row_key(p));
    } else {
      floors.raise(p, floor);
    }
  }
  if (taken_back.operations.empty()) co_return written;
  co_return co_await engine.write(std::move(taken_back));
}

bool Store::State::lost_since(Partition p, std::uint64_t since) const {
  if (planted(Plant::kFloorAfterLoss)) return false;
  return losing.contains(p) || floors.lost_at(p) > since;
}

// The floor's row goes in the same batch. One that is being written just now comes before it, and is not raised.
void Store::State::begin_loss(Batch& batch, Partition p) {
  floors.reset(p);
  ++losing[p];
  if (floor_rows[p]) batch.erase(Family::kSystem, floor_row_key(p));
  floor_rows.reset(p);
}

void Store::State::end_loss(Partition p, const Status& written) {
  floors.note_loss(p);
  if (!written) floor_rows.set(p);
  const auto one = losing.find(p);
  if (--one->second == 0) losing.erase(one);
}

// --- dropping ---------------------------------------------------------------------------------------------------

Task<Result<Store::Dropped>> Store::drop_ended(Partition p, Timestamp floor) {
  state_->check_here();
  Dropped dropped;
  Digests& digests = state_->digests;
  digests.begin_look(p);
  const std::uint64_t first = static_cast<std::uint64_t>(p) << 48;
  Range range;
  range.begin = slot_key(first, "");
  if (p != model::kPartitions - 1) range.end = slot_key(first + (1ull << 48), "");
  while (!range.begin.empty()) {
    const TimePoint began = state_->loop.now();
    ScanLimits limits;
    limits.entries_max = buggify(state_->loop.random(), "floor/page") ? 1 : kPageEntries;
    limits.bytes_max = kPageBytes;
    auto page = co_await state_->engine.scan(Family::kMeta, range, limits);
    const bool stopping = state_->closing || state_->loop.stopping();
    if (stopping) co_return Error(ErrorCode::kStopping, "the node is stopping");
    if (!page) co_return page.error();
    std::vector<std::string> keys;
    for (auto& [row_key, row] : page->entries) {
      auto at = parse_slot_key(row_key);
      const auto stored = decode_slot(std::move(row));
      if (!at || !stored) continue;  // found by those who read it
      const Timestamp ends = ends_of(stored->slot);
      if (ends > floor) {
        digests.lower_ends(p, ends);
      } else {
        keys.push_back(std::move(at->key));
      }
    }
    for (std::size_t from = 0; from < keys.size(); from += kDropsAtOnce) {
      const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(from);
      const auto end = keys.begin() + static_cast<std::ptrdiff_t>(std::min(keys.size(), from + kDropsAtOnce));
      std::vector<std::string> some(begin, end);
      const Status done = co_await state_->drop_some(std::move(some), floor, dropped);
      if (!done) co_return done.error();
    }
    std::string last = page->entries.empty() ? "" : page->entries.back().first;
    if (page->unreadable) last = *page->unreadable;
    range.begin = page->complete || last.empty() ? "" : last + std::string(1, '\0');
    const Duration taken = std::min(state_->loop.now() - began, kPauseMax);
    if (!range.begin.empty() && taken > Duration::zero()) co_await state_->loop.sleep(taken);
  }
  digests.end_look();
  co_return dropped;
}

// Keys that somebody writes just now are left for the next time.
Task<Status> Store::State::drop_some(std::vector<std::string> keys, Timestamp floor, Dropped& dropped) {
  std::deque<KeyLock> held;
  SlotWrites writes(digests);
  Dropped here;
  for (const std::string& key : keys) {
    const Partition p = model::partition_of(key);
    held.emplace_back(locks, key);
    if (!held.back().try_lock()) {
      held.pop_back();
      digests.lower_ends(p, floor);
      continue;
    }
    const auto stored = co_await load(key);
    if (!stored) digests.lower_ends(p, floor);
    if (!stored) continue;
    const model::Slot& slot = stored->slot;
    const Timestamp ends = ends_of(slot);
    if (ends > floor) {
      digests.lower_ends(p, ends);
      continue;
    }
    const bool keeps_promise = slot.promise.timestamp > floor && !planted(Plant::kFloorDropsPromise);
    if (!slot.record && slot.promise.none()) continue;
    here.rows += slot.record.has_value();
    here.promises += !keeps_promise && !slot.promise.none();
    writes.drop_ended(key, *stored, keeps_promise ? slot.promise : model::Ballot());
    if (keeps_promise) digests.lower_ends(p, slot.promise.timestamp);
  }
  if (writes.empty()) co_return ok_status();
  const Status written = co_await commit(writes);
  if (!written) co_return written;
  dropped.rows += here.rows;
  dropped.promises += here.promises;
  co_return ok_status();
}

}  // namespace tako::store
