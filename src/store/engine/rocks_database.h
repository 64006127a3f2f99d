// RocksDatabase: RocksDB as one blocking, thread-safe object; RocksResources: what all databases of a process share.
//
// The only file that knows RocksDB is rocks_database.cc. A node has one database, on which every loop has a
// RocksEngine. Calls block unless they say otherwise: from a loop they go through Workers. A database looks after
// itself in tend(), a task: it syncs the log every interval, watches the free space, and heals after a failure by
// opening itself anew (RocksDB 7.8 can resume, but not write to a log that once failed: its issue 11643). Ranges of
// pieces that were erased it has merged soon, since RocksDB by itself might leave them for days: they are few keys, and
// it merges when keys are many. A file of values goes when nothing in it lives; what is left in others is moved
// together when a third of all is garbage, so that it costs no more than twice what it frees. It knows
// how far it was synced (SyncMark) and does not open with less: a node that forgot must not go on as if it had not.
// Errors are one line: kConflict (open elsewhere), kCorrupt, kNoSpace, kIo, kInvalid (not a folder).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "runtime/loop.h"
#include "runtime/workers.h"
#include "store/engine/committer.h"
#include "store/engine/disk_space.h"
#include "store/engine/engine.h"
#include "store/engine/sync_mark.h"

namespace tako::store {

// Of all databases of the process together, unless said otherwise.
struct RocksLimits {
  std::size_t block_cache_bytes = 256 << 20;
  std::size_t write_buffer_bytes = 256 << 20;
  std::size_t pieces_buffer_bytes = 16 << 20;     // of one database, up to three times; nobody reads them from there
  unsigned background_threads = 2;                // for compactions, and as many for flushes
  std::uint64_t background_bytes_per_second = 0;  // what those may write; 0: no bound
  int open_files_max = 256;                       // of one database
};

class RocksResources {
 public:
  explicit RocksResources(const RocksLimits& limits);
  ~RocksResources();

 private:
  friend class RocksDatabase;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

class RocksDatabase {
 public:
  using Found = Result<std::optional<std::string>>;

  // Makes the folder, with its parents, and the database if they do not exist. REQUIRES: resources outlive it
  static Result<std::unique_ptr<RocksDatabase>> open(const std::string& path, RocksResources& resources,
                                                     SyncPolicy sync);
  // Syncs the log and closes. REQUIRES: no call is in flight
  ~RocksDatabase();

  // Never blocks: nothing if the answer is not in memory.
  std::optional<Found> get_cached(Family family, const std::string& key);
  Found get(Family family, const std::string& key);
  Result<Page> scan(Family family, const Range& range, const ScanLimits& limits);

  // All of the group or nothing of it, under the sync policy.
  Status write(const Committer::Group& group);
  // Without waiting for room in memory: nothing if it would have to.
  std::optional<Status> try_write(const Committer::Group& group);

  // Why this batch would not be written now.
  Status refusal(const Batch& batch) const;
  const SyncPolicy& sync_policy() const { return sync_; }
  // While it is, a write may take long.
  bool syncing() const { return syncing_.load(std::memory_order_relaxed); }

  // Until the loop stops. REQUIRES: spawned once, and over before the database ends
  Task<> tend(runtime::Loop& loop, runtime::Workers& workers);
  // What tend() does, blocking: every interval, and every second. RETURNS whether it can write
  bool sync();
  bool upkeep();
  // ... and beside these, since it may take long: gives the space of erased pieces back.
  void give_back();

  // Without the counts of batches.
  EngineStats stats();
  // RocksDB's number of the last write that succeeded.
  std::uint64_t sequence() const { return sequence_.load(std::memory_order_relaxed); }

 private:
  struct Open;      // an open RocksDB and its families
  struct Listener;  // what RocksDB tells of its background work

  RocksDatabase(std::string path, RocksResources& resources, SyncPolicy sync);
  Result<std::unique_ptr<Open>> open_rocks();
  std::shared_lock<std::shared_mutex> enter();
  std::optional<Status> commit(const Open& open, const Committer::Group& group, bool may_wait);
  Found look_up(const Open& open, Family family, const std::string& key) const;
  void note_sequence(const Open& open);
  void note_erased(const Operation& range);
  Task<> clean(runtime::Workers& workers);
  void collect_garbage(const Open& open);
  void fail(ErrorCode code, const std::string& text);
  void look_at_space(const Open& open);
  void sync_log(const Open& open);
  void reclaim(const Open& open);
  void reopen();

  const std::string path_;
  RocksResources& resources_;
  const SyncPolicy sync_;
  DiskSpace space_;
  SyncMark synced_;
  std::shared_ptr<Listener> listener_;

  // Held shared by every call, alone by reopen(). It is the database's only lock of ours: loops only try it.
  std::shared_mutex mutex_;
  std::mutex turnstile_;  // lets reopen() pass readers that never end
  std::unique_ptr<Open> open_;

  std::atomic<bool> failed_{false};
  std::atomic<ErrorCode> failure_{ErrorCode::kIo};  // if failed_
  std::atomic<bool> compaction_failed_{false};
  std::atomic<bool> cancel_cleaning_{false};
  std::mutex erased_mutex_;
  // Stretches of the chunks family, since the last give_back(). At first all: who knows what was erased before.
  std::vector<Range> erased_{Range{"", std::string(16, '\xff')}};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> unsynced_{false};
  std::atomic<bool> log_unsynced_{false};  // ... without a sync of its own
  std::atomic<bool> syncing_{false};
  std::atomic<bool> freed_{false};                 // something was deleted since the last reclaim()
  std::atomic<std::uint64_t> bytes_unwatched_{0};  // written since the last look at the free space
  unsigned rounds_ = 0;
  unsigned reopen_at_ = 0;  // the round; the pause doubles while it does not help
  unsigned reopen_pause_ = 1;
};

}  // namespace tako::store
