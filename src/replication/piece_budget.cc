#include "replication/piece_budget.h"

#include <utility>

namespace tako::replication {

using runtime::Task;

Task<PieceBudget::Place> PieceBudget::take(TimePoint deadline) {
  if (slots_.free() == 0) reclaim();
  const bool given = co_await slots_.acquire(deadline);
  co_return Place(given ? &slots_ : nullptr);
}

PieceBudget::Place PieceBudget::take_if_free() { return Place(slots_.try_acquire() ? &slots_ : nullptr); }

bool PieceBudget::has_free(std::size_t places) {
  if (slots_.free() < places) reclaim();
  return slots_.free() >= places;
}

void PieceBudget::reclaim() {
  while (!waiting_.empty()) {
    Reader& oldest = *waiting_.front();
    if (loop_.now() - oldest.since_ < kIdleAfter) return;
    moves(oldest);
    oldest.give_back();
  }
}

void PieceBudget::waits(Reader& reader) {
  moves(reader);
  reader.since_ = loop_.now();
  reader.at_ = waiting_.insert(waiting_.end(), &reader);
}

void PieceBudget::moves(Reader& reader) {
  if (reader.at_) waiting_.erase(*std::exchange(reader.at_, std::nullopt));
}

}  // namespace tako::replication
