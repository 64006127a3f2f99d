// JoinedSource: one source after the other, in pieces of model::kPieceBytes whatever theirs were, but for the last: as
// a request's body comes. Holds two pieces at most. REQUIRES: the parts outlive it; on their loop.
#pragma once

#include <utility>
#include <vector>

#include "net/byte_source.h"

namespace tako::api {

class JoinedSource final : public net::ByteSource {
 public:
  explicit JoinedSource(std::vector<net::ByteSource*> parts) : parts_(std::move(parts)) {}

  runtime::Task<Result<Bytes>> next() override;

 private:
  std::vector<net::ByteSource*> parts_;
  std::size_t at_ = 0;
  Bytes left_;
};

}  // namespace tako::api
