#include "net/byte_source.h"

#include <algorithm>

namespace tako::net {

runtime::Task<Result<Bytes>> BytesSource::next() {
  const std::size_t count = std::min<std::size_t>(left_.size(), model::kPieceBytes);
  Bytes piece = left_.slice(0, count);
  left_ = left_.slice(count, left_.size() - count);
  co_return piece;
}

}  // namespace tako::net
