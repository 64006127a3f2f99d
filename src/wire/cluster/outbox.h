// Outbox: what waits to be written to one connection, and in which order. Lives on the connection's loop.
//
// A message that fits into one frame is sent whole, many of them in one write. Longer ones are cut into pieces, and
// take turns: a write carries either small messages or one piece, alternately where both wait, and the pieces of
// several long messages go round. Control frames (ping, pong, cancel) go first. As many long messages are begun at a
// time as the receiver's Assembler allows; the others wait, in order.
// Its bytes have a limit, given by the owner: push() refuses what would exceed it, and the caller says "overloaded".
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "wire/cluster/frame.h"

namespace tako::wire {

// The most that one write carries: some control frames, and a full piece or small messages up to that.
constexpr std::size_t kControlBytesMax = 4 << 10;
constexpr std::size_t kWriteBytesMax = kControlBytesMax + kFrameHeaderBytes + kPieceBytesMax;

class Outbox {
 public:
  // What a queued message costs of the limit, beside its bytes.
  static constexpr std::size_t kEntryBytes = 64;

  explicit Outbox(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False: over the limit, and nothing was queued. An empty Outbox takes any one message. What is left until
  // `deadline` travels with a request. REQUIRES: message.size() <= kMessageBytesMax; requests and replies have bytes,
  // the others none
  [[nodiscard]] bool push(FrameType type, std::uint64_t id, Bytes message, TimePoint deadline = {});

  enum class Cancelled : std::uint8_t {
    kNotFound,  // it is written, or was never here: for a request, push(FrameType::kCancel, id, {}) tells the peer
    kUnsent,    // dropped before its first byte
    kPartly,    // the rest is dropped, and the peer will be told
  };
  // REQUIRES: type is kRequest or kReply
  Cancelled cancel(FrameType type, std::uint64_t id);

  // Appends the next write's frames to `out`: at most kWriteBytesMax bytes. False: there is nothing to write.
  bool next(TimePoint now, std::string& out);

  bool empty() const { return bytes_ == 0; }
  // Not yet written, each message with its kEntryBytes.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    FrameType type;
    bool cancels_reply = false;
    std::uint64_t id;
    TimePoint deadline;
    Bytes message;
    std::size_t sent = 0;
  };
  using Queue = std::deque<Entry>;

  void begin_waiting();
  void append_whole(TimePoint now, const Entry& entry, std::string& out);
  void append_all(TimePoint now, Queue& queue, std::string& out, std::size_t end);
  void append_piece(TimePoint now, std::string& out);

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  Queue control_;
  Queue small_;
  Queue waiting_;  // long, not begun
  Queue begun_;    // long, in turn
  std::size_t begun_bytes_ = 0;  // of whole messages: what the receiver may have to hold
  bool piece_is_next_ = false;
};

}  // namespace tako::wire
