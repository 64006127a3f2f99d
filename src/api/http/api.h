// HttpApi: HTTP as README.md describes it, over a Replicator. One per loop.
//
// /values/KEY (values.h) and /stat/KEY are about a key, /config, /healthz and /status about this proxy and what it
// knows. Every error is one line of text that says what to do.
#pragma once

#include <string>

#include "api/admin/status.h"
#include "api/http/handler.h"
#include "api/http/values.h"
#include "replication/replicator.h"

namespace tako::api {

using runtime::Task;

class HttpApi final : public HttpHandler {
 public:
  // REQUIRES: all outlive it
  HttpApi(runtime::Loop& loop, replication::Replicator& replicator, StatusBoard& status)
      : loop_(loop), replicator_(replicator), status_(status), values_(loop, replicator) {}

  Task<HttpReply> handle(wire::HttpRequest request, net::ByteSource* body) override;

 private:
  Task<HttpReply> about_key(wire::HttpRequest request, net::ByteSource* body);
  Task<wire::HttpResponse> stat(wire::HttpRequest request, std::string key);
  Task<wire::HttpResponse> status();
  wire::HttpResponse config(const wire::HttpRequest& request) const;
  wire::HttpResponse health() const;

  runtime::Loop& loop_;
  replication::Replicator& replicator_;
  StatusBoard& status_;
  HttpValues values_;
};

}  // namespace tako::api
