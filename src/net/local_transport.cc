#include "net/local_transport.h"

#include <memory>
#include <optional>

namespace tako::net {

// Shared by the caller, who may leave at the deadline, and the task that carries the call out.
struct LocalTransport::Pending {
  explicit Pending(runtime::Loop& loop) : done(loop) {}
  runtime::Signal done;
  std::optional<wire::Reply> reply;
};

LocalTransport::LocalTransport(runtime::Loop& loop, const Switchboard& switchboard, Transport* remote)
    : loop_(loop), switchboard_(switchboard), remote_(remote), gate_(loop) {}

Task<Result<wire::Reply>> LocalTransport::call(Peer to, wire::Request request, TimePoint deadline) {
  loop_.check_here();
  const Shards* shards = switchboard_.find(to.id);
  if (!shards && remote_) co_return co_await remote_->call(to, std::move(request), deadline);
  if (!shards) co_return Error(ErrorCode::kUnsent, std::string(to.id) + " is not in this process");
  if (stopping_ || loop_.stopping()) co_return Error(ErrorCode::kStopping, "the process is stopping");
  if (loop_.now() >= deadline) co_return Error(ErrorCode::kTimeout, "out of time before calling " + std::string(to.id));
  if (gate_.inside() >= kCallsMax) {
    co_return Error(ErrorCode::kOverloaded, "too many calls under way in this process; try later");
  }

  const std::string id(to.id);
  auto pending = std::make_shared<Pending>(loop_);
  loop_.spawn(gate_, carry_out(pending, shards, std::move(request), deadline));
  while (!pending->reply) {
    const bool woken = co_await pending->done.wait(deadline);
    if (!woken) break;
  }
  if (pending->reply) co_return std::move(*pending->reply);
  if (loop_.stopping()) co_return Error(ErrorCode::kStopping, "the process is stopping");
  co_return Error(ErrorCode::kTimeout, id + " did not answer in time");
}

Task<> LocalTransport::carry_out(std::shared_ptr<Pending> pending, const Shards* shards, wire::Request request,
                                 TimePoint deadline) {
  wire::Reply reply = co_await shards->dispatch(loop_, std::move(request), deadline);
  pending->reply = std::move(reply);
  pending->done.notify();
}

bool LocalTransport::reachable(const Peer& peer) const {
  if (switchboard_.find(peer.id)) return true;
  return remote_ && remote_->reachable(peer);
}

Task<> LocalTransport::stop() {
  loop_.check_here();
  stopping_ = true;
  co_await gate_.drained();
}

}  // namespace tako::net
