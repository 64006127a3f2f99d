// TcpSession: one connection of a TcpServer: handshake, requests to the shards, replies in whatever order they come.
//
// Back-pressure: with too many requests, or bytes of them, under way, or too many bytes of replies unread, it stops
// reading; it then sends pings of its own, so that the client takes it for busy, not for dead. Lives on one loop, in
// the frame of the task that serves it.
#pragma once

#include <string>

#include "net/frame_stream.h"
#include "net/listener.h"
#include "net/switchboard.h"

namespace tako::net {

struct TcpServerOptions {
  std::size_t connections_max = 10'000;
  std::size_t requests_max = 1'024;                // under way, per connection
  std::size_t request_bytes_max = 128u << 20;      // of those
  std::size_t reply_bytes_pause = 64u << 20;       // unsent: no further request is read
  std::size_t reply_bytes_max = 320u << 20;        // unsent: large replies beyond it become errors
  Duration handshake_limit = seconds(5);
  Duration stall_max = seconds(10);                // a client that reads nothing for so long is closed
  Duration busy_ping = milliseconds(250);          // while not reading
  Duration stop_grace = seconds(2);                // for requests under way when the server stops
};

class TcpSession {
 public:
  // REQUIRES: loop, shards, self and options outlive it
  TcpSession(Loop& loop, const Shards& shards, const wire::Hello& self, const TcpServerOptions& options);

  // Until the connection ends, and everything that it asked for. RETURNS what the client did wrong, or nothing.
  Task<std::string> run(Accepted connection);

  // No further requests; those under way are answered first.
  void stop();

 private:
  Task<std::string> greet();
  Task<std::string> serve();
  Task<> wait_for_room();
  Task<> wait_for_answers();
  std::string begin(wire::Message message);
  Task<> answer(std::uint64_t id, wire::Request request, TimePoint deadline, std::size_t bytes);
  void reply_with(std::uint64_t id, const wire::Reply& reply);
  bool full() const;

  Loop& loop_;
  const Shards& shards_;
  const wire::Hello& self_;
  const TcpServerOptions& options_;
  FrameStream stream_;
  bool stopping_ = false;
  std::size_t requests_ = 0;
  std::size_t request_bytes_ = 0;
  Watchdog handshake_watch_;
  runtime::Gate gate_;  // answers under way
};

}  // namespace tako::net
