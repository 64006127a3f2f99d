// MemcachedSession: one connection of a MemcachedServer, from its first request to its last.
//
// Requests of a connection are carried out one after the other, in order, so that a client reads what it wrote; what it
// sends ahead waits in the kernel, which holds back a flood of `noreply` as well. Answers to what came together leave
// together. Blocks and values of more than a piece pass in pieces; a stalled client costs one piece and is let go by
// the pace. A refused block is skipped, up to skip_bytes_max; a longer one ends the connection behind its answer. What
// has no answer at all (an HTTP request, a line without an end) closes it at once, unread.
// One moving deadline: idle, line, block, write, linger. Lives on one loop, in the frame of the task that serves it;
// the handler must not outlive a deadline of its own beside that of a block's source.
#pragma once

#include <string>

#include "api/common/byte_budget.h"
#include "api/common/client_stream.h"
#include "api/memcached/handler.h"
#include "net/listener.h"

namespace tako::api {

using runtime::Loop;
using runtime::Task;

struct MemcachedServerOptions {
  std::size_t connections_max = 20'000;
  Duration idle_max = hours(24);  // stock clients keep their connections, and take the end of one for a failure
  Duration line_limit = seconds(10);
  PaceLimits pace;  // of blocks and answers
  Duration linger = seconds(5);
  Duration stop_grace = seconds(5);
  std::uint64_t skip_bytes_max = 128u << 20;  // of a refused block
};

class MemcachedSession {
 public:
  // `budgets`: those of the process's HTTP servers, for what clients send and are sent. REQUIRES: all outlive it
  MemcachedSession(Loop& loop, MemcachedHandler& handler, const MemcachedServerOptions& options, ByteBudgets& budgets,
                   MemcachedTraffic& traffic);

  Task<> run(net::Accepted connection);

  // No further requests: closes when it is idle, else after the answer.
  void stop();
  void close() { stream_.close(); }

 private:
  using State = wire::MemcachedParser::State;
  enum class Phase : unsigned char { kIdle, kLine, kBlock, kHandling, kWriting, kLingering };
  class Block;  // the source of a block that comes in pieces

  Task<bool> next_request();
  Task<bool> receive();
  void expect_more();
  Task<Result<Bytes>> next_piece();
  Task<> answer();
  Task<> answer_with(MemcachedReply reply);
  Task<bool> send_value(MemcachedReply::Value value);
  void limit_sending(MemcachedReply& reply);
  void note_written();
  void say(std::string line);
  Task<bool> send(Bytes body);
  Task<> linger();

  Loop& loop_;
  MemcachedHandler& handler_;
  const MemcachedServerOptions& options_;
  MemcachedTraffic& traffic_;
  ByteShare received_;
  ByteShare sending_;
  ClientStream stream_;
  wire::MemcachedParser parser_;

  Phase phase_ = Phase::kIdle;
  bool open_ = true;  // for further requests
  bool stopping_ = false;
  bool client_gone_ = false;  // inside a block
  bool hung_up_ = false;      // by us, in the middle of what is being sent
  std::uint64_t bytes_read_ = 0;
  std::uint64_t written_noted_ = 0;
  Pace pace_;  // of the block
};

}  // namespace tako::api
