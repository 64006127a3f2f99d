// JoinedSource: one source after the other, in pieces of model::kPieceBytes whatever theirs were, but for the last: as
// a request's body comes. Holds two pieces at most. REQUIRES: the parts outlive it; on their loop.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "net/byte_source.h"

namespace tako::net {

class JoinedSource final : public ByteSource {
 public:
  explicit JoinedSource(std::vector<ByteSource*> parts) : parts_(std::move(parts)) {}

  runtime::Task<Result<Bytes>> next() override {
    std::string piece;
    while (piece.size() < model::kPieceBytes && at_ < parts_.size()) {
      if (left_.empty()) {
        Result<Bytes> more = co_await parts_[at_]->next();
        if (!more) co_return more.error();
        left_ = std::move(*more);
        if (left_.empty()) ++at_;
      } else if (piece.empty() && left_.size() == model::kPieceBytes) {
        co_return std::exchange(left_, Bytes());  // as it came
      } else {
        const std::size_t count = std::min(model::kPieceBytes - piece.size(), left_.size());
        piece += left_.view().substr(0, count);
        left_ = left_.slice(count, left_.size() - count);
      }
    }
    co_return Bytes(std::move(piece));
  }

 private:
  std::vector<ByteSource*> parts_;
  std::size_t at_ = 0;
  Bytes left_;
};

}  // namespace tako::net
