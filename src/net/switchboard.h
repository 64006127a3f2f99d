// Shards: the loops of one party (a node, a coordinator) in this process. Switchboard: the parties, by id.
//
// A partition belongs to one loop, partition % shards: requests about a key go there, everything else goes to the first
// shard. Both are filled before the loops run and only read afterwards, so they are shared between loops without a
// lock. A party that runs in another process is simply absent.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/transport.h"
#include "runtime/loop.h"

namespace tako::net {

struct Shard {
  runtime::Loop* loop = nullptr;
  Service* service = nullptr;
};

// REQUIRES: loops and services outlive it
class Shards {
 public:
  explicit Shards(std::vector<Shard> shards);

  std::size_t size() const { return shards_.size(); }
  const Shard& shard_of(const wire::Request& request) const;

  // On `here`: hands the request to its shard's loop, and resumes here with the reply. It takes as long as the service
  // takes: the service is told the deadline.
  Task<wire::Reply> dispatch(runtime::Loop& here, wire::Request request, TimePoint deadline) const;

 private:
  std::vector<Shard> shards_;
};

class Switchboard {
 public:
  // REQUIRES: the loops do not run yet, and the id is not there
  void add(std::string id, Shards shards);

  // None if the party is not in this process.
  const Shards* find(std::string_view id) const;

 private:
  std::map<std::string, Shards, std::less<>> parties_;
};

}  // namespace tako::net
