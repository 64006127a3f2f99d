// Committer: group commit. While one group of batches is being written, the next ones gather and go down together.
//
// Owned by an engine, on its loop. The engine says how a group is written; here is only who waits for what: batches
// are committed in the order of the calls, every caller is told the outcome of the group that carried its batch, and
// what is queued is bounded (kOverloaded). A group is all or nothing to its callers.
// Nothing here waits with a deadline: a write that has begun is told how it ended. The disk, or its error, ends it.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "runtime/sync.h"
#include "store/engine/engine.h"

namespace tako::store {

class Committer {
 public:
  // A group goes down at this size, whatever else waits: it bounds the memory and the time of one commit.
  static constexpr std::size_t kGroupBytesMax = 8 << 20;
  static constexpr std::size_t kGroupBatchesMax = 4096;
  // Waiting and in flight together, beyond it callers are refused.
  static constexpr std::size_t kQueuedBytesMax = 256 << 20;

  using Group = std::vector<Batch>;
  using Commit = std::function<Task<Status>(Group& group)>;  // may take what is in the batches

  Committer(runtime::Loop& loop, Commit commit) : loop_(loop), commit_(std::move(commit)), gate_(loop) {}

  Task<Status> write(Batch batch);

  // From now on writes are refused with kStopping; returns when the last accepted one has been told.
  Task<> close();

  std::uint64_t batches() const { return batches_; }
  std::uint64_t commits() const { return commits_; }

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<runtime::Executor>, void(Status)>::handler_type;

  struct Waiting {
    Batch batch;
    std::size_t bytes;
    Handler handler;  // kept here and not in the caller's frame, which it owns
  };

  Task<> run();
  Task<> commit_next();

  runtime::Loop& loop_;
  Commit commit_;
  std::deque<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t commits_ = 0;
  bool running_ = false;
  bool closed_ = false;
  runtime::Gate gate_;
};

// What a batch costs in the queue.
std::size_t bytes_of(const Batch& batch);

}  // namespace tako::store
