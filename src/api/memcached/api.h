// MemcachedApi: the memcached protocol as README.md describes it, over a Replicator. One per loop.
//
// The same keys and values as over HTTP; flags and content type lie side by side, and each keeps the other's.
//   get gets                    `latest` reads, the keys of a line at once
//   set, delete                 plain writes to two; a delete reads first, to say whether there was anything
//   add replace append prepend cas incr decr touch gat
//                               Replicator::update, linearizable; what they keep of a value (its flags, its expiry,
//                               its content type) is that of the version they replace
// Expiry is absolute in the record; a time that has passed is written as a delete. Values have any size; one of more
// than kPieceBytes that is appended to, prepended to or touched is rewritten (rewrite.cc).
// Errors are SERVER_ERROR with the reason; of an update that is out of time it is unknown whether it happened. A
// well-formed request with noreply is never answered, whatever becomes of it.
// flush_all deletes every key of the cluster, those of HTTP too (replication/flush.h), within kFlushTime. One with a
// delay is refused: nobody would be there to keep it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/memcached/handler.h"
#include "api/memcached/stats.h"
#include "replication/replicator.h"
#include "runtime/sync.h"

namespace tako::replication {
class Flush;
}

namespace tako::api {

using runtime::Task;

class MemcachedApi final : public MemcachedHandler {
 public:
  static constexpr Duration kTimeout = seconds(10);  // of a request; of each step of a large value

  static constexpr Duration kFlushTime = minutes(1);

  // REQUIRES: all outlive it
  MemcachedApi(runtime::Loop& loop, net::Transport& transport, replication::Replicator& replicator,
                MemcachedStats& stats)
      : loop_(loop), transport_(transport), replicator_(replicator), stats_(stats), gate_(loop) {}

  Task<MemcachedReply> handle(wire::MemcachedRequest request, net::ByteSource* block) override;

  // Requests that take long end soon: the port is being closed.
  void end();
  // REQUIRES: the loop is stopping, no request is under way
  Task<> stop() { co_await gate_.drained(); }

 private:
  using Request = wire::MemcachedRequest;
  using Reply = MemcachedReply;

  enum class Outcome : unsigned char { kDone, kNotStored, kExists, kNotFound, kNotNumber, kTooLarge, kOvertaken };
  // What an update makes of what the key holds.
  struct Decision {
    Outcome outcome = Outcome::kDone;
    std::optional<replication::Mutation> mutation;
  };
  using Change = std::function<Decision(const std::optional<model::Record>& now)>;
  struct Changed {
    Outcome outcome = Outcome::kDone;
    model::Record after;           // where it is done
    Timestamp expired_before = 0;  // of a touch: the expiry that it has replaced
  };
  // What is joined to a value: bytes at hand, or a block on its way in.
  struct Added {
    Bytes bytes;
    net::ByteSource* block = nullptr;
    std::uint64_t block_bytes = 0;
    bool in_front = false;
    std::uint64_t size() const { return block ? block_bytes : bytes.size(); }
  };

  struct Batch;
  Task<> read_one(std::shared_ptr<Batch> batch, std::size_t i, std::string key);
  Task<Reply> get(Request request);
  Task<Reply> get_and_touch(Request request);
  Result<std::optional<Reply::Value>> value_of(const std::string& key, Result<replication::ReadAnswer> answer,
                                               bool with_cas);
  Reply::Value give(std::string line, const std::string& key, const replication::ReadAnswer& answer);

  Task<Reply> store(Request request, net::ByteSource* block);
  Task<Result<Changed>> store_plain(Request request, net::ByteSource* block);
  Task<Result<Changed>> store_on_condition(Request request, net::ByteSource* block);
  Change condition_of(const Request& request, bool joined_elsewhere) const;
  Task<Reply> remove(Request request);
  Task<Result<Outcome>> remove_plain(std::string key, bool blind);
  struct Counted;
  Change count_of(const Request& request, std::shared_ptr<Counted> counted) const;
  Task<Reply> count(Request request);
  Task<Reply> touch(Request request);
  Task<Result<Changed>> touch_key(std::string key, std::int64_t time, bool want_value);
  Task<Result<Changed>> rewrite(std::string key, Change change, Added added);
  Task<Result<Changed>> rewrite_read(std::string key, const replication::ReadAnswer& was, Change change,
                                     const Added& added);
  Task<Result<replication::ReadAnswer>> read_touched(std::string key, Changed changed);
  Task<Reply> meta_get(Request request);
  Task<Reply> debug(Request request);
  Task<Reply> flush(Request request);
  Task<Result<Changed>> change(std::string key, Change change, bool want_value, net::ByteSource* block = nullptr);

  replication::Mutation mutation_of(const Request& request) const;
  Reply failed(const Request& request, const Error& error);
  void count_store(const Request& request, Outcome outcome);
  std::uint64_t value_bytes_max() const;
  Timestamp wall() const { return replicator_.clock().wall(); }
  TimePoint deadline() const { return loop_.now() + kTimeout; }

  runtime::Loop& loop_;
  net::Transport& transport_;
  replication::Replicator& replicator_;
  MemcachedStats& stats_;
  replication::Flush* flushing_ = nullptr;  // one at a time
  bool ended_ = false;
  runtime::Gate gate_;
};

}  // namespace tako::api
