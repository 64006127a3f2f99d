#include "store/digests.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/plant.h"
#include "wire/cluster/codec.h"

namespace tako::store {

using model::Partition;
using model::PartitionSet;

namespace {

constexpr std::uint8_t kFormat = 2;
constexpr std::uint32_t kSparseRows = 256;  // a page with fewer was too short a stretch

std::uint64_t begin_of(std::uint32_t p) { return static_cast<std::uint64_t>(p) << 48; }
std::uint64_t end_of(std::uint32_t p) { return begin_of(p) | 0xffff'ffff'ffffULL; }

// kPartitions: none.
std::uint32_t next_in(const PartitionSet& set, std::uint32_t p) {
  while (p < model::kPartitions && !set[p]) {
    p = p % 64 == 0 && set.word(p / 64) == 0 ? p + 64 : p + 1;
  }
  return p;
}

}  // namespace

// --- one slot ---------------------------------------------------------------------------------------------------

void Digests::Totals::add(const Held& held) {
  sum += held.hash;
  bytes += held.bytes;
  values += held.values;
  tombstones += held.tombstones;
}

void Digests::Totals::take(const Held& held) {
  sum -= held.hash;
  bytes -= held.bytes;
  values -= held.values;
  tombstones -= held.tombstones;
}

Digests::Held Digests::held(std::uint64_t position, const model::Record& record) {
  char ballot[16];
  for (unsigned i = 0; i < 8; ++i) {
    ballot[i] = static_cast<char>(record.ballot.timestamp >> (8 * i));
    ballot[8 + i] = static_cast<char>(record.ballot.writer >> (8 * i));
  }
  Held held;
  held.hash = xxh3_64(std::string_view(ballot, sizeof ballot), position);
  held.bytes = record.tombstone() ? 0 : record.size;
  held.values = record.tombstone() ? 0 : 1;
  held.tombstones = record.tombstone() ? 1 : 0;
  held.ends = model::ends_at(record);
  return held;
}

Digests::Held Digests::held(std::uint64_t position, const model::Slot& slot) {
  return slot.record ? held(position, *slot.record) : Held();
}

// --- changes ----------------------------------------------------------------------------------------------------

Digests::Change::Change(Digests& digests, const std::string& key, const Held& before, const Held& after)
    : digests_(digests), key_(key), position_(model::position_of(key)), before_(before), after_(after) {
  digests_.enter(*this);
}

Digests::Change::~Change() {
  digests_.leave(*this);
  if (!over_ && !planted(Plant::kDigestUnsure)) digests_.doubt(model::partition_of_position(position_));
}

void Digests::Change::written() {
  over_ = true;
  digests_.apply(*this);
}

Digests::Digests(unsigned index, unsigned count) : index_(index), count_(count) {
  ASSERT(index < count);
  for (std::uint32_t p = index; p < model::kPartitions; p += count) ours_.set(p);
  totals_.resize(model::kPartitions / count + 1);
  ends_.resize(totals_.size(), model::kNeverEnds);
  doubtful_ = ours_;
}

Digests::~Digests() { ASSERT(!busy()); }

void Digests::enter(Change& change) {
  change.next_ = first_;
  if (first_) first_->previous_ = &change;
  first_ = &change;
  if (page_open_) touch(change);
}

void Digests::leave(Change& change) {
  if (change.previous_) change.previous_->next_ = change.next_;
  if (change.next_) change.next_->previous_ = change.previous_;
  if (first_ == &change) first_ = change.next_;
}

// Is the key in what the totals of its partition were made of?
bool Digests::counted(const Change& change) const {
  const Partition p = model::partition_of_position(change.position_);
  if (known_[p]) return true;
  return pending_[p] && std::tie(change.position_, change.key_) < std::tie(cursor_.first, cursor_.second);
}

void Digests::touch(const Change& change) {
  if (planted(Plant::kDigestCountsTwice)) return;
  const bool before = std::tie(change.position_, change.key_) < std::tie(cursor_.first, cursor_.second);
  if (before || change.position_ > page_last_ || !pending_[model::partition_of_position(change.position_)]) return;
  if (touched_.size() >= kTouchedMax) {
    touched_too_many_ = true;
  } else {
    touched_.emplace(Place(change.position_, change.key_), change.before_);
  }
}

void Digests::apply(const Change& change) {
  const Partition p = model::partition_of_position(change.position_);
  if (counted(change)) {
    Totals& totals = totals_[slot_of(p)];
    totals.take(change.before_);
    totals.add(change.after_);
    lower_ends(p, change.after_.ends);
    if (known_[p]) know(p, p + 1u);
  } else if (page_open_) {
    const auto touched = touched_.find(Place(change.position_, change.key_));
    if (touched != touched_.end()) touched->second = change.after_;
  }
}

Digests::Totals Digests::all() const {
  Totals all;
  occupied_.for_each([&](Partition p) {
    const Totals& totals = of(p);
    all.sum += totals.sum;
    all.bytes += totals.bytes;
    all.values += totals.values;
    all.tombstones += totals.tombstones;
  });
  return all;
}

PartitionSet Digests::ending_by(Timestamp floor) const {
  PartitionSet ending;
  const PartitionSet candidates = ending_ & known_;
  candidates.for_each([&](Partition p) {
    if (ends(p) <= floor) ending.set(p);
  });
  return ending;
}

void Digests::doubt(Partition p) {
  ASSERT(ours_[p]);
  known_.reset(p);
  occupied_.reset(p);
  pending_.reset(p);
  doubtful_.set(p);
  totals_[slot_of(p)] = Totals{};
  set_ends(p, model::kNeverEnds);
  if (looking_ == p) looking_ = model::kPartitions;
}

void Digests::know(std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t p = first; p < end; ++p) {
    if (!pending_[p] && !known_[p]) continue;
    pending_.reset(p);
    known_.set(p);
    occupied_.reset(p);
    if (of(static_cast<Partition>(p)).records() > 0) occupied_.set(p);
  }
}

// --- counting ---------------------------------------------------------------------------------------------------

bool Digests::begin_sweep() {
  if (doubtful_.none()) return false;
  pending_ = doubtful_;
  doubtful_.clear();
  cursor_ = Place();
  through_ = false;
  stretch_ = 1;
  return true;
}

void Digests::end_sweep() {
  close_page();
  const PartitionSet left = pending_;
  left.for_each([this](Partition p) { doubt(p); });
  through_ = true;
}

std::optional<Digests::Stretch> Digests::begin_page() {
  ASSERT(!page_open_);
  const std::uint32_t from = model::partition_of_position(cursor_.first);
  const std::uint32_t first = through_ ? model::kPartitions : next_in(pending_, from);
  if (first == model::kPartitions) return std::nullopt;
  if (first != from) cursor_ = Place(begin_of(first), "");
  std::uint32_t last = first;
  const std::uint32_t end = std::min(model::kPartitions, first + stretch_);
  for (std::uint32_t p = next_in(pending_, first); p < end; p = next_in(pending_, p + 1)) last = p;
  page_last_ = end_of(last);
  page_open_ = true;
  for (const Change* change = first_; change; change = change->next_) touch(*change);
  return Stretch{cursor_.first, cursor_.second, page_last_};
}

void Digests::close_page() {
  page_open_ = false;
  touched_too_many_ = false;
  touched_.clear();
}

void Digests::end_page(const std::vector<Row>& rows, const std::optional<Place>& next) {
  ASSERT(page_open_);
  if (touched_too_many_) {
    stretch_ = 1;
    return close_page();
  }
  const auto add = [this](std::uint64_t position, const Held& held) {
    const Partition p = model::partition_of_position(position);
    if (!pending_[p]) return;
    totals_[slot_of(p)].add(held);
    lower_ends(p, held.ends);
  };
  for (const Row& row : rows) {
    if (!touched_.contains(Place(row.position, row.key))) add(row.position, row.held);
  }
  for (const auto& [place, held] : touched_) {
    if (!next || place < *next) add(place.first, held);
  }
  const std::uint32_t first = model::partition_of_position(cursor_.first);
  const std::uint32_t end =
      next ? model::partition_of_position(next->first) : model::partition_of_position(page_last_) + 1u;
  know(first, end);
  through_ = end == model::kPartitions;
  cursor_ = next ? *next : Place(begin_of(end), "");
  if (next) {
    stretch_ = std::max(1u, stretch_ / 2);
  } else if (rows.size() < kSparseRows) {
    stretch_ = std::min(2 * stretch_, model::kPartitions);
  }
  close_page();
}

bool Digests::fail_page() {
  close_page();
  if (std::exchange(stretch_, 1) > 1) return true;
  const std::uint32_t p = model::partition_of_position(cursor_.first);
  leave_out(static_cast<Partition>(p));
  through_ = p + 1 == model::kPartitions;
  if (!through_) cursor_ = Place(begin_of(p + 1), "");
  return false;
}

void Digests::leave_out(Partition p) {
  if (ours_[p]) doubt(p);
}

// --- saved ------------------------------------------------------------------------------------------------------
// saved := format: u8 = 2, nonce: u64, known: u64[1024], n: varint, n * (partition: u16, sum: u64, bytes: varint,
//          values: varint, tombstones: varint, ends: varint (+ 1; 0: never)) of those that are not empty,
//          XXH3-64 of all before: u64. Others are not read: they are counted anew.

std::string Digests::encode(std::uint64_t nonce) const {
  wire::Writer out(16 + model::kPartitions / 8 + occupied_.count() * 24);
  out.u8(kFormat);
  out.u64(nonce);
  for (std::size_t i = 0; i < PartitionSet::kWords; ++i) out.u64(known_.word(i));
  out.varint(occupied_.count());
  occupied_.for_each([&](Partition p) {
    const Totals& totals = of(p);
    out.u16(p);
    out.u64(totals.sum);
    out.varint(totals.bytes);
    out.varint(totals.values);
    out.varint(totals.tombstones);
    out.varint(ends(p) + 1);
  });
  out.u64(xxh3_64(out.view()));
  return out.take();
}

void Digests::restore(const std::string& saved, std::uint64_t nonce) {
  if (saved.size() < 8) return;
  const std::string_view text = std::string_view(saved).substr(0, saved.size() - 8);
  wire::Reader check(std::string_view(saved).substr(text.size()));
  if (check.u64() != xxh3_64(text)) return;
  wire::Reader in(text);
  const bool same_format = in.u8() == kFormat;
  const bool same_nonce = in.u64() == nonce || planted(Plant::kDigestsStale);
  if (!same_format || !same_nonce) return;
  PartitionSet known;
  for (std::size_t i = 0; i < PartitionSet::kWords; ++i) known.set_word(i, in.u64());
  known &= ours_;
  struct Saved {
    Partition p = 0;
    Totals totals;
    Timestamp ends = 0;
  };
  std::vector<Saved> all(in.count(model::kPartitions, 2 + 8 + 4));
  for (auto& [p, totals, ends] : all) {
    p = in.u16();
    totals.sum = in.u64();
    totals.bytes = in.varint();
    totals.values = static_cast<std::uint32_t>(in.varint(~0u));
    totals.tombstones = static_cast<std::uint32_t>(in.varint(~0u));
    ends = in.varint() - 1;
  }
  if (!in.finish("digests")) return;
  for (const auto& [p, totals, ends] : all) {
    if (!known[p]) continue;
    totals_[slot_of(p)] = totals;
    lower_ends(p, ends);
  }
  doubtful_ -= known;
  known_ |= known;
  known.for_each([this](Partition p) { know(p, p + 1u); });
}

}  // namespace tako::store
