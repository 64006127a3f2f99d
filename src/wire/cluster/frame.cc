// The grammar is at the head of frame.h.
#include "wire/cluster/frame.h"

#include "base/hash.h"
#include "wire/cluster/codec.h"
#include "wire/cluster/limits.h"

namespace tako::wire {
namespace {

constexpr std::string_view kMagic = "TAKO";
constexpr std::size_t kVersionEnd = 6;  // of magic and version: what every protocol version begins with
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kChecksumAt = kFrameHeaderBytes - kChecksumBytes;

constexpr std::uint8_t kMoreBit = 1 << 0;
constexpr std::uint8_t kContinuedBit = 1 << 1;
constexpr std::uint8_t kCancelsReplyBit = 1 << 2;

std::uint32_t checksum_of(std::string_view head, std::string_view payload) {
  return static_cast<std::uint32_t>(xxh3_64(payload, xxh3_64(head)));
}

Error malformed(std::string_view what) {
  return {ErrorCode::kInvalid, "malformed frame: " + std::string(what) + "; is the peer a tako of this version?"};
}

}  // namespace

std::string encode_hello(const Hello& hello) {
  ASSERT(hello.role.size() <= kRoleBytesMax && hello.id.size() <= kPeerIdBytesMax);
  ASSERT(hello.token.size() <= kTokenBytesMax);
  Writer body;
  body.text(hello.role);
  body.text(hello.id);
  body.varint(hello.config.counter);
  body.u64(hello.config.hash);
  body.text(hello.token);

  Writer out;
  out.raw(kMagic);
  out.u16(hello.version);
  out.u16(static_cast<std::uint16_t>(body.size()));
  out.raw(body.view());
  out.u32(checksum_of(out.view(), {}));
  return out.take();
}

Result<HelloProgress> decode_hello(std::string_view received) {
  HelloProgress progress;
  const std::string_view magic = received.substr(0, kMagic.size());
  if (magic != kMagic.substr(0, magic.size())) {
    return {ErrorCode::kInvalid, "the peer does not speak the tako protocol: is this the right port?"};
  }
  if (received.size() >= kVersionEnd) {
    Reader in(received.substr(kMagic.size()));
    const std::uint16_t version = in.u16();
    if (version != kProtocolVersion) {
      return {ErrorCode::kInvalid, "the peer speaks protocol version " + std::to_string(version) + ", this is " +
                                       std::to_string(kProtocolVersion) + ": run the same release on both"};
    }
  }
  if (received.size() < kHelloHeadBytes) {
    progress.wanted = kHelloHeadBytes - received.size();
    return progress;
  }

  Reader head(received.substr(kVersionEnd));
  const std::size_t body_bytes = head.u16();
  const std::size_t whole_bytes = kHelloHeadBytes + body_bytes + kChecksumBytes;
  if (whole_bytes > kHelloBytesMax) return {ErrorCode::kTooLarge, "a hello of more than 2048 bytes"};
  if (received.size() < whole_bytes) {
    progress.wanted = whole_bytes - received.size();
    return progress;
  }
  Reader tail(received.substr(whole_bytes - kChecksumBytes));
  if (tail.u32() != checksum_of(received.substr(0, whole_bytes - kChecksumBytes), {})) {
    return {ErrorCode::kCorrupt, "a hello whose checksum does not match: the network damaged it"};
  }

  Reader in(received.substr(kHelloHeadBytes, body_bytes));
  Hello hello;
  hello.role = in.text(kRoleBytesMax);
  hello.id = in.text(kPeerIdBytesMax);
  hello.config.counter = in.varint();
  hello.config.hash = in.u64();
  hello.token = in.text(kTokenBytesMax);
  const Status status = in.finish("hello");
  if (!status.ok()) return status.error();
  progress.hello = std::move(hello);
  progress.consumed = whole_bytes;
  return progress;
}

void append_frame(std::string& out, const Frame& frame) {
  ASSERT(frame.payload.size() <= kPieceBytesMax);
  std::uint8_t flags = 0;
  if (frame.more) flags |= kMoreBit;
  if (frame.continued) flags |= kContinuedBit;
  if (frame.cancels_reply) flags |= kCancelsReplyBit;
  char header[kFrameHeaderBytes];
  const auto put = [&header](std::size_t at, std::uint64_t value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) header[at + i] = static_cast<char>(value >> (8 * i));
  };
  put(0, frame.payload.size(), 4);
  put(4, static_cast<std::uint8_t>(frame.type), 1);
  put(5, flags, 1);
  put(6, 0, 2);
  put(8, frame.id, 8);
  put(16, frame.remaining_ms, 4);
  put(kChecksumAt, checksum_of({header, kChecksumAt}, frame.payload), kChecksumBytes);
  out.append(header, kFrameHeaderBytes);
  out.append(frame.payload);
}

Result<std::optional<Frame>> FrameParser::next() {
  const std::string_view rest = buffer_.substr(at_);
  if (rest.size() < kFrameHeaderBytes) {
    wanted_ = kFrameHeaderBytes - rest.size();
    return std::optional<Frame>();
  }
  Reader in(rest.substr(0, kFrameHeaderBytes));
  const std::uint32_t payload_bytes = in.u32();
  const std::uint8_t type = in.u8();
  const std::uint8_t flags = in.u8();
  const std::uint16_t zero = in.u16();
  if (payload_bytes > kPieceBytesMax) return malformed("more than 262144 bytes of payload");
  if (type < 1 || type > static_cast<std::uint8_t>(FrameType::kCancel)) return malformed("unknown type");
  if (rest.size() < kFrameHeaderBytes + payload_bytes) {
    wanted_ = kFrameHeaderBytes + payload_bytes - rest.size();
    return std::optional<Frame>();
  }

  Frame frame;
  frame.type = static_cast<FrameType>(type);
  frame.more = flags & kMoreBit;
  frame.continued = flags & kContinuedBit;
  frame.cancels_reply = flags & kCancelsReplyBit;
  frame.id = in.u64();
  frame.remaining_ms = in.u32();
  frame.payload = rest.substr(kFrameHeaderBytes, payload_bytes);
  if (in.u32() != checksum_of(rest.substr(0, kChecksumAt), frame.payload)) {
    return {ErrorCode::kCorrupt, "a frame whose checksum does not match: the network damaged it"};
  }
  const bool message = frame.type == FrameType::kRequest || frame.type == FrameType::kReply;
  if (zero != 0 || flags >= 2 * kCancelsReplyBit) return malformed("unknown flags");
  if (!message && (frame.more || frame.continued || payload_bytes > 0)) return malformed("a payload out of place");
  if (frame.cancels_reply && frame.type != FrameType::kCancel) return malformed("a flag out of place");
  if (message && payload_bytes == 0) return malformed("an empty piece of a message");
  at_ += kFrameHeaderBytes + payload_bytes;
  wanted_ = kFrameHeaderBytes;
  return std::optional<Frame>(frame);
}

}  // namespace tako::wire
