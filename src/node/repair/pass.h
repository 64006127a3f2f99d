// Pass: one comparison of a node with one peer, key by key, over some of the partitions that both own, in storage
// order: `source.todo`, from which what was compared to the end is taken away.
//
// Two listings, run by run of adjacent partitions, ours and theirs, page by page, are merged: what is newer there is
// pulled, what is newer here is pushed; equal ballots cost nothing. Both directions end in the acceptor's one test
// (store/store.h), so a pass may run beside writes, twice, or stop half-way, and harm nothing; where a promise refuses
// a copy the key is settled (settler.h), and the next pass goes on.
// A node that catches up takes promises over too (rules 23 and 24): of a key on which the sources agree, the highest.
// Where they differ below a promise, nobody can tell which value the promise was given on, so the key is settled first,
// and until then its partition stays unread; likewise where a promise of its own, given since, refuses the copy. Where
// too few owners vote for that, more was lost than can be made good, and the newest has to do (22: a possible loss).
// A voter that is to stay in a target is no different where a promise of its own refuses a copy: the others may have
// answered what it refused, and are let go when all have arrived (27). So the partition stays unread until the key is
// settled.
// What is absent, or has ended, is a tombstone at its side's floor (model/record.h). So there is no difference where
// both sides' have ended by the higher of the two floors; and against a live record at or below the floor of a voter it
// is absence that is newer, and is copied: as a tombstone of the floor's ballot. That goes for what was listed when the
// floor was there already. One that came later may rest on a copy that came after the listing: all owners have it, and
// what was listed says "absent", or names the tombstone that it has replaced. So each side's floors are those of before
// its listing. Who has compared a partition to the end with a voter takes its floor over: it has all that the voter has
// by then (node/gc/collector.h), unless something was taken away here meanwhile (store/floors.h).
// Large values go from node to node by pieces (node/serve/fetcher.h), whichever side found the difference. Memory:
// three pages and kCopiesMax values of a piece. Lives on the node's first loop, for the time of the pass.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/placement.h"
#include "net/transport.h"
#include "node/membership/source.h"
#include "node/membership/standing.h"
#include "node/repair/settler.h"
#include "node/serve/fetcher.h"
#include "node/serve/local_shards.h"
#include "runtime/sync.h"
#include "store/floors.h"

namespace tako::node {

class Pass {
 public:
  using FloorList = std::vector<std::pair<model::Partition, Timestamp>>;

  struct Counters {
    std::uint64_t keys_compared = 0;
    std::uint64_t keys_differing = 0;
    std::uint64_t keys_pulled = 0;
    std::uint64_t keys_pushed = 0;
    std::uint64_t bytes_pulled = 0;
    std::uint64_t bytes_pushed = 0;
    std::uint64_t failures = 0;
  };

  struct Parts {
    std::string id;  // of this node
    const LocalShards* shards = nullptr;
    net::Transport* transport = nullptr;
    Fetcher* fetcher = nullptr;
    Settler* settler = nullptr;
    std::shared_ptr<const model::Placement> placement;
    bool hurry = false;           // a node that catches up does not pause between pages
    bool dry_run = false;         // count what differs, and copy nothing
    PartitionSet informed;        // in which this node votes
    PartitionSet read_elsewhere;  // since it announced itself, from other sources
    PartitionSet unsettleable;    // too few other owners vote to agree on anything
    const Standing* standing = nullptr;
    const store::Floors* floors = nullptr;
    std::function<Task<>(FloorList, std::uint64_t since)> take_floors;  // see Collector
  };

  Pass(Parts parts, Source& source, Counters& counters);

  // True: compared to the end, and nothing failed. Marks what was read in the source.
  Task<bool> run();

 private:
  static constexpr std::size_t kCopiesMax = 8;         // values on their way at once
  static constexpr std::size_t kDifferencesMax = 256;  // noted before they are copied

  struct Entry {
    std::uint64_t position = 0;
    std::string key;
    model::Ballot ballot;
    model::Ballot promise;
    Timestamp ends = model::kNeverEnds;
    std::optional<model::Record> record;  // with its value, if it came with the listing
  };
  // One side's listing, a page at a time.
  struct Side {
    std::deque<Entry> entries;
    bool complete = false;
    std::uint64_t next_position = 0;
    std::string next_key;
    bool needs_page() const { return entries.empty() && !complete; }
  };
  struct Difference {
    Entry entry;  // the newer one
    bool pull = false;
    bool absence = false;  // it is a tombstone at the floor
  };

  std::uint32_t run_end(std::uint32_t first) const;
  Task<bool> merge(std::uint32_t first, std::uint32_t end);
  Task<bool> refill_mine();
  bool wants_values();
  wire::List their_next_page();
  Task<Result<wire::Reply>> their_page();
  Task<Result<wire::Reply>> ask(wire::List list);
  Task<> ask_ahead(wire::List list);
  Task<bool> refill_theirs();
  void compare_heads();
  std::optional<Difference> difference(const Entry* ours, const Entry* peers) const;
  bool doubtful(const Entry* ours, const Entry& peers) const;
  void take_promise_over(const Entry& peers, const Entry* ours, bool differ);
  Task<> adopt_promises();
  Task<> settle_doubts();
  Task<bool> settle(Entry entry);
  std::size_t noted() const { return differences_.size() + promises_.size() + doubts_.size(); }
  Task<> copy_differences();
  Task<> store_listed(Shard& shard, std::vector<Entry> entries);
  void note_failed(std::uint32_t partition);
  Task<> copy(Difference difference);
  Task<bool> pull(Entry entry);
  Task<bool> store_here(Entry entry, model::Record record);
  Task<Result<store::Accepted>> store_copy(std::string key, model::Record record);
  bool stays(model::Partition partition) const;
  Task<bool> refused_by_promise(const Entry& entry, const model::Record& record, store::Accepted& accepted);
  Task<bool> push(std::string key);
  Task<bool> push_record(std::string key, model::Record record);
  void note_refused(const std::string& key, const model::Ballot& promise);
  void mark_read();
  FloorList floors_read() const;
  void note_floors(std::uint32_t first, std::uint32_t end);
  Timestamp our_floor(model::Partition p) const;
  Timestamp their_floor(std::uint32_t p) const { return their_floors_.empty() ? 0 : their_floors_[p]; }
  Task<> pause(TimePoint page_began);

  runtime::Loop& loop() const { return parts_.shards->loop(); }
  wire::ConfigStamp stamp() const { return wire::stamp_of(*parts_.placement); }

  const Parts parts_;
  Source& source_;
  Counters& counters_;
  const std::uint64_t losses_;  // when it began
  const PartitionSet wanted_;
  const std::uint32_t gap_max_;  // partitions that are not wanted and yet read, so that runs are not many
  std::uint64_t position_last_ = ~0ull;
  runtime::Gate asking_;
  std::optional<Result<wire::Reply>> ahead_;  // their next page
  // Since their last page was asked for.
  std::size_t compared_ = 0;
  std::size_t lacking_ = 0;  // here
  bool with_values_ = false;
  Side mine_;
  Side theirs_;
  std::vector<Difference> differences_;
  std::vector<Entry> promises_;  // to be taken over, after the copies
  std::vector<Entry> doubts_;    // to be settled, after them
  std::uint32_t reached_ = 0;    // all partitions before it are compared
  PartitionSet not_voting_;
  PartitionSet failed_;
  PartitionSet refused_;                 // a promise was in the way of a copy
  std::vector<Timestamp> our_floors_;    // from before the run was listed
  std::vector<Timestamp> their_floors_;  // likewise; empty: none
  runtime::Slots copies_;
};

}  // namespace tako::node
