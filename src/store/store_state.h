// The inside of a Store, for the files that implement it: store.cc (slots), store_pieces.cc (values in pieces),
// store_copies.cc, store_digests.cc, store_floor.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/sync.h"
#include "store/digests.h"
#include "store/key_locks.h"
#include "store/slot_codec.h"
#include "store/slot_writes.h"
#include "store/staging.h"
#include "store/store.h"

namespace tako::store {

struct Store::State {
  // Pieces on their way to the disk at once: so many bytes of a commit group wait before a small write.
  static constexpr std::size_t kStagingAtOnce = 16;

  State(runtime::Loop& l, Engine& e, Part p, Floors* shared)
      : loop(l),
        engine(e),
        part(p),
        own_floors(shared ? nullptr : std::make_unique<Floors>()),
        floors(shared ? *shared : *own_floors),
        locks(l),
        digests(p.index, p.count),
        staging_turns(l, kStagingAtOnce),
        raising_turns(l, 1) {}

  // A store is used on its loop only, and for its own keys: another one's lock, digest and pieces would be wrong.
  // The key is looked at in the simulator and in debug builds.
  void check_here() const { loop.check_here(); }
  void check_here([[maybe_unused]] const std::string& key) const {
    loop.check_here();
#if defined(TAKO_SIMULATED) || !defined(__OPTIMIZE__)
    ASSERT(digests.ours(model::partition_of(key)));
#endif
  }

  // --- store.cc
  Task<Result<StoredSlot>> load(std::string key);
  // The one way by which a change of a slot comes to the engine (slot_writes.h). REQUIRES: `writes` outlives it
  Task<Status> commit(SlotWrites& writes);
  Status replace(SlotWrites& writes, const std::string& key, const StoredSlot& stored, model::Record record,
                 const std::optional<model::UploadId>& upload, const model::Ballot& promise);
  void note_damaged(const std::string& key, const model::Ballot& ballot);
  bool is_damaged(const std::string& key, const model::Ballot& ballot) const;
  void note_unreadable(const std::string* key);

  Task<Result<model::Slot>> read(std::string key, bool want_value);
  // Is the key a tombstone at its partition's floor, and the ballot below that? Or is it a proposer's, below the fence?
  bool shut_out(const std::string& key, const model::Ballot& ballot, const model::Slot& slot, Origin origin) const;

  // --- store_copies.cc
  Task<> accept_new(std::vector<Copy>& copies, std::size_t begin, std::size_t end,
                    std::vector<std::optional<Result<Accepted>>>& outcomes);
  std::optional<Accepted> put_new(SlotWrites& writes, Copy& copy);

  // --- store_floor.cc
  // A row of the partition that may be alive goes with this batch; and what became of it.
  void begin_loss(Batch& batch, model::Partition p);
  void end_loss(model::Partition p, const Status& written);
  bool lost_since(model::Partition p, std::uint64_t since) const;
  Task<Status> raise_floors(std::vector<std::pair<model::Partition, Timestamp>> raised, std::uint64_t since);
  Task<Status> drop_some(std::vector<std::string> keys, Timestamp floor, Dropped& dropped);

  // --- store_pieces.cc
  // A new name for the pieces of one value of one key.
  model::UploadId draw_id();
  // The slot that was loaded with its value, or the one that has replaced it. REQUIRES: stored.pieces == 1
  Task<Result<Bytes>> load_piece(std::string key, StoredSlot stored);
  Task<Result<model::Slot>> load_value(std::string key, StoredSlot stored);
  // With its value. None: it is too large to be at hand, or cannot be read. REQUIRES: the key is locked
  Task<std::optional<model::Record>> whole_record(std::string key, StoredSlot stored);
  Task<Status> write_piece(std::string key, model::UploadId upload, Staging::Piece about, Bytes piece);
  // Frees the rows under that name unless the slot names them. REQUIRES: the key is locked
  Task<Status> free_rows(std::string key, model::UploadId local);
  Task<Status> end_upload(std::string key, model::UploadId upload);
  // What was staged before this store began, and what could not be freed. Of one page: where to go on; empty: the end.
  Task<std::string> free_leftovers(std::string begin);

  // --- store_digests.cc
  Task<bool> count_page();
  void unreadable_in_count(std::uint64_t position, const std::string& key);

  runtime::Loop& loop;
  Engine& engine;
  const Part part;
  const std::unique_ptr<Floors> own_floors;  // of a store that stands alone
  Floors& floors;
  KeyLocks locks;
  Digests digests;
  bool closing = false;  // no write any more: the digests are saved
  runtime::Slots staging_turns;
  runtime::Slots raising_turns;                // floors
  model::PartitionSet floor_rows;              // a floor's row of these may be on the disk
  std::map<model::Partition, unsigned> losing;  // losses under way
  Staging staging;
  bool leftovers = true;  // there may be staged rows that are not in `staging`
  // Values found to be damaged: the next copy of the same ballot is written over them. Bounded: what falls out is
  // found again by the next read.
  std::map<std::string, model::Ballot> damaged;
  std::uint64_t unreadable = 0;
  Findings findings;
};

Error damaged_error();
// Is it whole, and within its limits?
Status check_record(const std::string& key, const model::Record& record);

}  // namespace tako::store
