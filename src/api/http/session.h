// HttpSession: one connection of an HttpServer, from its first request to its last.
//
// Requests of a connection are answered one after the other, in order; what a client sends ahead (pipelining) waits in
// the kernel. Small answers to requests that came together leave together, and large bodies are sent from where they
// are. A body of more than a piece is received while the handler takes it, and sent while it is read: the session then
// holds one piece and what the kernel gave it last, so a stalled client costs no more whatever its body's size.
// One watchdog with a moving deadline: idle, head, body, write, linger. Lives on one loop, in the frame of the task
// that serves it; the handler must not outlive a deadline of its own beside that of a body's source.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/common/byte_budget.h"
#include "api/common/client_stream.h"
#include "api/http/handler.h"
#include "model/record.h"
#include "net/listener.h"

namespace tako::api {

using runtime::Loop;
using runtime::Task;

struct HttpServerOptions {
  std::size_t connections_max = 20'000;
  std::uint64_t body_bytes_max = model::kValueBytesMax;
  std::size_t received_bytes_max = 1u << 30;  // of bodies of requests under way, all connections of the process
  std::size_t sending_bytes_max = 2u << 30;   // of bodies of responses not yet taken by clients, likewise
  Duration idle_max = seconds(75);            // between requests, and before the first
  Duration head_limit = seconds(10);
  PaceLimits pace;                            // of bodies, both ways
  Duration linger = seconds(5);               // a client that was refused is let finish sending, to see the answer
  Duration stop_grace = seconds(5);           // for requests under way when the server stops
};

class HttpSession {
 public:
  // REQUIRES: all outlive it
  HttpSession(Loop& loop, HttpHandler& handler, const HttpServerOptions& options, ByteBudgets& budgets,
              wire::HttpDate& date);

  Task<> run(net::Accepted connection);

  // No further requests: closes when it is idle, else after the answer.
  void stop();
  void close() { stream_.close(); }

 private:
  enum class Phase : unsigned char { kIdle, kHead, kBody, kHandling, kWriting, kLingering };
  class Body;  // the source of a body that comes in pieces

  Task<bool> read_request();
  Task<bool> receive();
  bool head_acceptable();
  bool account(std::size_t body_bytes);
  bool body_is_large() const;
  Task<Result<Bytes>> next_piece();
  Task<bool> fill_piece();
  void expect_more();
  Task<> answer();
  Task<> refuse();
  Task<> linger();
  void refuse_with(int status, std::string why);
  void limit_sending(HttpReply& reply);
  Task<bool> send(Bytes body);
  Task<bool> send_all(HttpReply reply);

  Loop& loop_;
  HttpHandler& handler_;
  const HttpServerOptions& options_;
  wire::HttpDate& date_;
  ByteShare received_;
  ByteShare sending_;
  ClientStream stream_;
  wire::HttpRequestParser parser_;

  Phase phase_ = Phase::kIdle;
  bool stopping_ = false;
  bool keep_alive_ = true;
  bool head_seen_ = false;
  bool continue_owed_ = false;       // before the first piece of a large body
  bool body_failed_ = false;         // ... before its end
  bool unread_ = false;              // a part of the last body
  std::uint64_t body_received_ = 0;  // of this request, about
  Pace pace_;                        // of the body
  std::optional<wire::HttpResponse> refusal_;
};

}  // namespace tako::api
