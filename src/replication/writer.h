// Writer: plain writes over the replicas of a key. They go to all replicas at once and are answered when as many as the
// level asks have stored that very ballot; the rest goes on in the background, and what fails is repair's. A write that
// every replica refused (our clock is behind) is issued again above all that was seen; one that some refused has lost
// to a newer one, and says so: it is never issued twice, because a conditional write may already have built on it
// (rule 10). Part of a Replicator; on its loop.
#pragma once

#include <memory>
#include <string>

#include "net/byte_source.h"
#include "replication/commit.h"
#include "replication/reader.h"
#include "replication/updater.h"

namespace tako::replication {

class Writer {
 public:
  // REQUIRES: all outlive it
  Writer(Context& context, Rounds& rounds, Updater& updater, Reader& reader)
      : context_(context), rounds_(rounds), updater_(updater), reader_(reader) {}

  // See Replicator::write, Replicator::write_large.
  Task<Result<WriteAnswer>> write(std::string key, Mutation mutation, model::WriteLevel level, TimePoint deadline);
  Task<Result<WriteAnswer>> write_large(std::string key, Mutation mutation, net::ByteSource& body,
                                        model::WriteLevel level, Duration step);

 private:
  Proposal proposal_of(std::string key, Mutation mutation, model::WriteLevel level);
  Task<Result<WriteAnswer>> propose(Proposal proposal);
  std::shared_ptr<Commit> ask_all(const SharedRound& round, const Proposal& proposal, TimePoint deadline);
  Result<WriteAnswer> write_failed(const Round& round, const Proposal& proposal);
  Task<bool> complete(std::string key, TimePoint deadline);
  void complete_later(const std::string& key);

  Context& context_;
  Rounds& rounds_;
  Updater& updater_;
  Reader& reader_;
};

}  // namespace tako::replication
