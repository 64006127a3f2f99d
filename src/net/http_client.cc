#include "net/http_client.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <asio/buffer.hpp>

namespace tako::net {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

bool repeatable(const std::string& method) { return method == "GET" || method == "HEAD" || method == "DELETE"; }

bool has_body(const HttpFetch& request) {
  return request.source != nullptr || !request.body.empty() || request.method == "POST" || request.method == "PUT";
}

std::string head_of(const HttpFetch& request, const std::string& host) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
  const bool chunked = request.source != nullptr && !request.source_bytes;
  const std::uint64_t length = request.source_bytes.value_or(request.body.size());
  if (chunked) head += "Transfer-Encoding: chunked\r\n";
  else if (has_body(request)) head += "Content-Length: " + std::to_string(length) + "\r\n";
  return head + "\r\n";
}

std::string seconds_of(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count()) + " s";
}

std::string chunk_head(std::size_t bytes) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, bytes, 16).ptr;
  return std::string(digits, end) + "\r\n";
}

wire::HttpResponse head_in(const wire::HttpResponseParser& parser) {
  wire::HttpResponse head;
  head.status = parser.status();
  head.headers = parser.headers();
  head.content_length = parser.content_length();
  return head;
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
  limit_ = request.step > Duration::zero() ? request.step : deadline - loop_.now();
  const bool kept = connected_;
  Status ready = ok_status();
  if (!kept) ready = co_await connect(deadline);
  if (!ready) co_return ready.error();
  watch_.set(deadline);

  Result<wire::HttpResponse> response = co_await exchange(request);
  const bool same = request.source == nullptr;  // a source can be read but once
  const bool again = !response && kept && !heard_ && !timed_out_ && same && repeatable(request.method);
  if (again) {
    ready = co_await connect(deadline);
    if (!ready) co_return ready.error();
    watch_.set(deadline);
    response = co_await exchange(request);
  }
  watch_.clear();
  co_return response;
}

Task<Status> HttpClient::connect(TimePoint deadline) {
  const TimePoint until = std::min(deadline, loop_.now() + kConnectTimeMax);
  const Duration limit = until - loop_.now();
  watch_.set(until);
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
  watch_.clear();
  if (timed_out_) {
    co_return Error(ErrorCode::kUnsent, "no connection to " + text_of(host_, port_) + " within " + seconds_of(limit) +
                                            ": nothing answers there; check the address");
  }
  if (last) co_return failure(ErrorCode::kUnsent, words_of(last));
  tune(socket_);
  connected_ = true;
  co_return ok_status();
}

Task<Result<wire::HttpResponse>> HttpClient::exchange(const HttpFetch& request) {
  heard_ = cut_ = false;
  sunk_.reset();
  wire::HttpBodyLimits limits;
  limits.bytes_max = request.sink != nullptr ? ~0ull : request.body_bytes_max;
  if (request.sink != nullptr) limits.part_bytes = model::kPieceBytes;
  wire::HttpResponseParser parser(limits);
  parser.reset(request.method == "HEAD");
  progress(request);
  Status sent = co_await send(head_of(request, text_of(host_, port_)), request.body);
  if (sent && request.source != nullptr) sent = co_await send_source(request);
  // A server that refuses a body answers and closes before it has read it: so what it says is read in any case.
  const Status received = co_await receive(parser, request);
  connected_ = connected_ && sent && received && !cut_ && parser.keep_alive();
  if (!connected_) close();
  const bool sending_failed = !sent && (received ? sent.code() != ErrorCode::kUnavailable
                                                 : received.code() == ErrorCode::kUnavailable);
  if (sending_failed) co_return sent.error();
  if (!received) co_return received.error();

  wire::HttpResponse response = head_in(parser);
  response.body = parser.take_part();
  co_return response;
}

void HttpClient::progress(const HttpFetch& request) {
  if (request.step > Duration::zero()) watch_.set_in(request.step);
}

bool HttpClient::answered_early() {
  asio::error_code error;
  return socket_.available(error) > 0 || error;
}

// Its own errors close the connection: the server must not take what came for the whole.
Task<Status> HttpClient::send_source(const HttpFetch& request) {
  const bool chunked = !request.source_bytes;
  std::uint64_t left = request.source_bytes.value_or(0);
  bool more = true;
  while (more) {
    cut_ = answered_early();
    if (cut_) co_return ok_status();
    Result<Bytes> piece = co_await request.source->next();
    if (!piece) {
      close();
      co_return piece.error();
    }
    const std::size_t size = piece->size();
    more = size > 0;
    if (!chunked && size > left) break;
    left -= chunked ? 0 : size;
    // An empty chunk is the end.
    if (chunked) {
      Status sent = co_await send(chunk_head(size), std::move(*piece));
      if (sent) sent = co_await send("\r\n", Bytes());
      if (!sent) co_return sent;
    } else if (more) {
      const Status sent = co_await send(std::string(), std::move(*piece));
      if (!sent) co_return sent;
    }
    progress(request);
  }
  if (left == 0 && !more) co_return ok_status();
  close();
  co_return Error(ErrorCode::kInvalid, "what is sent grew or shrank meanwhile; send it again");
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

Task<Status> HttpClient::receive(wire::HttpResponseParser& parser, const HttpFetch& request) {
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
    progress(request);
    for (std::size_t at = 0; at < count && parser.state() != wire::HttpResponseParser::State::kDone;) {
      const Result<std::size_t> taken = parser.feed({buffer.get() + at, count - at});
      if (!taken) co_return failure(taken.code(), taken.error().message);
      at += *taken;
      if (request.sink == nullptr || !parser.part_ready()) continue;
      const Status passed = pass_on(parser, *request.sink);
      if (!passed) co_return passed.error();
    }
  }
  if (request.sink == nullptr) co_return ok_status();
  co_return pass_on(parser, *request.sink);
}

// A part, or the end.
Status HttpClient::pass_on(wire::HttpResponseParser& parser, HttpSink& sink) {
  if (!sunk_) {
    const Result<bool> wanted = sink.begin(head_in(parser));
    if (!wanted) return wanted.error();
    sunk_ = *wanted;
  }
  if (!*sunk_ && parser.part_ready()) return failure(ErrorCode::kTooLarge, "an answer that is too long");
  if (!*sunk_) return ok_status();
  Bytes part = parser.take_part();
  return part.empty() ? ok_status() : sink.take(std::move(part));
}

Error HttpClient::failure(ErrorCode code, const std::string& what) const {
  const std::string server = text_of(host_, port_);
  if (timed_out_) {
    return {ErrorCode::kTimeout, server + " took the request and did not answer within " + seconds_of(limit_)};
  }
  return {code, server + ": " + what};
}

Task<Result<wire::HttpResponse>> fetch(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port,
                                       HttpFetch request, TimePoint deadline) {
  HttpClient client(loop, workers, std::move(host), port);
  Result<wire::HttpResponse> response = co_await client.fetch(std::move(request), deadline);
  co_return response;
}

}  // namespace tako::net
