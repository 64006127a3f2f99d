// RocksEngine: a loop's engine on a RocksDatabase, which the engines of all loops of a node share.
//
// Reads try memory on the loop and go to a worker thread when they miss. Writes gather (Committer) and go down as one
// batch: on the loop itself if it is small and the disk was quick lately, since that costs less than a trip to a
// thread; else on a worker thread. Owned by a node's loop and used there only. close() before the end.
#pragma once

#include <memory>
#include <string>

#include "runtime/loop.h"
#include "runtime/sync.h"
#include "runtime/workers.h"
#include "store/engine/committer.h"
#include "store/engine/engine.h"
#include "store/engine/rocks_database.h"

namespace tako::store {

class RocksEngine final : public Engine {
 public:
  // A group up to this size is written on the loop.
  static constexpr std::size_t kInlineBytesMax = 128 << 10;
  // A write on the loop that took this long sends the following ones to the workers, for a while.
  static constexpr Duration kInlineTimeMax = milliseconds(2);
  static constexpr Duration kInlinePause = milliseconds(100);

  // REQUIRES: all three outlive the engine
  RocksEngine(runtime::Loop& loop, runtime::Workers& workers, RocksDatabase& database);

  Task<Result<std::optional<std::string>>> get(Family family, std::string key) override;
  std::optional<Result<std::optional<std::string>>> peek(Family family, const std::string& key) override;
  Task<Status> write(Batch batch) override;
  Task<Result<Page>> scan(Family family, Range range, ScanLimits limits) override;
  EngineStats stats() override;
  std::uint64_t sequence() override { return database_.sequence(); }

  // From now on every call is refused with kStopping; returns when the last one has ended.
  Task<> close();

  // Benchmarks compare: never write on the loop.
  void workers_only() { inline_from_ = TimePoint::max(); }

 private:
  bool may_write_here(const Committer::Group& group) const;
  Task<Status> commit(const Committer::Group& group);

  runtime::Loop& loop_;
  runtime::Workers& workers_;
  RocksDatabase& database_;
  TimePoint inline_from_ = TimePoint::min();
  bool closed_ = false;
  runtime::Gate gate_;
  Committer committer_;
};

}  // namespace tako::store
