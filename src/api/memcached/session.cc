#include "api/memcached/session.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tako::api {
namespace {

using Verb = wire::MemcachedVerb;

constexpr std::size_t kLineBuffer = 4 << 10;
constexpr std::size_t kBlockBuffer = 128 << 10;                 // while a larger block is coming
constexpr std::size_t kUploadBytes = 2 * model::kPieceBytes;    // of a large block: the piece in hand, and the next
constexpr std::size_t kDownloadBytes = 5 * model::kPieceBytes;  // the piece being sent, and what is read ahead
constexpr std::size_t kLingerBytesMax = 128 << 20;
constexpr char kTooManyBlocks[] = "SERVER_ERROR out of memory storing object: too many at once, try again";
constexpr char kTooManyValues[] = "SERVER_ERROR out of memory writing get response: too many at once, try again\r\n";

}  // namespace

class MemcachedSession::Block final : public net::ByteSource {
 public:
  explicit Block(MemcachedSession& session) : session_(session) {}
  Task<Result<Bytes>> next() override { return session_.next_piece(); }

 private:
  MemcachedSession& session_;
};

MemcachedSession::MemcachedSession(Loop& loop, MemcachedHandler& handler, const MemcachedServerOptions& options,
                                   ByteBudgets& budgets, MemcachedTraffic& traffic)
    : loop_(loop),
      handler_(handler),
      options_(options),
      traffic_(traffic),
      received_(budgets.received),
      sending_(budgets.sending),
      stream_(loop, options.pace),
      pace_(options.pace) {}

Task<> MemcachedSession::run(net::Accepted connection) {
  ++traffic_.connections;
  ++traffic_.connected;
  const bool adopted = stream_.adopt(std::move(connection.fd));
  bool there = adopted;
  while (there && open_ && !stopping_ && !loop_.stopping()) {
    there = co_await next_request();
    if (there) co_await answer();
  }
  if (adopted && !client_gone_) {
    const bool sent = co_await send(Bytes());
    // Closing on unread bytes would take the answer back.
    const bool unread = !stream_.received().empty() || parser_.to_skip() > 0;
    if (sent && unread && !hung_up_) co_await linger();
  }
  close();
  co_await stream_.drained();
  note_written();
  --traffic_.connected;
}

void MemcachedSession::stop() {
  stopping_ = true;
  if (phase_ == Phase::kIdle) close();
}

// False: there will be none.
Task<bool> MemcachedSession::next_request() {
  if (parser_.state() != State::kOpen) parser_.next();
  received_.clear();
  phase_ = Phase::kIdle;
  while (parser_.state() == State::kOpen) {
    if (parser_.to_skip() > options_.skip_bytes_max) co_return false;
    if (stream_.received().empty()) {
      const bool received = co_await receive();
      if (!received) co_return false;
    }
    stream_.take(parser_.feed(stream_.received()));
    const bool affordable = received_.grow_to(parser_.held());
    if (!affordable && parser_.in_block() && parser_.state() == State::kOpen) parser_.refuse_block(kTooManyBlocks);
    if (!affordable && parser_.long_line_open()) co_return false;
  }
  co_return true;
}

// Waits for bytes, with the deadline of the phase. What is to be sent is sent first.
Task<bool> MemcachedSession::receive() {
  if (!stream_.send_now()) {
    const bool drained = co_await send(Bytes());
    if (!drained) co_return false;
  }
  note_written();
  if (loop_.stopping() || (stopping_ && parser_.idle())) co_return false;
  expect_more();
  std::size_t wanted = kLineBuffer;
  const std::uint64_t coming = parser_.in_block() ? parser_.block_left() : parser_.to_skip();
  if (coming > 0) wanted = static_cast<std::size_t>(std::clamp<std::uint64_t>(coming + 2, kLineBuffer, kBlockBuffer));
  stream_.make_room(wanted, coming > 0);
  const bool received = co_await stream_.receive();
  bytes_read_ += stream_.received().size();
  traffic_.bytes_read += stream_.received().size();
  co_return received;
}

// Sets phase and deadline for the next read.
void MemcachedSession::expect_more() {
  const bool fired = stream_.forget_time_out();
  if (parser_.idle()) {
    phase_ = Phase::kIdle;
    return stream_.watch().set_in(options_.idle_max);
  }
  if (parser_.in_line()) {
    if (std::exchange(phase_, Phase::kLine) != Phase::kLine || fired) stream_.watch().set_in(options_.line_limit);
    return;
  }
  if (std::exchange(phase_, Phase::kBlock) != Phase::kBlock)
    pace_.begin(loop_.now(), bytes_read_);
  else
    pace_.note(loop_.now(), bytes_read_);
  stream_.watch().set(pace_.deadline());
}

Task<Result<Bytes>> MemcachedSession::next_piece() {
  const Error gone(ErrorCode::kUnavailable, "the client did not send all of it");
  if (client_gone_) co_return gone;
  if (parser_.state() == State::kRequest) parser_.begin_block();
  while (parser_.state() == State::kOpen) {
    if (stream_.received().empty()) {
      const bool received = co_await receive();
      client_gone_ = !received;
      if (!received) co_return gone;
    }
    stream_.take(parser_.feed(stream_.received()));
  }
  phase_ = Phase::kHandling;
  stream_.watch().clear();
  if (parser_.state() == State::kPart) co_return parser_.take_part();
  if (parser_.state() == State::kEnd) co_return Bytes();
  co_return Error(ErrorCode::kInvalid, "bad data chunk");
}

Task<> MemcachedSession::answer() {
  phase_ = Phase::kHandling;
  stream_.watch().clear();
  wire::MemcachedRequest& request = parser_.request();
  open_ = !request.last;
  if (request.verb == Verb::kQuit) co_return;
  if (request.verb == Verb::kRefused) {
    hung_up_ = request.last && request.answer.empty();
    if (!hung_up_ && !request.noreply) say(std::move(request.answer));
    if (stream_.out().size() >= kOutBytesMax) co_await send(Bytes());
    co_return;
  }
  stream_.flush_soon();
  const bool large = request.large();
  const bool noreply = request.noreply;
  if (large && !received_.grow_to(kUploadBytes)) {
    if (!noreply) say(kTooManyBlocks);
    co_return;
  }
  Block block(*this);
  MemcachedReply reply = co_await handler_.handle(std::move(request), large ? &block : nullptr);
  if (client_gone_) {
    open_ = false;
    co_return;
  }
  if (parser_.state() == State::kBroken) {
    if (!noreply) say("CLIENT_ERROR bad data chunk");
    co_return;
  }
  if (reply.cut) parser_.skip_keys();
  limit_sending(reply);
  co_await answer_with(std::move(reply));
  sending_.clear();
}

Task<> MemcachedSession::answer_with(MemcachedReply reply) {
  for (MemcachedReply::Value& value : reply.values) {
    const bool sent = co_await send_value(std::move(value));
    if (!sent) {
      client_gone_ = true;
      open_ = false;
      co_return;
    }
  }
  stream_.out() += reply.text;
  if (stream_.out().size() < kOutBytesMax) co_return;
  const bool sent = co_await send(Bytes());
  if (!sent) open_ = false;
}

// False: the client is gone or slow, or the source failed: nothing more may follow.
Task<bool> MemcachedSession::send_value(MemcachedReply::Value value) {
  stream_.out() += value.line;
  if (!value.body) {
    const bool copied = value.bytes.size() <= kCopiedBytesMax;
    if (copied) stream_.out() += value.bytes.view();
    bool sent = true;
    if (!copied || stream_.out().size() >= kOutBytesMax) {
      Bytes rest;
      if (!copied) rest = std::move(value.bytes);
      sent = co_await send(std::move(rest));
    }
    stream_.out() += "\r\n";
    co_return sent;
  }
  stream_.hold_unsent();
  std::uint64_t left = value.body_bytes;
  while (left > 0) {
    phase_ = Phase::kHandling;
    stream_.flush_soon();
    Result<Bytes> piece = co_await value.body->next();
    const bool fits = piece && !piece->empty() && piece->size() <= left;
    if (!fits) {
      log::debug("memcached_answer_cut", {{"left", left}, {"error", piece ? "its length" : piece.error().message}});
      co_return false;
    }
    left -= piece->size();
    const bool sent = co_await send(std::move(*piece));
    if (!sent) co_return false;
  }
  stream_.out() += "\r\n";
  co_return true;
}

// Values that clients are slow to take are bounded too.
void MemcachedSession::limit_sending(MemcachedReply& reply) {
  std::size_t bytes = 0;
  for (const auto& value : reply.values) bytes += value.body ? kDownloadBytes : value.bytes.size();
  if (bytes <= kCopiedBytesMax || sending_.grow_to(bytes)) return;
  reply.values.clear();
  reply.text = kTooManyValues;
  parser_.skip_keys();
}

void MemcachedSession::note_written() {
  traffic_.bytes_written += stream_.written() - std::exchange(written_noted_, stream_.written());
}

void MemcachedSession::say(std::string line) { stream_.out() += line + "\r\n"; }

// False: the client is gone, or too slow.
Task<bool> MemcachedSession::send(Bytes body) {
  phase_ = Phase::kWriting;
  const bool sent = co_await stream_.send(std::move(body));
  co_return sent;
}

// Reads on for a while, so that the client is not reset before it has read the answer.
Task<> MemcachedSession::linger() {
  stream_.shut_down_sending();
  phase_ = Phase::kLingering;
  (void)stream_.forget_time_out();
  stream_.watch().set_in(options_.linger);
  stream_.make_room(kLineBuffer, false);
  std::size_t read = 0;
  while (!stream_.timed_out() && read < kLingerBytesMax && !stopping_ && !loop_.stopping()) {
    const bool more = co_await stream_.receive();
    if (!more) break;
    read += stream_.received().size();
  }
}

}  // namespace tako::api
