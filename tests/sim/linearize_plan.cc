#include "sim/linearize_plan.h"

#include <algorithm>
#include <unordered_set>
#include <unordered_set>

#include "base/check.h"

namespace tako::sim::ordering {
namespace {

// The operations as steps, without those that say nothing (a swap from a value to itself is a read of it).
std::vector<Step> steps_of(const std::vector<Operation>& history) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    const bool known = operation.end.has_value();
    ASSERT(!known || *operation.end >= operation.begin);
    Step step{Role::kRead,
              known,
              operation.begin.time_since_epoch().count(),
              known ? operation.end->time_since_epoch().count() : kNever,
              operation.expected,
              operation.value,
              i};
    if (operation.kind == Operation::Kind::kRead) {
      step.expected = operation.value;
    } else if (operation.kind == Operation::Kind::kWrite) {
      step.role = Role::kWrite;
    } else if (known && !operation.succeeded) {
      step.role = Role::kRefusal;
    } else if (operation.expected != operation.value) {
      step.role = Role::kSwap;
    }
    if (known || step.changes()) steps.push_back(step);
  }
  return steps;
}

// Who writes each value that is not 0.
std::unordered_map<std::uint64_t, std::size_t> writers_of(const std::vector<Step>& steps, std::uint64_t initial) {
  std::unordered_map<std::uint64_t, std::size_t> writers;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].changes() || steps[i].value == 0) continue;
    ASSERT(steps[i].value != initial);
    const bool unique = writers.emplace(steps[i].value, i).second;
    ASSERT(unique);
  }
  return writers;
}

// Rules 1 and 2: what must have taken effect is required, and what is left over and of no use is gone.
std::vector<Step> reduced(std::vector<Step> steps, std::uint64_t initial) {
  const auto writers = writers_of(steps, initial);
  const auto writer_of_expected = [&](const Step& step) {
    const auto found = step.role == Role::kWrite ? writers.end() : writers.find(step.expected);
    return found == writers.end() ? kNone : found->second;
  };
  std::vector<std::size_t> work;
  std::unordered_set<std::uint64_t> swapped;  // values that a required swap ends
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].required && steps[i].role != Role::kRefusal) work.push_back(i);
  }
  while (!work.empty()) {
    const Step& step = steps[work.back()];
    work.pop_back();
    if (step.role == Role::kSwap) swapped.insert(step.expected);
    const std::size_t writer = writer_of_expected(step);
    if (writer == kNone || steps[writer].required) continue;
    steps[writer].required = true;
    work.push_back(writer);
  }
  Ticks refused_last = -kNever;
  std::unordered_map<std::uint64_t, Ticks> refused_last_of;
  for (const Step& step : steps) {
    if (step.role != Role::kRefusal) continue;
    refused_last = std::max(refused_last, step.end);
    auto& last = refused_last_of.emplace(step.expected, step.end).first->second;
    last = std::max(last, step.end);
  }
  const auto explains_refusal = [&](const Step& step) {
    if (step.role != Role::kSwap) return step.begin <= refused_last;
    const auto last = refused_last_of.find(step.expected);
    return last != refused_last_of.end() && step.begin <= last->second;
  };
  std::vector<bool> kept(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const bool impossible =
        step.role == Role::kSwap && step.expected != 0 &&
        (swapped.count(step.expected) || (step.expected != initial && writer_of_expected(step) == kNone));
    kept[i] = step.required || (!impossible && (step.value == 0 || explains_refusal(step)));
    if (kept[i]) work.push_back(i);
  }
  while (!work.empty()) {
    const std::size_t i = work.back();
    work.pop_back();
    const std::size_t writer = steps[i].role == Role::kSwap ? writer_of_expected(steps[i]) : kNone;
    if (writer == kNone || kept[writer]) continue;
    kept[writer] = true;
    work.push_back(writer);
  }
  std::vector<Step> rest;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (kept[i]) rest.push_back(steps[i]);
  }
  std::stable_partition(rest.begin(), rest.end(), [](const Step& step) { return step.required; });
  return rest;
}

}  // namespace

Plan::Plan(const std::vector<Operation>& history, std::uint64_t initial_value)
    : steps(reduced(steps_of(history), initial_value)), initial(initial_value), writers(writers_of(steps, initial)) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    (step.required ? required : optional).push_back(i);
    if (step.changes() && step.value == 0) zeros.push_back(i);
    if (step.role == Role::kRead) readers[step.expected].push_back(i);
    if (step.role == Role::kRefusal) refusals[step.expected].push_back(i);
    if (step.role != Role::kSwap) continue;
    if (step.required) {
      next.emplace(step.expected, i);
    } else {
      tails[step.expected].push_back(i);
    }
  }
  const auto by_begin = [this](std::size_t a, std::size_t b) { return steps[a].begin < steps[b].begin; };
  for (auto* list : {&required, &optional, &zeros}) std::stable_sort(list->begin(), list->end(), by_begin);
  block_of.assign(steps.size(), kNone);
  blocks.push_back(block_from(kNone, initial));
  for (const std::size_t head : required) {
    const Step& step = steps[head];
    if (step.role != Role::kWrite && !(step.role == Role::kSwap && step.expected == 0)) continue;
    block_of[head] = blocks.size();
    blocks.push_back(block_from(head, step.value));
    blocks.back().from_zero = step.role == Role::kSwap;
  }
  for (Block& block : blocks) {
    if (!block.changes.empty()) find_refusals(block);
  }
}

// Rule 5. Also tightens the ends.
Block Plan::block_from(std::size_t head, std::uint64_t value) {
  Block block;
  block.ready = head == kNone ? 0 : steps[head].begin;
  if (head != kNone) block.changes.push_back(head);
  for (block.last = value; block.last != 0;) {
    for (const std::size_t reader : readers[block.last]) block.ready = std::max(block.ready, steps[reader].begin);
    const auto swap = next.find(block.last);
    if (swap == next.end()) break;
    block.changes.push_back(swap->second);
    block.ready = std::max(block.ready, steps[swap->second].begin);
    block.last = steps[swap->second].value;
  }
  if (const auto found = tails.find(block.last); block.last != 0 && found != tails.end()) block.tails = found->second;
  Ticks end = kNever;
  for (std::size_t i = block.changes.size(); i-- > 0;) {
    Step& change = steps[block.changes[i]];
    const Ticks limit = end;
    end = std::min(end, change.end);
    if (change.value != 0) {
      for (const std::size_t reader : readers[change.value]) {
        steps[reader].end = std::min(steps[reader].end, limit);
        end = std::min(end, steps[reader].end);
      }
    }
    change.end = end;
  }
  return block;
}

// Whether what they expect is still to be written is for the search to say.
void Plan::find_refusals(Block& block) const {
  const Step& head = steps[block.changes.front()];
  const Ticks block_end = steps[block.changes.back()].end;
  Ticks overwritten = kNever;  // by then some change has come after the block
  for (const std::size_t i : required) {
    if (steps[i].changes() && steps[i].begin > block_end) overwritten = std::min(overwritten, steps[i].end);
  }
  for (const std::size_t i : required) {
    const Step& refusal = steps[i];
    if (refusal.role != Role::kRefusal || refusal.end < head.begin) continue;
    if (block.last == 0) {
      if (refusal.expected == 0 && block.changes.size() > 1 && refusal.begin <= block_end) block.inner.push_back(i);
      continue;
    }
    if (refusal.begin > overwritten || (block.from_zero && refusal.expected != 0)) continue;
    if (refusal.expected != 0) {
      const auto writer = writers.find(refusal.expected);
      if (writer == writers.end() || steps[writer->second].begin > std::min(head.end, refusal.end)) continue;
      if (std::count(block.changes.begin(), block.changes.end(), writer->second)) continue;
    }
    block.harmed.push_back(i);
  }
}

}  // namespace tako::sim::ordering
