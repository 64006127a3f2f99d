// ClientBody: what a client of the simulated world sends as a large value, at its own pace; it may stop in the middle,
// as a connection that breaks does. Drawn when it is made. On its proxy's loop, in the frame of the write.
#pragma once

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/random.h"
#include "net/byte_source.h"
#include "runtime/loop.h"

namespace tako::sim {

class ClientBody final : public net::ByteSource {
 public:
  static constexpr std::uint32_t kBreaksPpm = 80'000;
  static constexpr std::uint32_t kSlowPpm = 150'000;

  // steady: it sends all of it.
  ClientBody(runtime::Loop& loop, Random random, Bytes value, bool steady)
      : loop_(loop), random_(std::move(random)), value_(std::move(value)) {
    if (steady) return;
    if (random_.chance_ppm(kSlowPpm)) pause_max_ = milliseconds(random_.between(1, 3000));
    if (random_.chance_ppm(kBreaksPpm)) breaks_at_ = random_.below(value_.size());
  }

  // Nothing of it may ever be seen.
  bool breaks() const { return breaks_at_ < value_.size(); }

  runtime::Task<Result<Bytes>> next() override {
    if (pause_max_ > Duration::zero()) {
      co_await loop_.sleep(Duration(random_.below(static_cast<std::uint64_t>(pause_max_.count()))));
    }
    const std::size_t count = std::min(value_.size() - sent_, model::kPieceBytes);
    if (sent_ + count > breaks_at_) co_return Error(ErrorCode::kInvalid, "the client is gone");
    Bytes piece = value_.slice(sent_, count);
    sent_ += count;
    co_return piece;
  }

 private:
  runtime::Loop& loop_;
  Random random_;
  const Bytes value_;
  std::size_t sent_ = 0;
  std::size_t breaks_at_ = ~std::size_t{0};
  Duration pause_max_ = Duration::zero();
};

}  // namespace tako::sim
