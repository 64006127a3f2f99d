// PeerLink: the connection to one peer, from first interest to the last: connecting, calls, liveness, back-off.
//
//   connecting -> ready -> down -> ready -> ...        connecting -> down
//
// Calls made while the first connection is being made wait for its outcome; while down they fail at once (kUnsent), and
// the link goes on trying as long as somebody asked lately. Requests of all calls share the connection, told apart by
// id; the order of replies does not matter. A peer that answers nothing, not even a ping, while it owes an answer is
// down: a stopped process keeps its connections, so closed ones are no sufficient sign.
// Lives on its transport's loop; run() is its life, shared_ptr holds it for calls that outlast it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "net/frame_stream.h"
#include "net/resolver.h"
#include "net/transport.h"

namespace tako::net {

struct TcpTransportOptions {
  Duration connect_limit = seconds(1);       // and as much again for the handshake
  Duration ping_after = milliseconds(300);   // of silence while an answer is owed
  Duration dead_after = seconds(1);          // of silence, the ping unanswered
  Duration backoff_min = milliseconds(50);   // doubles up to
  Duration backoff_max = seconds(2);
  Duration interest = seconds(60);           // reconnecting goes on so long after the last call
  Duration idle_max = minutes(10);           // a connection without calls is closed
  std::size_t outbox_bytes_max = 256u << 20; // what waits to be sent to one peer: beyond it, kOverloaded
  std::size_t calls_max = 65'536;            // outstanding, per peer
  std::size_t peers_max = 10'000;
};

class PeerLink {
 public:
  PeerLink(Loop& loop, Resolver& resolver, const TcpTransportOptions& options, const wire::Hello& self,
           const Peer& peer);

  const std::string& id() const { return id_; }
  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }
  bool down() const { return state_ == State::kDown; }
  // It ends for want of interest: whoever calls the peer again needs a new one.
  bool retired() const { return retired_; }

  Task<Result<wire::Reply>> call(wire::Request request, TimePoint deadline);

  // Until nobody is interested, or stop(). Once.
  Task<> run();
  void stop();

 private:
  enum class State : unsigned char { kConnecting, kReady, kDown };
  struct Call {
    explicit Call(Loop& loop) : done(loop) {}
    runtime::Signal done;
    std::optional<Result<wire::Reply>> result;
  };

  Task<Status> connect();
  Task<Status> reach();
  Task<Status> greet();
  Task<std::string> serve();
  std::string take(wire::Message message);
  void begin_stream();
  void connected();
  void lose(const std::string& why);
  void give_up_connecting();
  void expect_life();
  void watch_life();
  bool wanted() const {
    return !stopping_ && !loop_.stopping() && loop_.now() - called_at_ < options_.interest;
  }
  Duration next_backoff(Duration lasted);

  Loop& loop_;
  Resolver& resolver_;
  const TcpTransportOptions options_;
  const wire::Hello self_;
  const std::string id_;
  const std::string host_;
  const std::uint16_t port_;
  const std::string name_;  // "n3 at host:port"

  State state_ = State::kConnecting;
  bool stopping_ = false;
  bool retired_ = false;
  bool logged_down_ = false;
  std::string reason_;       // why it is down
  TimePoint called_at_;      // the last interest
  Duration backoff_;
  std::unique_ptr<FrameStream> stream_;  // a new one for each attempt
  std::unordered_map<std::uint64_t, Call*> calls_;
  std::uint64_t last_id_ = 0;

  TimePoint heard_at_;  // silence is counted from here
  TimePoint watch_at_;  // when the watch was to look next
  std::optional<TimePoint> pinged_at_;
  Watchdog connect_watch_;
  Watchdog life_watch_;
  runtime::Signal wake_;
};

}  // namespace tako::net
