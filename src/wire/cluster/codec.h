// Writer and Reader: the primitives that every binary format of Tako is made of.
//
// Fixed integers are little-endian on every platform. A varint is LEB128, at most 10 bytes, and canonical: one value
// has one encoding. Text is a varint length and that many bytes; the reader is told the longest it may be.
// The Reader believes nothing: it never reads past the end, never allocates for a length it has not checked against
// what is there, and its first error sticks: afterwards every read gives zero or nothing, so that a decoder reads on
// without asking and looks once at the end. Both live on the stack of whoever encodes; no loop, no sharing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace tako::wire {

constexpr std::size_t kVarintBytesMax = 10;

class Writer {
 public:
  Writer() = default;
  explicit Writer(std::size_t bytes_expected) { out_.reserve(bytes_expected); }

  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value) { fixed(value, 2); }
  void u32(std::uint32_t value) { fixed(value, 4); }
  void u64(std::uint64_t value) { fixed(value, 8); }
  void flag(bool value) { u8(value ? 1 : 0); }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  void text(std::string_view bytes) {
    varint(bytes.size());
    raw(bytes);
  }

  std::size_t size() const { return out_.size(); }
  std::string_view view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void fixed(std::uint64_t value, unsigned count) {
    char bytes[8];
    for (unsigned i = 0; i < count; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    out_.append(bytes, count);
  }

  std::string out_;
};

class Reader {
 public:
  // Slices that bytes() gives out share the buffer of `source`.
  explicit Reader(Bytes source) : owner_(std::move(source)), view_(owner_.view()) {}
  // Slices are copies; `source` must outlive the Reader only.
  explicit Reader(std::string_view source) : view_(source) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(fixed(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(fixed(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(fixed(4)); }
  std::uint64_t u64() { return fixed(8); }

  bool flag() {
    const std::uint8_t value = u8();
    if (value > 1) fail("a flag that is neither 0 nor 1");
    return value == 1;
  }

  // A number in [0, value_max].
  std::uint64_t varint(std::uint64_t value_max = ~0ull) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * kVarintBytesMax; shift += 7) {
      const std::uint8_t byte = u8();
      if (!ok()) return 0;
      if (shift == 63 && byte > 1) break;  // more than 64 bits
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte & 0x80) continue;
      if (byte == 0 && shift > 0) return fail("a number with a superfluous byte"), 0;
      if (value > value_max) return fail("a number over its limit"), 0;
      return value;
    }
    return fail("a number of more than 64 bits"), 0;
  }

  // Text of up to `bytes_max`. The view is good as long as the source is.
  std::string_view text_view(std::size_t bytes_max) {
    const std::uint64_t count = varint();
    if (count > bytes_max) return fail("a text over its limit"), std::string_view();
    return raw(static_cast<std::size_t>(count));
  }
  std::string text(std::size_t bytes_max) { return std::string(text_view(bytes_max)); }

  std::string_view raw(std::size_t count) {
    if (count > remaining()) return fail("it ends too early"), std::string_view();
    at_ += count;
    return view_.substr(at_ - count, count);
  }

  Bytes bytes(std::size_t count) {
    const std::string_view part = raw(count);
    if (!ok() || count == 0) return Bytes();
    return owner_.empty() ? Bytes::copy_of(part) : owner_.slice(at_ - count, count);
  }

  // How many elements follow, each at least `element_bytes_min` long: so a vector may be reserved for it.
  std::size_t count(std::size_t count_max, std::size_t element_bytes_min) {
    const std::uint64_t value = varint(count_max);
    if (value > remaining() / element_bytes_min) return fail("a count of more than there is"), 0;
    return static_cast<std::size_t>(value);
  }

  bool ok() const { return problem_ == nullptr; }
  std::size_t remaining() const { return ok() ? view_.size() - at_ : 0; }
  void fail(const char* problem) {
    if (ok()) problem_ = problem;
  }

  // What went wrong, if anything did.
  Status status(std::string_view what) const;
  // As status(), and nothing may be left.
  Status finish(std::string_view what);

 private:
  std::uint64_t fixed(unsigned count) {
    if (remaining() < count) return fail("it ends too early"), 0;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < count; ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(view_[at_ + i])) << (8 * i);
    }
    at_ += count;
    return value;
  }

  Bytes owner_;
  std::string_view view_;
  std::size_t at_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace tako::wire
