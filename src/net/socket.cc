#include "net/socket.h"

#include <cctype>

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/ip/address.hpp>

namespace tako::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

Error cannot_listen(const std::string& where, const asio::error_code& error) {
  std::string line = "cannot listen on " + where + ": " + words_of(error);
  if (error == asio::error::address_in_use) {
    return {ErrorCode::kConflict, line + "; choose another port or stop what uses it"};
  }
  if (error == asio::error::access_denied) return {ErrorCode::kInvalid, line + "; ports below 1024 need a privilege"};
  if (error.value() == EADDRNOTAVAIL) return {ErrorCode::kInvalid, line + "; give an address of this machine"};
  return {ErrorCode::kIo, line};
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

std::string words_of(const asio::error_code& error) {
  if (error == asio::error::eof) return "the peer closed the connection";
  std::string words = error.message();
  if (words.size() > 1 && !std::isupper(static_cast<unsigned char>(words[1]))) {
    words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  }
  return words;
}

std::string text_of(std::string_view host, std::uint16_t port) {
  const bool bracketed = host.find(':') != std::string_view::npos;
  std::string text = bracketed ? "[" : "";
  text += host;
  text += bracketed ? "]:" : ":";
  return text + std::to_string(port);
}

std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
  return text_of(endpoint.address().to_string(), endpoint.port());
}

Result<Acceptor> listen_on(Loop& loop, const std::string& address, std::uint16_t port) {
  const std::string where = text_of(address, port);
  asio::error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) {
    return {ErrorCode::kInvalid, "cannot listen on " + where + ": give a numeric address, such as 127.0.0.1 or ::"};
  }

  const asio::ip::tcp::endpoint endpoint(ip, port);
  Acceptor acceptor(loop.executor());
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (!error) acceptor.native_non_blocking(true, error);
  if (error) return cannot_listen(where, error);
  return acceptor;
}

bool adopt(Socket& socket, UniqueFd fd) {
  asio::error_code error;
  socket.assign(asio::ip::tcp::v4(), fd.get(), error);  // the family matters to nothing that is used here
  if (error) return false;
  fd.release();
  tune(socket);
  return true;
}

void tune(Socket& socket) {
  asio::error_code ignored;  // a connection that died meanwhile tells so at its first read
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
}

void close(Socket& socket) {
  asio::error_code ignored;
  socket.close(ignored);
}

std::size_t write_now(Socket& socket, std::string_view first, std::string_view second, asio::error_code& error) {
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(first.data(), first.size()),
                                                  asio::buffer(second.data(), second.size())};
  const std::size_t count = socket.write_some(buffers, error);
  if (error == asio::error::would_block || error == asio::error::try_again) error.clear();
  return count;
}

void hold_unsent(Socket& socket, int bytes) {
  (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

void reset_when_closed(Socket& socket) {
  asio::error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
}

std::size_t bytes_on_the_way(Socket& socket) {
  int bytes = 0;
  const int failed = ::ioctl(socket.native_handle(), SIOCOUTQ, &bytes);
  return failed == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

}  // namespace tako::net
