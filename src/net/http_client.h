// HttpClient: requests to one HTTP server, one after the other, over a connection that is kept while the server does.
//
// For `tako ctl`, which has few requests and much patience. Lives on one loop; one fetch at a time. A kept connection
// that the server closed meanwhile is replaced once, for requests that may be repeated.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/resolver.h"
#include "net/socket.h"
#include "net/watchdog.h"
#include "wire/http.h"

namespace tako::net {

struct HttpFetch {
  std::string method = "GET";
  std::string target = "/";     // as it goes on the wire: percent-encoded
  wire::HttpHeaders headers;    // beside Host, Content-Length and Connection
  Bytes body;
  std::size_t body_bytes_max = 128u << 20;  // of the response
};

class HttpClient {
 public:
  // REQUIRES: loop and workers outlive it
  HttpClient(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port);

  // Any answer is a value, whatever its status. kUnsent: the server was not reached; kUnavailable, kTimeout: nobody
  // knows whether the request was carried out; kInvalid, kTooLarge: what it answered cannot be used.
  Task<Result<wire::HttpResponse>> fetch(HttpFetch request, TimePoint deadline);

  // What is under way ends.
  void close() { net::close(socket_); }

 private:
  Task<Status> connect();
  Task<Result<wire::HttpResponse>> exchange(const HttpFetch& request);
  Task<Status> send(std::string head, Bytes body);
  Task<Status> receive(wire::HttpResponseParser& parser);
  Error failure(ErrorCode code, const std::string& what) const;

  Loop& loop_;
  Resolver resolver_;
  const std::string host_;
  const std::uint16_t port_;
  Socket socket_;
  bool connected_ = false;
  bool heard_ = false;  // a byte of the response was received
  bool timed_out_ = false;
  Watchdog watch_;
};

// One request on a connection of its own.
Task<Result<wire::HttpResponse>> fetch(Loop& loop, runtime::Workers& workers, std::string host, std::uint16_t port,
                                       HttpFetch request, TimePoint deadline);

}  // namespace tako::net
