// SimDisk and SimEngine: the disk of a simulated machine, and a database that is open on it.
//
// The disk outlives the machine: the world owns it, kills it, crashes it, wipes it, and opens new engines on it. It
// knows what is in the log and what is synced: kill -9 keeps what is in the log, a machine crash a prefix of what is
// not synced, so it may tear the group that was being committed, whose batches nobody was told of. A batch is whole or
// absent. Under SyncPolicy.always a batch is synced when it can be read, else when it is `interval` old, or at sync().
// An engine of before a kill, crash, wipe or restore reads and writes nothing more: kIo.
// Deterministic: ordered maps, virtual time; what happens to an operation is drawn from its loop's Random, what the
// world does to the disk from the Random that it gives. One thread. The faults are switches; all are off at first.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "runtime/loop.h"
#include "store/engine/committer.h"
#include "store/engine/engine.h"

namespace tako::store {

class SimDisk {
 public:
  using Table = std::map<std::string, std::string>;
  // All that is on it at one moment, damage included.
  struct Snapshot {
    std::array<Table, kFamilies> tables;
    std::set<std::pair<Family, std::string>> unreadable;
    std::uint64_t bytes = 0;     // of all keys and values
    std::uint64_t sequence = 0;  // batches
  };

  // REQUIRES: the clock outlives the disk
  explicit SimDisk(const runtime::Clock& clock) : clock_(clock) {}
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // The process dies; what is in the log stays, synced or not.
  void kill();
  // The machine fails: of the batches in the log that are not synced a random prefix stays, perhaps none, perhaps all.
  void crash(Random& random);
  // The machine gets a new, empty disk.
  void wipe();
  // The disk goes back in time.
  Snapshot snapshot() const { return contents_; }
  void restore(const Snapshot& snapshot);
  void sync() { unsynced_.clear(); }

  // An operation takes a random time from min to max, instead of what SimOptions says.
  void set_latency(Duration min, Duration max) { latency_ = Latency{min, max}; }
  // All operations wait until then.
  void stall_until(TimePoint until) { stalled_until_ = until; }

  // While set, writes fail so. With kNoSpace batches that free space are written.
  void fail_writes(ErrorCode code) { write_fault_ = code; }
  void heal_writes() { write_fault_.reset(); }
  // While set, reads fail with kIo.
  void fail_reads(bool fail) { read_fault_ = fail; }
  // Of a million reads, and of a million group commits, so many fail with kIo. Half of the groups are written all the
  // same: the error came after the write.
  void set_error_rates(std::uint32_t read_ppm, std::uint32_t write_ppm);
  // With more than this on it the disk is full (kNoSpace) but for batches that free space. 0: no limit.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }

  // The row is unreadable (kCorrupt) until it is written anew.
  void rot(Family family, const std::string& key) { contents_.unreadable.insert({family, key}); }
  // Damages a row, and names it; nothing where there is none. In the chunks family a bit of the value is another, for
  // the store's checksum to find; elsewhere the row rots, as if the database's own checksum found it.
  std::optional<std::string> flip_bit(Random& random, Family family);

  // Told of a slot that is erased and could be read, as it was. For whoever watches over the world.
  std::function<void(const std::string& row_key, const std::string& row)> on_slot_erased;

  bool rotten(Family family, const std::string& key) const { return contents_.unreadable.contains({family, key}); }
  std::size_t unsynced_batches() const { return unsynced_.size(); }
  std::uint64_t bytes() const { return contents_.bytes; }
  const Table& rows(Family family) const { return contents_.tables[index(family)]; }

 private:
  friend class SimEngine;

  struct Latency {
    Duration min = Duration::zero();
    Duration max = Duration::zero();
  };
  struct Undo {
    Family family;
    std::string key;
    std::optional<std::string> before;
    bool unreadable;
  };
  struct Unsynced {
    TimePoint safe_at;  // by then it is on the platter
    std::vector<Undo> undo;
  };
  // A group that is in the log and cannot be read yet.
  struct InLog {
    Committer::Group* group;  // its engine's committer keeps it until the commit is over
    SyncPolicy policy;
  };

  static std::size_t index(Family family) { return static_cast<std::size_t>(family); }
  Status refusal(const Batch& batch) const;
  void append(Committer::Group& group, const SyncPolicy& policy) { in_log_.push_back({&group, policy}); }
  void finish(Committer::Group& group);
  void recover(std::uint64_t batches);
  void apply(Batch& batch, const SyncPolicy& policy);
  void put(Family family, std::string key, std::string value, std::vector<Undo>* undo);
  void erase(Family family, Table::iterator row, std::vector<Undo>* undo);
  void take_back(Unsynced& batch);
  bool mend(Family family, const std::string& key);
  void forget_synced();

  const runtime::Clock& clock_;
  Snapshot contents_;
  std::vector<InLog> in_log_;      // in the order they were written
  std::deque<Unsynced> unsynced_;  // with what takes each back, oldest first
  std::optional<Latency> latency_;
  TimePoint stalled_until_ = TimePoint::min();
  std::optional<ErrorCode> write_fault_;
  bool read_fault_ = false;
  std::uint32_t read_error_ppm_ = 0;
  std::uint32_t write_error_ppm_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint64_t generation_ = 0;
};

struct SimOptions {
  SyncPolicy sync;
  Duration latency_max = Duration::zero();  // an operation takes a random time up to this, if the disk has not its own
};

class SimEngine final : public Engine {
 public:
  // REQUIRES: loop and disk outlive the engine; close() before the end if writes may be in flight
  SimEngine(runtime::Loop& loop, SimDisk& disk, SimOptions options);

  Task<Result<std::optional<std::string>>> get(Family family, std::string key) override;
  std::optional<Result<std::optional<std::string>>> peek(Family family, const std::string& key) override;
  Task<Status> write(Batch batch) override;
  Task<Result<Page>> scan(Family family, Range range, ScanLimits limits) override;
  EngineStats stats() override;
  std::uint64_t sequence() override {
    return disk_.contents_.sequence - (options_.sync.always ? disk_.unsynced_.size() : 0);
  }

  Task<> close();

 private:
  bool gone() const { return generation_ != disk_.generation_; }
  Status readable();
  SimDisk::Latency latency() const;
  bool takes_time() const;
  Task<> linger();
  Task<Status> commit(Committer::Group& group);

  runtime::Loop& loop_;
  SimDisk& disk_;
  const SimOptions options_;
  const std::uint64_t generation_;
  Committer committer_;
};

}  // namespace tako::store
