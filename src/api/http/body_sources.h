// Sources that stand between a value and an HTTP message: CheckedBody on its way in, PartsBody on its way out.
//
// On the loop of the request, in its frame or owned by its answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/checksum.h"
#include "net/byte_source.h"
#include "wire/http/digest.h"
#include "wire/http/ranges.h"

namespace tako::api {

// A body that must not be longer than the limit, and must match the digests that the client sent: kTooLarge as soon as
// it is longer, kInvalid at its end, before which nobody may call it whole.
class CheckedBody final : public net::ByteSource {
 public:
  // REQUIRES: body outlives it
  CheckedBody(net::ByteSource& body, std::uint64_t bytes_max, wire::DigestCheck digests)
      : body_(body), bytes_max_(bytes_max), digests_(std::move(digests)) {}

  runtime::Task<Result<Bytes>> next() override;

  // Of all that came, once it has ended.
  std::uint64_t checksum() const { return checksum_.value(); }

 private:
  net::ByteSource& body_;
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  wire::DigestCheck digests_;
  model::ValueChecksum checksum_;
};

Error value_too_large(std::uint64_t bytes_max);

// Several ranges of one value as multipart/byteranges (RFC 9110 §14.6). Each is opened when it is its turn.
class PartsBody final : public net::ByteSource {
 public:
  using Open = std::function<std::unique_ptr<net::ByteSource>(const wire::ByteRange& range)>;

  struct Plan {
    std::string boundary;  // that no value has in it
    std::string content_type;
    std::uint64_t size = 0;  // of the value
    std::vector<wire::ByteRange> ranges;
  };

  PartsBody(Plan plan, Open open);

  std::uint64_t bytes() const { return bytes_; }  // in all
  runtime::Task<Result<Bytes>> next() override;

 private:
  std::string head_of(const wire::ByteRange& range) const;
  std::string tail() const { return "\r\n--" + plan_.boundary + "--\r\n"; }

  const Plan plan_;
  const Open open_;
  std::uint64_t bytes_ = 0;
  std::size_t next_ = 0;
  std::unique_ptr<net::ByteSource> current_;
  bool ended_ = false;
};

}  // namespace tako::api
