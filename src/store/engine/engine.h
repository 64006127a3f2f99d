// Engine: an ordered key-value store with atomic batches: the disk's seam. Small enough to be written twice, RocksDB
// (rocks_engine) and simulated (sim_engine), and held to one conformance test.
//
// An Engine object belongs to one loop; several of one node may stand on one database. What it promises:
// - write() is atomic and, when it returns success, in the write-ahead log: kill -9 loses nothing. Under
//   SyncPolicy.always it is on the platter too; else at most one interval is lost when the machine fails.
// - Batches are applied in the order of the calls on one Engine. While one is being written the next ones gather and
//   go down together (group commit): one write-ahead record, one sync, for all that wait.
// - get() and scan() see every write that returned before they were called.
// - Failure is a state: after kNoSpace, kIo or kCorrupt reads go on, and the engine recovers by itself when it can.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/task.h"

namespace tako::store {

using runtime::Task;

enum class Family : std::uint8_t {
  kSystem = 0,  // the node's own: identity, incarnations, marks
  kMeta = 1,    // position ‖ key -> slot: version, promise, and the value itself where it is small
  kChunks = 2,  // pieces of large values
};
inline constexpr std::size_t kFamilies = 3;

struct Operation {
  enum class Kind : std::uint8_t { kPut, kErase, kEraseRange };
  Kind kind = Kind::kPut;
  Family family = Family::kSystem;
  std::string key;    // kEraseRange: the first erased
  std::string value;  // kEraseRange: the first that stays
};

struct Batch {
  std::vector<Operation> operations;
  // Deletes and the node's own marks: written while the disk is nearly full and all else is refused with kNoSpace.
  bool frees_space = false;
  // Under SyncPolicy.always: it need not be on the platter before a later batch without this mark is.
  bool sync_later = false;

  void put(Family family, std::string key, std::string value) {
    operations.push_back({Operation::Kind::kPut, family, std::move(key), std::move(value)});
  }
  void erase(Family family, std::string key) {
    operations.push_back({Operation::Kind::kErase, family, std::move(key), {}});
  }
  void erase_range(Family family, std::string begin, std::string end) {
    operations.push_back({Operation::Kind::kEraseRange, family, std::move(begin), std::move(end)});
  }
};

struct Range {
  std::string begin;  // inclusive
  std::string end;    // exclusive; empty: to the end of the family
};

struct ScanLimits {
  std::size_t entries_max = 1000;
  std::size_t bytes_max = 1 << 20;  // a page has at least one entry, whatever its size
};

struct Page {
  std::vector<std::pair<std::string, std::string>> entries;
  bool complete = true;  // the range is exhausted; else go on after the last key
  // A row that cannot be read ends the page (also an empty one), where the engine can name it: go on after this key.
  std::optional<std::string> unreadable;
};

struct SyncPolicy {
  bool always = false;
  Duration interval = seconds(1);
};

struct EngineStats {
  std::uint64_t keys_estimate = 0;   // of the meta family
  std::uint64_t bytes_on_disk = 0;
  std::uint64_t batches = 0;         // write() calls
  std::uint64_t commits = 0;         // group commits that carried them
  std::string state = "ok";          // or why it does not write
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual Task<Result<std::optional<std::string>>> get(Family family, std::string key) = 0;
  // The same, if it is known without a wait.
  virtual std::optional<Result<std::optional<std::string>>> peek(Family family, const std::string& key) = 0;
  virtual Task<Status> write(Batch batch) = 0;
  virtual Task<Result<Page>> scan(Family family, Range range, ScanLimits limits) = 0;
  virtual EngineStats stats() = 0;
  // Grows with every write that succeeded, and is as durable as they are: on a disk that went back in time it is lower.
  virtual std::uint64_t sequence() = 0;
};

}  // namespace tako::store
