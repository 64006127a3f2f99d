#include "net/listener.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

#include "base/log.h"

namespace tako::net {
namespace {

constexpr int kAcceptsPerTurn = 64;  // then the loop's other work has its turn
constexpr Duration kPauseWithoutFiles = milliseconds(100);
constexpr Duration kLogEvery = minutes(1);

}  // namespace

Listener::Listener(Loop& loop, std::string what, std::vector<Target> targets, std::size_t connections_max)
    : loop_(loop), what_(std::move(what)), targets_(std::move(targets)), connections_max_(connections_max),
      acceptor_(loop.executor()), log_limit_(kLogEvery), gate_(loop) {
  ASSERT(!targets_.empty());
}

Status Listener::open(const std::string& address, std::uint16_t port) {
  loop_.check_here();
  auto acceptor = listen_on(loop_, address, port);
  if (!acceptor) return acceptor.error();
  acceptor_ = std::move(*acceptor);
  asio::error_code ignored;
  port_ = acceptor_.local_endpoint(ignored).port();
  loop_.spawn(gate_, accept_all());
  return ok_status();
}

Task<> Listener::stop() {
  loop_.check_here();
  stopping_ = true;
  asio::error_code ignored;
  acceptor_.close(ignored);
  co_await gate_.drained();
}

Task<> Listener::accept_all() {
  while (!stopping_) {
    const auto [error] = co_await acceptor_.async_wait(Acceptor::wait_read, as_result);
    if (error || stopping_) break;
    const bool pause = !accept_ready();
    if (pause) co_await loop_.sleep(kPauseWithoutFiles);
    if (loop_.stopping()) break;
  }
}

// False when accepting has to pause.
bool Listener::accept_ready() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    asio::ip::tcp::endpoint from;
    auto length = static_cast<socklen_t>(from.capacity());
    UniqueFd fd(::accept4(acceptor_.native_handle(), from.data(), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() >= 0) {
      from.resize(length);
      hand_over(std::move(fd), from);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
    return refuse_for(errno);
  }
  return true;
}

bool Listener::refuse_for(int error) {
  if (log_limit_.allow("accept", loop_.now())) {
    log::warn("accept_failed", {{"server", what_}, {"port", port_}, {"reason", std::strerror(error)},
                                {"hint", "raise the limit of open files"}});
  }
  return false;
}

void Listener::hand_over(UniqueFd fd, const asio::ip::tcp::endpoint& from) {
  if (connections() >= connections_max_) {
    if (log_limit_.allow("full", loop_.now())) {
      log::warn("connection_refused", {{"server", what_}, {"port", port_}, {"reason", "too many connections"},
                                       {"connections_max", connections_max_}});
    }
    return;
  }
  Accepted accepted{std::move(fd), from, ConnectionSlot(open_)};
  const Target& target = targets_[next_++ % targets_.size()];
  if (target.loop == &loop_) return target.taker->take(std::move(accepted));
  auto take = [taker = target.taker, accepted = std::move(accepted)]() mutable { taker->take(std::move(accepted)); };
  target.loop->post(std::move(take));
}

}  // namespace tako::net
