// Replica: a node in its part of a key's replica set. During a reconfiguration a key has two sets, and a node may be
// in either or both.
#pragma once

#include <cstdint>

namespace tako::model {

using NodeIndex = std::uint16_t;  // into Placement::nodes(); means nothing under another configuration

inline constexpr std::uint8_t kInActive = 1;  // bits of Replica::deployments
inline constexpr std::uint8_t kInTarget = 2;

struct Replica {
  NodeIndex node = 0;
  std::uint8_t deployments = 0;  // in whose set it is
  friend bool operator==(const Replica&, const Replica&) = default;
};

}  // namespace tako::model
