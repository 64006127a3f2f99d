// How the search stays small. A "step" is an operation as the search sees it: a read (the value is E), a refusal (the
// value is not E), a write (any value becomes V) or a swap (E becomes V). A configuration is the set of the steps taken
// and the value; a step is a "candidate" if no required step that is not taken ended before it began. A configuration
// is "completable" if the required steps that are left can be taken in some order. Each rule below keeps, for every
// completable configuration, at least one choice that leads to another: so the search loses no verdict.
//
// Unknown outcomes.
//  1. An unknown read is dropped. An unknown write or swap whose value (not 0) a required step observes - a read of it,
//     or a swap from it that took effect - did take effect, as no other operation writes that value: it is required,
//     and so is the one that it was a swap from in turn. Its instant is not after the end of the first observer.
//  2. The others are "optional": they have no end and may be left over. One of value V != 0 can be left out of any
//     completion, unless between it and the next change there is a step that its absence breaks. That is no read and
//     no required swap of V (rule 1). It is an optional swap from V (which may make a 0 that is read), or a refusal of
//     the value U before it: a write of 2 of unknown outcome may be all that explains why a swap from 1 was refused!
//     So it is dropped only if there is neither an optional swap from V nor a refusal that ends after its begin.
//  3. Take a completion with the fewest optional steps. Each of them, changing U to V, is followed, before the next
//     change, by a refusal of U, or directly by something that needs V (or else it could go). Both must already be
//     candidates when it is taken, since it is not itself in anybody's way, and steps that do not need the change were
//     taken before (rule 4). Without such a candidate it is not tried. Optional steps that are candidates stay so;
//     those of equal effect - the same condition, and the same value or values that nobody expects - are
//     interchangeable, and one of them is tried.
//
// Order.
//  4. A candidate that fits the value and leaves it (a read of it, a refusal of another) is taken at once: moved to
//     the front of a completion, it changes nothing for the others.
//  5. A value that is not 0 is there once. The write of V, the reads of V, the swap from V to W that took effect, the
//     reads of W... are a "block": nothing but refusals comes in between. It is taken whole, with no choice inside,
//     and fails if it cannot be. Ends are tightened: a step of a block ends no later than those that must follow it.
//  6. A block that is "ready" - all of its steps are candidates - and does not end with 0 or with a value that an
//     optional swap is from, is taken before any write, if it begins with a write or the value is 0: moved from its
//     later place to the front of a completion that goes on with a write or a delete Y, it is unseen by what follows
//     Y. But in its later place the value before it, U, stays longer: this harms a refusal of U that was there. So the
//     rule is for blocks without such a refusal: one that is not taken, may come after the block and before the next
//     change that must come after the block, and whose U is written by a step that is not taken and can come before
//     both (or is the 0 that the block is a swap from). A ready block from 0 to 0 is taken before anything, if no
//     refusal of 0 can be inside.
//  7. Ready blocks that begin in the same way, end with 0 or not, and have an optional swap to 0 after them or not, are
//     interchangeable; the one that must end first is tried. Exchanged for another, it comes earlier, and the other in
//     its place is in time, as all of it is put where that one began. The refusals that were inside, or after it, come
//     after the block that is there now: so this is for blocks whose last value (not 0) no refusal that is left
//     expects, or that end with 0 and cannot have a refusal of 0 inside. Optional swaps must be candidates, so that
//     one is as good as the other.
//  8. An unknown delete is not tried where a block that ends with 0 and that rule 7 speaks of can be, which has to come
//     anyway; nor, at a value V != 0, where an unknown swap from V to 0 can be, which is of no use later.
//
//  9. A configuration is given up if one with the same required steps, the same value and no other optional steps was
//     met: that one can do all that this one can. An optional swap from a value that is gone counts as used.
//
// Without refusals this leaves little choice: if no block is ready, one other than that of the first end cannot be
// completed before that; when to write 0, and when to leave it, is what remains.
#include "sim/linearize_search.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace tako::sim::ordering {

// The first end among the required steps that are left: what begins later has to wait.
Ticks Search::frontier(Position& position) const {
  const auto& required = plan_.required;
  while (position.low < required.size() && position.done[required[position.low]]) ++position.low;
  Ticks first = kNever;
  for (std::size_t i = position.low; i < required.size() && plan_.steps[required[i]].begin <= first; ++i) {
    if (!position.done[required[i]]) first = std::min(first, plan_.steps[required[i]].end);
  }
  return first;
}

void Search::take(Position& position, std::size_t index) const {
  const Step& step = plan_.steps[index];
  position.taken.push_back(index);
  if (step.required) {
    position.done[index] = true;
    ++position.required_done;
  } else {
    position.used[index - plan_.required.size()] = true;
  }
  if (!step.changes()) return;
  const auto tails = plan_.tails.find(position.value);
  if (position.value != 0 && tails != plan_.tails.end()) {
    for (const std::size_t tail : tails->second) position.used[tail - plan_.required.size()] = true;
  }
  position.value = step.value;
}

// Rule 4.
void Search::settle(Position& position) const {
  for (bool again = true; again;) {
    again = false;
    const Ticks limit = frontier(position);
    for (std::size_t i = position.low; i < plan_.required.size(); ++i) {
      const std::size_t index = plan_.required[i];
      const Step& step = plan_.steps[index];
      if (step.begin > limit) break;
      if (position.done[index] || step.changes()) continue;
      if ((step.expected == position.value) != (step.role == Role::kRead)) continue;
      take(position, index);
      again = true;
    }
  }
}

// A step left over that needs the value, if the value will not come again.
std::size_t Search::observer(const Position& position) const {
  if (position.value == 0) return kNone;
  const auto readers = plan_.readers.find(position.value);
  if (readers != plan_.readers.end()) {
    for (const std::size_t reader : readers->second) {
      if (!position.done[reader]) return reader;
    }
  }
  const auto swap = plan_.next.find(position.value);
  return swap == plan_.next.end() || position.done[swap->second] ? kNone : swap->second;
}

bool Search::play_block(Position& position, const Block& block) const {
  for (const std::size_t change : block.changes) {
    if (plan_.steps[change].begin > frontier(position)) return false;
    take(position, change);
    settle(position);
    const std::size_t waiting = observer(position);
    if (waiting != kNone && !plan_.steps[waiting].changes()) return false;
  }
  return true;
}

bool Search::play(Position& position, std::size_t step) const {
  if (plan_.block_of[step] != kNone) return play_block(position, plan_.blocks[plan_.block_of[step]]);
  take(position, step);
  settle(position);
  return true;
}

// Rule 6, for a block that is ready. `zero_begin` is the first begin of what may still write 0.
bool Search::movable(const Position& position, const Block& block, Ticks zero_begin) const {
  if (block.last == 0 || !block.tails.empty()) return false;
  const Step& head = plan_.steps[block.changes.front()];
  return std::none_of(block.harmed.begin(), block.harmed.end(), [&](std::size_t index) {
    const Step& refusal = plan_.steps[index];
    if (position.done[index]) return false;
    if (refusal.expected == 0) return block.from_zero || zero_begin <= std::min(head.end, refusal.end);
    return !gone(position, plan_.writers.at(refusal.expected));
  });
}

// Rule 7: blocks of the same kind are interchangeable. None: this one is not, with any.
std::optional<std::size_t> Search::kind(const Position& position, const Block& block, Ticks limit) const {
  const auto all_done = [&](const std::vector<std::size_t>& steps) {
    return std::all_of(steps.begin(), steps.end(), [&](std::size_t i) { return position.done[i]; });
  };
  if (block.ready > limit || !all_done(block.inner)) return std::nullopt;
  bool tail = false;
  if (block.last != 0) {
    const auto refusals = plan_.refusals.find(block.last);
    if (refusals != plan_.refusals.end() && !all_done(refusals->second)) return std::nullopt;
    for (const std::size_t i : block.tails) {
      const Step& step = plan_.steps[i];
      if (step.value == 0 ? step.begin > limit : plan_.expected(step.value)) return std::nullopt;
      tail |= step.value == 0;
    }
  }
  return (block.from_zero ? 3 : 0) + (block.last == 0 ? 0 : tail ? 2 : 1);
}

// Rules 3 and 8, for what need not take effect.
void Search::add_optional(std::size_t node, Ticks limit, const std::vector<std::size_t>& candidates, Allowed allowed) {
  const Position& position = nodes_[node].position;
  std::vector<std::size_t> able;
  for (const std::size_t i : plan_.optional) {
    const Step& step = plan_.steps[i];
    if (step.begin > limit) break;
    if (!gone(position, i)) able.push_back(i);
  }
  const bool refusal_waits = std::any_of(candidates.begin(), candidates.end(), [&](std::size_t i) {
    return plan_.steps[i].role == Role::kRefusal;  // of this value: the others are taken
  });
  const auto wanted = [&](std::uint64_t value) {
    const auto observes = [&](std::size_t i) { return plan_.steps[i].observes(value); };
    return std::any_of(candidates.begin(), candidates.end(), observes) ||
           std::any_of(able.begin(), able.end(), observes);
  };
  bool tried[2][2] = {};  // by whether it is a swap, and a delete; values that are expected are tried each
  for (const Role role : {Role::kSwap, Role::kWrite}) {
    const bool swap = role == Role::kSwap;
    for (const std::size_t i : able) {
      const Step& step = plan_.steps[i];
      const bool zero = step.value == 0;
      if (step.role != role || step.value == position.value || (swap && step.expected != position.value)) continue;
      if (!swap && (allowed == Allowed::kSwaps || (zero && (allowed != Allowed::kAll || tried[true][true])))) continue;
      if (!refusal_waits && !wanted(step.value)) continue;
      if (zero || !plan_.expected(step.value)) {
        if (std::exchange(tried[swap][zero], true)) continue;
      }
      stack_.push_back({node, i});
    }
  }
}

void Search::expand(std::size_t node) {
  Position& position = nodes_[node].position;
  const Ticks limit = frontier(position);
  const auto zero = std::find_if(plan_.zeros.begin(), plan_.zeros.end(), [&](auto i) { return !gone(position, i); });
  const Ticks zero_begin = zero == plan_.zeros.end() ? kNever : plan_.steps[*zero].begin;
  std::vector<std::size_t> candidates, writes, swaps;
  std::size_t first[6] = {kNone, kNone, kNone, kNone, kNone, kNone};  // of each kind, the one that must end first
  std::size_t mover = kNone;
  for (std::size_t i = position.low; i < plan_.required.size(); ++i) {
    const std::size_t index = plan_.required[i];
    const Step& step = plan_.steps[index];
    if (step.begin > limit) break;
    if (position.done[index]) continue;
    candidates.push_back(index);
    if (plan_.block_of[index] == kNone) continue;
    const Block& block = plan_.blocks[plan_.block_of[index]];
    if (block.from_zero && position.value != 0) continue;
    const auto kind = this->kind(position, block, limit);
    if (kind && block.from_zero && block.last == 0) return stack_.push_back({node, index});
    if (block.ready <= limit && movable(position, block, zero_begin)) mover = index;
    if (!kind) {
      (block.from_zero ? swaps : writes).push_back(index);
    } else if (first[*kind] == kNone || step.end < plan_.steps[first[*kind]].end) {
      first[*kind] = index;
    }
  }
  writes.insert(writes.end(), first, first + 3);
  swaps.insert(swaps.end(), first + 3, first + 6);
  if (mover != kNone) writes = {mover};
  add_optional(node, limit, candidates,
               mover != kNone      ? Allowed::kSwaps
               : first[0] != kNone ? Allowed::kSwapsAndWrites
                                   : Allowed::kAll);
  // The stack is popped from its end: what must end first is tried first.
  std::set<std::pair<Ticks, std::size_t>, std::greater<>> options;
  for (const auto* list : {&writes, &swaps}) {
    for (const std::size_t i : *list) {
      if (i != kNone) options.emplace(plan_.steps[i].end, i);
    }
  }
  for (const auto& option : options) stack_.push_back({node, option.second});
}

// Rule 9.
void Search::add(std::size_t parent, Position position) {
  const std::size_t hash =
      std::hash<std::vector<bool>>()(position.done) * 31 + std::hash<std::uint64_t>()(position.value);
  const auto [from, to] = met_.equal_range(hash);
  for (auto it = from; it != to; ++it) {
    const Position& other = nodes_[it->second].position;
    if (other.value != position.value || other.done != position.done) continue;
    bool more = false;
    for (std::size_t i = 0; i < other.used.size() && !more; ++i) more = other.used[i] && !position.used[i];
    if (!more) return;
  }
  met_.emplace(hash, nodes_.size());
  nodes_.push_back({parent, std::move(position)});
  expand(nodes_.size() - 1);
}

Search::Outcome Search::run() {
  Position start;
  start.done.assign(plan_.required.size(), false);
  start.used.assign(plan_.optional.size(), false);
  start.value = plan_.initial;
  settle(start);
  const std::size_t waiting = observer(start);
  const bool begun = (waiting == kNone || plan_.steps[waiting].changes()) && play_block(start, plan_.blocks.front());
  best_ = {kNone, start};
  if (done(start)) return Outcome::kFound;
  if (!begun) return Outcome::kExcluded;
  for (add(kNone, std::move(start)); !stack_.empty();) {
    if (++tried_ > max_) return Outcome::kGaveUp;
    const Option option = stack_.back();
    stack_.pop_back();
    Position position = nodes_[option.node].position;
    position.taken.clear();
    const bool played = play(position, option.step);
    if (position.required_done > best_.position.required_done) best_ = {option.node, position};
    if (!played) continue;
    if (done(position)) return Outcome::kFound;
    add(option.node, std::move(position));
  }
  return Outcome::kExcluded;
}

Search::Best Search::best() const {
  Best best;
  std::vector<const Node*> path{&best_};
  while (path.back()->parent != kNone) path.push_back(&nodes_[path.back()->parent]);
  for (auto node = path.rbegin(); node != path.rend(); ++node) {
    best.order.insert(best.order.end(), (*node)->position.taken.begin(), (*node)->position.taken.end());
  }
  Position position = best_.position;
  best.value = position.value;
  best.observer = observer(position);
  const Ticks limit = frontier(position);
  for (const std::size_t i : plan_.required) {
    if (!position.done[i] && plan_.steps[i].begin <= limit) best.candidates.push_back(i);
  }
  return best;
}

}  // namespace tako::sim::ordering
