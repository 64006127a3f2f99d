// The Store's copies of keys that are new to it: most of what a node takes over that was wiped, or joins.
//
// What accept() does for one key, for many at once: one batch, and no task for each. The rule is the same, and so is
// the reason (store.h): a key is locked from before its slot is looked at until the batch is written. Only keys that
// nobody else has locked, and of which it is known without a wait that no slot is there, are taken: then there is no
// older version to free, no promise and no damage, and all that can refuse a copy is the partition's floor. All others
// are left to accept().
#include <algorithm>
#include <deque>

#include "base/plant.h"
#include "store/store_state.h"

namespace tako::store {
namespace {

constexpr std::size_t kAtOnce = 256;  // keys: others on this loop have their turn between

}  // namespace

Task<std::vector<std::optional<Result<Accepted>>>> Store::accept_new(std::vector<Copy>& copies) {
  state_->check_here();
  std::vector<std::optional<Result<Accepted>>> outcomes(copies.size());
  for (std::size_t begin = 0; begin < copies.size(); begin += kAtOnce) {
    const std::size_t end = std::min(begin + kAtOnce, copies.size());
    co_await state_->accept_new(copies, begin, end, outcomes);
  }
  co_return outcomes;
}

Task<> Store::State::accept_new(std::vector<Copy>& copies, std::size_t begin, std::size_t end,
                                std::vector<std::optional<Result<Accepted>>>& outcomes) {
  std::vector<std::size_t> taken;
  std::deque<KeyLock> held;
  SlotWrites writes(digests);
  for (std::size_t i = begin; i < end && !closing; ++i) {
    check_here(copies[i].key);
    KeyLock& lock = held.emplace_back(locks, copies[i].key);
    const bool free = lock.try_lock();
    auto accepted = free ? put_new(writes, copies[i]) : std::nullopt;
    if (!accepted) {
      held.pop_back();
      continue;
    }
    outcomes[i] = std::move(*accepted);
    taken.push_back(i);
  }
  if (taken.empty()) co_return;

  const Status written = co_await commit(writes);
  for (const std::size_t i : taken) {
    if (!written) outcomes[i] = Result<Accepted>(written.error());
  }
}

// None: it is not known to be new, or the copy is not in order. REQUIRES: the key is locked
std::optional<Accepted> Store::State::put_new(SlotWrites& writes, Copy& copy) {
  const bool whole = copy.record.tombstone() || copy.record.value;
  if (!whole || !check_record(copy.key, copy.record)) return std::nullopt;
  const std::uint64_t position = model::position_of(copy.key);
  const auto row = engine.peek(Family::kMeta, slot_key(position, copy.key));
  const bool absent = row && *row && (!row->value() || planted(Plant::kCopiesBlind));
  StoredSlot nothing;
  nothing.slot.floor = floors.of(model::partition_of_position(position));
  if (!absent || shut_out(copy.key, copy.record.ballot, nothing.slot, Origin::kCopy)) return std::nullopt;

  Accepted accepted;
  accepted.stored = accepted.written = true;
  accepted.ballot = copy.record.ballot;
  accepted.version = copy.record.version;
  accepted.promise = model::promise_of_fence(floors.fence());
  const Status put = replace(writes, copy.key, nothing, std::move(copy.record), std::nullopt, model::Ballot());
  ASSERT(put.ok());  // it carries its value
  return accepted;
}

}  // namespace tako::store
