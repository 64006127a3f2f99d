// Flush: deletes every key that the nodes hold, for memcached's flush_all. One use each; on one loop.
//
// Every node of both deployments is asked for its keys, page by page, and each key that is still there is deleted as
// any other is: a plain write of a tombstone to two replicas, so what a node missed meanwhile it learns as usual. It is
// newer than what was listed, whatever this proxy's clock says, and whether the node that holds it can be reached a
// second time or not. When the configuration has changed meanwhile, all nodes are asked again: copies move. What
// was there when it began is gone when it has succeeded; what is written while it runs may go with it, what is written
// after stays. It costs a read and a write for each key, and takes as long.
// "Gone" means for every proxy, whatever its clock says. So a value is deleted although it has expired by our clock:
// a proxy whose clock is slower would answer it after the flush (as in rule 17). That nothing is left to delete is
// shown by a tombstone, or by all replicas that hold nothing that counts. The price is a write for each key that has
// expired and that the nodes have not collected yet.
// Errors: a node cannot be asked (kUnavailable, it alone may hold a key that counts), kTimeout, kStopping, and those of
// a write. Some keys are deleted then: send it again.
#pragma once

#include <cstdint>
#include <string>

#include "net/transport.h"
#include "replication/replicator.h"
#include "runtime/sync.h"

namespace tako::replication {

class Flush {
 public:
  static constexpr std::size_t kKeysAtOnce = 64;
  static constexpr std::uint32_t kPageEntries = 1000;

  // REQUIRES: all outlive it
  Flush(runtime::Loop& loop, net::Transport& transport, Replicator& replicator)
      : loop_(loop), transport_(transport), replicator_(replicator), free_(loop, kKeysAtOnce), gate_(loop) {}

  // RETURNS how many keys were deleted.
  Task<Result<std::uint64_t>> run(TimePoint deadline);

  // Of its deletes, the newest.
  const model::Version& newest() const { return newest_; }

  // As soon as those under way are deleted, with an error.
  void end() {
    if (!failed_) failed_ = Error(ErrorCode::kStopping, "this proxy is shutting down; flush again elsewhere");
  }

 private:
  Task<Status> empty_all(const model::Placement& placement, TimePoint deadline);
  Task<Status> empty(std::string id, net::Peer node, TimePoint deadline);
  Task<Status> page(const net::Peer& node, wire::List& list, TimePoint deadline);
  // listed: what a node has of it
  Task<> remove(std::string key, model::Ballot listed, TimePoint deadline);

  runtime::Loop& loop_;
  net::Transport& transport_;
  Replicator& replicator_;
  std::uint64_t removed_ = 0;
  model::Version newest_;
  std::optional<Error> failed_;
  bool complete_ = false;
  runtime::Slots free_;
  runtime::Gate gate_;
};

}  // namespace tako::replication
