// Promises of a Store: what is refused from now on (rules 2 and 24).
#include "base/plant.h"
#include "store/slot_codec.h"
#include "store/store_state.h"

namespace tako::store {

using model::Ballot;

Task<Result<Promised>> Store::promise(std::string key, Ballot ballot, bool want_value) {
  state_->check_here(key);
  if (key.size() > model::kKeyBytesMax || ballot.none()) {
    co_return Result<Promised>(ErrorCode::kInvalid, "a promise of nothing, or of a key that is too long");
  }
  Promised promised;
  const Timestamp floor = state_->floors.of(model::partition_of(key));
  {
    KeyLock lock(state_->locks, key);
    const Status locked = co_await lock.acquire();
    if (!locked) co_return Result<Promised>(locked.error());
    auto loaded = co_await state_->load(key);
    if (!loaded) co_return Result<Promised>(loaded.error());
    StoredSlot& stored = *loaded;
    promised.given = ballot > stored.slot.ballot() && ballot > stored.slot.promise &&
                     !state_->shut_out(key, ballot, stored.slot, Origin::kProposal);
    promised.slot = stored.slot;
    if (promised.given) {
      stored.slot.promise = promised.slot.promise = ballot;
      SlotWrites writes(state_->digests);
      writes.promise(key, stored);
      if (!planted(Plant::kPromiseNotKept)) {
        const Status written = co_await state_->commit(writes);
        if (!written) co_return Result<Promised>(written.error());
      }
    }
  }
  promised.slot.floor = floor;
  promised.slot.promise = std::max(promised.slot.promise, model::promise_of_fence(state_->floors.fence()));
  const auto& record = promised.slot.record;
  const bool elsewhere = record && !record->tombstone() && !record->value && !record->in_pieces();
  if (promised.slot.record && !want_value) promised.slot.record->value.reset();
  if (!want_value || !elsewhere) co_return Result<Promised>(std::move(promised));
  // In a row of its own, or damaged: without it the reply says whose value to fetch.
  const Ballot held = promised.slot.ballot();
  auto whole = co_await read(std::move(key), true);
  if (whole && whole->ballot() == held) promised.slot.record = std::move(whole->record);
  co_return Result<Promised>(std::move(promised));
}

Task<Result<Ballot>> Store::withdraw_promise(std::string key) {
  state_->check_here(key);
  KeyLock lock(state_->locks, key);
  const Status locked = co_await lock.acquire();
  if (!locked) co_return Result<Ballot>(locked.error());
  auto loaded = co_await state_->load(key);
  if (!loaded) co_return Result<Ballot>(loaded.error());
  StoredSlot& stored = *loaded;
  const Ballot promised = stored.slot.promise;
  if (promised.none()) co_return Result<Ballot>(promised);
  stored.slot.promise = Ballot();
  SlotWrites writes(state_->digests);
  writes.promise(key, stored);
  const Status written = co_await state_->commit(writes);
  if (!written) co_return Result<Ballot>(written.error());
  co_return Result<Ballot>(promised);
}

}  // namespace tako::store
