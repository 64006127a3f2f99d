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

#include "model/record.h"
#include "net/byte_budget.h"
#include "net/http_handler.h"
#include "net/listener.h"
#include "net/pace.h"
#include "net/watchdog.h"
#include "runtime/sync.h"

namespace tako::net {

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

// What the connections of all loops share. Share one between the HTTP servers of a process.
struct HttpBudgets {
  explicit HttpBudgets(const HttpServerOptions& options)
      : received(options.received_bytes_max), sending(options.sending_bytes_max) {}
  ByteBudget received;
  ByteBudget sending;
};

class HttpSession {
 public:
  // REQUIRES: all outlive it
  HttpSession(Loop& loop, HttpHandler& handler, const HttpServerOptions& options, HttpBudgets& budgets,
              wire::HttpDate& date);

  Task<> run(Accepted connection);

  // No further requests: closes when it is idle, else after the answer.
  void stop();
  void close() { net::close(socket_); }

 private:
  enum class Phase : unsigned char { kIdle, kHead, kBody, kHandling, kWriting, kLingering };
  class Body;  // the source of a body that comes in pieces

  Task<bool> read_request();
  Task<bool> receive();
  void make_room(std::size_t wanted);
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
  std::uint64_t taken();
  Task<bool> send_all(HttpReply reply);
  enum class Sent : unsigned char { kAll, kSome, kFailed };
  Sent send_now(std::string_view body, std::size_t& sent_of_body);
  void flush_soon();
  void on_watch();

  Loop& loop_;
  HttpHandler& handler_;
  const HttpServerOptions& options_;
  wire::HttpDate& date_;
  ByteShare received_;
  ByteShare sending_;
  Socket socket_;
  wire::HttpRequestParser parser_;

  Phase phase_ = Phase::kIdle;
  bool stopping_ = false;
  bool timed_out_ = false;
  bool keep_alive_ = true;
  bool head_seen_ = false;
  bool continue_owed_ = false;       // before the first piece of a large body
  bool body_failed_ = false;         // ... before its end
  bool unread_ = false;              // a part of the last body
  std::uint64_t body_received_ = 0;  // of this request, about
  std::uint64_t written_ = 0;        // to the connection
  Pace pace_;
  std::optional<wire::HttpResponse> refusal_;

  std::unique_ptr<char[]> in_;  // received and not yet parsed: [in_begin_, in_end_)
  std::size_t in_size_ = 0;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::string out_;  // to be sent, from out_sent_ on
  std::size_t out_sent_ = 0;
  bool failed_ = false;  // nothing more can be sent
  bool flush_posted_ = false;

  Watchdog watch_;
  runtime::Gate gate_;
};

}  // namespace tako::net
