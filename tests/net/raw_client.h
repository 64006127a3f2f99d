// RawClient: a TCP client that sends exactly the bytes it is told to, for tests of servers. On the test's loop.
//
// Nothing waits for ever: after kPatience the connection is closed, and the test fails by what it did not receive.
#pragma once

#include <string>
#include <string_view>

#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <doctest/doctest.h>

#include "net/socket.h"
#include "net/watchdog.h"

namespace tako::test {

constexpr Duration kPatience = seconds(20);

// Waits until `holds()`, and looks again whenever the loop has done what was ready. The test fails after kPatience.
template <class Condition>
runtime::Task<> wait_until(runtime::Loop& loop, const Condition& holds) {
  const TimePoint end = loop.now() + kPatience;
  bool held = holds();
  while (!held && loop.now() < end) {
    co_await loop.sleep(Duration::zero());
    held = holds();
  }
  REQUIRE_MESSAGE(held, "what the test waits for does not come");
}

class RawClient {
 public:
  explicit RawClient(runtime::Loop& loop)
      : socket_(loop.executor()), watch_(loop, [this] { close(); }) {
    watch_.set_in(kPatience);
  }

  runtime::Task<bool> connect(std::uint16_t port) {
    const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
    const auto [error] = co_await socket_.async_connect(endpoint, net::as_result);
    co_return !error;
  }

  runtime::Task<bool> send(std::string bytes) {
    const auto [error, count] = co_await asio::async_write(socket_, asio::buffer(bytes), net::as_result);
    co_return !error;
  }

  // What was received, from the beginning of the connection, once it has `marker` in it or the server closed.
  runtime::Task<std::string> receive_until(std::string marker, std::size_t times = 1) {
    while (count(marker) < times) {
      const bool more = co_await receive_some();
      if (!more) break;
    }
    co_return received_;
  }

  runtime::Task<std::string> receive_all() {
    bool more = true;
    while (more) more = co_await receive_some();
    co_return received_;
  }

  // True once the server has closed the connection.
  bool ended() const { return ended_; }
  const std::string& received() const { return received_; }

  std::size_t count(std::string_view marker) const {
    std::size_t found = 0;
    for (auto at = received_.find(marker); at != std::string::npos; at = received_.find(marker, at + marker.size())) {
      ++found;
    }
    return found;
  }

  void shut_down_sending() {
    asio::error_code ignored;
    socket_.shutdown(net::Socket::shutdown_send, ignored);
  }

  // Closed with a reset, as a process that is killed with unread bytes does.
  void reset() {
    asio::error_code ignored;
    socket_.set_option(net::Socket::linger(true, 0), ignored);
    close();
  }

  void close() { net::close(socket_); }

 private:
  runtime::Task<bool> receive_some() {
    char buffer[16 * 1024];
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(buffer), net::as_result);
    // A reset is an end too; operation_aborted is our own impatience.
    if (error) ended_ = error != asio::error::operation_aborted;
    else received_.append(buffer, count);
    co_return !error;
  }

  net::Socket socket_;
  net::Watchdog watch_;
  std::string received_;
  bool ended_ = false;
};

}  // namespace tako::test
