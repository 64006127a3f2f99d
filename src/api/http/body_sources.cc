#include "api/http/body_sources.h"

#include <algorithm>

namespace tako::api {

using runtime::Task;

Error value_too_large(std::uint64_t bytes_max) {
  return {ErrorCode::kTooLarge, "a value may have at most " + std::to_string(bytes_max) +
                                    " bytes here (limits.value_bytes in the configuration)"};
}

Task<Result<Bytes>> CheckedBody::next() {
  Result<Bytes> piece = co_await body_.next();
  if (!piece) co_return piece;
  if (piece->empty()) {
    const Status matches = digests_.finish();
    if (!matches) co_return matches.error();
    co_return piece;
  }
  bytes_ += piece->size();
  if (bytes_ > bytes_max_) co_return value_too_large(bytes_max_);
  digests_.add(piece->view());
  checksum_.add(model::piece_checksum(piece->view()));
  co_return piece;
}

PartsBody::PartsBody(Plan plan, Open open) : plan_(std::move(plan)), open_(std::move(open)) {
  for (const wire::ByteRange& range : plan_.ranges) bytes_ += head_of(range).size() + range.size();
  bytes_ += tail().size();
}

std::string PartsBody::head_of(const wire::ByteRange& range) const {
  std::string type = plan_.content_type;  // a user's: it must not make headers
  std::replace_if(
      type.begin(), type.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return "\r\n--" + plan_.boundary + "\r\nContent-Type: " + type +
         "\r\nContent-Range: " + wire::content_range(range, plan_.size) + "\r\n\r\n";
}

Task<Result<Bytes>> PartsBody::next() {
  if (current_) {
    Result<Bytes> piece = co_await current_->next();
    const bool over = piece && piece->empty();
    if (!over) co_return piece;
    current_.reset();
  }
  if (next_ < plan_.ranges.size()) {
    const wire::ByteRange range = plan_.ranges[next_++];
    current_ = open_(range);
    co_return Bytes(head_of(range));
  }
  if (std::exchange(ended_, true)) co_return Bytes();
  co_return Bytes(tail());
}

}  // namespace tako::api
