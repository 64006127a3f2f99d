#include "api/http/session.h"

#include <utility>

#include "base/log.h"

namespace tako::api {
namespace {

constexpr std::size_t kHeadBuffer = 4 << 10;
constexpr std::size_t kBodyBuffer = 128 << 10;                  // while a larger body is coming
constexpr std::size_t kUploadBytes = 2 * model::kPieceBytes;    // of a large body: the piece in hand, and the next
constexpr std::size_t kDownloadBytes = 5 * model::kPieceBytes;  // the piece being sent, and what is read ahead
constexpr std::size_t kLingerBytesMax = 128 << 20;              // of a refused request, read and thrown away
constexpr const char* kTooManyBodies = "too many requests with large bodies at once; try again";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

wire::HttpResponse text_response(int status, std::string line) {
  wire::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  response.body = Bytes(std::move(line) + "\n");
  return response;
}

}  // namespace

class HttpSession::Body final : public net::ByteSource {
 public:
  explicit Body(HttpSession& session) : session_(session) {}
  Task<Result<Bytes>> next() override { return session_.next_piece(); }

 private:
  HttpSession& session_;
};

HttpSession::HttpSession(Loop& loop, HttpHandler& handler, const HttpServerOptions& options, ByteBudgets& budgets,
                         wire::HttpDate& date)
    : loop_(loop),
      handler_(handler),
      options_(options),
      date_(date),
      received_(budgets.received),
      sending_(budgets.sending),
      stream_(loop, options.pace),
      parser_({options.body_bytes_max, model::kPieceBytes}),
      pace_(options.pace) {}

Task<> HttpSession::run(net::Accepted connection) {
  const bool adopted = stream_.adopt(std::move(connection.fd));
  while (adopted && keep_alive_) {
    const bool complete = co_await read_request();
    if (!complete) break;
    co_await answer();
  }
  if (refusal_) {
    co_await refuse();
  } else if (adopted) {
    co_await send(Bytes());
    // Closing on unread bytes would take the answer back.
    if (unread_ || !stream_.received().empty()) co_await linger();
  }
  close();
  co_await stream_.drained();
}

void HttpSession::stop() {
  stopping_ = true;
  if (phase_ == Phase::kIdle) close();
}

// False: there will be none. `refusal_` then says what to answer, if anything.
Task<bool> HttpSession::read_request() {
  parser_.reset();
  phase_ = Phase::kIdle;
  head_seen_ = continue_owed_ = body_failed_ = unread_ = false;
  body_received_ = 0;
  while (true) {
    const std::size_t count = stream_.received().size();
    if (count > 0) {
      const Result<std::size_t> taken = parser_.feed(stream_.received());
      if (!taken) {
        refuse_with(parser_.error_status(), taken.error().message);
        co_return false;
      }
      stream_.take(*taken);
      if (parser_.state() == wire::HttpRequestParser::State::kDone) co_return account(parser_.body_held());
      if (parser_.head_complete()) body_received_ += count;
      const bool large = body_is_large();
      const bool acceptable = head_acceptable() && account(large ? kUploadBytes : parser_.body_held());
      if (!acceptable || large) co_return acceptable;
    }
    const bool received = co_await receive();
    if (!received) co_return false;
  }
}

// Waits for bytes, with the deadline of the phase. What is to be sent is sent first.
Task<bool> HttpSession::receive() {
  if (!stream_.send_now()) {
    const bool drained = co_await send(Bytes());
    if (!drained) co_return false;
  }
  if (loop_.stopping() || (stopping_ && parser_.idle())) co_return false;
  expect_more();
  std::size_t wanted = kHeadBuffer;
  if (phase_ == Phase::kBody) {
    wanted = std::clamp<std::size_t>(parser_.content_length().value_or(kBodyBuffer), kHeadBuffer, kBodyBuffer);
  }
  stream_.make_room(wanted, phase_ == Phase::kBody);
  const bool received = co_await stream_.receive();
  if (received) co_return true;
  const bool late = stream_.timed_out() && phase_ != Phase::kIdle;
  if (late) refuse_with(408, "the request did not arrive in time; send it again");
  co_return false;
}

// Sets phase and deadline for the next read.
void HttpSession::expect_more() {
  const bool fired = stream_.forget_time_out();
  if (parser_.idle()) {
    phase_ = Phase::kIdle;
    return stream_.watch().set_in(options_.idle_max);
  }
  if (!parser_.head_complete()) {
    if (std::exchange(phase_, Phase::kHead) != Phase::kHead || fired) stream_.watch().set_in(options_.head_limit);
    return;
  }
  if (std::exchange(phase_, Phase::kBody) != Phase::kBody)
    pace_.begin(loop_.now(), body_received_);
  else
    pace_.note(loop_.now(), body_received_);
  stream_.watch().set(pace_.deadline());
}

// Once per request that has a body still to come: before it is sent, if the client waits.
bool HttpSession::head_acceptable() {
  if (head_seen_ || !parser_.head_complete()) return true;
  head_seen_ = true;
  const std::uint64_t length = std::min<std::uint64_t>(parser_.content_length().value_or(0), kUploadBytes);
  if (!received_.budget().has(static_cast<std::size_t>(length))) {
    refuse_with(503, kTooManyBodies);
    return false;
  }
  if (!parser_.expects_continue()) return true;
  if (body_is_large())
    continue_owed_ = true;  // once the handler wants it
  else
    stream_.out() += kContinue;
  return true;
}

// By its length, or because more came than a piece.
bool HttpSession::body_is_large() const {
  return parser_.head_complete() && (parser_.part_ready() || parser_.content_length().value_or(0) > model::kPieceBytes);
}

bool HttpSession::account(std::size_t body_bytes) {
  if (received_.grow_to(body_bytes)) return true;
  refuse_with(503, kTooManyBodies);
  return false;
}

Task<Result<Bytes>> HttpSession::next_piece() {
  if (body_failed_) co_return Error(ErrorCode::kUnavailable, "the client did not send all of it");
  if (std::exchange(continue_owed_, false)) stream_.out() += kContinue;
  const bool filled = co_await fill_piece();
  phase_ = Phase::kHandling;
  stream_.watch().clear();
  if (filled) co_return parser_.take_part();
  body_failed_ = true;
  co_return Error(ErrorCode::kUnavailable, "the client did not send all of it");
}

// False: there will be no more. `refusal_` then says what to answer, if anything.
Task<bool> HttpSession::fill_piece() {
  while (!parser_.part_ready() && parser_.state() != wire::HttpRequestParser::State::kDone) {
    if (stream_.received().empty()) {
      const bool received = co_await receive();
      if (!received) co_return false;
      body_received_ += stream_.received().size();
    }
    const Result<std::size_t> taken = parser_.feed(stream_.received());
    if (!taken) {
      refuse_with(parser_.error_status(), taken.error().message);
      co_return false;
    }
    stream_.take(*taken);
  }
  co_return true;
}

Task<> HttpSession::answer() {
  phase_ = Phase::kHandling;
  stream_.watch().clear();
  stream_.flush_soon();
  wire::HttpRequest& request = parser_.request();
  const int minor = request.minor;
  const bool head = request.method == "HEAD";
  const bool asked_to_keep = request.keep_alive;
  std::string line;
  if (log::enabled(log::Level::kDebug)) line = request.method + " " + request.target;

  Body body(*this);
  const bool large = body_is_large();
  HttpReply reply = co_await handler_.handle(std::move(request), large ? &body : nullptr);
  received_.clear();
  unread_ = large && parser_.state() != wire::HttpRequestParser::State::kDone;
  keep_alive_ = asked_to_keep && !unread_ && !stopping_ && !loop_.stopping();
  if (body_failed_) co_return;  // there is nobody to answer, or `refusal_` is the answer
  wire::HttpResponse& response = reply.head;
  if (head) response.head_only = true;
  const bool bodiless = response.head_only || response.status == 204 || response.status == 304;
  if (bodiless) reply.body.reset();
  limit_sending(reply);
  if (!line.empty()) log::debug("http", {{"request", line}, {"status", response.status}});

  wire::append_head(stream_.out(), response, keep_alive_, date_.at(loop_.wall()), minor);
  if (reply.body) {
    const bool sent = co_await send_all(std::move(reply));
    if (!sent) keep_alive_ = false;
    sending_.clear();
    co_return;
  }
  const std::size_t body_bytes = bodiless ? 0 : response.body.size();
  const bool copied = body_bytes <= kCopiedBytesMax;
  if (copied && body_bytes > 0) stream_.out() += response.body.view();
  if (copied && stream_.out().size() < kOutBytesMax) co_return;
  Bytes rest;
  if (!copied) rest = std::move(response.body);
  const bool sent = co_await send(std::move(rest));
  if (!sent) keep_alive_ = false;
  sending_.clear();
}

// What follows a head whose body is a source. False: the client is gone or slow, or the source failed.
Task<bool> HttpSession::send_all(HttpReply reply) {
  std::uint64_t left = reply.head.content_length.value_or(0);
  stream_.hold_unsent();
  while (left > 0) {
    phase_ = Phase::kHandling;
    stream_.flush_soon();
    Result<Bytes> piece = co_await reply.body->next();
    const bool fits = piece && !piece->empty() && piece->size() <= left;
    if (!fits) {
      log::debug("http_answer_cut", {{"left", left}, {"error", piece ? "its length" : piece.error().message}});
      co_return false;
    }
    left -= piece->size();
    const bool sent = co_await send(std::move(*piece));
    if (!sent) co_return false;
  }
  co_return true;
}

// Values that clients are slow to take are bounded too.
void HttpSession::limit_sending(HttpReply& reply) {
  const std::size_t bytes = reply.body ? kDownloadBytes : reply.head.body.size();
  if (bytes <= kCopiedBytesMax || sending_.grow_to(std::max(bytes, reply.held))) return;
  reply.body.reset();
  reply.head = text_response(503, "too many large values are being sent at once; try again");
}

void HttpSession::refuse_with(int status, std::string why) {
  if (!refusal_) refusal_ = text_response(status, std::move(why));
}

// The answer to what is no request, or one that is not taken; then the end.
Task<> HttpSession::refuse() {
  log::debug("http_refused", {{"status", refusal_->status}});
  refusal_->head_only = parser_.is_head();
  wire::append_head(stream_.out(), *refusal_, false, date_.at(loop_.wall()), 1);
  if (!refusal_->head_only) stream_.out() += refusal_->body.view();
  const bool sent = co_await send(Bytes());
  if (sent) co_await linger();
}

// Reads on for a while, so that the client is not reset before it has read the answer.
Task<> HttpSession::linger() {
  stream_.shut_down_sending();
  phase_ = Phase::kLingering;
  (void)stream_.forget_time_out();
  stream_.watch().set_in(options_.linger);
  stream_.make_room(kHeadBuffer, false);
  std::size_t read = 0;
  // The watchdog cancels nothing if it fires between two reads, as it does when bytes are always there.
  while (!stream_.timed_out() && read < kLingerBytesMax && !stopping_ && !loop_.stopping()) {
    const bool more = co_await stream_.receive();
    if (!more) break;
    read += stream_.received().size();
  }
}

// False: the client is gone, or too slow.
Task<bool> HttpSession::send(Bytes body) {
  phase_ = Phase::kWriting;
  const bool sent = co_await stream_.send(std::move(body));
  co_return sent;
}

}  // namespace tako::api
