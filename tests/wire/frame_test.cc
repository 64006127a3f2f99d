#include "wire/cluster/frame.h"
#include "wire/cluster/limits.h"

#include <doctest/doctest.h>

#include <vector>

#include "base/random.h"

namespace tako::wire {
namespace {

Hello sample_hello() {
  Hello hello;
  hello.role = "node";
  hello.id = "n1";
  hello.config = {7, 0x0123456789abcdef};
  hello.token = "secret";
  return hello;
}

Frame sample_frame(std::string_view payload) {
  Frame frame;
  frame.type = FrameType::kRequest;
  frame.id = 0x1122334455667788;
  frame.remaining_ms = 5000;
  frame.payload = payload;
  return frame;
}

std::string encoded(const Frame& frame) {
  std::string out;
  append_frame(out, frame);
  return out;
}

bool parses(std::string_view bytes) {
  FrameParser parser;
  parser.feed(bytes);
  const auto frame = parser.next();
  return frame.ok() && frame->has_value();
}

TEST_CASE("the hello of a coordinator with the longest id there is comes back") {
  Hello hello = sample_hello();
  hello.id = "coordinator:" + std::string(kNodeIdBytesMax, 'c');
  const auto progress = decode_hello(encode_hello(hello));
  REQUIRE(progress.ok());
  CHECK(progress->hello->id == hello.id);
}

TEST_CASE("a hello comes back, and says what it still needs until it is whole") {
  const std::string bytes = encode_hello(sample_hello());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto progress = decode_hello(std::string_view(bytes).substr(0, size));
    REQUIRE(progress.ok());
    REQUIRE_FALSE(progress->hello.has_value());
    REQUIRE(progress->wanted > 0);
    REQUIRE(size + progress->wanted <= bytes.size());
  }
  const auto progress = decode_hello(bytes + "what follows");
  REQUIRE(progress.ok());
  REQUIRE(progress->hello.has_value());
  CHECK(progress->consumed == bytes.size());
  CHECK(progress->hello->role == "node");
  CHECK(progress->hello->id == "n1");
  CHECK(progress->hello->config == ConfigStamp{7, 0x0123456789abcdef});
  CHECK(progress->hello->token == "secret");
}

TEST_CASE("a hello with any bit flipped is never taken") {
  const std::string bytes = encode_hello(sample_hello());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    const auto progress = decode_hello(damaged);
    const bool taken = progress.ok() && progress->hello.has_value();
    REQUIRE_FALSE(taken);
  }
}

TEST_CASE("something that is no tako is told so at its first byte") {
  const auto progress = decode_hello("G");
  REQUIRE_FALSE(progress.ok());
  CHECK(progress.error().message.find("tako protocol") != std::string::npos);
  CHECK(decode_hello("TAK").ok());
}

TEST_CASE("another protocol version is refused before its layout matters") {
  Hello hello = sample_hello();
  hello.version = kProtocolVersion + 1;
  const auto progress = decode_hello(encode_hello(hello).substr(0, 6));
  REQUIRE_FALSE(progress.ok());
  CHECK(progress.error().message.find("protocol version 2") != std::string::npos);
}

TEST_CASE("the longest hello is within the limit") {
  Hello hello;
  hello.role = std::string(kRoleBytesMax, 'r');
  hello.id = std::string(255, 'i');
  hello.token = std::string(kTokenBytesMax, 't');
  hello.config = {~0ull, ~0ull};
  const auto progress = decode_hello(encode_hello(hello));
  REQUIRE(progress.ok());
  CHECK(progress->hello.has_value());
}

TEST_CASE("a frame comes back from the middle of a buffer, without a copy") {
  const std::string bytes = encoded(sample_frame("first")) + encoded(sample_frame("second")) + "par";
  FrameParser parser;
  parser.feed(bytes);
  const auto first = parser.next();
  REQUIRE(first.ok());
  REQUIRE(first->has_value());
  CHECK((*first)->type == FrameType::kRequest);
  CHECK((*first)->id == 0x1122334455667788);
  CHECK((*first)->remaining_ms == 5000);
  CHECK((*first)->payload == "first");
  CHECK((*first)->payload.data() == bytes.data() + kFrameHeaderBytes);
  const auto second = parser.next();
  REQUIRE(second.ok());
  CHECK((*second)->payload == "second");
  const auto none = parser.next();
  REQUIRE(none.ok());
  CHECK_FALSE(none->has_value());
  CHECK(parser.consumed() == bytes.size() - 3);
  CHECK(parser.wanted() == kFrameHeaderBytes - 3);
}

TEST_CASE("a frame that is not whole yet says how much is missing") {
  const std::string bytes = encoded(sample_frame("payload"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    FrameParser parser;
    parser.feed(std::string_view(bytes).substr(0, size));
    const auto frame = parser.next();
    REQUIRE(frame.ok());
    REQUIRE_FALSE(frame->has_value());
    REQUIRE(parser.consumed() == 0);
    REQUIRE(size + parser.wanted() == (size < kFrameHeaderBytes ? kFrameHeaderBytes : bytes.size()));
  }
}

TEST_CASE("any bit flipped in a frame is caught") {
  const std::string bytes = encoded(sample_frame("a payload of some bytes"));
  REQUIRE(parses(bytes));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    REQUIRE_FALSE(parses(damaged));
  }
}

TEST_CASE("a frame's length is refused before its payload is waited for") {
  std::string bytes = encoded(sample_frame("x"));
  const std::size_t over = kPieceBytesMax + 1;
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(over >> (8 * i));
  FrameParser parser;
  parser.feed(bytes);
  CHECK_FALSE(parser.next().ok());
}

TEST_CASE("frames that no tako sends are refused") {
  Frame ping;
  ping.type = FrameType::kPing;
  CHECK(parses(encoded(ping)));
  ping.payload = "payload";
  CHECK_FALSE(parses(encoded(ping)));
  Frame more;
  more.type = FrameType::kPong;
  more.more = true;
  CHECK_FALSE(parses(encoded(more)));
  CHECK_FALSE(parses(encoded(sample_frame(""))));
  Frame request = sample_frame("x");
  request.cancels_reply = true;
  CHECK_FALSE(parses(encoded(request)));
  Frame unknown;
  unknown.type = static_cast<FrameType>(6);
  CHECK_FALSE(parses(encoded(unknown)));
  Frame cancel;
  cancel.type = FrameType::kCancel;
  cancel.cancels_reply = true;
  CHECK(parses(encoded(cancel)));
}

}  // namespace
}  // namespace tako::wire
