// PeerMemory: what a node remembers of its peers' lives: their incarnations (protocol rule 21), and how far their disks
// had come, by which a disk that went back in time is known (the argument is in standing.h).
//
// By node: the highest incarnation heard of, and under it the disk's last start (its number and nonce) and the highest
// number of a write. Under the same incarnation an announcer went back if its start is an earlier one, or the same
// with another nonce, or the next one that does not follow upon the nonce we know, or a later one that began with fewer
// writes than we know of.
// The true life of a disk never looks so: starts and numbers only grow, and are durable before they are announced.
// (Under `sync` at an interval a machine's crash takes unsynced writes back. The node sees that itself, by the
// kernel's boot id, and has raised its incarnation then, under which its memory here begins anew: nobody alarms twice.)
// An announcement of an older incarnation changes nothing: it is late, or its node went back and is told so by the
// incarnation that the reply names.
//
// An incarnation may also be known from a third one (learn(); rule D5b in standing.h), and nothing else of that life.
//
// What is answered is durable before: the incarnation, the start, the nonce. The number of writes changes always, so
// it is saved every kSequenceSaveInterval only; a peer that dies forgets as much of it, and others may still know.
// Rows: `peer/<node>` of the system family. On the node's first loop.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "runtime/loop.h"
#include "store/engine/engine.h"
#include "wire/cluster/message.h"

namespace tako::node {

using runtime::Task;

class PeerMemory {
 public:
  static constexpr Duration kSequenceSaveInterval = seconds(10);
  static constexpr std::size_t kPeersMax = 20'000;

  struct Heard {
    std::uint64_t known_incarnation = 0;  // before this announcement
    bool rolled_back = false;
  };

  // REQUIRES: both outlive it
  PeerMemory(runtime::Loop& loop, store::Engine& engine) : loop_(loop), engine_(engine) {}

  Task<Status> load();

  // Is this a later incarnation than the one that is known durably? Then all shards have to know it before hear().
  bool is_news(const std::string& node, std::uint64_t incarnation) const;
  Task<Result<Heard>> hear(wire::Announce announce);
  // From a third one, who was told (rule 21): nothing but the incarnation is known then. Durable when it returns.
  Task<Status> learn(std::string node, std::uint64_t incarnation);

  // The incarnations, by node.
  std::map<std::string, std::uint64_t> incarnations() const;

 private:
  struct Life {
    std::uint64_t incarnation = 0;
    std::uint64_t boot = 0;  // 0: its starts and writes are not known
    std::uint64_t nonce = 0;
    std::uint64_t sequence = 0;
  };
  struct Peer {
    Life known;
    Life saved;
    TimePoint saved_at = TimePoint::min();
  };

  static bool went_back(const Life& known, const wire::Announce& announce);
  bool to_be_saved(const Peer& peer) const;
  Task<Status> save(std::string node);

  runtime::Loop& loop_;
  store::Engine& engine_;
  std::map<std::string, Peer> peers_;
};

}  // namespace tako::node
