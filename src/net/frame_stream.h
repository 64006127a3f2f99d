// FrameStream: one TCP connection that speaks frames, seen from either end: the handshake, messages in, an Outbox out.
//
// The owner (a client's PeerLink, a server's TcpSession) reads: pop() what was received, fill() when there is nothing.
// One writer task gathers what was pushed since its last write. Pings are answered here. All on the connection's loop.
// After an error, or close(), everything returns; finish() then waits for the writer.
#pragma once

#include <optional>
#include <string>

#include "net/socket.h"
#include "net/watchdog.h"
#include "runtime/sync.h"
#include "wire/cluster/assembler.h"
#include "wire/cluster/frame.h"
#include "wire/cluster/outbox.h"

namespace tako::net {

class FrameStream {
 public:
  struct Limits {
    std::size_t outbox_bytes_max = 0;
    Duration stall_max = seconds(10);  // a peer that takes nothing for so long does not read: the stream is closed
  };

  FrameStream(Loop& loop, Limits limits);

  Socket& socket() { return socket_; }

  // REQUIRES: the socket is connected, nothing else reads or writes yet
  Task<Status> send_hello(wire::Hello hello);
  Task<Result<wire::Hello>> receive_hello();

  // After the handshake.
  void start();

  // A whole request, reply or cancel of what was received. Nothing: fill() and try again.
  Result<std::optional<wire::Message>> pop();
  // Waits for at least one byte. The error says why there will be none.
  Task<Status> fill();

  // False: the outbox is full. After close(), what is pushed goes nowhere.
  bool push(wire::FrameType type, std::uint64_t id, Bytes message, TimePoint deadline = {});
  void cancel_request(std::uint64_t id);
  std::size_t outbox_bytes() const { return outbox_.bytes(); }
  bool idle() const { return outbox_.empty() && !writing_; }
  // Notified after each write, and at the end. For one waiter, the owner.
  runtime::Signal& progress() { return progress_; }

  // The first reason given stays. May be called at any time, more than once.
  void close(std::string reason);
  bool closed() const { return closed_; }
  const std::string& reason() const { return reason_; }
  // fill() ends, and finds nothing any more; what was pushed is still written.
  void stop_reading();
  Task<> finish();

 private:
  Task<> write_all();
  Task<bool> write(std::string_view bytes);
  void make_room();
  Error failure(const asio::error_code& error) const;

  Loop& loop_;
  const Limits limits_;
  Socket socket_;
  bool closed_ = false;
  bool writing_ = false;
  std::string reason_;

  std::string buffer_;  // received and not consumed: [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  wire::FrameParser parser_;
  wire::Assembler assembler_;

  wire::Outbox outbox_;
  runtime::Signal wake_;
  runtime::Signal progress_;
  Watchdog stall_;
  runtime::Gate gate_;
};

}  // namespace tako::net
