// Commit: makes an upload visible: one round of Writes under one ballot, to all replicas of the key. See upload.h for
// why it is safe. Shared by the calls under way, which go on behind the answer; on its Replicator's loop.
//
// Replicas that have all pieces are told the upload's name at once, those that still get their last ones when they
// have them. The others, and those that have lost theirs, fetch: they are told of a replica that has stored the record
// as soon as there is one. When no such replica can come any more, of a node where all pieces are staged: an owner of
// when the upload began, most likely. Where there is none, they count as never asked, which is true.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "replication/context.h"
#include "replication/round.h"
#include "replication/upload.h"

namespace tako::replication {

class Commit : public std::enable_shared_from_this<Commit> {
 public:
  // REQUIRES: record's value is left out, upload->bring() has returned
  Commit(Context& context, std::shared_ptr<Round> round, std::shared_ptr<Upload> upload, std::string key,
         model::Record record, TimePoint deadline);

  // Once.
  void begin();
  // Replicas are fetching, or were when the round's time was up.
  bool fetching() const { return fetching_ > 0; }

 private:
  Task<> ask(std::shared_ptr<Commit> self, std::size_t i);
  Task<> fetch(std::shared_ptr<Commit> self, std::size_t i);
  wire::Write write() const;
  void send_for_pieces();
  struct Source {
    std::string node;
    bool staged = false;
  };
  std::optional<Source> source(std::size_t tries) const;

  Context& context_;
  const std::shared_ptr<Round> round_;
  const std::shared_ptr<Upload> upload_;
  const std::string key_;
  const model::Record record_;
  const TimePoint deadline_;
  std::vector<std::size_t> without_;  // replicas that need a holder
  std::size_t asked_ = 0;             // with the upload's name, and not answered
  std::size_t fetching_ = 0;
};

}  // namespace tako::replication
