// ByteSource: a run of bytes of any length, in pieces, taken by one reader at its own pace: the body of a request on
// its way in, or a value on its way out.
//
// Nothing is read ahead of what the reader asks for but what the source says itself, so a slow reader holds the writer
// back. Lives on one loop; one next() at a time, none after an error. Whoever makes it owns it; it may be destroyed
// between two calls of next(), read to its end or not.
// The pieces of a request's body have model::kPieceBytes each, but for the last; those of an answer may have any size
// up to that.
#pragma once

#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "model/record.h"
#include "runtime/task.h"

namespace tako::net {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next piece. Empty: that was the end. An error: there will be no more, and what came is not the whole.
  virtual runtime::Task<Result<Bytes>> next() = 0;
};

// Bytes at hand, as a source.
class BytesSource final : public ByteSource {
 public:
  explicit BytesSource(Bytes bytes) : left_(std::move(bytes)) {}

  runtime::Task<Result<Bytes>> next() override;

 private:
  Bytes left_;
};

}  // namespace tako::net
