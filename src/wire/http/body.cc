#include "wire/http/body.h"

#include <algorithm>
#include <utility>

namespace tako::wire {
namespace {

// Until so much of a body is there, no more than this is set aside for it, whatever its length claims.
constexpr std::size_t kReserveBytes = 256 << 10;

}  // namespace

void HttpBodyReader::reset() {
  chunks_.reset();
  part_.clear();
  left_ = total_ = 0;
  chunked_ = ends_with_connection_ = part_ready_ = done_ = false;
}

Status HttpBodyReader::begin(const HttpFraming& framing) {
  chunked_ = framing.chunked;
  ends_with_connection_ = !chunked_ && !framing.content_length;
  left_ = framing.content_length.value_or(0);
  if (left_ > limits_.bytes_max) return too_large();
  done_ = !chunked_ && !ends_with_connection_ && left_ == 0;
  return ok_status();
}

Result<std::size_t> HttpBodyReader::feed(std::string_view in) {
  if (part_ready_ || done_ || in.empty()) return std::size_t{0};
  if (chunked_) {
    const Result<std::size_t> taken = chunks_.feed(in, part_, limits_);
    if (!taken) return taken.error();
    part_ready_ = chunks_.in_data() && part_.size() >= limits_.part_bytes;
    done_ = chunks_.done();
    return *taken;
  }
  if (ends_with_connection_) {
    if (in.size() > limits_.bytes_max - total_) return too_large().error();
    const std::size_t count = take_plain(in, in.size());
    total_ += count;
    part_ready_ = count < in.size();
    return count;
  }
  const std::size_t count = take_plain(in, left_);
  left_ -= count;
  done_ = left_ == 0;
  part_ready_ = !done_ && part_.size() >= limits_.part_bytes;
  return count;
}

std::size_t HttpBodyReader::take_plain(std::string_view in, std::uint64_t left) {
  const std::uint64_t fits = std::min<std::uint64_t>(left, limits_.part_bytes - part_.size());
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), fits));
  if (part_.empty())
    part_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(fits, kReserveBytes)));
  else if (part_.size() + count > part_.capacity() && !ends_with_connection_)
    part_.reserve(part_.size() + fits);
  part_.append(in.substr(0, count));
  return count;
}

std::string HttpBodyReader::take() {
  part_ready_ = false;
  return std::exchange(part_, std::string());
}

Status HttpBodyReader::too_large() const {
  return {ErrorCode::kTooLarge, "HTTP: a body of more than " + std::to_string(limits_.bytes_max) + " bytes"};
}

}  // namespace tako::wire
