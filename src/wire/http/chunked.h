// ChunkedDecoder: the chunked transfer coding (RFC 9112 §7.1), strictly.
//
//   body    := chunk* last trailer* CR LF
//   chunk   := size (hex digits, not 0), [extension], CR LF, data, CR LF
//   last    := "0"*, [extension], CR LF
//   trailer := line CR LF
//
// Own code, not llhttp's: in its loose build it takes any two bytes for CR LF after a chunk, which is how requests are
// smuggled. Extensions and trailers are checked for control bytes and ignored; both together are limited.
// Errors: kInvalid, malformed; kTooLarge, the body is over its limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http/http.h"

namespace tako::wire {

constexpr std::size_t kChunkExtraBytesMax = 8 << 10;  // extensions and trailers of one body

class ChunkedDecoder {
 public:
  void reset() { *this = ChunkedDecoder(); }

  // Appends data to `part` until it has limits.part_bytes. Returns the bytes taken: all, or up to the end, or of the
  // part: it is full then, and in_data() says that there is more.
  Result<std::size_t> feed(std::string_view in, std::string& part, const HttpBodyLimits& limits);
  bool in_data() const { return state_ == State::kData; }
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : unsigned char {
    kSizeFirst, kSize, kExtension, kSizeLf, kData, kDataCr, kDataLf, kTrailerFirst, kTrailer, kTrailerLf, kEndLf, kDone
  };

  // Takes one byte outside of data. Returns what is wrong, or nullptr.
  const char* step(unsigned char byte);
  const char* step_size(unsigned char byte);

  State state_ = State::kSizeFirst;
  std::uint64_t left_ = 0;   // of the chunk
  std::uint64_t total_ = 0;  // of all chunks so far
  unsigned digits_ = 0;      // of its size
  std::size_t extra_ = 0;
};

}  // namespace tako::wire
