#include "net/tcp_session.h"

#include <utility>

#include "base/log.h"

namespace tako::net {
namespace {

// Replies up to this size are sent whatever else waits: they are bounded by the requests under way.
constexpr std::size_t kSmallReplyBytes = 64 << 10;

FrameStream::Limits limits_of(const TcpServerOptions& options) {
  FrameStream::Limits limits;
  constexpr std::size_t kSmallCost = kSmallReplyBytes + wire::Outbox::kEntryBytes;
  limits.outbox_bytes_max = options.reply_bytes_max + options.requests_max * kSmallCost;
  limits.stall_max = options.stall_max;
  return limits;
}

}  // namespace

TcpSession::TcpSession(Loop& loop, const Shards& shards, const wire::Hello& self, const TcpServerOptions& options)
    : loop_(loop), shards_(shards), self_(self), options_(options), stream_(loop, limits_of(options)),
      handshake_watch_(loop, [this] { stream_.close("no hello in time"); }), gate_(loop) {}

Task<std::string> TcpSession::run(Accepted connection) {
  const bool adopted = adopt(stream_.socket(), std::move(connection.fd));
  if (!adopted || stopping_) co_return "";
  std::string wrong = co_await greet();
  if (wrong.empty() && !stream_.closed()) {
    stream_.start();
    wrong = co_await serve();
    if (stopping_ && wrong.empty()) co_await wait_for_answers();
  }
  stream_.close(wrong.empty() ? "the client went away" : wrong);
  co_await gate_.drained();
  co_await stream_.finish();
  co_return wrong;
}

void TcpSession::stop() {
  stopping_ = true;
  if (handshake_watch_.watching()) return stream_.close("the server is stopping");
  stream_.stop_reading();
  stream_.progress().notify();
}

Task<std::string> TcpSession::greet() {
  handshake_watch_.set_in(options_.handshake_limit);
  const Result<wire::Hello> hello = co_await stream_.receive_hello();
  Status sent;
  // Also to one of another version, so that it can say what is wrong.
  if (hello || hello.code() == ErrorCode::kInvalid) sent = co_await stream_.send_hello(self_);
  handshake_watch_.clear();
  if (!hello && hello.code() == ErrorCode::kUnavailable) co_return "";  // it left: a port check
  if (!hello) co_return hello.error().message;
  if (!sent) co_return "";
  log::debug("peer_connected", {{"peer", hello->id}, {"role", hello->role}});
  co_return "";
}

Task<std::string> TcpSession::serve() {
  while (!stopping_) {
    Result<std::optional<wire::Message>> message = stream_.pop();
    if (!message) co_return message.error().message;
    if (*message) {
      std::string wrong = begin(std::move(**message));
      if (!wrong.empty()) co_return wrong;
      if (full()) co_await wait_for_room();
      continue;
    }
    const Status filled = co_await stream_.fill();
    if (!filled) break;
  }
  co_return "";
}

bool TcpSession::full() const {
  return requests_ >= options_.requests_max || request_bytes_ >= options_.request_bytes_max ||
         stream_.outbox_bytes() >= options_.reply_bytes_pause;
}

Task<> TcpSession::wait_for_room() {
  while (full() && !stream_.closed() && !stopping_ && !loop_.stopping()) {
    const bool woken = co_await stream_.progress().wait(loop_.now() + options_.busy_ping);
    if (!woken) (void)stream_.push(wire::FrameType::kPing, 0, {});
  }
}

// The server stops: what is under way is answered, but not for ever.
Task<> TcpSession::wait_for_answers() {
  const TimePoint deadline = loop_.now() + options_.stop_grace;
  while ((requests_ > 0 || !stream_.idle()) && !stream_.closed()) {
    const bool woken = co_await stream_.progress().wait(deadline);
    if (!woken) break;
  }
}

// RETURNS what is wrong with the message, or nothing.
std::string TcpSession::begin(wire::Message message) {
  if (message.type == wire::FrameType::kCancel) return "";
  if (message.type != wire::FrameType::kRequest) return "it answers what was not asked";
  Result<wire::Request> request = wire::decode_request(message.bytes);
  if (!request) return request.error().message;

  const TimePoint deadline = loop_.now() + milliseconds(message.remaining_ms);
  const std::size_t bytes = message.bytes.size();
  ++requests_;
  request_bytes_ += bytes;
  loop_.spawn(gate_, answer(message.id, std::move(*request), deadline, bytes));
  return "";
}

Task<> TcpSession::answer(std::uint64_t id, wire::Request request, TimePoint deadline, std::size_t bytes) {
  const wire::Reply reply = co_await shards_.dispatch(loop_, std::move(request), deadline);
  --requests_;
  request_bytes_ -= bytes;
  if (!stream_.closed()) reply_with(id, reply);
  stream_.progress().notify();
}

void TcpSession::reply_with(std::uint64_t id, const wire::Reply& reply) {
  Bytes bytes(wire::encode(reply));
  const bool small = bytes.size() <= kSmallReplyBytes;
  const bool room = stream_.outbox_bytes() + bytes.size() <= options_.reply_bytes_max;
  if (!small && (!room || bytes.size() > wire::kMessageBytesMax)) {
    wire::Reply refusal;
    refusal.config = reply.config;
    refusal.body = Error(ErrorCode::kOverloaded, "too many large replies wait on this connection; try later");
    bytes = Bytes(wire::encode(refusal));
  }
  const bool pushed = stream_.push(wire::FrameType::kReply, id, std::move(bytes));
  if (!pushed) stream_.close("too many replies wait for the client");
}

}  // namespace tako::net
