// HttpBodyReader: the body of one HTTP message, by its length, in chunks, or up to the end of the connection; whole or
// in parts. Part of the parsers in http.h; not for others.
//
// It holds one part at a time, of at most limits.part_bytes. When that is full, and more is certain to come,
// part_ready() says so and feed() takes nothing until take(): what the body is too large for stays with whoever sends
// it. Errors: kInvalid, a malformed chunk; kTooLarge, the body is over its limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http/chunked.h"
#include "wire/http/head.h"
#include "wire/http/http.h"

namespace tako::wire {

class HttpBodyReader {
 public:
  explicit HttpBodyReader(HttpBodyLimits limits) : limits_(limits) {}

  void reset();
  // kTooLarge: its length is known, and over the limit. A response without a framing ends with the connection.
  Status begin(const HttpFraming& framing);

  // How many bytes it took: all of them, or those up to the end of the body, or of the part.
  Result<std::size_t> feed(std::string_view in);
  bool done() const { return done_; }
  bool part_ready() const { return part_ready_; }
  std::size_t held() const { return part_.size(); }
  // What came since the last take().
  std::string take();

  bool ends_with_connection() const { return ends_with_connection_; }
  void end() { done_ = true; }

 private:
  std::size_t take_plain(std::string_view in, std::uint64_t left);
  Status too_large() const;

  const HttpBodyLimits limits_;
  ChunkedDecoder chunks_;
  std::string part_;
  std::uint64_t left_ = 0;   // of a body with a length
  std::uint64_t total_ = 0;  // of one that ends with the connection
  bool chunked_ = false;
  bool ends_with_connection_ = false;
  bool part_ready_ = false;
  bool done_ = false;
};

}  // namespace tako::wire
