// The seam: Transport::call(peer, request, deadline) on one side, Service::handle(request) on the other. Between them
// a queue in this process (local_transport), a TCP connection (tcp_transport, tcp_server), or the simulator.
//
// A Transport belongs to one loop. A call always returns, by its deadline at the latest, and sooner when the peer is
// known to be away. kUnsent: it was never sent, so certainly not carried out; kUnavailable and kTimeout: nobody knows.
// It is carried out once at most, never sent again: so an answer tells all that came of it, and a write that is refused
// was not stored (proposers rest on that: model/verdict.h, nobody_has_it).
#pragma once

#include <string_view>
#include <utility>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "runtime/task.h"
#include "wire/cluster/message.h"

namespace tako::net {

using runtime::Task;

// Whom to call. Views: the strings outlive the call (the caller holds the placement they stand in). The id is checked
// in the handshake: a wrong process at the address is an error, not an answer. Coordinators are "coordinator:<id>".
struct Peer {
  std::string_view id;
  std::string_view host;
  std::uint16_t port = 0;
};

class Service {
 public:
  virtual ~Service() = default;
  virtual Task<wire::Reply> handle(wire::Request request, TimePoint deadline) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual Task<Result<wire::Reply>> call(Peer to, wire::Request request, TimePoint deadline) = 0;

  // A hint from traffic: false when calls fail at once just now.
  virtual bool reachable(const Peer& peer) const = 0;
};

// The reply's body as T, or the error that came in its place: the transport's, the peer's, or kInternal where it
// answered with another kind.
template <class T>
Result<T> expect(Result<wire::Reply> reply) {
  if (!reply) return reply.error();
  if (auto* body = std::get_if<T>(&reply->body)) return std::move(*body);
  if (auto* error = std::get_if<Error>(&reply->body)) return *error;
  return {ErrorCode::kInternal, "the peer answered with another kind of message"};
}

// Asks one peer, and takes the kind of reply that such a question has. `by`: the configuration that the asker goes by.
// REQUIRES: the transport outlives it
template <class RequestBody>
Task<Result<wire::ReplyTo<RequestBody>>> call(Transport& transport, Peer to, wire::ConfigStamp by, RequestBody body,
                                              TimePoint deadline) {
  wire::Request request;
  request.config = by;
  request.body = std::move(body);
  auto reply = co_await transport.call(to, std::move(request), deadline);
  co_return expect<wire::ReplyTo<RequestBody>>(std::move(reply));
}

}  // namespace tako::net
