// HttpValues: /values/KEY over a Replicator: reads, of all or of ranges, under conditions, and writes. One per loop.
//
// A value of more than a piece comes and goes in pieces, and no more than a few of them are here at once. What the
// client says of its body's digest is checked before anything of it can be seen.
#pragma once

#include <memory>
#include <string>

#include "api/http/body_sources.h"
#include "api/http/handler.h"
#include "replication/replicator.h"
#include "wire/http/ranges.h"

namespace tako::api {

using runtime::Task;

class HttpValues {
 public:
  static constexpr Timestamp kTimestampAheadMax = 60'000'000;  // microseconds

  // REQUIRES: all outlive it
  HttpValues(runtime::Loop& loop, replication::Replicator& replicator) : loop_(loop), replicator_(replicator) {}

  Task<HttpReply> handle(wire::HttpRequest request, std::string key, net::ByteSource* body);

 private:
  struct Found {
    std::string key;
    replication::ReadAnswer answer;
    Duration step{};  // for each piece of a large value

    const model::Record& record() const { return *answer.record; }
  };
  struct Put {
    std::string key;
    replication::Mutation mutation;
    model::WriteLevel level = model::WriteLevel::kTwo;
    Duration limit{};  // for all of a small value, for each step of a large one
    std::uint64_t bytes_max = 0;
    std::optional<wire::HttpHeaders> conditions;  // it is a compare-and-set
  };

  Task<HttpReply> get(wire::HttpRequest request, std::string key);
  HttpReply answer_of(const wire::HttpRequest& request, std::shared_ptr<const Found> found);
  HttpReply parts_of(std::shared_ptr<const Found> found, wire::HttpResponse head,
                          std::vector<wire::ByteRange> ranges);
  void give(const std::shared_ptr<const Found>& found, const wire::ByteRange& range, HttpReply& reply);
  std::unique_ptr<net::ByteSource> open(const Found& found, const wire::ByteRange& range);

  Task<HttpReply> put(wire::HttpRequest request, std::string key, net::ByteSource* body);
  Result<Put> put_of(const wire::HttpRequest& request, std::string key) const;
  Task<HttpReply> put_small(wire::HttpRequest request, Put put);
  Task<HttpReply> put_large(wire::HttpRequest request, Put put, net::ByteSource& body);
  Task<HttpReply> put_if(Put put, std::uint64_t checksum);
  Task<HttpReply> put_large_if(Put put, CheckedBody& body);
  Task<HttpReply> remove(wire::HttpRequest request, std::string key);
  Result<std::optional<Timestamp>> timestamp_of(const wire::HttpRequest& request) const;

  runtime::Loop& loop_;
  replication::Replicator& replicator_;
};

}  // namespace tako::api
