#include "net/http_client.h"

#include <utility>

#include <asio/buffer.hpp>

namespace tako::net {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

bool repeatable(const std::string& method) { return method == "GET" || method == "HEAD" || method == "DELETE"; }

bool has_body(const HttpFetch& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT";
}

std::string head_of(const HttpFetch& request, const std::string& host) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
  if (has_body(request)) head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return head + "\r\n";
}

}  // namespace

HttpClient::HttpClient(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port)
    : loop_(loop), resolver_(loop, workers), host_(std::move(host)), port_(port), socket_(loop.executor()),
      watch_(loop, [this] {
        timed_out_ = true;
        close();
      }) {}

Task<Result<wire::HttpResponse>> HttpClient::fetch(HttpFetch request, TimePoint deadline) {
  timed_out_ = false;
  watch_.set(deadline);
  const bool kept = connected_;
  Status ready = ok_status();
  if (!kept) ready = co_await connect();
  if (!ready) co_return ready.error();

  Result<wire::HttpResponse> response = co_await exchange(request);
  const bool again = !response && kept && !heard_ && !timed_out_ && repeatable(request.method);
  if (again) {
    ready = co_await connect();
    if (!ready) co_return ready.error();
    response = co_await exchange(request);
  }
  watch_.clear();
  co_return response;
}

Task<Status> HttpClient::connect() {
  const Result<Addresses> addresses = co_await resolver_.resolve(host_);
  if (!addresses) co_return addresses.error();
  asio::error_code last = asio::error::host_not_found;
  for (const auto& address : *addresses) {
    if (timed_out_) break;
    close();
    const asio::ip::tcp::endpoint endpoint(address, port_);
    const auto [error] = co_await socket_.async_connect(endpoint, as_result);
    last = error;
    if (!error) break;
  }
  if (timed_out_) co_return Error(ErrorCode::kTimeout, "no connection to " + text_of(host_, port_) + " in time");
  if (last) co_return failure(ErrorCode::kUnsent, words_of(last));
  tune(socket_);
  connected_ = true;
  co_return ok_status();
}

Task<Result<wire::HttpResponse>> HttpClient::exchange(const HttpFetch& request) {
  heard_ = false;
  wire::HttpResponseParser parser(request.body_bytes_max);
  parser.reset(request.method == "HEAD");
  const Status sent = co_await send(head_of(request, text_of(host_, port_)), request.body);
  // A server that refuses a body answers and closes before it has read it: so what it says is read in any case.
  Status received = co_await receive(parser);
  connected_ = connected_ && sent && received && parser.keep_alive();
  if (!connected_) close();
  if (!received) co_return sent || received.code() != ErrorCode::kUnavailable ? received.error() : sent.error();

  wire::HttpResponse response;
  response.status = parser.status();
  response.headers = parser.headers();
  response.content_length = parser.content_length();
  response.body = parser.take_body();
  co_return response;
}

Task<Status> HttpClient::send(std::string head, Bytes body) {
  std::string_view first = head;
  std::string_view second = body.view();
  while (!first.empty() || !second.empty()) {
    asio::error_code error;
    const std::size_t count = write_now(socket_, first, second, error);
    if (error) co_return failure(ErrorCode::kUnavailable, words_of(error));
    const std::size_t of_first = std::min(count, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(count - of_first);
    if (count > 0) continue;
    const auto [waited] = co_await socket_.async_wait(Socket::wait_write, as_result);
    if (waited) co_return failure(ErrorCode::kUnavailable, words_of(waited));
  }
  co_return ok_status();
}

Task<Status> HttpClient::receive(wire::HttpResponseParser& parser) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  while (parser.state() != wire::HttpResponseParser::State::kDone) {
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(buffer.get(), kReadBytes), as_result);
    if (error == asio::error::eof && parser.state() == wire::HttpResponseParser::State::kBody) {
      const Status finished = parser.finish();
      if (!finished) co_return failure(finished.code(), finished.error().message);
      connected_ = false;
      break;
    }
    if (error) co_return failure(ErrorCode::kUnavailable, words_of(error));
    heard_ = true;
    const Result<std::size_t> taken = parser.feed({buffer.get(), count});
    if (!taken) co_return failure(taken.code(), taken.error().message);
  }
  co_return ok_status();
}

Error HttpClient::failure(ErrorCode code, const std::string& what) const {
  const std::string server = text_of(host_, port_);
  if (timed_out_) return {ErrorCode::kTimeout, server + " did not answer in time"};
  return {code, server + ": " + what};
}

Task<Result<wire::HttpResponse>> fetch(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port,
                                       HttpFetch request, TimePoint deadline) {
  HttpClient client(loop, workers, std::move(host), port);
  Result<wire::HttpResponse> response = co_await client.fetch(std::move(request), deadline);
  co_return response;
}

}  // namespace tako::net
