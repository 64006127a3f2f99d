#include "wire/http/chunked.h"

#include <algorithm>

namespace tako::wire {
namespace {

// Enough for any size that is not over a limit anyway, and 64 bits hold it.
constexpr unsigned kSizeDigitsMax = 15;

int hex_value(unsigned char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

bool is_text(unsigned char byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7f); }

}  // namespace

Result<std::size_t> ChunkedDecoder::feed(std::string_view in, std::string& part, const HttpBodyLimits& limits) {
  std::size_t at = 0;
  while (at < in.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      const std::size_t room = std::min(limits.part_bytes - part.size(), in.size() - at);
      if (room == 0) break;
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, room));
      part.append(in.substr(at, count));
      at += count;
      left_ -= count;
      if (left_ == 0) state_ = State::kDataCr;
      continue;
    }
    if (const char* problem = step(static_cast<unsigned char>(in[at]))) {
      return {ErrorCode::kInvalid, std::string("malformed chunked body: ") + problem};
    }
    ++at;
    if (state_ != State::kData) continue;
    // Said before the data is read.
    if (left_ > limits.bytes_max - total_) {
      return {ErrorCode::kTooLarge, "a body of more than " + std::to_string(limits.bytes_max) + " bytes"};
    }
    total_ += left_;
  }
  return at;
}

const char* ChunkedDecoder::step(unsigned char byte) {
  switch (state_) {
    case State::kSizeFirst:
    case State::kSize:
      return step_size(byte);
    case State::kExtension:
      if (byte == '\r') return state_ = State::kSizeLf, nullptr;
      if (!is_text(byte)) return "a control byte in an extension";
      return ++extra_ > kChunkExtraBytesMax ? "too many extensions" : nullptr;
    case State::kSizeLf:
      if (byte != '\n') return "a size without CR LF after it";
      state_ = left_ > 0 ? State::kData : State::kTrailerFirst;
      return nullptr;
    case State::kDataCr:
      state_ = State::kDataLf;
      return byte == '\r' ? nullptr : "a chunk that is longer than its size";
    case State::kDataLf:
      state_ = State::kSizeFirst;
      return byte == '\n' ? nullptr : "a chunk without CR LF after it";
    case State::kTrailerFirst:
      if (byte == '\r') return state_ = State::kEndLf, nullptr;
      state_ = State::kTrailer;
      [[fallthrough]];
    case State::kTrailer:
      if (byte == '\r') return state_ = State::kTrailerLf, nullptr;
      if (!is_text(byte)) return "a control byte in a trailer";
      return ++extra_ > kChunkExtraBytesMax ? "too many trailers" : nullptr;
    case State::kTrailerLf:
      state_ = State::kTrailerFirst;
      return byte == '\n' ? nullptr : "a trailer without CR LF after it";
    case State::kEndLf:
      state_ = State::kDone;
      return byte == '\n' ? nullptr : "an end without CR LF";
    case State::kData:
    case State::kDone:
      break;
  }
  return "bytes after its end";
}

const char* ChunkedDecoder::step_size(unsigned char byte) {
  if (const int digit = hex_value(byte); digit >= 0) {
    digits_ = state_ == State::kSizeFirst ? 1 : digits_ + 1;
    if (digits_ > kSizeDigitsMax) return "a chunk's size of more than 15 digits";
    left_ = left_ * 16 + static_cast<unsigned>(digit);
    state_ = State::kSize;
    return nullptr;
  }
  if (state_ == State::kSizeFirst) return "no size where a chunk should begin";
  if (byte == '\r') return state_ = State::kSizeLf, nullptr;
  // White space is allowed before an extension's semicolon, and was a trick where it was skipped without one.
  if (byte != ';') return "neither digit, extension nor CR LF in a chunk's size";
  state_ = State::kExtension;
  return nullptr;
}

}  // namespace tako::wire
