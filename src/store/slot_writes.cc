#include "store/slot_writes.h"

#include "base/plant.h"

namespace tako::store {

using model::Ballot;

void erase_pieces(Batch& batch, std::uint64_t position, const std::string& key, const model::UploadId& id,
                  std::uint32_t pieces) {
  if (pieces == 1) batch.erase(Family::kChunks, piece_key(position, key, id, 0));
  if (pieces <= 1) return;
  batch.erase_range(Family::kChunks, piece_key(position, key, id, 0), piece_key(position, key, id, model::kPiecesMax));
}

void SlotWrites::put(const std::string& key, const StoredSlot& before, const StoredSlot& after) {
  const std::uint64_t position = model::position_of(key);
  const bool kept = after.pieces > 0 && after.pieces_id == before.pieces_id;
  if (!kept && !planted(Plant::kPiecesLeak)) erase_pieces(batch, position, key, before.pieces_id, before.pieces);
  batch.put(Family::kMeta, slot_key(position, key), encode_slot(after));
  records_.emplace_back(digests_, key, Digests::held(position, before.slot), Digests::held(position, after.slot));
}

void SlotWrites::promise(const std::string& key, const StoredSlot& now) {
  std::string row_key = slot_key(model::position_of(key), key);
  const bool nothing = !now.slot.record && now.slot.promise.none();
  if (nothing) {
    batch.erase(Family::kMeta, std::move(row_key));
  } else {
    batch.put(Family::kMeta, std::move(row_key), encode_slot(now));
  }
}

void SlotWrites::drop(const std::string& key, const StoredSlot& before) {
  drop(key, before, before.slot.promise, true);
}

void SlotWrites::drop_ended(const std::string& key, const StoredSlot& before, const Ballot& promise) {
  drop(key, before, promise, false);
}

void SlotWrites::drop(const std::string& key, const StoredSlot& before, const Ballot& promise, bool loss) {
  const std::uint64_t position = model::position_of(key);
  batch.frees_space = true;
  erase_pieces(batch, position, key, before.pieces_id, before.pieces);
  StoredSlot promise_only;
  promise_only.slot.promise = promise;
  this->promise(key, promise_only);
  const Digests::Held held = Digests::held(position, before.slot);
  const Digests::Held after = loss && planted(Plant::kDigestDropKept) ? held : Digests::Held();
  records_.emplace_back(digests_, key, held, after).loss = loss;
}

void SlotWrites::erase_damaged(const std::string& key, const model::Slot& before) {
  erase_all(key);
  const Digests::Held held = Digests::held(model::position_of(key), before);
  const Digests::Held after = planted(Plant::kDigestErasedStays) ? held : Digests::Held();
  records_.emplace_back(digests_, key, held, after).loss = true;
}

void SlotWrites::erase_unreadable(const std::string& key) {
  erase_all(key);
  Change& change = records_.emplace_back(digests_, key, Digests::Held(), Digests::Held());
  change.loss = change.unreadable = true;
}

void SlotWrites::erase_all(const std::string& key) {
  const std::uint64_t position = model::position_of(key);
  batch.frees_space = true;
  batch.erase(Family::kMeta, slot_key(position, key));
  batch.erase_range(Family::kChunks, pieces_begin(position, key), pieces_end(position, key));
}

}  // namespace tako::store
