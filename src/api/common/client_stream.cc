#include "api/common/client_stream.h"

#include <utility>

#include <asio/buffer.hpp>

namespace tako::api {
namespace {

constexpr std::size_t kBufferKept = 16 << 10;         // by a connection without a large body
constexpr int kUnsentBytes = 2 * model::kPieceBytes;  // of a large answer, in the kernel
constexpr std::size_t kTurnBytes = 1 << 20;           // sent to one client, then the loop's other work has its turn

}  // namespace

ClientStream::ClientStream(Loop& loop, PaceLimits pace)
    : loop_(loop),
      socket_(loop.executor()),
      look_every_(pace.byte_within / 4),
      pace_(pace),
      watch_(loop, [this] { on_watch(); }),
      gate_(loop) {}

void ClientStream::make_room(std::size_t wanted, bool large) {
  if (in_size_ >= wanted && (in_size_ <= kBufferKept || large)) return;
  in_ = std::make_unique_for_overwrite<char[]>(wanted);
  in_size_ = wanted;
}

Task<bool> ClientStream::receive() {
  in_begin_ = in_end_ = 0;
  const auto [error, count] = co_await socket_.async_read_some(asio::buffer(in_.get(), in_size_), net::as_result);
  if (!error) in_end_ = count;
  co_return !error;
}

bool ClientStream::send_now() {
  std::size_t none = 0;
  return send_some({}, none) == Sent::kAll;
}

// As much as the kernel takes, or a turn's worth, of `out_` and then of `body`.
ClientStream::Sent ClientStream::send_some(std::string_view body, std::size_t& sent_of_body) {
  std::size_t turn = 0;
  while (!failed_ && (out_sent_ < out_.size() || !body.empty())) {
    asio::error_code error;
    const std::size_t left = out_.size() - out_sent_;
    const std::size_t count = net::write_now(socket_, std::string_view(out_).substr(out_sent_), body, error);
    failed_ = static_cast<bool>(error);
    if (failed_ || count == 0) break;
    out_sent_ += std::min(count, left);
    written_ += count;
    const std::size_t of_body = count - std::min(count, left);
    body.remove_prefix(of_body);
    sent_of_body += of_body;
    turn += count;
    if (turn >= kTurnBytes) break;
  }
  if (failed_) return Sent::kFailed;
  if (out_sent_ < out_.size()) return Sent::kSome;
  out_.clear();
  out_sent_ = 0;
  if (out_.capacity() > kOutBytesMax) out_.shrink_to_fit();
  return body.empty() ? Sent::kAll : Sent::kSome;
}

// What the client took is what its machine acknowledged: the kernel says "writable" only when much of its buffer is
// free, which a slow client that keeps up may not reach in time; and it takes more than that when it is tried, so a
// client that is late is let go before.
Task<bool> ClientStream::send(Bytes body) {
  std::size_t sent_of_body = 0;
  bool waited = false;
  while (true) {
    const Sent sent = send_some(body.view().substr(sent_of_body), sent_of_body);
    if (sent != Sent::kSome) co_return sent == Sent::kAll;
    if (!std::exchange(waited, true)) pace_.begin(loop_.now(), taken());
    timed_out_ = false;
    if (failed_ || loop_.stopping()) co_return false;
    // What is acknowledged in between is seen when somebody looks.
    watch_.set(std::min(pace_.deadline(), loop_.now() + look_every_));
    const auto [error] = co_await socket_.async_wait(net::Socket::wait_write, net::as_result);
    watch_.clear();
    pace_.note(loop_.now(), taken());
    const bool late = pace_.late(loop_.now());
    if (late) net::reset_when_closed(socket_);
    if (late || (error && !timed_out_)) failed_ = true;
    if (failed_) co_return false;
  }
}

std::uint64_t ClientStream::taken() {
  return written_ - std::min<std::uint64_t>(written_, net::bytes_on_the_way(socket_));
}

void ClientStream::flush_soon() {
  if (!unsent() || std::exchange(flush_posted_, true)) return;
  gate_.enter();
  loop_.post([this] {
    flush_posted_ = false;
    (void)send_now();
    gate_.leave();
  });
}

void ClientStream::hold_unsent() { net::hold_unsent(socket_, kUnsentBytes); }

void ClientStream::shut_down_sending() {
  asio::error_code ignored;
  socket_.shutdown(net::Socket::shutdown_send, ignored);
}

void ClientStream::on_watch() {
  timed_out_ = true;
  asio::error_code ignored;
  socket_.cancel(ignored);
}

}  // namespace tako::api
