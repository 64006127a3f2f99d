// Fetcher: copies large values from peers into this node, piece by piece.
//
// On the node's first loop, where its transport is; the pieces are staged at the shard that owns the key. A fetch goes
// on when nobody waits for it any more, as long as it gets on: each step has a deadline, the whole has none. Who asks
// for what is being fetched already joins in, and what he knows of sources is tried after the others. The acceptor is
// asked first, so that nothing is fetched that would be refused, and has the last word; what fails is discarded.
// Bounded: so many at once, each with a window of pieces on their way; the others wait, without any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"

namespace tako::node {

// A record that says of its value only how large it is: by pieces.
inline bool left_out(const model::Record& record) { return !record.tombstone() && !record.value; }
// For a call that moves a value of that size, if only at a MiB a second.
inline Duration copy_deadline(std::uint64_t size) {
  return seconds(30) + seconds(static_cast<std::int64_t>(size >> 20));
}

class Fetcher {
 public:
  static constexpr std::size_t kFetchesMax = 4;   // at once
  static constexpr std::size_t kJobsMax = 1024;   // with those that wait their turn
  static constexpr std::size_t kWaitersMax = 64;  // for one
  static constexpr std::size_t kSourcesMax = 8;   // of one
  static constexpr std::size_t kWindow = 4;       // pieces of one on their way

  struct Parts {
    std::string id;
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
  };
  // Who has the value: stored under the record's ballot, or staged by that name.
  struct From {
    explicit From(std::string id, std::optional<model::UploadId> upload = std::nullopt)
        : node(std::move(id)), staged(upload) {}
    std::string node;
    std::optional<model::UploadId> staged;
    friend bool operator==(const From&, const From&) = default;
  };
  struct Counters {
    std::uint64_t fetched = 0;  // values
    std::uint64_t failed = 0;
    std::uint64_t bytes = 0;
  };

  // REQUIRES: what the parts point to outlives it
  explicit Fetcher(Parts parts);
  ~Fetcher();

  void adopt(std::shared_ptr<const model::Placement> placement) { placement_ = std::move(placement); }
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }

  // The record, of more than a piece and without its value. As Store::accept; kTimeout: it is still being fetched; else
  // what hindered it at the last source.
  Task<Result<store::Accepted>> fetch(std::string key, model::Record record, From from, TimePoint deadline);

  runtime::Loop& loop() const { return parts_.shards->loop(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Job;
  using Name = std::pair<std::string, model::Ballot>;

  Task<> run(std::shared_ptr<Job> job);
  Task<Result<store::Accepted>> work(Job& job);
  Task<bool> copy_from(Job& job, From source);
  Task<> copy_pieces(Job& job, From source, bool& failed);
  Task<Status> copy_piece(Job& job, From source, std::uint32_t index);
  Shard& shard_of(const std::string& key) const;

  const Parts parts_;
  std::shared_ptr<const model::Placement> placement_;
  std::map<Name, std::shared_ptr<Job>> jobs_;
  runtime::Slots turns_;
  runtime::Gate gate_;
  Counters counters_;
};

}  // namespace tako::node
