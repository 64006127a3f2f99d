// Handoff: copies that do not belong here any more go to their owners, and only then away (protocol rule 19).
//
// A copy is dropped when every owner, in every live deployment, has said of itself that it holds this ballot or a
// newer one, and has read all of its value to say so: a bit of it may have flipped since it was stored, and nobody
// reads what nobody asks for. An owner whose copy is damaged gets this one, and is asked again; one that cannot be
// asked keeps the copy here. A large value is read when all have said that they hold it, not for an answer that does
// not matter yet. An owner's floor counts as a newer ballot while the owner is informed (node/membership/standing.h),
// whether it says so or refuses the copy because of it; until then the copy stays. Where the configuration has changed
// while they were asked, all are asked anew: a new owner was not among them. The drop compares once more under the
// key's lock, so what was written meanwhile stays; and nothing is dropped before it is durable that this node votes no
// more in partitions that it has lost (node/membership/standing.h). A drop may still be under way when a newer
// configuration gives the partition back: so a pass, which lists what is here, begins after it (drop_ended()). On the
// node's first loop; a cycle runs after a change of configuration, at start, each interval of the background repair,
// and soon after the digests say that there is a copy that does not belong here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/repair/settler.h"
#include "node/serve/fetcher.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"

namespace tako::node {

class Handoff {
 public:
  struct Parts {
    std::string id;
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
    const Standing* standing = nullptr;
    Settler* settler = nullptr;
  };
  struct Counters {
    std::uint64_t cycles = 0;
    std::uint64_t handed_off = 0;  // copies dropped
    std::uint64_t waiting = 0;     // in the last cycle: copies whose owners do not all have them yet
  };

  explicit Handoff(Parts parts);

  void adopt(std::shared_ptr<const model::Placement> placement, const Duties& duties);
  // REQUIRES: the loop is stopping
  Task<> stop() { co_await gate_.drained(); }
  // The drop that is under way, if one is, has ended.
  Task<> drop_ended();
  const Counters& counters() const { return counters_; }

 private:
  Task<> run();
  Task<> cycle();
  Task<bool> holds_strays();
  Task<Result<std::uint32_t>> next_stored(std::uint32_t first);
  Task<bool> drain(model::Partition first, model::Partition last);
  Task<bool> settle(store::Listing::Entry entry);
  Task<bool> drop(model::Partition partition, store::Listing::Entry entry);
  // An owner's, about itself.
  enum class Word : std::uint8_t {
    kHasNot,  // or it cannot be asked
    kHas,
    kSound,  // and has read all of it, or has just got it from here, or has a newer one
  };
  Task<Word> word_of(net::Peer owner, wire::ConfigStamp stamp, const store::Listing::Entry& entry, bool verify);
  Task<Result<wire::WriteReply>> send(net::Peer owner, wire::ConfigStamp stamp, std::string key, model::Record record);
  Task<Result<wire::WriteReply>> send_by_pieces(net::Peer owner, wire::ConfigStamp stamp, wire::Write write);

  runtime::Loop& loop() const { return parts_.shards->loop(); }

  const Parts parts_;
  std::shared_ptr<const model::Placement> placement_;
  PartitionSet owned_;  // by it
  bool running_ = false;
  bool changed_ = false;
  std::uint64_t drops_begun_ = 0;  // one after the other
  std::uint64_t drops_ended_ = 0;
  runtime::Signal kick_;
  runtime::Gate gate_;
  Counters counters_;
};

}  // namespace tako::node
