// What every user of sockets in net/ shares: the socket type, errors in words, listening, and writing.
//
// A Socket belongs to one loop and is used on it only. UniqueFd carries an accepted connection from the loop that
// accepts to the loop that serves. Errors of the system are values (asio::error_code), never exceptions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <asio/basic_socket_acceptor.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/ip/tcp.hpp>

#include "base/result.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace tako::net {

using runtime::Loop;
using runtime::Task;

using Socket = asio::basic_stream_socket<asio::ip::tcp, runtime::Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, runtime::Executor>;

// co_await f(..., as_result) gives a tuple that begins with the error code.
inline constexpr asio::experimental::as_tuple_t<asio::use_awaitable_t<runtime::Executor>> as_result{runtime::use_task};

// An open file descriptor, closed by whoever holds it last.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// "connection refused", "address already in use": the system's words, in lower case.
std::string words_of(const asio::error_code& error);

// "127.0.0.1:8080", "[::1]:8080"
std::string text_of(std::string_view host, std::uint16_t port);
std::string text_of(const asio::ip::tcp::endpoint& endpoint);

// Binds and listens (SO_REUSEADDR). `address` is numeric; port 0 takes a free one: ask local_endpoint(). Errors are one
// line for the operator.
Result<Acceptor> listen_on(Loop& loop, const std::string& address, std::uint16_t port);

// Takes an accepted connection over; false if the system refuses it.
bool adopt(Socket& socket, UniqueFd fd);

// No delay for small writes, non-blocking for the program too (write_now).
void tune(Socket& socket);

// Closes without waiting; both pending operations end with an error. May be called more than once.
void close(Socket& socket);

// Writes what the kernel takes without waiting, from two buffers in order. RETURNS the count; 0 without an error means
// that it is full.
std::size_t write_now(Socket& socket, std::string_view first, std::string_view second, asio::error_code& error);

// From now on the kernel holds about so much of what it could not yet send, where it would hold megabytes for a peer
// that stalls.
void hold_unsent(Socket& socket, int bytes);
// What a peer that has stalled did not take is thrown away then; else the kernel would keep it for as long as it lives.
void reset_when_closed(Socket& socket);

// Written, and not yet taken by the peer's machine.
std::size_t bytes_on_the_way(Socket& socket);

}  // namespace tako::net
