// SimDisk and SimEngine: the disk of a simulated machine, and a database that is open on it.
//
// The disk outlives the machine: the world owns it, kills it, crashes it, wipes it, and opens new engines on it. It
// knows what is synced: a machine crash loses a suffix of the batches that were not, kill -9 loses nothing. A batch is
// whole or absent. Under SyncPolicy.always a batch is synced when it is applied, else when it is `interval` old, or
// at sync(). An engine of before a kill, crash or wipe reads and writes nothing more: kIo.
// Deterministic: ordered maps, virtual time, the loop's Random. One thread. Single-machine faults are switches here.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "runtime/loop.h"
#include "store/committer.h"
#include "store/engine.h"

namespace tako::store {

class SimDisk {
 public:
  // REQUIRES: the clock outlives the disk
  explicit SimDisk(const runtime::Clock& clock) : clock_(clock) {}
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // The process dies; what was written stays, synced or not.
  void kill() { ++generation_; }
  // The machine fails: of the batches that are not synced a random prefix stays, perhaps none, perhaps all.
  void crash(Random& random);
  // The machine gets a new, empty disk.
  void wipe();
  void sync() { unsynced_.clear(); }

  // While set, writes fail so. With kNoSpace batches that free space are written.
  void fail_writes(ErrorCode code) { write_fault_ = code; }
  void heal_writes() { write_fault_.reset(); }
  // While set, reads fail with kIo.
  void fail_reads(bool fail) { read_fault_ = fail; }
  // The row is unreadable (kCorrupt) until it is written anew.
  void rot(Family family, const std::string& key) { rotten_.insert({family, key}); }

  std::size_t unsynced_batches() const { return unsynced_.size(); }
  const std::map<std::string, std::string>& rows(Family family) const { return tables_[index(family)]; }

 private:
  friend class SimEngine;

  struct Undo {
    Family family;
    std::string key;
    std::optional<std::string> before;
  };
  struct Unsynced {
    TimePoint safe_at;  // by then it is on the platter
    std::vector<Undo> undo;
  };

  static std::size_t index(Family family) { return static_cast<std::size_t>(family); }
  Status refusal(const Batch& batch) const;
  void apply(const Batch& batch, const SyncPolicy& policy);
  void change(Family family, const std::string& key, std::optional<std::string> value, std::vector<Undo>& undo);
  void forget_synced();

  const runtime::Clock& clock_;
  std::array<std::map<std::string, std::string>, kFamilies> tables_;
  std::deque<Unsynced> unsynced_;  // with what takes each back, oldest first
  std::set<std::pair<Family, std::string>> rotten_;
  std::optional<ErrorCode> write_fault_;
  bool read_fault_ = false;
  std::uint64_t generation_ = 0;
};

struct SimOptions {
  SyncPolicy sync;
  Duration latency_max = Duration::zero();  // an operation takes a random time up to this; 0: none at all
};

class SimEngine final : public Engine {
 public:
  // REQUIRES: loop and disk outlive the engine; close() before the end if writes may be in flight
  SimEngine(runtime::Loop& loop, SimDisk& disk, SimOptions options);

  Task<Result<std::optional<std::string>>> get(Family family, std::string key) override;
  Task<Status> write(Batch batch) override;
  Task<Result<Page>> scan(Family family, Range range, ScanLimits limits) override;
  EngineStats stats() override;

  Task<> close();

 private:
  bool gone() const { return generation_ != disk_.generation_; }
  Status readable() const;
  Task<> linger();
  Task<Status> commit(const Committer::Group& group);

  runtime::Loop& loop_;
  SimDisk& disk_;
  const SimOptions options_;
  const std::uint64_t generation_;
  Committer committer_;
};

}  // namespace tako::store
