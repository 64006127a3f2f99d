// ClusterClient: the way into a cluster, as HTTP requests: to a proxy over the network (--proxy URL), or to one that
// runs inside `tako ctl` itself, when it was given a configuration (-f) or a coordinator (-c) instead.
//
// One request at a time, on the loop of the program. Any answer is a value, whatever its status. Values of more than a
// piece come and go through sources and sinks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/handler.h"
#include "base/result.h"
#include "net/http_client.h"
#include "wire/http/http.h"

namespace tako::ctl {

using runtime::Task;

constexpr Duration kRequestTimeMax = seconds(30);  // of each step; a proxy gives itself 10 s
constexpr std::size_t kKeyBytesMax = 1024;
constexpr std::size_t kAnswerBytesMax = 1u << 20;  // in words, where a value was asked for

// A PUT whose body is a source.
struct Upload {
  std::string target;
  wire::HttpHeaders headers;
  net::ByteSource* body = nullptr;    // more than a piece; outlives the request
  std::optional<std::uint64_t> size;  // none: it is not known before its end
};

class ClusterClient {
 public:
  virtual ~ClusterClient() = default;
  // Header names of the answer are in lower case.
  virtual Task<Result<wire::HttpResponse>> request(std::string method, std::string target, wire::HttpHeaders headers,
                                                   Bytes body) = 0;
  virtual Task<Result<wire::HttpResponse>> upload(Upload upload) = 0;
  // A GET whose body is a sink's, if it wants it. REQUIRES: sink outlives the request
  virtual Task<Result<wire::HttpResponse>> download(std::string target, wire::HttpHeaders headers,
                                                    net::HttpSink& sink) = 0;
};

struct Url {
  std::string host;
  std::uint16_t port = 80;
};

// "http://host:port", "http://[::1]:8080/", "host:port". No path, no https.
Result<Url> parse_url(std::string_view text);

class HttpClusterClient final : public ClusterClient {
 public:
  // REQUIRES: loop and workers outlive it
  HttpClusterClient(runtime::Loop& loop, runtime::Workers& workers, Url url)
      : loop_(loop), client_(loop, workers, std::move(url.host), url.port) {}

  Task<Result<wire::HttpResponse>> request(std::string method, std::string target, wire::HttpHeaders headers,
                                           Bytes body) override;
  Task<Result<wire::HttpResponse>> upload(Upload upload) override;
  Task<Result<wire::HttpResponse>> download(std::string target, wire::HttpHeaders headers,
                                            net::HttpSink& sink) override;

 private:
  runtime::Loop& loop_;
  net::HttpClient client_;
};

class HandlerClusterClient final : public ClusterClient {
 public:
  // REQUIRES: handler outlives it, and lives on this loop
  explicit HandlerClusterClient(api::HttpHandler& handler) : handler_(handler) {}

  Task<Result<wire::HttpResponse>> request(std::string method, std::string target, wire::HttpHeaders headers,
                                           Bytes body) override;
  Task<Result<wire::HttpResponse>> upload(Upload upload) override;
  Task<Result<wire::HttpResponse>> download(std::string target, wire::HttpHeaders headers,
                                            net::HttpSink& sink) override;

 private:
  Task<api::HttpReply> ask(wire::HttpRequest request, net::ByteSource* body);

  api::HttpHandler& handler_;
};

// "/values/" + key, percent-encoded; '/' stays. kInvalid: the key is empty or too long.
Result<std::string> target_of(std::string_view prefix, std::string_view key);

// GET of something that is answered 200, as text; anything else is an error with the server's own words.
Task<Result<std::string>> fetch_text(ClusterClient& client, std::string target, std::string accept);

// What a response that is no success says: its first line, or its status.
std::string complaint_of(const wire::HttpResponse& response);

}  // namespace tako::ctl
