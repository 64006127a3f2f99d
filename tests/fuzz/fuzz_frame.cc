// input := u8 mode, bytes. The modes:
//   0 a hello as it came from a socket             1 a hello whose checksum is made good, so that its body is reached
//   2 frames as they came from a socket            3 frames made from the input, into an Assembler
//   4 an Outbox driven by the input, its writes read by a FrameParser and an Assembler: what was pushed and not
//     cancelled arrives, once and whole, within the limits of a write
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/hash.h"
#include "target.h"
#include "wire/cluster/assembler.h"
#include "wire/cluster/codec.h"
#include "wire/cluster/frame.h"
#include "wire/cluster/outbox.h"

namespace tako::fuzz {
namespace {

using wire::Assembler;
using wire::Frame;
using wire::FrameParser;
using wire::FrameType;
using wire::Outbox;

void read_hello(std::string_view bytes) {
  const auto progress = wire::decode_hello(bytes);
  if (!progress.ok()) return;
  if (!progress->hello) {
    ASSERT(progress->wanted > 0 && bytes.size() + progress->wanted <= wire::kHelloBytesMax);
    return;
  }
  ASSERT(progress->consumed <= bytes.size());
  ASSERT(wire::encode_hello(*progress->hello) == bytes.substr(0, progress->consumed));
}

void read_good_hello(std::string_view body) {
  wire::Writer out;
  out.raw("TAKO");
  out.u16(wire::kProtocolVersion);
  out.u16(static_cast<std::uint16_t>(body.size()));
  out.raw(body.substr(0, 65'535));
  out.u32(static_cast<std::uint32_t>(xxh3_64("", xxh3_64(out.view()))));
  read_hello(out.view());
}

void read_frames(std::string_view bytes) {
  FrameParser parser;
  Assembler assembler;
  parser.feed(bytes);
  while (true) {
    const auto frame = parser.next();
    ASSERT(parser.consumed() <= bytes.size());
    if (!frame.ok()) return;
    if (!frame->has_value()) {
      ASSERT(parser.wanted() > 0 && parser.wanted() <= wire::kFrameHeaderBytes + wire::kPieceBytesMax);
      return;
    }
    if (!assembler.add(**frame).ok()) return;
  }
}

// Frames of five bytes of input each: type, bits, id, and payload size.
void assemble(std::string_view input) {
  Assembler assembler;
  const std::string payload(wire::kPieceBytesMax, 'p');
  std::string bytes;
  for (wire::Reader in(input); in.remaining() >= 5;) {
    Frame frame;
    frame.type = static_cast<FrameType>(in.u8() % 7);
    const std::uint8_t bits = in.u8();
    frame.more = bits & 1;
    frame.continued = bits & 2;
    frame.cancels_reply = bits & 4;
    frame.id = in.u8() % 8;
    const std::size_t size = in.u16();
    frame.payload = std::string_view(payload).substr(0, bits & 8 ? std::min(size * 5, payload.size()) : size % 64);
    bytes.clear();
    wire::append_frame(bytes, frame);
    FrameParser parser;
    parser.feed(bytes);
    const auto parsed = parser.next();
    if (!parsed.ok()) continue;
    ASSERT(parsed->has_value() && parser.consumed() == bytes.size());
    const Frame& back = **parsed;
    ASSERT(back.type == frame.type && back.id == frame.id && back.payload == frame.payload);
    ASSERT(back.more == frame.more && back.continued == frame.continued);
    const auto message = assembler.add(back);
    if (!message.ok()) return;
    ASSERT(assembler.partial_messages() <= 16 && assembler.partial_bytes() <= wire::kPartialBytesMax);
  }
}

struct Pipe {
  using Key = std::pair<FrameType, std::uint64_t>;

  void write_and_read() {
    std::string bytes;
    if (!outbox.next(TimePoint(), bytes)) return;
    ASSERT(!bytes.empty() && bytes.size() <= wire::kWriteBytesMax);
    FrameParser parser;
    parser.feed(bytes);
    while (true) {
      const auto frame = parser.next();
      ASSERT(frame.ok());
      if (!frame->has_value()) break;
      const auto message = assembler.add(**frame);
      ASSERT(message.ok());
      if (message->has_value() && ((*message)->type == FrameType::kRequest || (*message)->type == FrameType::kReply)) {
        const auto found = expected.find({(*message)->type, (*message)->id});
        ASSERT(found != expected.end() && found->second == (*message)->bytes);
        expected.erase(found);
      }
    }
    ASSERT(parser.consumed() == bytes.size());
  }

  Outbox outbox{4 << 20};
  Assembler assembler;
  std::map<Key, Bytes> expected;
};

void drive_outbox(std::string_view input) {
  static const Bytes kSource(std::string(3 << 20, 's'));
  Pipe pipe;
  std::uint64_t next_id = 1;
  for (wire::Reader in(input); in.remaining() >= 4;) {
    const std::uint8_t action = in.u8();
    const FrameType type = in.flag() ? FrameType::kReply : FrameType::kRequest;
    const std::uint16_t number = in.u16();
    if (!in.ok()) break;
    if (action % 4 == 0) {
      pipe.write_and_read();
    } else if (action % 4 == 1) {
      const std::uint64_t id = next_id - std::min<std::uint64_t>(next_id, number % 8);
      const auto cancelled = pipe.outbox.cancel(type, id);
      if (cancelled != Outbox::Cancelled::kNotFound) ASSERT(pipe.expected.erase({type, id}) == 1);
    } else if (action % 16 == 2) {
      if (!pipe.outbox.push(FrameType::kPing, next_id++, Bytes())) pipe.write_and_read();
    } else {
      const std::size_t size = action % 4 == 2 ? 1 + number : 1 + std::size_t{number} * 40;
      const Bytes message = kSource.slice(number, size);
      if (pipe.outbox.push(type, next_id, message)) pipe.expected[{type, next_id}] = message;
      ++next_id;
    }
  }
  while (!pipe.outbox.empty()) pipe.write_and_read();
  ASSERT(pipe.expected.empty() && pipe.outbox.bytes() == 0);
  ASSERT(pipe.assembler.partial_messages() == 0 && pipe.assembler.partial_bytes() == 0);
}

}  // namespace

void fuzz_frame(std::string_view input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  switch (input.front() % 5) {
    case 0: return read_hello(bytes);
    case 1: return read_good_hello(bytes);
    case 2: return read_frames(bytes);
    case 3: return assemble(bytes);
    default: return drive_outbox(bytes);
  }
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_frame)
