// HttpHandler: what answers an HTTP request, whoever received it: the HTTP server, or `tako ctl` in its own process.
#pragma once

#include "runtime/task.h"
#include "wire/http.h"

namespace tako::net {

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual runtime::Task<wire::HttpResponse> handle(wire::HttpRequest request) = 0;
};

}  // namespace tako::net
