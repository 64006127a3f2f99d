// HttpHandler: what answers an HTTP request, whoever received it: the HTTP server, or `tako ctl` in its own process.
//
// Bodies of at most model::kPieceBytes come and go whole. A larger one of a request comes as a source, in its pieces,
// while the client sends; the handler may answer before it has read all of it, or anything: the client is then told,
// and the connection closed. When the source fails there is nobody to answer: what the handler returns is not sent.
#pragma once

#include <memory>
#include <utility>

#include "net/byte_source.h"
#include "runtime/task.h"
#include "wire/http/http.h"

namespace tako::api {

struct HttpReply {
  HttpReply() = default;
  HttpReply(wire::HttpResponse response) : head(std::move(response)) {}  // NOLINT: implicit by design
  HttpReply(wire::HttpResponse response, std::unique_ptr<net::ByteSource> source)
      : head(std::move(response)), body(std::move(source)) {}

  wire::HttpResponse head;
  // In place of head.body; head.content_length is then the number of its bytes. If it fails, or ends elsewhere, the
  // connection is closed, so that the client knows.
  std::unique_ptr<net::ByteSource> body;
  std::size_t held = 0;  // bytes that either keeps in memory, where that is more than it seems
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // `body`: null where request.body is all of it; else it is there until this returns.
  virtual runtime::Task<HttpReply> handle(wire::HttpRequest request, net::ByteSource* body) = 0;
};

}  // namespace tako::api
