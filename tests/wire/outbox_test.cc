#include "wire/cluster/outbox.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "base/random.h"
#include "wire/cluster/assembler.h"

namespace tako::wire {
namespace {

constexpr std::size_t kPlenty = 1 << 30;

// A Bytes with recognisable contents.
Bytes numbered(std::uint64_t seed, std::size_t size) {
  std::string text(size, '\0');
  Random random(seed);
  for (std::size_t i = 0; i < size; i += 61) text[i] = static_cast<char>(random.next());
  return Bytes(std::move(text));
}

TimePoint at_ms(int ms) { return TimePoint(std::chrono::milliseconds(ms)); }

// What one write carries.
std::vector<Frame> frames_of(const std::string& bytes) {
  std::vector<Frame> frames;
  FrameParser parser;
  parser.feed(bytes);
  while (true) {
    const auto frame = parser.next();
    REQUIRE(frame.ok());
    if (!frame->has_value()) break;
    frames.push_back(**frame);
  }
  REQUIRE(parser.consumed() == bytes.size());
  return frames;
}

Frame piece(FrameType type, std::uint64_t id, std::string_view payload, bool continued, bool more) {
  Frame frame;
  frame.type = type;
  frame.id = id;
  frame.payload = payload;
  frame.continued = continued;
  frame.more = more;
  return frame;
}

TEST_CASE("messages of all sizes come out at the other end as they went in") {
  Random random(20);
  Outbox outbox(kPlenty);
  std::map<std::uint64_t, std::size_t> sizes;
  for (std::uint64_t id = 1; id <= 60; ++id) {
    const std::size_t size = random.below(3) == 0 ? random.between(1, 3 << 20) : random.between(1, 2000);
    sizes[id] = size;
    REQUIRE(outbox.push(random.below(2) == 0 ? FrameType::kRequest : FrameType::kReply, id, numbered(id, size)));
  }

  Assembler assembler;
  std::string write;
  while (outbox.next(at_ms(0), write)) {
    REQUIRE(write.size() <= kWriteBytesMax);
    for (const Frame& frame : frames_of(write)) {
      const auto message = assembler.add(frame);
      REQUIRE(message.ok());
      if (!message->has_value()) continue;
      const Message& whole = **message;
      REQUIRE(sizes.count(whole.id) == 1);
      REQUIRE(whole.bytes == numbered(whole.id, sizes[whole.id]));
      sizes.erase(whole.id);
    }
    write.clear();
  }
  CHECK(sizes.empty());
  CHECK(outbox.empty());
  CHECK(outbox.bytes() == 0);
  CHECK(assembler.partial_messages() == 0);
  CHECK(assembler.partial_bytes() == 0);
}

TEST_CASE("a small message does not wait for a large one that is being sent") {
  Outbox outbox(kPlenty);
  REQUIRE(outbox.push(FrameType::kReply, 1, numbered(1, kMessageBytesMax)));
  std::string write;
  REQUIRE(outbox.next(at_ms(0), write));
  REQUIRE(outbox.push(FrameType::kReply, 2, numbered(2, 100)));

  int writes_until_small = 0;
  bool seen = false;
  while (!seen) {
    write.clear();
    REQUIRE(outbox.next(at_ms(0), write));
    ++writes_until_small;
    for (const Frame& frame : frames_of(write)) seen = seen || frame.id == 2;
  }
  CHECK(writes_until_small <= 2);
}

TEST_CASE("a large message makes progress though small ones keep coming") {
  Outbox outbox(kPlenty);
  REQUIRE(outbox.push(FrameType::kReply, 1, numbered(1, 3 * kPieceBytesMax)));
  int pieces = 0;
  for (int turn = 0; turn < 8; ++turn) {
    for (std::uint64_t i = 0; i < 400; ++i) {
      REQUIRE(outbox.push(FrameType::kReply, 1000 + i, numbered(2, 2000)));
    }
    std::string write;
    REQUIRE(outbox.next(at_ms(0), write));
    for (const Frame& frame : frames_of(write)) pieces += frame.id == 1 ? 1 : 0;
  }
  CHECK(pieces == 3);
}

TEST_CASE("large messages take turns") {
  Outbox outbox(kPlenty);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    REQUIRE(outbox.push(FrameType::kReply, id, numbered(id, 3 * kPieceBytesMax)));
  }
  std::vector<std::uint64_t> order;
  std::string write;
  while (outbox.next(at_ms(0), write)) {
    for (const Frame& frame : frames_of(write)) order.push_back(frame.id);
    write.clear();
  }
  CHECK(order == std::vector<std::uint64_t>{1, 2, 3, 1, 2, 3, 1, 2, 3});
}

TEST_CASE("many small messages share one write") {
  Outbox outbox(kPlenty);
  for (std::uint64_t id = 1; id <= 100; ++id) REQUIRE(outbox.push(FrameType::kRequest, id, numbered(id, 50)));
  std::string write;
  REQUIRE(outbox.next(at_ms(0), write));
  CHECK(frames_of(write).size() == 100);
  CHECK_FALSE(outbox.next(at_ms(0), write));
}

TEST_CASE("control frames go first, and leave room for a piece") {
  Outbox outbox(kPlenty);
  REQUIRE(outbox.push(FrameType::kReply, 1, numbered(1, 2 * kPieceBytesMax)));
  REQUIRE(outbox.push(FrameType::kPing, 2, Bytes()));
  std::string write;
  REQUIRE(outbox.next(at_ms(0), write));
  const auto frames = frames_of(write);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].type == FrameType::kPing);
  CHECK(frames[1].id == 1);
}

TEST_CASE("over its limit nothing is queued, but an empty queue takes any message") {
  Outbox outbox(1000);
  REQUIRE(outbox.push(FrameType::kReply, 1, numbered(1, 5000)));
  CHECK_FALSE(outbox.push(FrameType::kReply, 2, numbered(2, 1)));
  std::string write;
  REQUIRE(outbox.next(at_ms(0), write));
  CHECK(outbox.empty());
  CHECK(outbox.push(FrameType::kReply, 3, numbered(3, 1000 - 2 * Outbox::kEntryBytes - 1)));
  CHECK(outbox.push(FrameType::kReply, 4, numbered(4, 1)));
  CHECK_FALSE(outbox.push(FrameType::kPing, 5, Bytes()));
  CHECK(outbox.bytes() == 1000);
}

TEST_CASE("a request carries what is left of its deadline when it is sent") {
  Outbox outbox(kPlenty);
  REQUIRE(outbox.push(FrameType::kRequest, 1, numbered(1, 10), at_ms(700)));
  REQUIRE(outbox.push(FrameType::kRequest, 2, numbered(2, 10), at_ms(50)));
  REQUIRE(outbox.push(FrameType::kRequest, 3, numbered(3, 10), TimePoint::max()));
  REQUIRE(outbox.push(FrameType::kReply, 4, numbered(4, 10), at_ms(700)));
  std::string write;
  REQUIRE(outbox.next(at_ms(100), write));
  const auto frames = frames_of(write);
  REQUIRE(frames.size() == 4);
  CHECK(frames[0].remaining_ms == 600);
  CHECK(frames[1].remaining_ms == 0);
  CHECK(frames[2].remaining_ms == ~std::uint32_t{0});
  CHECK(frames[3].remaining_ms == 0);
}

TEST_CASE("cancelling before the first byte leaves no trace, later it tells the peer") {
  Outbox outbox(kPlenty);
  REQUIRE(outbox.push(FrameType::kRequest, 1, numbered(1, 10)));
  CHECK(outbox.cancel(FrameType::kReply, 1) == Outbox::Cancelled::kNotFound);
  CHECK(outbox.cancel(FrameType::kRequest, 1) == Outbox::Cancelled::kUnsent);
  CHECK(outbox.empty());
  CHECK(outbox.cancel(FrameType::kRequest, 1) == Outbox::Cancelled::kNotFound);

  REQUIRE(outbox.push(FrameType::kReply, 2, numbered(2, 2 * kPieceBytesMax)));
  std::string write;
  REQUIRE(outbox.next(at_ms(0), write));
  Assembler assembler;
  for (const Frame& frame : frames_of(write)) REQUIRE(assembler.add(frame).ok());
  CHECK(assembler.partial_messages() == 1);
  CHECK(outbox.cancel(FrameType::kReply, 2) == Outbox::Cancelled::kPartly);

  write.clear();
  REQUIRE(outbox.next(at_ms(0), write));
  const auto frames = frames_of(write);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == FrameType::kCancel);
  CHECK(frames[0].cancels_reply);
  const auto message = assembler.add(frames[0]);
  REQUIRE(message.ok());
  CHECK((*message)->type == FrameType::kCancel);
  CHECK(assembler.partial_messages() == 0);
  CHECK(assembler.partial_bytes() == 0);
  CHECK(outbox.empty());
}

TEST_CASE("a sender never has more begun than a receiver holds") {
  // Slices of one buffer, so that this costs no memory here.
  const Bytes large(std::string(kMessageBytesMax, 'x'));
  Outbox outbox(kPlenty);
  for (std::uint64_t id = 1; id <= 10; ++id) REQUIRE(outbox.push(FrameType::kReply, id, large));
  std::size_t begun = 0;
  std::size_t begun_max = 0;
  std::string write;
  while (outbox.next(at_ms(0), write)) {
    for (const Frame& frame : frames_of(write)) {
      if (frame.more && !frame.continued) ++begun;
      begun_max = std::max(begun_max, begun);
      if (frame.continued && !frame.more) --begun;
    }
    write.clear();
  }
  CHECK(begun_max == kPartialBytesMax / kMessageBytesMax);
}

TEST_CASE("pieces of requests and replies of one id are told apart") {
  Assembler assembler;
  REQUIRE(assembler.add(piece(FrameType::kRequest, 1, "req", false, true)).ok());
  REQUIRE(assembler.add(piece(FrameType::kReply, 1, "rep", false, true)).ok());
  const auto request = assembler.add(piece(FrameType::kRequest, 1, "uest", true, false));
  REQUIRE(request.ok());
  CHECK((*request)->bytes.view() == "request");
  const auto reply = assembler.add(piece(FrameType::kReply, 1, "ly", true, false));
  REQUIRE(reply.ok());
  CHECK((*reply)->bytes.view() == "reply");
}

TEST_CASE("a piece of no message, and an id in use, end the connection") {
  Assembler assembler;
  CHECK_FALSE(assembler.add(piece(FrameType::kReply, 1, "x", true, true)).ok());
  CHECK_FALSE(assembler.add(piece(FrameType::kReply, 1, "x", true, false)).ok());
  REQUIRE(assembler.add(piece(FrameType::kReply, 1, "x", false, true)).ok());
  CHECK_FALSE(assembler.add(piece(FrameType::kReply, 1, "x", false, true)).ok());
  CHECK_FALSE(assembler.add(piece(FrameType::kReply, 1, "x", false, false)).ok());
}

TEST_CASE("the assembler holds a bounded number of messages") {
  Assembler assembler;
  for (std::uint64_t id = 0; id < kPartialMessagesMax; ++id) {
    REQUIRE(assembler.add(piece(FrameType::kReply, id, "x", false, true)).ok());
  }
  const auto over = assembler.add(piece(FrameType::kReply, kPartialMessagesMax, "x", false, true));
  REQUIRE_FALSE(over.ok());
  CHECK(over.code() == ErrorCode::kTooLarge);
}

TEST_CASE("the assembler holds a bounded number of bytes, of one message and of all") {
  const std::string payload(kPieceBytesMax, 'x');
  Assembler one;
  std::size_t taken = 0;
  while (one.add(piece(FrameType::kReply, 1, payload, taken > 0, true)).ok()) taken += payload.size();
  CHECK(taken == kMessageBytesMax / kPieceBytesMax * kPieceBytesMax);

  Assembler all;
  std::size_t total = 0;
  for (std::size_t i = 0;; ++i) {
    if (!all.add(piece(FrameType::kReply, i % 8, payload, i >= 8, true)).ok()) break;
    total += payload.size();
  }
  CHECK(total == kPartialBytesMax);
}

}  // namespace
}  // namespace tako::wire
