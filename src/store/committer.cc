#include "store/committer.h"

namespace tako::store {

std::size_t bytes_of(const Batch& batch) {
  std::size_t bytes = sizeof(Batch);
  for (const Operation& operation : batch.operations) {
    bytes += sizeof(Operation) + operation.key.size() + operation.value.size();
  }
  return bytes;
}

Task<Status> Committer::write(Batch batch) {
  if (closed_) co_return Status(ErrorCode::kStopping, "the database is closing; try another node");
  const std::size_t bytes = bytes_of(batch);
  if (queued_bytes_ > 0 && queued_bytes_ + bytes > kQueuedBytesMax) {
    co_return Status(ErrorCode::kOverloaded, "the disk is slower than the writes; try again later");
  }
  ++batches_;
  queued_bytes_ += bytes;

  auto suspend = [this, &batch, bytes](auto handler) {
    queue_.push_back(Waiting{std::move(batch), bytes, std::move(handler)});
    if (running_) return;
    running_ = true;
    // Begins after all that is ready on the loop now, and so carries what that will write.
    gate_.enter();
    loop_.post([this] {
      loop_.spawn(gate_, run());
      gate_.leave();
    });
  };
  using Token = const asio::use_awaitable_t<runtime::Executor>;
  co_return co_await asio::async_initiate<Token, void(Status)>(suspend, runtime::use_task);
}

Task<> Committer::run() {
  while (!queue_.empty()) co_await commit_next();
  running_ = false;
}

Task<> Committer::commit_next() {
  Group group;
  std::vector<Handler> handlers;
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < kGroupBatchesMax) {
    Waiting& next = queue_.front();
    if (!group.empty() && bytes + next.bytes > kGroupBytesMax) break;
    bytes += next.bytes;
    group.push_back(std::move(next.batch));
    handlers.push_back(std::move(next.handler));
    queue_.pop_front();
  }
  ++commits_;

  Status status = co_await commit_(group);

  queued_bytes_ -= bytes;
  loop_.post([handlers = std::move(handlers), status = std::move(status)]() mutable {
    for (Handler& handler : handlers) std::move(handler)(status);
  });
}

Task<> Committer::close() {
  closed_ = true;
  co_await gate_.drained();
}

}  // namespace tako::store
