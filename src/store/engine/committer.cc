#include "store/engine/committer.h"

#include <utility>

#include "base/plant.h"

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
  const bool full = queued_bytes_ + bytes > kQueuedBytesMax || buggify(loop_.random(), "committer/full");
  if (queued_bytes_ > 0 && full) {
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
  const std::size_t batches_max = buggify(loop_.random(), "committer/group_of_one") ? 1 : kGroupBatchesMax;
  while (!queue_.empty() && group.size() < batches_max) {
    Waiting& next = queue_.front();
    if (!group.empty() && bytes + next.bytes > kGroupBytesMax) break;
    bytes += next.bytes;
    group.push_back(std::move(next.batch));
    handlers.push_back(std::move(next.handler));
    queue_.pop_front();
  }
  ++commits_;

  const auto tell = [this](std::vector<Handler> whom, Status outcome) {
    loop_.post([whom = std::move(whom), outcome = std::move(outcome)]() mutable {
      for (Handler& handler : whom) std::move(handler)(outcome);
    });
  };
  if (planted(Plant::kTailLost) && group.size() > 1) group.pop_back();
  if (planted(Plant::kAckBeforeWrite)) tell(std::exchange(handlers, {}), ok_status());

  Status status = co_await commit_(group);

  queued_bytes_ -= bytes;
  if (planted(Plant::kErrorIsSuccess)) status = ok_status();
  tell(std::move(handlers), std::move(status));
}

Task<> Committer::close() {
  closed_ = true;
  co_await gate_.drained();
}

}  // namespace tako::store
