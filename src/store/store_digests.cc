// Digests of a store: how they are counted, saved and loaded. What they say: digests.h.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/plant.h"
#include "store/store_state.h"

namespace tako::store {
namespace {

constexpr std::size_t kPageEntries = 1000;
constexpr std::size_t kPageBytes = 4 << 20;
constexpr Duration kPauseMax = seconds(1);
constexpr char kSavedPrefix[] = "digests/";
constexpr char kSavedEnd[] = "digests0";  // '0' is what follows '/'

Range range_of(const Digests::Stretch& stretch) {
  Range range;
  range.begin = slot_key(stretch.position, stretch.key);
  if (stretch.position_last != ~0ull) range.end = slot_key(stretch.position_last + 1, "");
  return range;
}

}  // namespace

const Digests& Store::digests() const { return state_->digests; }

// --- counting ---------------------------------------------------------------------------------------------------

// The write at the beginning settles what became of those before it (digests.h).
Task<> Store::count_unknown() {
  state_->check_here();
  Digests& digests = state_->digests;
  if (state_->closing || !digests.begin_sweep()) co_return;
  Batch settling;
  settling.frees_space = true;
  settling.erase(Family::kSystem, kSavedPrefix);
  const Status settled = co_await state_->engine.write(std::move(settling));
  while (settled.ok() && !state_->closing && !state_->loop.stopping()) {
    const TimePoint began = state_->loop.now();
    const bool more = co_await state_->count_page();
    if (!more) break;
    const Duration taken = std::min(state_->loop.now() - began, kPauseMax);
    if (taken > Duration::zero()) co_await state_->loop.sleep(taken);
  }
  digests.end_sweep();
}

// False: the sweep is through, or has to wait.
Task<bool> Store::State::count_page() {
  const auto stretch = digests.begin_page();
  if (!stretch) co_return false;
  Range range = range_of(*stretch);
  ScanLimits limits;
  limits.entries_max = buggify(loop.random(), "digests/page") ? 1 : kPageEntries;
  limits.bytes_max = kPageBytes;
  auto page = co_await engine.scan(Family::kMeta, std::move(range), limits);
  if (!page) {
    const bool smaller = digests.fail_page();
    if (page.code() != ErrorCode::kCorrupt) co_return false;
    if (!smaller) note_unreadable(nullptr);
    co_return true;
  }
  std::vector<Digests::Row> rows;
  rows.reserve(page->entries.size());
  std::string last = page->entries.empty() ? "" : page->entries.back().first;
  for (auto& [row_key, row] : page->entries) {
    auto parsed = parse_slot_key(row_key);
    if (!parsed) continue;
    const auto stored = decode_slot(std::move(row));
    if (stored) {
      rows.push_back({parsed->position, std::move(parsed->key), Digests::held(parsed->position, stored->slot)});
    } else {
      unreadable_in_count(parsed->position, parsed->key);
    }
  }
  if (page->unreadable) {
    last = *page->unreadable;
    const auto bad = parse_slot_key(last);
    if (bad) unreadable_in_count(bad->position, bad->key);
  }
  std::optional<std::pair<std::uint64_t, std::string>> next;
  if (!page->complete && !last.empty()) {
    SlotKey behind = slot_key_at(last + std::string(1, '\0'));
    next.emplace(behind.position, std::move(behind.key));
  }
  digests.end_page(rows, next);
  co_return true;
}

void Store::State::unreadable_in_count(std::uint64_t position, const std::string& key) {
  const model::Partition partition = model::partition_of_position(position);
  if (digests.ours(partition)) note_unreadable(&key);
}

// --- saving -----------------------------------------------------------------------------------------------------

Task<Status> Store::save_digests(std::uint64_t nonce) {
  state_->check_here();
  state_->closing = true;
  if (state_->digests.busy()) co_return Status(ErrorCode::kOverloaded, "writes are still under way");
  Batch batch;
  batch.frees_space = true;
  batch.put(Family::kSystem, kSavedPrefix + std::to_string(state_->part.index), state_->digests.encode(nonce));
  co_return co_await state_->engine.write(std::move(batch));
}

Task<Status> Store::load_digests(std::uint64_t nonce) {
  state_->check_here();
  Range range;
  range.begin = kSavedPrefix;
  range.end = kSavedEnd;
  while (!range.begin.empty()) {
    ScanLimits limits;
    limits.bytes_max = kPageBytes;
    auto page = co_await state_->engine.scan(Family::kSystem, range, limits);
    if (!page) co_return Status(page.error());
    for (const auto& [key, saved] : page->entries) state_->digests.restore(saved, nonce);
    const bool more = !page->complete && !page->unreadable && !page->entries.empty();
    range.begin = more ? page->entries.back().first + std::string(1, '\0') : "";
  }
  co_return ok_status();
}

Task<Status> Store::forget_saved_digests() {
  state_->check_here();
  if (planted(Plant::kDigestsStale)) co_return ok_status();
  Batch batch;
  batch.frees_space = true;
  batch.erase_range(Family::kSystem, kSavedPrefix, kSavedEnd);
  co_return co_await state_->engine.write(std::move(batch));
}

}  // namespace tako::store
