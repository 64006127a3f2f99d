#include "sim/network.h"

#include "base/hash.h"

namespace tako::sim {

Host::Host(std::string n, std::vector<test::SimLoop*> l, std::uint64_t s)
    : name(std::move(n)), loops(std::move(l)), salt(s) {
  for (test::SimLoop* loop : loops) serving.push_back(std::make_unique<runtime::Gate>(*loop));
}

void Host::arrive(std::size_t loop, std::function<void()> message) {
  if (!alive) return;
  loops[loop]->post([this, message = std::move(message)] {
    if (alive) message();
  });
}

std::size_t Host::loop_for(const std::string& other, std::size_t loop) const {
  return loops.size() == 1 ? 0 : xxh3_64(other + "#" + std::to_string(loop), salt) % loops.size();
}

std::size_t Host::requests_inside() const {
  std::size_t all = 0;
  for (const auto& gate : serving) all += gate->inside();
  return all;
}

void Host::hold(bool held) {
  paused_ = held;
  for (test::SimLoop* loop : loops) loop->hold(held);
}

std::shared_ptr<Host> Network::find(std::string_view name) const {
  const auto found = hosts_.find(name);
  return found == hosts_.end() ? nullptr : found->second;
}

void Network::isolate(std::set<std::string> names) { isolated_ = std::move(names); }

void Network::trace(char kind, std::string_view from, std::string_view to, std::string_view bytes) {
  std::string line(1, kind);
  line.append(from).append(">").append(to).append("@");
  line.append(std::to_string(wire_.now().time_since_epoch().count()));
  fingerprint_ = xxh3_64(line, xxh3_64(bytes, fingerprint_));
  ++messages_;
}

bool Network::passes(const std::string& from, const std::string& to) const {
  return isolated_.count(from) == isolated_.count(to) && !cuts_.contains({from, to});
}

bool Network::flickers(const std::string& from, const std::string& to) const {
  const bool proxy_and_node = (from[0] == 'p' && to[0] == 'n') || (from[0] == 'n' && to[0] == 'p');
  if (faults.flicker_ppm == 0 || !proxy_and_node) return false;
  const auto turn = wire_.now().time_since_epoch().count() / faults.flicker_turn.count();
  return xxh3_64(from + ">" + to + "@" + std::to_string(turn), flicker_seed_) % 1'000'000 < faults.flicker_ppm;
}

bool Network::dropped(const std::string& from, const std::string& to) {
  if (!passes(from, to)) {
    tally_.add("message cut off");
    return true;
  }
  if (flickers(from, to)) {
    tally_.add("message to a link that is down for now");
    return true;
  }
  if (!random_.chance_ppm(faults.loss_ppm)) return false;
  tally_.add("message lost");
  return true;
}

Duration Network::delay(const std::string& from, const std::string& to) {
  const auto spread = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count());
  Duration all = faults.delay_min + Duration(random_.below(spread + 1));
  if (random_.chance_ppm(faults.straggler_ppm)) {
    all += Duration(random_.below(static_cast<std::uint64_t>(faults.straggler_max.count())));
    tally_.add("message very late");
  }
  const auto clog = clogs_.find({from, to});
  if (clog != clogs_.end() && clog->second > wire_.now()) {
    all += clog->second - wire_.now();
    tally_.add("message in a clog");
  }
  return all;
}

bool Network::travel(const std::string& from, const std::string& to, std::function<void()> arrive, Duration more) {
  std::size_t& load = load_[{from, to}];
  if (faults.capacity > 0 && load >= faults.capacity) {
    tally_.add("message over capacity");
    return false;
  }
  ++load;
  ++under_way_;
  wire_.add_timer(wire_.now() + delay(from, to) + more, [this, &load, arrive = std::move(arrive)] {
    --load;
    --under_way_;
    arrive();
  });
  return true;
}

void Network::send(const std::shared_ptr<Host>& from, std::size_t loop, std::string_view to,
                   const wire::Request& request, TimePoint deadline, Answer answer) {
  auto parcel = std::make_shared<Parcel>();
  parcel->from = from;
  parcel->loop = loop;
  parcel->to = to;
  parcel->bytes = wire::encode(request);
  parcel->deadline = deadline;
  parcel->answer = std::move(answer);
  trace('q', from->name, to, parcel->bytes);
  if (random_.chance_ppm(faults.reset_ppm)) return reset(parcel);
  if (dropped(from->name, parcel->to)) return;
  if (random_.chance_ppm(faults.duplicate_ppm)) {
    parcel->only_copy = false;
    tally_.add("message duplicated");
    travel(from->name, parcel->to, [this, parcel] { deliver(parcel); });
  }
  travel(from->name, parcel->to, [this, parcel] { deliver(parcel); });
}

// The caller learns at once that it will learn nothing.
void Network::reset(const std::shared_ptr<Parcel>& parcel) {
  tally_.add("connection reset");
  const bool delivered = random_.chance_ppm(750'000) && passes(parcel->from->name, parcel->to);
  if (delivered) {
    parcel->only_copy = false;
    parcel->delivered = true;  // so that its reply goes nowhere
    travel(parcel->from->name, parcel->to, [this, parcel] { deliver(parcel); });
  }
  wire_.add_timer(wire_.now() + 2 * faults.delay_max, [parcel] {
    parcel->from->arrive(parcel->loop, [parcel] {
      parcel->answer(Error(ErrorCode::kUnavailable, "the connection to " + parcel->to + " broke"));
    });
  });
}

void Network::deliver(std::shared_ptr<Parcel> parcel) {
  const auto host = find(parcel->to);
  if (host && host->alive && host->service) {
    // What the second copy is answered is no answer: a caller is told what came of its own call, as over TCP.
    const bool first_copy = !std::exchange(parcel->delivered, true);
    const std::size_t loop = host->loop_for(parcel->from->name, parcel->loop);
    host->arrive(loop, [this, host, parcel, loop, first_copy] {
      if (host->service) host->loops[loop]->spawn(*host->serving[loop], serve(parcel, host, loop, first_copy));
    });
    return;
  }
  // A connection refused is proof that the request was not carried out, if there is no other copy of it.
  if (!parcel->only_copy || !passes(parcel->to, parcel->from->name)) return;
  travel(parcel->to, parcel->from->name, [parcel] {
    parcel->from->arrive(
        parcel->loop, [parcel] { parcel->answer(Error(ErrorCode::kUnsent, parcel->to + " refuses the connection")); });
  });
}

namespace {

constexpr Duration kHeldBack = milliseconds(50);

// While it lives: it goes with the frame that has it, if the host dies.
class InHand {
 public:
  InHand(bool& mark, bool set) : mark_(mark), set_(set) {
    if (set_) mark_ = true;
  }
  ~InHand() {
    if (set_) mark_ = false;
  }
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;

 private:
  bool& mark_;
  const bool set_;
};

}  // namespace

Task<> Network::serve(std::shared_ptr<Parcel> parcel, std::shared_ptr<Host> at, std::size_t index, bool first_copy) {
  test::SimLoop& loop = *at->loops[index];
  // Nothing is sent twice over TCP: a call that is refused has stored nothing, and proposers rest on that (rule 10).
  // A second copy stands for what comes much too late. Carried out while the first waits at the node it would store
  // what the first is then refused.
  if (!first_copy && parcel->in_hand) tally_.add("message duplicate held back");
  while (!first_copy && parcel->in_hand && at->alive && !loop.stopping()) co_await loop.sleep(kHeldBack);
  if (parcel->in_hand) co_return;  // lost with the machine
  const InHand mark(parcel->in_hand, first_copy);
  auto request = wire::decode_request(Bytes(parcel->bytes));
  ASSERT(request.ok());
  if (!at->alive || !at->service) co_return;  // it died before its turn came
  const net::Shards service = *at->service;  // it may die meanwhile
  wire::Reply reply = co_await service.dispatch(loop, std::move(*request), parcel->deadline);
  if (!at->alive || !first_copy) co_return;
  std::string encoded = wire::encode(reply);
  trace('r', at->name, parcel->from->name, encoded);
  if (dropped(at->name, parcel->from->name)) co_return;
  Duration lag = Duration::zero();
  const auto* config = std::get_if<wire::ConfigReply>(&reply.body);
  if (config && !config->text.empty() && faults.config_lag_max > Duration::zero()) {
    lag = Duration(random_.below(static_cast<std::uint64_t>(faults.config_lag_max.count())));
    if (random_.chance_ppm(200'000)) lag *= 4;  // and then it may be two steps behind
    tally_.add("configuration late");
  }
  auto arrive = [parcel, encoded = std::move(encoded)] {
    parcel->from->arrive(parcel->loop, [parcel, encoded] {
      auto decoded = wire::decode_reply(Bytes(encoded));
      ASSERT(decoded.ok());
      parcel->answer(std::move(*decoded));
    });
  };
  travel(at->name, parcel->from->name, std::move(arrive), lag);
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
  auto pending = std::make_shared<Pending>(*host_->loops[loop_]);
  network_.send(host_, loop_, to.id, request, deadline, [pending](Result<wire::Reply> reply) {
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
  return host && host->alive && network_.passes(host_->name, host->name);
}

}  // namespace tako::sim
