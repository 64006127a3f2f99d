#include "net/tcp_transport.h"

namespace tako::net {

TcpTransport::TcpTransport(runtime::Loop& loop, runtime::Workers& workers, wire::Hello self,
                           TcpTransportOptions options)
    : loop_(loop), self_(std::move(self)), options_(options), resolver_(loop, workers), gate_(loop) {}

TcpTransport::~TcpTransport() = default;

Task<Result<wire::Reply>> TcpTransport::call(Peer to, wire::Request request, TimePoint deadline) {
  loop_.check_here();
  if (stopping_) co_return Error(ErrorCode::kStopping, "the process is stopping");
  const runtime::GatePass pass(gate_);
  const std::shared_ptr<PeerLink> link = link_to(to);
  if (!link) co_return Error(ErrorCode::kOverloaded, "connections to too many peers; is the configuration sane?");
  co_return co_await link->call(std::move(request), deadline);
}

std::shared_ptr<PeerLink> TcpTransport::link_to(const Peer& peer) {
  const auto found = links_.find(key_of(peer));
  if (found != links_.end() && !found->second->retired()) return found->second;
  if (found != links_.end()) links_.erase(found);
  if (links_.size() >= options_.peers_max) return nullptr;

  auto link = std::make_shared<PeerLink>(loop_, resolver_, options_, self_, peer);
  links_.emplace(Key(link->id(), link->host(), link->port()), link);
  loop_.spawn(gate_, keep(link));
  return link;
}

Task<> TcpTransport::keep(std::shared_ptr<PeerLink> link) {
  co_await link->run();
  const auto found = links_.find(Key(link->id(), link->host(), link->port()));
  if (found != links_.end() && found->second == link) links_.erase(found);
}

bool TcpTransport::reachable(const Peer& peer) const {
  const auto found = links_.find(key_of(peer));
  return found == links_.end() || !found->second->down();
}

Task<> TcpTransport::stop() {
  loop_.check_here();
  stopping_ = true;
  for (const auto& [key, link] : links_) link->stop();
  co_await gate_.drained();
}

}  // namespace tako::net
