#include "net/frame_stream.h"

#include <cstring>

#include <netinet/tcp.h>

#include <asio/buffer.hpp>
#include <asio/detail/socket_option.hpp>

namespace tako::net {
namespace {

constexpr std::size_t kBufferBytes = 16 << 10;      // what an idle connection keeps
constexpr std::size_t kBufferBytesKept = 64 << 10;  // a larger one is given back when it is empty
constexpr std::size_t kReadBytesMin = 4 << 10;
// What the kernel holds back unsent. Little, so that a ping is not queued behind megabytes.
using NotSentLowWater = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
constexpr int kNotSentBytes = 512 << 10;
// A machine that vanished without a word is noticed after two minutes, also where nothing is asked of it.
using KeepAliveIdle = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
using KeepAliveInterval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
using KeepAliveCount = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;

void set_options(Socket& socket) {
  asio::error_code ignored;
  socket.set_option(NotSentLowWater(kNotSentBytes), ignored);
  socket.set_option(Socket::keep_alive(true), ignored);
  socket.set_option(KeepAliveIdle(60), ignored);
  socket.set_option(KeepAliveInterval(15), ignored);
  socket.set_option(KeepAliveCount(4), ignored);
}

}  // namespace

FrameStream::FrameStream(Loop& loop, Limits limits)
    : loop_(loop), limits_(limits), socket_(loop.executor()), outbox_(limits.outbox_bytes_max), wake_(loop),
      progress_(loop), stall_(loop, [this] { close("the peer does not read what is sent to it"); }), gate_(loop) {}

Task<Status> FrameStream::send_hello(wire::Hello hello) {
  set_options(socket_);
  const std::string bytes = wire::encode_hello(hello);
  const bool written = co_await write(bytes);
  if (!written) co_return Error(ErrorCode::kUnavailable, reason_);
  co_return ok_status();
}

Task<Result<wire::Hello>> FrameStream::receive_hello() {
  while (true) {
    auto progress = wire::decode_hello(std::string_view(buffer_).substr(begin_, end_ - begin_));
    if (!progress) co_return progress.error();
    if (progress->hello) {
      begin_ += progress->consumed;
      parser_.feed(std::string_view(buffer_).substr(begin_, end_ - begin_));
      co_return std::move(*progress->hello);
    }
    const Status filled = co_await fill();
    if (!filled) co_return filled.error();
  }
}

void FrameStream::start() { loop_.spawn(gate_, write_all()); }

Result<std::optional<wire::Message>> FrameStream::pop() {
  while (true) {
    const auto frame = parser_.next();
    if (!frame) return frame.error();
    if (!*frame) return std::optional<wire::Message>();
    auto message = assembler_.add(**frame);
    if (!message) return message.error();
    if (!*message) continue;
    switch ((*message)->type) {
      case wire::FrameType::kPing: push(wire::FrameType::kPong, (*message)->id, {}); break;
      case wire::FrameType::kPong: break;
      case wire::FrameType::kCancel:
        if (!(*message)->cancels_reply) outbox_.cancel(wire::FrameType::kReply, (*message)->id);
        return message;
      case wire::FrameType::kRequest:
      case wire::FrameType::kReply: return message;
    }
  }
}

Task<Status> FrameStream::fill() {
  begin_ += parser_.consumed();
  make_room();
  const auto [error, count] =
      co_await socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_), as_result);
  if (error || closed_) co_return failure(error);
  end_ += count;
  parser_.feed(std::string_view(buffer_).substr(begin_, end_ - begin_));
  co_return ok_status();
}

// For the rest of the frame that was begun, and never much less than a read of the kernel's.
void FrameStream::make_room() {
  const std::size_t held = end_ - begin_;
  parser_.feed({});
  if (held == 0 && buffer_.size() > kBufferBytesKept && end_ < buffer_.size() / 4) buffer_ = std::string();
  const std::size_t wanted = std::max(parser_.wanted(), kReadBytesMin);
  if (buffer_.size() - begin_ < held + wanted || held == 0) {
    if (held > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
  }
  if (buffer_.size() < held + wanted) buffer_.resize(std::max(kBufferBytes, held + wanted));
}

bool FrameStream::push(wire::FrameType type, std::uint64_t id, Bytes message, TimePoint deadline) {
  if (closed_) return true;
  const bool pushed = outbox_.push(type, id, std::move(message), deadline);
  if (pushed && !writing_) wake_.notify();
  return pushed;
}

void FrameStream::cancel_request(std::uint64_t id) {
  const auto cancelled = outbox_.cancel(wire::FrameType::kRequest, id);
  // Full: the peer answers in vain.
  if (cancelled == wire::Outbox::Cancelled::kNotFound) push(wire::FrameType::kCancel, id, {});
}

void FrameStream::close(std::string reason) {
  if (closed_) return;
  closed_ = true;
  reason_ = std::move(reason);
  net::close(socket_);
  wake_.notify();
  progress_.notify();
}

void FrameStream::stop_reading() {
  asio::error_code ignored;
  socket_.shutdown(Socket::shutdown_receive, ignored);
}

Task<> FrameStream::finish() {
  close("the connection was closed here");
  co_await gate_.drained();
}

Task<> FrameStream::write_all() {
  std::string chunk;
  while (!closed_) {
    chunk.clear();
    const bool some = outbox_.next(loop_.now(), chunk);
    if (!some) {
      if (chunk.capacity() > kBufferBytesKept) chunk = std::string();
      const bool woken = co_await wake_.wait(TimePoint::max());
      if (!woken) close("the process is stopping");
      continue;
    }
    writing_ = true;
    co_await write(chunk);
    writing_ = false;
    progress_.notify();
  }
}

// False: the stream is closed.
Task<bool> FrameStream::write(std::string_view bytes) {
  while (!closed_ && !bytes.empty()) {
    asio::error_code error;
    std::size_t count = write_now(socket_, bytes, {}, error);
    if (count == 0 && !error) {
      stall_.set_in(limits_.stall_max);
      const auto rest = asio::buffer(bytes.data(), bytes.size());
      const auto [waited, written] = co_await socket_.async_write_some(rest, as_result);
      stall_.clear();
      error = waited;
      count = written;
    }
    if (error) close(words_of(error));
    bytes.remove_prefix(count);
  }
  co_return !closed_;
}

Error FrameStream::failure(const asio::error_code& error) const {
  return {ErrorCode::kUnavailable, closed_ ? reason_ : words_of(error)};
}

}  // namespace tako::net
