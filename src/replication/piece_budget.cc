#include "replication/piece_places.h"

#include <utility>

namespace tako::replication {

using runtime::Task;

Task<PiecePlaces::Place> PiecePlaces::take(TimePoint deadline) {
  if (slots_.free() == 0) reclaim();
  const bool given = co_await slots_.acquire(deadline);
  co_return Place(given ? &slots_ : nullptr);
}

PiecePlaces::Place PiecePlaces::take_if_free() { return Place(slots_.try_acquire() ? &slots_ : nullptr); }

bool PiecePlaces::has_free(std::size_t places) {
  if (slots_.free() < places) reclaim();
  return slots_.free() >= places;
}

void PiecePlaces::reclaim() {
  while (!waiting_.empty()) {
    Reader& oldest = *waiting_.front();
    if (loop_.now() - oldest.since_ < kIdleAfter) return;
    moves(oldest);
    oldest.give_back();
  }
}

void PiecePlaces::waits(Reader& reader) {
  moves(reader);
  reader.since_ = loop_.now();
  reader.at_ = waiting_.insert(waiting_.end(), &reader);
}

void PiecePlaces::moves(Reader& reader) {
  if (reader.at_) waiting_.erase(*std::exchange(reader.at_, std::nullopt));
}

}  // namespace tako::replication
