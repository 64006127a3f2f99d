// Assembler: pieces of messages in, whole messages out. One per connection and direction, on the connection's loop.
//
// It holds at most kPartialMessagesMax messages that are not complete, kPartialBytesMax bytes of them together, and
// kMessageBytesMax of each: a peer that exceeds them is no tako, or a broken one. Errors are kInvalid or kTooLarge
// and end the connection.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/cluster/frame.h"

namespace tako::wire {

struct Message {
  FrameType type = FrameType::kPing;
  bool cancels_reply = false;  // of a kCancel: it was a reply that was given up
  std::uint64_t id = 0;
  std::uint32_t remaining_ms = 0;
  Bytes bytes;
};

class Assembler {
 public:
  // Nothing: more pieces are needed. Pings, pongs and cancels pass through; a cancel drops what there is of its
  // message first.
  Result<std::optional<Message>> add(const Frame& frame);

  std::size_t partial_messages() const { return partial_.size(); }
  std::size_t partial_bytes() const { return partial_bytes_; }

 private:
  using Key = std::pair<FrameType, std::uint64_t>;

  void drop(const Key& key);

  std::map<Key, std::string> partial_;
  std::size_t partial_bytes_ = 0;
};

}  // namespace tako::wire
