// PieceBudget: how many pieces of large values one loop of a proxy holds in memory: 48 MiB. Owned by the Replicator,
// which outlives all who hold a place; on its loop.
//
// Uploads take a place for each piece and cannot do without; downloads take one for each that they read ahead, while
// more than half are free. A client that has stopped taking its download would keep what was read ahead for it until
// it is let go, and two hundred of them would keep all: so when places are few, those whose client has taken nothing
// for kIdleAfter give back what they hold, and read it again should the client go on. The piece that is being sent is
// not counted here, but by the session.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include "runtime/loop.h"
#include "runtime/sync.h"

namespace tako::replication {

class PieceBudget {
 public:
  static constexpr std::size_t kPlaces = 192;
  static constexpr Duration kIdleAfter = milliseconds(500);

  // One that reads ahead of its client.
  class Reader {
   public:
    virtual void give_back() = 0;

   protected:
    ~Reader() = default;

   private:
    friend class PieceBudget;
    TimePoint since_{};
    std::optional<std::list<Reader*>::iterator> at_;  // while it waits
  };

  struct Release {
    void operator()(runtime::Slots* slots) const { slots->release(); }
  };
  using Place = std::unique_ptr<runtime::Slots, Release>;  // null: none

  explicit PieceBudget(runtime::Loop& loop) : loop_(loop), slots_(loop, kPlaces) {}
  PieceBudget(const PieceBudget&) = delete;
  PieceBudget& operator=(const PieceBudget&) = delete;

  // Null: none became free in time.
  runtime::Task<Place> take(TimePoint deadline);
  Place take_if_free();

  std::size_t used() const { return kPlaces - slots_.free(); }
  // Are so many free, once those who are idle have given back theirs?
  bool has_free(std::size_t places);

  // It has something for its client, from now on, and is idle until it moves.
  void waits(Reader& reader);
  void moves(Reader& reader);

 private:
  void reclaim();

  runtime::Loop& loop_;
  runtime::Slots slots_;
  std::list<Reader*> waiting_;  // the one that waits longest first
};

}  // namespace tako::replication
