// TcpTransport: the Transport of one loop to parties in other processes: one connection per peer, shared by all calls.
//
// What it does for one peer is peer_link.h's. A peer that is not called for a while is forgotten, connection and all.
// Lives on one loop. stop() closes everything: calls under way end with kStopping.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "net/peer_link.h"
#include "net/resolver.h"
#include "net/transport.h"
#include "runtime/sync.h"

namespace tako::net {

class TcpTransport final : public Transport {
 public:
  // `self` is what this process says it is. REQUIRES: loop and workers outlive it
  TcpTransport(runtime::Loop& loop, runtime::Workers& workers, wire::Hello self, TcpTransportOptions options = {});
  ~TcpTransport() override;

  Task<Result<wire::Reply>> call(Peer to, wire::Request request, TimePoint deadline) override;
  bool reachable(const Peer& peer) const override;

  Task<> stop();

 private:
  // Views of the link's own strings, so that a look-up copies nothing.
  using Key = std::tuple<std::string_view, std::string_view, std::uint16_t>;  // id, host, port
  static Key key_of(const Peer& peer) { return {peer.id, peer.host, peer.port}; }

  std::shared_ptr<PeerLink> link_to(const Peer& peer);
  Task<> keep(std::shared_ptr<PeerLink> link);

  runtime::Loop& loop_;
  const wire::Hello self_;
  const TcpTransportOptions options_;
  Resolver resolver_;
  std::map<Key, std::shared_ptr<PeerLink>> links_;
  bool stopping_ = false;
  runtime::Gate gate_;
};

}  // namespace tako::net
