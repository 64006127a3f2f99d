// Digests: for each partition of one Store, what it holds, in a few numbers: a sum of hash(key, ballot) over its
// records, how many they are, and the bytes of their values. Equal sums say that two replicas hold the same ballots.
//
// Only records count. A promise does not: it is one acceptor's own, replicas that agree on all they store may well
// have promised differently, and repair does not copy promises between members. Tombstones count: they are records.
// The sum wraps around; a hash is XXH3 of the ballot with the key's position, which is XXH3 of the key, as its seed.
//
// Exactness. A partition is *known* or not; what is said of a known one is exact whenever nothing is being written
// there. A write holds its key's lock, so it knows what it replaces; it is a Change from before the batch is handed to
// the engine until its outcome is known, and then takes the old away and adds the new.
//  - Outcome unknown (an error, or the frame ended): the row may be the old one or the new: the partition is
//    *in doubt*. It is unknown until it is counted again, by a count that begins after a later write has succeeded: a
//    log that failed may bring the row back when the database opens itself anew (engine/rocks_database.h), and does not
//    write before.
//  - An unreadable row: what it adds cannot be taken away: in doubt too, until it is erased.
// Counting beside writes. Pages of the meta family are read in storage order, each a snapshot of some moment between
// its request and its answer. Writes of keys behind the page's begin are in what was counted, or will be by their
// Change. A key of the page that some Change touched between request and answer, or was touching at the request, is
// left out of the page, and taken as its Changes say: what they replace, or, once written, what they wrote. All other
// keys did not change between the two moments, so the page has them as they are. So each is counted exactly once, and
// Changes that end later correct what was counted by as much as they change it.
//
// Beside the sums there is a bound: no record in the partition ends (model::ends_at) before it. It is lowered with each
// write and count, and raised only by who looks at all of the partition (store_floor.cc).
//
// On the Store's loop; no I/O here (store_digests.cc). Memory: 32 bytes a partition, and the keys written to while one
// page is read, up to a limit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/partition_set.h"
#include "model/record.h"

namespace tako::store {

class Digests {
 public:
  static constexpr std::size_t kTouchedMax = 16'384;  // keys written while a page is read; else it is read again

  // What one slot adds.
  struct Held {
    std::uint64_t hash = 0;
    std::uint64_t bytes = 0;
    std::uint32_t values = 0;
    std::uint32_t tombstones = 0;
    Timestamp ends = model::kNeverEnds;
    bool none() const { return values + tombstones == 0; }
  };
  struct Totals {
    std::uint64_t sum = 0;
    std::uint64_t bytes = 0;
    std::uint32_t values = 0;
    std::uint32_t tombstones = 0;
    std::uint64_t records() const { return std::uint64_t{values} + tombstones; }
    void add(const Held& held);
    void take(const Held& held);
    friend bool operator==(const Totals&, const Totals&) = default;
  };
  static Held held(std::uint64_t position, const model::Record& record);
  static Held held(std::uint64_t position, const model::Slot& slot);

  // A write of one key under way. REQUIRES: the key is locked, and outlives it
  class Change {
   public:
    Change(Digests& digests, const std::string& key, const Held& before, const Held& after);
    ~Change();  // without an outcome: it is unknown
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

    void written();
    void not_written() { over_ = true; }

   private:
    friend class Digests;
    Digests& digests_;
    const std::string& key_;
    const std::uint64_t position_;
    const Held before_;
    const Held after_;
    bool over_ = false;
    Change* previous_ = nullptr;
    Change* next_ = nullptr;
  };

  // Of the partitions p with p % count == index. None is known.
  Digests(unsigned index, unsigned count);
  Digests(const Digests&) = delete;
  Digests& operator=(const Digests&) = delete;
  ~Digests();

  bool ours(model::Partition p) const { return ours_[p]; }
  bool known(model::Partition p) const { return known_[p]; }
  const model::PartitionSet& known() const { return known_; }
  // Those in which something is held, as far as they are known.
  const model::PartitionSet& occupied() const { return occupied_; }
  model::PartitionSet unknown() const { return ours_ - known_; }
  // REQUIRES: ours
  const Totals& of(model::Partition p) const { return totals_[slot_of(p)]; }
  Totals all() const;  // of those known
  // Of the known ones, those in which something may have ended by then.
  model::PartitionSet ending_by(Timestamp floor) const;
  Timestamp ends(model::Partition p) const { return ends_[slot_of(p)]; }
  const model::PartitionSet& ending() const { return ending_; }  // ... at some time
  void lower_ends(model::Partition p, Timestamp ends) {
    ends_[slot_of(p)] = std::min(ends_[slot_of(p)], ends);
    if (ends != model::kNeverEnds) ending_.set(p);
    if (looking_ == p) look_ends_ = std::min(look_ends_, ends);
  }
  // Whoever looks at all of a partition lowers its bound to what he finds; where he comes to the end, that and what was
  // written meanwhile are the bound. One at a time.
  void begin_look(model::Partition p) {
    looking_ = p;
    look_ends_ = model::kNeverEnds;
  }
  void end_look() {
    if (looking_ == model::kPartitions) return;
    const auto p = static_cast<model::Partition>(looking_);
    looking_ = model::kPartitions;
    set_ends(p, look_ends_);
  }
  bool busy() const { return first_ != nullptr; }

  // Nothing is known of the partition any more.
  void doubt(model::Partition p);

  // --- counting: a sweep over all that is unknown
  struct Row {
    std::uint64_t position = 0;
    std::string key;
    Held held;
  };
  struct Stretch {
    std::uint64_t position = 0;  // begin, inclusive
    std::string key;
    std::uint64_t position_last = 0;  // inclusive
  };
  // False: all is known.
  bool begin_sweep();
  void end_sweep();
  // The next page to read; none: the sweep is through. REQUIRES: the page before has ended
  std::optional<Stretch> begin_page();
  // What was read of it, in order: all of it, or up to `next`, exclusive.
  void end_page(const std::vector<Row>& rows, const std::optional<std::pair<std::uint64_t, std::string>>& next);
  // It could not be read. True: a smaller one is worth a try; else its partition is left out of this sweep.
  bool fail_page();
  // A row that cannot be read is in this partition, which is left out of this sweep.
  void leave_out(model::Partition p);

  // --- saved at a clean stop
  std::string encode(std::uint64_t nonce) const;
  // Takes what is ours of a saved text; nothing of one that was saved under another nonce, or is damaged.
  void restore(const std::string& saved, std::uint64_t nonce);

 private:
  using Place = std::pair<std::uint64_t, std::string>;

  std::size_t slot_of(model::Partition p) const { return count_ == 1 ? p : p / count_; }
  void set_ends(model::Partition p, Timestamp ends) {
    ends_[slot_of(p)] = ends;
    ending_.reset(p);
    if (ends != model::kNeverEnds) ending_.set(p);
  }
  bool counted(const Change& change) const;
  bool in_page(const Change& change) const;
  void touch(const Change& change);
  void apply(const Change& change);
  void know(std::uint32_t first, std::uint32_t end);
  void close_page();
  void enter(Change& change);
  void leave(Change& change);

  const unsigned index_;
  const unsigned count_;
  model::PartitionSet ours_;
  std::vector<Totals> totals_;
  std::vector<Timestamp> ends_;
  model::PartitionSet ending_;
  std::uint32_t looking_ = model::kPartitions;  // none
  Timestamp look_ends_ = model::kNeverEnds;
  model::PartitionSet known_;
  model::PartitionSet occupied_;
  model::PartitionSet doubtful_;  // not known, and not in the sweep
  model::PartitionSet pending_;   // to be counted by the sweep
  Change* first_ = nullptr;       // those under way

  Place cursor_;  // counted up to here
  bool through_ = true;
  bool page_open_ = false;
  std::uint64_t page_last_ = 0;
  std::uint32_t stretch_ = 1;  // partitions a page: grows while they are empty
  std::map<Place, Held> touched_;
  bool touched_too_many_ = false;
};

}  // namespace tako::store
