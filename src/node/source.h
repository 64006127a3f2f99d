// Source: one peer of a node, as its Repairer knows it. And the question it answers: is this node informed of a
// partition (protocol rules 22, 25 and 27)?
#pragma once

#include <bitset>
#include <functional>
#include <optional>
#include <string>

#include "model/placement.h"
#include "net/transport.h"
#include "runtime/sync.h"

namespace tako::node {

using PartitionSet = std::bitset<model::kPartitions>;

struct Source {
  Source(runtime::Loop& loop, const model::Placement::Node& node)
      : id(node.id), host(node.host), port(node.port), kick(loop) {}

  net::Peer peer() const { return net::Peer{id, host, port}; }
  void forget_what_was_read() {
    pulled.reset();
    pulled_as_voter.reset();
    resume_partition = 0;
    due = true;
  }

  const std::string id;
  const std::string host;
  const std::uint16_t port;
  runtime::Signal kick;

  bool gone = false;  // no peer any more
  bool up = false;
  bool due = true;
  bool blank = false;         // it said that it never voted
  std::uint64_t session = 0;  // its process
  std::uint64_t incarnation = 0;
  std::uint32_t resume_partition = 0;  // a pass that failed goes on here
  std::uint64_t keys_listed = 0;
  std::optional<TimePoint> agreed_at;  // the last pass that went to the end
  TimePoint next_pass{};

  // Since our announcement: read to the last key, and: it voted when it was read.
  PartitionSet pulled;
  PartitionSet pulled_as_voter;
};

struct Informed {
  bool yes = false;
  bool possible_loss = false;  // all others were read, but fewer voters than a majority cannot avoid
};

// `find` gives the source of a node, or null. `self` is the node that asks.
Informed informed_of(model::Partition partition, const model::Placement& placement, model::NodeIndex self,
                     const std::function<const Source*(model::NodeIndex)>& find);

}  // namespace tako::node
