// HttpClient: requests to one HTTP server, one after the other, over a connection that is kept while the server does.
//
// For `tako ctl`, which has few requests and much patience. Lives on one loop; one fetch at a time. A kept connection
// that the server closed meanwhile is replaced once, for requests that may be repeated. Bodies may come from a source
// and go to a sink, of any size in constant memory; then the deadline is of each step, not of the whole.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/byte_source.h"
#include "net/resolver.h"
#include "net/socket.h"
#include "net/watchdog.h"
#include "wire/http/http.h"

namespace tako::net {

// Takes the body of an answer while it comes.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  // Once, before the body. False: it is not wanted here, but in the response as usual (a refusal's words). An error
  // ends the fetch.
  virtual Result<bool> begin(const wire::HttpResponse& head) = 0;
  virtual Status take(Bytes part) = 0;  // at most model::kPieceBytes
};

struct HttpFetch {
  std::string method = "GET";
  std::string target = "/";     // as it goes on the wire: percent-encoded
  wire::HttpHeaders headers;    // beside Host, Content-Length and Connection
  Bytes body;
  ByteSource* source = nullptr;               // in place of `body`; outlives the fetch
  std::optional<std::uint64_t> source_bytes;  // none: chunked
  HttpSink* sink = nullptr;                   // outlives the fetch
  Duration step{};                            // with a source or a sink: for each piece, and for the answer
  std::size_t body_bytes_max = 128u << 20;    // of the response, but for a sink
};

class HttpClient {
 public:
  static constexpr Duration kConnectTimeMax = seconds(10);  // for all addresses of the name

  // REQUIRES: loop and workers outlive it
  HttpClient(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port);

  // Any answer is a value, whatever its status; what a sink took is not in it. An error of source or sink is given
  // back. kUnsent: the server was not reached; kUnavailable, kTimeout: nobody
  // knows whether the request was carried out; kInvalid, kTooLarge: what it answered cannot be used.
  Task<Result<wire::HttpResponse>> fetch(HttpFetch request, TimePoint deadline);

  // What is under way ends.
  void close() { net::close(socket_); }

 private:
  Task<Status> connect(TimePoint deadline);
  Task<Result<wire::HttpResponse>> exchange(const HttpFetch& request);
  Task<Status> send(std::string head, Bytes body);
  Task<Status> send_source(const HttpFetch& request);
  Task<Status> receive(wire::HttpResponseParser& parser, const HttpFetch& request);
  Status pass_on(wire::HttpResponseParser& parser, HttpSink& sink);
  void progress(const HttpFetch& request);
  bool answered_early();
  Error failure(ErrorCode code, const std::string& what) const;

  Loop& loop_;
  Resolver resolver_;
  const std::string host_;
  const std::uint16_t port_;
  Socket socket_;
  bool connected_ = false;
  bool heard_ = false;  // a byte of the response was received
  bool timed_out_ = false;
  Duration limit_{};  // what the answer was waited for
  std::optional<bool> sunk_;  // whether the sink wants this body, once it was asked
  bool cut_ = false;          // not all of the request was sent
  Watchdog watch_;
};

// One request on a connection of its own.
Task<Result<wire::HttpResponse>> fetch(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port,
                                       HttpFetch request, TimePoint deadline);

}  // namespace tako::net
