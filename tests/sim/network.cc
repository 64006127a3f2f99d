#include "sim/network.h"

#include "base/hash.h"

namespace tako::sim {

std::shared_ptr<Host> Network::find(std::string_view name) const {
  const auto found = hosts_.find(name);
  return found == hosts_.end() ? nullptr : found->second;
}

void Network::trace(char kind, std::string_view from, std::string_view to, std::string_view bytes) {
  std::string line(1, kind);
  line.append(from).append(">").append(to).append("@");
  line.append(std::to_string(wire_.now().time_since_epoch().count())).append(bytes);
  fingerprint_ = xxh3_64(line, fingerprint_);
  ++messages_;
}

bool Network::dropped(const std::string& a, const std::string& b) {
  const bool cut = isolated_.count(a) != isolated_.count(b);
  const bool lost = random_.chance_ppm(faults.loss_ppm) || cut;
  lost_ += lost;
  return lost;
}

Duration Network::delay() {
  const auto spread = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count());
  Duration all = faults.delay_min + Duration(random_.below(spread + 1));
  if (random_.chance_ppm(faults.straggler_ppm)) all += Duration(random_.below(faults.straggler_max.count()));
  return all;
}

void Network::send(const std::shared_ptr<Host>& from, std::string_view to, const wire::Request& request,
                   TimePoint deadline, Answer answer) {
  std::string bytes = wire::encode(request);
  trace('q', from->name, to, bytes);
  const std::string name(to);
  if (dropped(from->name, name)) return;
  const int copies = random_.chance_ppm(faults.duplicate_ppm) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    wire_.add_timer(wire_.now() + delay(),
                    [this, from, name, bytes, deadline, answer] { deliver(from, name, bytes, deadline, answer); });
  }
}

void Network::deliver(std::shared_ptr<Host> from, std::string to, std::string bytes, TimePoint deadline,
                      Answer answer) {
  const auto host = find(to);
  if (!host || !host->alive || !host->service) {
    wire_.add_timer(wire_.now() + delay(), [from, to, answer] {
      if (from->alive) answer(Error(ErrorCode::kUnsent, to + " refuses the connection"));
    });
    return;
  }
  host->loop.spawn(host->serving, serve(std::move(from), host, std::move(bytes), deadline, std::move(answer)));
}

Task<> Network::serve(std::shared_ptr<Host> from, std::shared_ptr<Host> at, std::string bytes, TimePoint deadline,
                      Answer answer) {
  auto request = wire::decode_request(Bytes(std::move(bytes)));
  ASSERT(request.ok());
  wire::Reply reply = co_await at->service->handle(std::move(*request), deadline);
  if (!at->alive) co_return;
  std::string encoded = wire::encode(reply);
  trace('r', at->name, from->name, encoded);
  if (dropped(at->name, from->name)) co_return;
  wire_.add_timer(wire_.now() + delay(), [from, encoded = std::move(encoded), answer] {
    if (!from->alive) return;
    auto decoded = wire::decode_reply(Bytes(encoded));
    ASSERT(decoded.ok());
    answer(std::move(*decoded));
  });
}

namespace {

struct Pending {
  explicit Pending(runtime::Loop& loop) : done(loop) {}
  runtime::Signal done;
  std::optional<Result<wire::Reply>> reply;
};

}  // namespace

Task<Result<wire::Reply>> SimTransport::call(net::Peer to, wire::Request request, TimePoint deadline) {
  if (!host_->alive) co_return Error(ErrorCode::kStopping, "this machine is dead");
  auto pending = std::make_shared<Pending>(host_->loop);
  network_.send(host_, to.id, request, deadline, [pending](Result<wire::Reply> reply) {
    if (pending->reply) return;  // a duplicate
    pending->reply = std::move(reply);
    pending->done.notify();
  });
  while (!pending->reply) {
    const bool woken = co_await pending->done.wait(deadline);
    if (!woken) break;
  }
  if (pending->reply) co_return std::move(*pending->reply);
  co_return Error(ErrorCode::kTimeout, "no answer in time");
}

bool SimTransport::reachable(const net::Peer& peer) const {
  const auto host = network_.find(peer.id);
  return host && host->alive;
}

}  // namespace tako::sim
