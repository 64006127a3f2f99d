// Listener: accepts connections on one loop and hands them to the loops that serve, in turn.
//
// Whoever serves gives one Taker for each of its loops; take() is called on that loop. Connections are counted across
// the loops: over the limit they are closed at once, and logged. When the process is out of file descriptors accepting
// pauses; clients wait in the backlog meanwhile.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "net/log_limit.h"
#include "net/socket.h"
#include "runtime/sync.h"

namespace tako::net {

// One of a listener's connections, counted while it lives.
class ConnectionSlot {
 public:
  explicit ConnectionSlot(std::atomic<std::size_t>& open) : open_(&open) {
    open.fetch_add(1, std::memory_order_relaxed);
  }
  ConnectionSlot(ConnectionSlot&& other) noexcept : open_(std::exchange(other.open_, nullptr)) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ~ConnectionSlot() { if (open_) open_->fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t>* open_;
};

struct Accepted {
  UniqueFd fd;
  asio::ip::tcp::endpoint from;
  ConnectionSlot slot;
};

class Taker {
 public:
  virtual ~Taker() = default;
  virtual void take(Accepted connection) = 0;
};

class Listener {
 public:
  struct Target {
    Loop* loop = nullptr;
    Taker* taker = nullptr;
  };

  // `what` names the server in the log. REQUIRES: targets outlive the listener
  Listener(Loop& loop, std::string what, std::vector<Target> targets, std::size_t connections_max);

  // Port 0 takes a free one. One line for the operator if it cannot be had.
  Status open(const std::string& address, std::uint16_t port);
  std::uint16_t port() const { return port_; }
  std::size_t connections() const { return open_.load(std::memory_order_relaxed); }

  // Connections handed over before this returns were posted to their loops before it returned.
  Task<> stop();

 private:
  Task<> accept_all();
  bool accept_ready();
  bool refuse_for(int error);
  void hand_over(UniqueFd fd, const asio::ip::tcp::endpoint& from);

  Loop& loop_;
  const std::string what_;
  const std::vector<Target> targets_;
  const std::size_t connections_max_;
  Acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::size_t next_ = 0;
  std::atomic<std::size_t> open_ = 0;
  bool stopping_ = false;
  LogLimit log_limit_;
  runtime::Gate gate_;
};

}  // namespace tako::net
