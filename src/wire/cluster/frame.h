// Frames: how messages travel over one TCP connection between two processes of a cluster.
//
//   connection := hello, frame*                                                       (each way)
//   hello      := "TAKO", version: u16, body_bytes: u16, body, checksum: u32
//   body       := role: text, id: text, config: (counter: varint, hash: u64), token: text
//   frame      := payload_bytes: u32, type: u8, flags: u8, zero: u16, id: u64, remaining_ms: u32, checksum: u32,
//                 payload
//   flags      := bit 0: more pieces of this message follow, bit 1: this is not its first piece, bit 2: see kCancel
//
// A message longer than a piece travels as several frames with one id, and pieces of different messages alternate: so
// a large one holds up no small one. Checksums are the low half of XXH3-64 over all that precedes them and the
// payload. Here are pure functions over buffers: sockets are net's. Everything belongs to the connection's loop.
// An error (kInvalid, kCorrupt, kTooLarge) from a parser or the Assembler ends the connection; nothing can be resumed.
// What assembles the pieces and what cuts them: assembler.h, outbox.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/cluster/message.h"

namespace tako::wire {

constexpr std::size_t kHelloHeadBytes = 8;
constexpr std::size_t kRoleBytesMax = 32;
constexpr std::size_t kTokenBytesMax = 1024;
constexpr std::size_t kHelloBytesMax = 2048;

constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::size_t kPieceBytesMax = 256 << 10;
constexpr std::size_t kMessageBytesMax = 8 << 20;  // a listing of long keys; a value has a piece at most

// Of one direction of a connection. A sender keeps within them (Outbox), a receiver insists on them (Assembler).
constexpr std::size_t kPartialMessagesMax = 256;
constexpr std::size_t kPartialBytesMax = 64 << 20;

struct Hello {
  std::uint16_t version = kProtocolVersion;
  std::string role;    // node, proxy, coordinator, ctl
  std::string id;      // in the configuration; a proxy's is free
  ConfigStamp config;  // what it goes by now
  std::string token;   // room for authentication: empty so far
};

// REQUIRES: role, id and token within their limits
std::string encode_hello(const Hello& hello);

struct HelloProgress {
  std::optional<Hello> hello;
  std::size_t consumed = 0;  // bytes of the hello, once it is there
  std::size_t wanted = 0;    // at least this many more bytes are needed, until then
};
// From what was received so far. Another protocol version is an error as soon as it is seen.
Result<HelloProgress> decode_hello(std::string_view received);

enum class FrameType : std::uint8_t {
  kRequest = 1,
  kReply = 2,
  kPing = 3,    // answered by a pong with its id
  kPong = 4,
  kCancel = 5,  // forget the request `id` of the sender; with bit 2: the reply `id`, of which pieces were sent
};

struct Frame {
  FrameType type = FrameType::kPing;
  bool more = false;          // bit 0
  bool continued = false;     // bit 1
  bool cancels_reply = false; // bit 2
  std::uint64_t id = 0;
  std::uint32_t remaining_ms = 0;  // of a request's deadline
  std::string_view payload;        // of requests and replies
};

// Appends to `out`. REQUIRES: the payload is at most kPieceBytesMax long
void append_frame(std::string& out, const Frame& frame);

// Takes frames from the caller's receive buffer, without copying:
//   parser.feed(everything received and not yet consumed);
//   while (next() gives a frame) use it, its payload points into the buffer;
//   drop the first consumed() bytes of the buffer, have room for wanted() more, read, and so on.
class FrameParser {
 public:
  void feed(std::string_view buffer) {
    buffer_ = buffer;
    at_ = 0;
  }
  // Nothing: the rest of the buffer is no whole frame. After an error it repeats the error.
  Result<std::optional<Frame>> next();

  std::size_t consumed() const { return at_; }
  // How many bytes are missing to the frame that the rest of the buffer begins. Never more than a frame.
  std::size_t wanted() const { return wanted_; }

 private:
  std::string_view buffer_;
  std::size_t at_ = 0;
  std::size_t wanted_ = kFrameHeaderBytes;
};

}  // namespace tako::wire
