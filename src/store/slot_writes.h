// SlotWrites: changes of slots on their way to the disk, in one batch. It alone writes and erases rows of the meta
// family (scripts/tidy.py checks that), and Store::State::commit() alone hands it to the engine. So what has to follow
// a slot follows in these two places, for every path that changes one: the old version's pieces are freed, the
// partition's digest changes, a note that the value is damaged ends, and a floor falls where a record is lost.
//
// Lives in the frame of the coroutine that holds the keys' locks, from before commit() until its outcome is known.
// REQUIRES, of every change: the key is locked; `before` is what its row holds, loaded under that lock; the key string
// outlives this object; each key comes once.
#pragma once

#include <list>
#include <string>

#include "store/digests.h"
#include "store/engine/engine.h"
#include "store/slot_codec.h"

namespace tako::store {

class SlotWrites {
 public:
  explicit SlotWrites(Digests& digests) : digests_(digests) {}

  // A record, and what is promised. Pieces that only `before` names are freed.
  void put(const std::string& key, const StoredSlot& before, const StoredSlot& after);
  // The record stays as it is: `now` holds it, and what is promised from now on.
  void promise(const std::string& key, const StoredSlot& now);
  // The record goes, with its pieces, though it may be alive: another node has it. The promise, unless none, stays.
  void drop(const std::string& key, const StoredSlot& before);
  // The record has ended by its partition's floor. `promise`, unless none, stays.
  void drop_ended(const std::string& key, const StoredSlot& before, const model::Ballot& promise);
  // The row goes, and pieces under any name, of a value that is damaged.
  void erase_damaged(const std::string& key, const model::Slot& before);
  // The same, of a row that cannot be read: what its partition's digest is without it has to be counted.
  void erase_unreadable(const std::string& key);

  bool empty() const { return batch.operations.empty(); }

  Batch batch;  // rows of other families that change in the same moment go here

 private:
  friend class Store;  // commit()

  struct Change {
    Change(Digests& digests, const std::string& k, const Digests::Held& before, const Digests::Held& after)
        : key(k), digest(digests, k, before, after) {}

    const std::string& key;
    Digests::Change digest;
    bool loss = false;        // a record goes that may be alive
    bool unreadable = false;  // what was there is not known
  };

  void drop(const std::string& key, const StoredSlot& before, const model::Ballot& promise, bool loss);
  void erase_all(const std::string& key);

  Digests& digests_;
  std::list<Change> records_;  // those of records, not of promises alone. Digests links to them: they never move
};

// Operations of a batch: all pieces that the slot names.
void erase_pieces(Batch& batch, std::uint64_t position, const std::string& key, const model::UploadId& id,
                  std::uint32_t pieces);

}  // namespace tako::store
