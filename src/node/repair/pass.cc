#include "node/repair/pass.h"

#include <algorithm>

#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr std::uint32_t kPageEntries = 1000;
constexpr Duration kListDeadline = seconds(10);
constexpr Duration kPauseMax = seconds(1);
constexpr Duration kStoredWithin = seconds(2);  // what was agreed on, here
constexpr Duration kStoredPoll = milliseconds(20);

// How many partitions that are not wanted may be listed between two that are. Each run costs a round trip, and each
// partition between its keys: where votes wait for it time is dearer, where digests have found it the keys are.
std::uint32_t gap_max(const PartitionSet& wanted, const PartitionSet& informed) {
  constexpr std::uint32_t kGapMax = 64;
  const bool many = wanted.count() >= 4096 || (wanted - informed).count() >= 256;
  return many ? kGapMax : 0;
}

}  // namespace

Pass::Pass(Parts parts, Source& source, Counters& counters)
    : parts_(std::move(parts)),
      source_(source),
      counters_(counters),
      losses_(parts_.floors->losses()),
      wanted_(source.todo & source.shared),
      gap_max_(gap_max(wanted_, parts_.informed)),
      asking_(loop()),
      copies_(loop(), kCopiesMax) {}

Task<bool> Pass::run() {
  source_.spoiled.clear();
  source_.sweeping = PartitionSet::all();
  bool whole = true;
  while (whole && reached_ < model::kPartitions) {
    if (!wanted_[reached_]) {
      ++reached_;
      continue;
    }
    const std::uint32_t end = run_end(reached_);
    whole = co_await merge(reached_, end);
    if (whole) reached_ = end;
  }
  co_await asking_.drained();
  co_await copy_differences();
  if (loop().stopping()) whole = false;
  mark_read();
  FloorList floors = floors_read();
  if (!floors.empty() && buggify(loop().random(), "pass/late_floors")) co_await loop().sleep(seconds(4));
  if (!floors.empty() && parts_.take_floors) co_await parts_.take_floors(std::move(floors), losses_);
  co_return whole && failed_.none() && source_.spoiled.none();
}

// Of the run of wanted partitions that begins with this one.
std::uint32_t Pass::run_end(std::uint32_t first) const {
  std::uint32_t end = first + 1;
  for (std::uint32_t p = end; p < model::kPartitions && p - end <= gap_max_; ++p) {
    if (wanted_[p]) end = p + 1;
  }
  return end;
}

Task<bool> Pass::merge(std::uint32_t first, std::uint32_t end) {
  mine_ = theirs_ = Side();
  note_floors(first, end);
  mine_.next_position = theirs_.next_position = static_cast<std::uint64_t>(first) << 48;
  position_last_ = (static_cast<std::uint64_t>(end - 1) << 48) | 0xffff'ffff'ffffULL;
  while (!loop().stopping() && !source_.gone) {
    const TimePoint page_began = loop().now();
    if (mine_.needs_page()) {
      const bool got = co_await refill_mine();
      if (!got) co_return false;
      co_await pause(page_began);
    }
    if (theirs_.needs_page()) {
      const bool got = co_await refill_theirs();
      if (!got) co_return false;
    }
    const std::size_t differences_max = buggify(loop().random(), "pass/differences") ? 1 : kDifferencesMax;
    while (!mine_.needs_page() && !theirs_.needs_page() && noted() < differences_max) {
      if (mine_.entries.empty() && theirs_.entries.empty()) co_return true;
      compare_heads();
    }
    if (noted() >= differences_max) co_await copy_differences();
  }
  co_return false;
}

// REQUIRES: a head on one side at least; a side without one is complete
void Pass::compare_heads() {
  ++counters_.keys_compared;
  Entry* ours = mine_.entries.empty() ? nullptr : &mine_.entries.front();
  Entry* peers = theirs_.entries.empty() ? nullptr : &theirs_.entries.front();
  if (ours && peers) {
    const auto order = std::tie(ours->position, ours->key) <=> std::tie(peers->position, peers->key);
    if (order < 0) peers = nullptr;
    if (order > 0) ours = nullptr;
  }
  reached_ = model::partition_of_position(ours ? ours->position : peers->position);
  auto found = difference(ours, peers);
  counters_.keys_differing += found.has_value();
  ++compared_;
  lacking_ += found && found->pull;
  if (peers && !parts_.dry_run) take_promise_over(*peers, ours, found.has_value());
  if (found && !parts_.dry_run) differences_.push_back(std::move(*found));
  if (ours) mine_.entries.pop_front();
  if (peers) theirs_.entries.pop_front();
}

// Those that were there before anything is listed: of what was listed before a floor came, something that the floor
// rests on may have been missing still.
void Pass::note_floors(std::uint32_t first, std::uint32_t end) {
  our_floors_.resize(model::kPartitions);
  for (std::uint32_t p = first; p < end; ++p) our_floors_[p] = parts_.floors->of(static_cast<model::Partition>(p));
}

Timestamp Pass::our_floor(model::Partition p) const {
  if (planted(Plant::kFloorAfterListing)) return parts_.floors->of(p);
  return parts_.floors->lost_at(p) > losses_ ? 0 : std::min(our_floors_[p], parts_.floors->of(p));
}

// The word of a side about what is absent counts while it votes: else a row may be missing that could not be read.
std::optional<Pass::Difference> Pass::difference(const Entry* ours, const Entry* peers) const {
  const auto partition = static_cast<model::Partition>(reached_);
  const model::Ballot here = ours ? ours->ballot : model::Ballot{};
  const model::Ballot there = peers ? peers->ballot : model::Ballot{};
  if (here == there) return std::nullopt;
  const Timestamp floor_here = our_floor(partition);
  const Timestamp floor_there = their_floor(partition);
  const Timestamp ends_here = here.none() ? 0 : ours->ends;
  const Timestamp ends_there = there.none() ? 0 : peers->ends;
  const Timestamp floor = std::max(floor_here, floor_there);
  if (floor != 0 && ends_here <= floor && ends_there <= floor) return std::nullopt;
  const bool here_gone = floor_here != 0 && ends_here <= floor_here && parts_.standing->votes(partition);
  const bool there_gone = floor_there != 0 && ends_there <= floor_there && !not_voting_[partition];
  const Entry& any = ours ? *ours : *peers;
  const auto absence = [&any](Timestamp at, bool pull) {
    return Difference{Entry{any.position, any.key, model::ballot_of_floor(at), {}, at, {}}, pull, true};
  };
  if (here_gone && there.timestamp <= floor_here) return absence(floor_here, false);
  if (there_gone && here.timestamp <= floor_there) return absence(floor_there, true);
  return Difference{here > there ? *ours : *peers, there > here, false};
}

// Promised above what is stored, and not the same is stored everywhere. Of the first source nothing is known to compare
// it with.
bool Pass::doubtful(const Entry* ours, const Entry& peers) const {
  const model::Ballot here = ours ? ours->ballot : model::Ballot{};
  if (here == peers.ballot) return false;
  const model::Ballot promised = std::max(peers.promise, ours ? ours->promise : model::Ballot{});
  if (promised <= std::max(here, peers.ballot)) return false;
  if (parts_.unsettleable[reached_]) return false;
  return !here.none() || parts_.read_elsewhere[reached_];
}

void Pass::take_promise_over(const Entry& peers, const Entry* ours, bool differ) {
  if (parts_.informed[reached_]) return;
  if (differ && doubtful(ours, peers)) {
    doubts_.push_back(peers);
    if (ours) doubts_.back().promise = std::max(peers.promise, ours->promise);
  } else if (peers.promise > peers.ballot) {
    promises_.push_back(peers);
  }
}

Task<> Pass::adopt_promises() {
  for (Entry& entry : promises_) {
    Shard& shard = parts_.shards->of(entry.key);
    auto promise = shard.store().promise(std::move(entry.key), entry.promise, false);
    const auto promised = co_await runtime::run_on(shard.loop(), std::move(promise));
    if (!promised) failed_.set(model::partition_of_position(entry.position));
  }
  promises_.clear();
}

Task<> Pass::settle_doubts() {
  for (Entry& entry : doubts_) {
    const std::uint32_t partition = model::partition_of_position(entry.position);
    const bool settled = co_await settle(std::move(entry));
    if (!settled) failed_.set(partition);
  }
  doubts_.clear();
}

// A majority has promised a ballot above what was in doubt, so nothing below it can be chosen any more; what is newest
// is held under it, and here too when this node, which is an owner, has stored it. The key may be written all the
// while.
Task<bool> Pass::settle(Entry entry) {
  Shard& shard = parts_.shards->of(entry.key);
  const auto agreed = co_await parts_.settler->settle_now(entry.key, entry.promise);
  if (!agreed) co_return false;
  const TimePoint until = loop().now() + kStoredWithin;
  while (loop().now() < until && !loop().stopping()) {
    auto read = shard.store().read(entry.key, false);
    const auto slot = co_await runtime::run_on(shard.loop(), std::move(read));
    if (slot && slot->ballot() >= *agreed) co_return true;
    co_await loop().sleep(kStoredPoll);
  }
  co_return false;
}

Task<bool> Pass::refill_mine() {
  const std::uint32_t entries_max = buggify(loop().random(), "pass/page") ? 2 : kPageEntries;
  auto listing =
      co_await parts_.shards->list(mine_.next_position, mine_.next_key, position_last_, entries_max);
  if (!listing) co_return false;
  for (auto& entry : listing->entries) {
    if (!wanted_[model::partition_of_position(entry.position)]) continue;
    mine_.entries.push_back({entry.position, std::move(entry.key), entry.ballot, entry.promise, entry.ends, {}});
  }
  mine_.complete = listing->complete;
  mine_.next_position = listing->next_position;
  mine_.next_key = std::move(listing->next_key);
  co_return true;
}

// With the values, where more is lacking here than not, by what was seen of late: a node that was wiped takes whole
// pages, and does not ask for each key.
bool Pass::wants_values() {
  if (parts_.dry_run) return false;
  const bool informed = parts_.informed[model::partition_of_position(theirs_.next_position)];
  with_values_ = compared_ > 0 ? 2 * lacking_ >= compared_ : with_values_ || !informed;
  compared_ = lacking_ = 0;
  return with_values_;
}

wire::List Pass::their_next_page() {
  wire::List list;
  list.asker = parts_.id;
  list.position = theirs_.next_position;
  list.key = theirs_.next_key;
  list.position_last = position_last_;
  list.entries_max = buggify(loop().random(), "pass/their-page") ? 1 : kPageEntries;
  list.values = wants_values();
  return list;
}

Task<Result<wire::Reply>> Pass::their_page() {
  co_await asking_.drained();
  if (!ahead_) {
    co_return co_await ask(their_next_page());
  }
  auto page = std::move(*ahead_);
  ahead_.reset();
  co_return page;
}

// With the configuration that the source answers by.
Task<Result<wire::Reply>> Pass::ask(wire::List list) {
  wire::Request request;
  request.config = stamp();
  request.body = std::move(list);
  co_return co_await parts_.transport->call(source_.peer(), std::move(request), loop().now() + kListDeadline);
}

// The next one comes while this one is being stored.
Task<> Pass::ask_ahead(wire::List list) { ahead_ = co_await ask(std::move(list)); }

Task<bool> Pass::refill_theirs() {
  if (buggify(loop().random(), "pass/late_page")) co_await loop().sleep(seconds(3));
  auto answer = co_await their_page();
  if (!answer) co_return false;
  // A source counts only if it is fenced before it is read: it has our configuration, or a later one (rule 27).
  const std::uint64_t ours = stamp().counter;
  const bool fenced = ours == 0 || answer->config.counter >= ours;
  if (!fenced && !planted(Plant::kReadBeforeFenced)) co_return false;
  auto page = net::expect<wire::ListReply>(std::move(answer));
  if (!page) co_return false;
  if (page->incarnation != source_.incarnation) co_return false;  // another than the one we announced ourselves to
  const auto begin = std::make_pair(theirs_.next_position, theirs_.next_key);
  const auto next = std::make_pair(page->next_position, page->next_key);
  if (!page->complete && next <= begin) co_return false;  // no progress

  for (const auto& [first, last] : page->not_voting) {
    for (std::uint32_t p = first; p <= last; ++p) not_voting_.set(p);
  }
  source_.fence = std::max(source_.fence, page->fence);
  if (!page->floors.empty()) their_floors_.resize(model::kPartitions);
  for (const auto& [run, floor] : page->floors) {
    for (std::uint32_t p = run.first; p <= run.second; ++p) their_floors_[p] = floor;
  }
  auto before = begin;
  for (auto& entry : page->entries) {
    auto at = std::make_pair(model::position_of(entry.key), entry.key);
    if (at < before) co_return false;  // out of order: a peer that talks nonsense
    before = at;
    if (!wanted_[model::partition_of_position(at.first)]) continue;
    theirs_.entries.push_back(
        {at.first, std::move(entry.key), entry.ballot, entry.promise, entry.ends, std::move(entry.record)});
  }
  source_.keys_listed += page->entries.size();
  theirs_.complete = page->complete || planted(Plant::kPassHalf);
  theirs_.next_position = page->next_position;
  theirs_.next_key = std::move(page->next_key);
  if (with_values_ && !theirs_.complete) loop().spawn(asking_, ask_ahead(their_next_page()));
  co_return true;
}

Task<> Pass::copy_differences() {
  runtime::Gate copying(loop());
  std::vector<std::vector<Entry>> listed(parts_.shards->size());
  for (Difference& difference : differences_) {
    if (buggify(loop().random(), "pass/copy")) {
      note_failed(model::partition_of_position(difference.entry.position));
      continue;
    }
    const bool came = difference.pull && !difference.absence && difference.entry.record;
    if (came && !planted(Plant::kPassOneWay)) {
      listed[parts_.shards->index_of(model::partition_of_position(difference.entry.position))].push_back(
          std::move(difference.entry));
      continue;
    }
    const bool turn = co_await copies_.acquire(TimePoint::max());
    if (!turn) {
      failed_.set(model::partition_of_position(difference.entry.position));
      continue;
    }
    loop().spawn(copying, copy(std::move(difference)));
  }
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (!listed[i].empty()) loop().spawn(copying, store_listed(parts_.shards->at(i), std::move(listed[i])));
  }
  co_await copying.drained();
  differences_.clear();
  co_await adopt_promises();
  co_await settle_doubts();
}

Task<> Pass::copy(Difference difference) {
  const std::uint32_t partition = model::partition_of_position(difference.entry.position);
  bool copied = false;
  if (planted(Plant::kPassOneWay) && (difference.pull || source_.id > parts_.id)) {
    copied = true;
  } else if (difference.absence) {
    model::Record absence = model::make_tombstone(difference.entry.ballot);
    if (difference.pull) {
      copied = co_await store_here(std::move(difference.entry), std::move(absence));
    } else {
      copied = co_await push_record(std::move(difference.entry.key), std::move(absence));
    }
  } else if (difference.pull) {
    copied = co_await pull(std::move(difference.entry));
  } else {
    copied = co_await push(std::move(difference.entry.key));
  }
  if (!copied) note_failed(partition);
  copies_.release();
}

void Pass::note_failed(std::uint32_t partition) {
  ++counters_.failures;
  if (!planted(Plant::kPassForgives)) failed_.set(partition);
}

// Of what was compared to the end with a voter.
Pass::FloorList Pass::floors_read() const {
  FloorList floors;
  if (their_floors_.empty()) return floors;
  PartitionSet read = wanted_ & PartitionSet::first(reached_);
  read -= failed_;
  read -= refused_;
  read -= not_voting_;
  read -= source_.spoiled;
  read.for_each([&](model::Partition p) {
    if (their_floors_[p] > parts_.floors->of(p)) floors.emplace_back(p, their_floors_[p]);
  });
  return floors;
}

void Pass::mark_read() {
  PartitionSet read = wanted_ & PartitionSet::first(reached_);
  source_.without_vote -= read;
  source_.without_vote |= not_voting_;
  read -= failed_;
  read -= source_.spoiled;
  source_.todo -= read;
  source_.pulled |= read;
  source_.pulled_as_voter -= read;
  source_.pulled_as_voter |= read - not_voting_;
  source_.swept |= (read & source_.sweeping) - refused_;
}

// A duty cycle of one half: as long asleep as the page took.
Task<> Pass::pause(TimePoint page_began) {
  if (parts_.hurry) co_return;
  const Duration taken = std::min(loop().now() - page_began, kPauseMax);
  if (taken > Duration::zero()) co_await loop().sleep(taken);
}

}  // namespace tako::node
