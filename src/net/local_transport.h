// LocalTransport: the Transport of one loop. A party in this process is called directly, without bytes or sockets;
// everybody else through the transport given.
//
// A local service that is slow does not hold its caller beyond the deadline: the call goes on without it, under the
// gate, and its reply is dropped. Stop it after those who call.
#pragma once

#include "net/switchboard.h"
#include "net/transport.h"
#include "runtime/sync.h"

namespace tako::net {

class LocalTransport final : public Transport {
 public:
  static constexpr std::size_t kCallsMax = 65'536;  // under way, those without a caller included

  // REQUIRES: all outlive it; `remote` is null where there is no network
  LocalTransport(runtime::Loop& loop, const Switchboard& switchboard, Transport* remote);

  Task<Result<wire::Reply>> call(Peer to, wire::Request request, TimePoint deadline) override;
  bool reachable(const Peer& peer) const override;

  // Returns when no call is under way. Nobody calls meanwhile.
  Task<> stop();

 private:
  struct Pending;
  Task<> carry_out(std::shared_ptr<Pending> pending, const Shards* shards, wire::Request request, TimePoint deadline);

  runtime::Loop& loop_;
  const Switchboard& switchboard_;
  Transport* const remote_;
  bool stopping_ = false;
  runtime::Gate gate_;
};

}  // namespace tako::net
