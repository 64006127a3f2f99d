#include "api/common/joined_source.h"

#include <algorithm>
#include <string>

namespace tako::api {

runtime::Task<Result<Bytes>> JoinedSource::next() {
  std::string piece;
  while (piece.size() < model::kPieceBytes && at_ < parts_.size()) {
    if (left_.empty()) {
      Result<Bytes> more = co_await parts_[at_]->next();
      if (!more) co_return more.error();
      left_ = std::move(*more);
      if (left_.empty()) ++at_;
    } else if (piece.empty() && left_.size() == model::kPieceBytes) {
      Bytes whole = left_;  // as it came
      left_ = Bytes();
      co_return whole;
    } else {
      const std::size_t count = std::min(model::kPieceBytes - piece.size(), left_.size());
      piece += left_.view().substr(0, count);
      left_ = left_.slice(count, left_.size() - count);
    }
  }
  co_return Bytes(std::move(piece));
}

}  // namespace tako::api
