// Store: what a replica keeps of its keys: the acceptor of the protocol over an Engine. One object per loop; a key's
// partition belongs to one loop (partition % loops), so that all writes to a key pass through one Store.
//
// Why no path can store an older version over a newer one: accept() is the only way in, and accept_new() where nothing
// is stored (store_copies.cc, which says why that is the same). accept() holds the key's lock (an ordered wait on this
// loop) over "read the slot, compare, write the batch", so two accepts of one key never interleave, and it compares
// with what is durable, not with what is in flight. The rule (protocol rule 1):
//   ballot == stored           -> stored (again; nothing is written)
//   ballot >  stored, >= promise -> written, with the old version's pieces freed in the same batch
//   else                       -> refused, with what is stored and promised
// The same test for proposals, read repair, background repair and hand-off. See Caspaxos (Rystsov, 2018).
// Two things count as stored and promised that stand in no row (floors.h): what is absent, or has ended, is a tombstone
// at the partition's floor; and to a proposer the node's fence is a promise.
//
// A value of more than a piece comes piece by piece (stage) and becomes visible all at once, by the accept that names
// its upload. Each upload's pieces have a name of their own on the disk, and the slot says which are its: so those of
// two versions never mix, and the batch that replaces the slot frees the old ones. What is staged and not committed
// is freed by discard(), and by sweep() when nobody sends pieces any more, or when the process that staged it died.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/record.h"
#include "runtime/loop.h"
#include "store/digests.h"
#include "store/engine/engine.h"
#include "store/floors.h"
#include "store/slot_codec.h"

namespace tako::store {

struct Accepted {
  bool stored = false;     // exactly this ballot is held now
  bool written = false;    // ... and was not before
  model::Ballot ballot;    // what is held now; of a tombstone at the floor, the floor's
  model::Version version;  // of what is held now
  model::Ballot promise;
};

// Who brings a record: a proposer, whom the fence stops, or somebody who has it from an owner.
enum class Origin : std::uint8_t { kProposal, kCopy };

// A record with its value, of a key.
struct Copy {
  std::string key;
  model::Record record;
};

struct Promised {
  bool given = false;  // the promise; else what is in the way stands in the slot
  model::Slot slot;
};

struct Listing {
  struct Entry {
    std::uint64_t position = 0;
    std::string key;
    model::Ballot ballot;
    model::Ballot promise;
    Timestamp ends = model::kNeverEnds;   // of what is held
    std::uint64_t size = 0;               // of its value, in bytes
    std::optional<model::Record> record;  // if values are wanted, and it stands whole in its row
  };
  std::vector<Entry> entries;       // in storage order: (position, key)
  bool complete = true;             // everything up to position_last was seen
  std::uint64_t next_position = 0;  // else: go on here, inclusive
  std::string next_key;
};

class Store {
 public:
  // Values up to this size stand in the slot itself; larger ones in pieces in the chunks family.
  static constexpr std::size_t kInlineBytesMax = 16 * 1024;
  static constexpr std::size_t kPieceBytes = model::kPieceBytes;
  // An upload without a new piece for so long is freed.
  static constexpr Duration kStagedIdleMax = seconds(120);

  // Told on this store's loop, from inside whatever call came upon it: only to be noted there.
  struct Findings {
    std::function<void(const std::string& key)> unreadable;  // its row: nothing is known of the key
    std::function<void(const std::string& key, const model::Ballot& ballot)> damaged;  // its value only
    // Replaced by an older version under a higher ballot: it was answered perhaps, but never chosen.
    std::function<void(const std::string& key, model::Record record)> overtaken;
  };

  // The partitions p with p % count == index are this store's: a node has one for each loop.
  struct Part {
    unsigned index = 0;
    unsigned count = 1;
  };

  // `floors`: of the node, of all its stores.
  Store(runtime::Loop& loop, Engine& engine, Part part, Floors& floors);
  Store(runtime::Loop& loop, Engine& engine, Part part);
  Store(runtime::Loop& loop, Engine& engine);  // all of them
  ~Store();

  void report_to(Findings findings);

  // A slot without record: nothing is known of the key. Without want_value the record's value is left out, as is always
  // one of more than a piece. kCorrupt: the value does not match its checksum, or the slot does not decode.
  Task<Result<model::Slot>> read(std::string key, bool want_value);

  // A piece of exactly that ballot, verified. kConflict: another one is stored now. kNotFound: no such piece, or
  // nothing is stored. kCorrupt: this copy is damaged.
  Task<Result<StoredPiece>> read_piece(std::string key, model::Ballot ballot, std::uint32_t index);

  // Reads all of the value, piece by piece. kCorrupt: it is damaged. kNotFound: that ballot is not stored any more.
  Task<Status> verify(std::string key, model::Ballot ballot);

  // A value of up to a piece comes in the record; a larger one is in the upload's pieces, or in those of the version
  // stored if it is the same.
  // kNotFound: it is in neither, or pieces are missing; the staged ones stay. kInvalid: it does not match its checksum.
  // `promise`, unless none, is promised in the same batch if the record is stored.
  Task<Result<Accepted>> accept(std::string key, model::Record record, std::optional<model::UploadId> upload,
                                model::Ballot promise, Origin origin);
  Task<Result<Accepted>> accept(std::string key, model::Record record,
                                std::optional<model::UploadId> upload);  // a copy
  Task<Result<Accepted>> accept(std::string key, model::Record record);  // a copy

  // Those of which nothing is stored here, all in one batch; what is left without an outcome is for accept(). What is
  // taken is moved from. REQUIRES: the copies stay where they are until it returns, and are no more than a message
  Task<std::vector<std::optional<Result<Accepted>>>> accept_new(std::vector<Copy>& copies);

  // Nothing below the ballot is accepted from here on, if it is above all that is stored and promised (rule 2); and
  // what is stored, as read() has it. Durable when it returns.
  Task<Result<Promised>> promise(std::string key, model::Ballot ballot, bool want_value);

  // Of a node without vote there, whose promises count for nobody; what it was, or none. To be promised again when what
  // it stood in the way of is stored (node/repair/pass.h).
  Task<Result<model::Ballot>> withdraw_promise(std::string key);

  // The piece `index` of a value to come. In any order; again changes nothing. kOverloaded: too many uploads;
  // kConflict: this one is over, or the piece was another; kCorrupt: it does not match its checksum.
  Task<Status> stage(std::string key, model::UploadId upload, std::uint32_t index, Bytes piece, std::uint64_t checksum);
  // kNotFound: that piece is not staged here.
  Task<Result<StoredPiece>> read_staged(std::string key, model::UploadId upload, std::uint32_t index);
  // Frees what is staged under that name, if anything is.
  Task<Status> discard(std::string key, model::UploadId upload);
  // Frees uploads that nobody goes on with. To be called every few seconds.
  Task<> sweep();
  std::size_t uploads() const;

  // Removes a copy that has been handed off, if it is still exactly this one. False: it changed meanwhile.
  Task<Result<bool>> drop(std::string key, model::Ballot ballot);

  // Erases the key's row and pieces if the row is still unreadable, or its value known to be damaged, and says whether
  // it was. REQUIRES: this node may forget the key (node/membership/standing.h)
  Task<Result<bool>> erase_unreadable(std::string key);

  const Floors& floors() const;
  // The fence, and the floors of this store's partitions, as they were kept. REQUIRES: before anything is served
  Task<Status> load_floors();
  // When it returns, no proposal up to it is taken any more here, nor under way, also after a crash.
  Task<Status> raise_fence(Timestamp fence);
  // `since`: Floors::losses() from before it was found out that they may be raised; where something was lost since then
  // they stay as they are.
  Task<Status> raise_floors(std::vector<std::pair<model::Partition, Timestamp>> floors, std::uint64_t since);
  struct Dropped {
    std::uint64_t rows = 0;      // records
    std::uint64_t promises = 0;  // at or below the floor
  };
  // What has ended by its floor. Half of the time it sleeps. REQUIRES: the floor is the partition's, and durable
  Task<Result<Dropped>> drop_ended(model::Partition partition, Timestamp floor);

  // What is held, by partition (digests.h).
  const Digests& digests() const;
  // Counts what is unknown, once through, as far as it can be read; half of the time it sleeps. To be called every few
  // seconds, not twice at once.
  Task<> count_unknown();
  // What a clean stop has saved under that nonce; then, when all stores on the database have it, it is forgotten.
  // REQUIRES: before anything is written
  Task<Status> load_digests(std::uint64_t nonce);
  Task<Status> forget_saved_digests();
  // No write is taken any more.
  Task<Status> save_digests(std::uint64_t nonce);

  // From (position, key), inclusive, to position_last, inclusive. Examines at most `entries_max` slots a call.
  // An unreadable slot is reported and left out; where the engine cannot name it, the listing fails with kCorrupt.
  // `values_bytes_max`: not 0: with the records that stand whole in their rows, of about so many bytes.
  Task<Result<Listing>> list(std::uint64_t position, std::string key, std::uint64_t position_last,
                             std::size_t entries_max,
                             std::size_t values_bytes_max = 0);

 private:
  // Defined by the implementation: the lock table is what it needs beside the engine.
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tako::store
