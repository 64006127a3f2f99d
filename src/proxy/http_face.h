// HttpFace: HTTP as SPEC §3 has it, over a Replicator. One per loop.
//
// /values/KEY and /stat/KEY are about a key, /config, /healthz and /status about this proxy and what it knows. Every
// error is one line of text that says what to do.
#pragma once

#include <string>
#include <string_view>

#include "net/http_handler.h"
#include "proxy/replicator.h"
#include "proxy/status.h"

namespace tako::proxy {

class HttpFace final : public net::HttpHandler {
 public:
  static constexpr Duration kTimeoutDefault = seconds(10);
  static constexpr Duration kTimeoutMax = seconds(60);
  static constexpr Timestamp kTimestampAheadMax = 60'000'000;  // microseconds
  // Of large bodies on this loop, from their first piece until they are answered: values travel whole from here on.
  static constexpr std::size_t kGatheredBytesMax = 512u << 20;

  // REQUIRES: all outlive it
  HttpFace(runtime::Loop& loop, Replicator& replicator, StatusBoard& status)
      : loop_(loop), replicator_(replicator), status_(status) {}

  Task<net::HttpReply> handle(wire::HttpRequest request, net::ByteSource* body) override;

 private:
  // What one request holds of kGatheredBytesMax.
  class Share {
   public:
    explicit Share(std::size_t& all) : all_(all) {}
    ~Share() { all_ -= mine_; }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    bool take(std::size_t bytes);

   private:
    std::size_t& all_;
    std::size_t mine_ = 0;
  };

  Task<Status> gather(net::ByteSource& body, wire::HttpRequest& request, Share& share);
  std::uint64_t value_bytes_max() const;
  Task<wire::HttpResponse> respond(wire::HttpRequest request);
  Task<wire::HttpResponse> values(wire::HttpRequest request, std::string key);
  Task<wire::HttpResponse> get(wire::HttpRequest request, std::string key);
  Task<wire::HttpResponse> put(wire::HttpRequest request, std::string key);
  Task<wire::HttpResponse> stat(wire::HttpRequest request, std::string key);
  Task<wire::HttpResponse> status();
  wire::HttpResponse config(const wire::HttpRequest& request) const;
  wire::HttpResponse health() const;

  Result<TimePoint> deadline_of(const wire::HttpRequest& request) const;
  Result<std::optional<Timestamp>> timestamp_of(const wire::HttpRequest& request) const;

  runtime::Loop& loop_;
  Replicator& replicator_;
  StatusBoard& status_;
  std::size_t gathered_ = 0;
};

}  // namespace tako::proxy
