#include "net/peer_link.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tako::net {
namespace {

constexpr std::string_view kAnyCoordinator = "coordinator:*";
constexpr std::string_view kCoordinator = "coordinator:";

// Who says hello, in the words of Peer::id.
std::string party_of(const wire::Hello& hello) {
  const bool prefixed = hello.role != "coordinator" || hello.id.starts_with(kCoordinator);
  return prefixed ? hello.id : std::string(kCoordinator) + hello.id;
}

bool is_expected(const std::string& expected, const std::string& party) {
  return expected == party || (expected == kAnyCoordinator && party.starts_with(kCoordinator));
}

std::string milliseconds_of(Duration duration) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(duration).count()) + " ms";
}

}  // namespace

PeerLink::PeerLink(Loop& loop, Resolver& resolver, const TcpTransportOptions& options, const wire::Hello& self,
                   const Peer& peer)
    : loop_(loop), resolver_(resolver), options_(options), self_(self), id_(peer.id), host_(peer.host),
      port_(peer.port), name_(id_ + " at " + text_of(host_, port_)), called_at_(loop.now()),
      backoff_(options.backoff_min), connect_watch_(loop, [this] { give_up_connecting(); }),
      life_watch_(loop, [this] { watch_life(); }), wake_(loop) {
  begin_stream();
}

Task<Result<wire::Reply>> PeerLink::call(wire::Request request, TimePoint deadline) {
  called_at_ = loop_.now();
  if (stopping_ || loop_.stopping()) co_return Error(ErrorCode::kStopping, "the process is stopping");
  if (state_ == State::kDown) co_return Error(ErrorCode::kUnsent, name_ + ": " + reason_ + "; retrying");
  if (called_at_ >= deadline) co_return Error(ErrorCode::kTimeout, "out of time before calling " + name_);
  const bool full = calls_.size() >= options_.calls_max || stream_->outbox_bytes() >= options_.outbox_bytes_max;
  if (full) co_return Error(ErrorCode::kOverloaded, name_ + " has too much waiting for it; try later");

  Bytes bytes(wire::encode(request));
  if (bytes.size() > wire::kMessageBytesMax) {
    co_return Error(ErrorCode::kTooLarge, "a request larger than messages may be");
  }
  const std::uint64_t id = ++last_id_;
  const bool pushed = stream_->push(wire::FrameType::kRequest, id, std::move(bytes), deadline);
  if (!pushed) co_return Error(ErrorCode::kOverloaded, name_ + " has too much waiting for it; try later");

  Call call(loop_);
  if (calls_.empty()) expect_life();
  calls_.emplace(id, &call);
  while (!call.result) {
    const bool woken = co_await call.done.wait(deadline);
    if (!woken) break;
  }
  if (call.result) co_return std::move(*call.result);
  calls_.erase(id);
  if (stream_) stream_->cancel_request(id);
  if (loop_.stopping()) co_return Error(ErrorCode::kStopping, "the process is stopping");
  co_return Error(ErrorCode::kTimeout, name_ + " did not answer in time");
}

Task<> PeerLink::run() {
  while (!stopping_) {
    if (!stream_) begin_stream();
    const Status status = co_await connect();
    const TimePoint began = loop_.now();
    std::string why;
    if (status) {
      connected();
      why = co_await serve();
    } else {
      why = status.error().message;
    }
    lose(why);
    co_await stream_->finish();
    stream_.reset();
    if (!wanted() || retired_) break;
    const Duration pause = next_backoff(loop_.now() - began);
    co_await wake_.wait(loop_.now() + pause);
    if (!wanted()) break;
  }
  retired_ = true;
}

void PeerLink::stop() {
  stopping_ = true;
  if (stream_) stream_->close("the process is stopping");
  wake_.notify();
}

void PeerLink::begin_stream() {
  FrameStream::Limits limits;
  limits.outbox_bytes_max = options_.outbox_bytes_max;
  stream_ = std::make_unique<FrameStream>(loop_, limits);
}

Task<Status> PeerLink::connect() {
  connect_watch_.set_in(options_.connect_limit);
  Status status = co_await reach();
  if (status) {
    connect_watch_.set_in(options_.connect_limit);
    status = co_await greet();
  }
  connect_watch_.clear();
  if (stream_->closed()) co_return Error(ErrorCode::kUnsent, stream_->reason());
  co_return status;
}

// The first of the peer's addresses that accepts.
Task<Status> PeerLink::reach() {
  const Result<Addresses> addresses = co_await resolver_.resolve(host_);
  if (!addresses) co_return addresses.error();
  asio::error_code last = asio::error::host_not_found;
  for (const auto& address : *addresses) {
    if (stream_->closed()) break;
    asio::error_code ignored;
    stream_->socket().close(ignored);
    const asio::ip::tcp::endpoint endpoint(address, port_);
    const auto [error] = co_await stream_->socket().async_connect(endpoint, as_result);
    last = error;
    if (!error) break;
  }
  if (last) co_return Error(ErrorCode::kUnsent, words_of(last));
  tune(stream_->socket());
  co_return ok_status();
}

Task<Status> PeerLink::greet() {
  const Status sent = co_await stream_->send_hello(self_);
  if (!sent) co_return sent.error();
  const Result<wire::Hello> hello = co_await stream_->receive_hello();
  if (!hello) co_return hello.error();
  const std::string party = party_of(*hello);
  if (is_expected(id_, party)) co_return ok_status();
  co_return Error(ErrorCode::kUnsent, party + " answers there; correct the address in the configuration");
}

void PeerLink::give_up_connecting() {
  const std::string why = "no connection within " + milliseconds_of(options_.connect_limit);
  stream_->close(why);
  lose(why);  // now: a name may take longer to resolve
}

void PeerLink::connected() {
  state_ = State::kReady;
  logged_down_ = false;
  log::info("peer_up", {{"peer", id_}, {"address", text_of(host_, port_)}});
  expect_life();
  stream_->start();
}

// Until the connection ends. RETURNS why.
Task<std::string> PeerLink::serve() {
  while (true) {
    Result<std::optional<wire::Message>> message = stream_->pop();
    if (!message) co_return message.error().message;
    if (*message) {
      std::string wrong = take(std::move(**message));
      if (!wrong.empty()) co_return wrong;
      continue;
    }
    const Status filled = co_await stream_->fill();
    if (!filled) co_return filled.error().message;
    heard_at_ = loop_.now();
    pinged_at_.reset();
  }
}

// RETURNS what is wrong with the message, or nothing.
std::string PeerLink::take(wire::Message message) {
  if (message.type == wire::FrameType::kRequest) return "it asks instead of answering";
  const auto found = calls_.find(message.id);
  if (message.type == wire::FrameType::kCancel || found == calls_.end()) return "";  // too late: nobody waits
  Result<wire::Reply> reply = wire::decode_reply(message.bytes);
  if (!reply) return reply.error().message;
  Call* call = found->second;
  calls_.erase(found);
  call->result = std::move(reply);
  call->done.notify();
  return "";
}

// The peer is away: calls under way end, further ones fail until it is back.
void PeerLink::lose(const std::string& why) {
  ErrorCode code = state_ == State::kReady ? ErrorCode::kUnavailable : ErrorCode::kUnsent;
  if (stopping_) code = ErrorCode::kStopping;
  state_ = State::kDown;
  reason_ = why;
  for (const auto& [id, call] : calls_) {
    call->result = Error(code, name_ + ": " + reason_);
    call->done.notify();
  }
  calls_.clear();
  if (stopping_ || retired_ || std::exchange(logged_down_, true)) return;
  log::info("peer_down", {{"peer", id_}, {"address", text_of(host_, port_)}, {"reason", reason_}});
}

// An answer is owed from now on.
void PeerLink::expect_life() {
  heard_at_ = loop_.now();
  pinged_at_.reset();
  watch_at_ = heard_at_ + options_.ping_after;
  if (state_ == State::kReady) life_watch_.set(watch_at_);
}

void PeerLink::watch_life() {
  if (state_ != State::kReady || stopping_ || loop_.stopping()) return;
  const TimePoint now = loop_.now();
  if (calls_.empty()) {
    if (now - called_at_ >= options_.idle_max) {
      retired_ = true;
      return stream_->close("nobody calls it");
    }
    watch_at_ = called_at_ + options_.idle_max;
    return life_watch_.set(watch_at_);
  }
  const bool held_up = now - watch_at_ > options_.ping_after;  // this loop itself: it has not read what may be there
  if (held_up) heard_at_ = now;
  if (pinged_at_ && now - heard_at_ >= options_.dead_after) {
    return stream_->close("no sign of life for " + milliseconds_of(options_.dead_after));
  }
  if (!pinged_at_ && now - heard_at_ >= options_.ping_after) {
    pinged_at_ = now;
    (void)stream_->push(wire::FrameType::kPing, ++last_id_, {});  // full: what waits there is as good a question
  }
  watch_at_ = heard_at_ + options_.ping_after;
  if (pinged_at_) {
    const Duration to_answer = options_.dead_after - options_.ping_after;
    watch_at_ = std::max(heard_at_ + options_.dead_after, *pinged_at_ + to_answer);
  }
  life_watch_.set(watch_at_);
}

// A connection that broke soon after it was made counts as an attempt that failed.
Duration PeerLink::next_backoff(Duration lasted) {
  if (lasted > options_.backoff_max) backoff_ = options_.backoff_min;
  const auto most = static_cast<std::uint64_t>(backoff_.count());
  const Duration pause(loop_.random().between(most / 2, most));
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  return pause;
}

}  // namespace tako::net
