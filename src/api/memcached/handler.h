// MemcachedHandler: what answers a memcached request, whoever received it.
//
// Blocks of at most model::kPieceBytes come with their request. A larger one comes as a source, in its pieces, while
// the client sends; the handler may answer before it has read all of it, or anything: the rest is skipped. When the
// source fails, what the handler returns is not sent.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "net/byte_source.h"
#include "runtime/task.h"
#include "wire/memcached/memcached.h"

namespace tako::api {

struct MemcachedReply {
  // One item of a retrieval, without the line end behind its bytes.
  struct Value {
    std::string line;
    Bytes bytes;
    std::unique_ptr<net::ByteSource>
        body;  // in place of `bytes`, with body_bytes; if it fails the connection is closed
    std::uint64_t body_bytes = 0;
  };

  std::vector<Value> values;
  std::string text;  // behind them; empty where nothing is said
  bool cut = false;  // the keys of this line that are still to come are not wanted: `text` is the end of the answer
};

class MemcachedHandler {
 public:
  virtual ~MemcachedHandler() = default;
  // `block`: null where request.data is all of it; else it is there until this returns.
  virtual runtime::Task<MemcachedReply> handle(wire::MemcachedRequest request, net::ByteSource* block) = 0;
};

// What the connections of a process did, for its statistics. Shared by all loops.
struct MemcachedTraffic {
  std::atomic<std::uint64_t> connections = 0;  // ever
  std::atomic<std::uint64_t> connected = 0;    // now
  std::atomic<std::uint64_t> bytes_read = 0;
  std::atomic<std::uint64_t> bytes_written = 0;
};

}  // namespace tako::api
