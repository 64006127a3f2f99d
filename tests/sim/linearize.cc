#include "sim/linearize.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "sim/linearize_search.h"

namespace tako::sim {
namespace {

using ordering::kNever;
using ordering::kNone;
using ordering::Plan;
using ordering::Search;
using ordering::Ticks;
using History = std::vector<Operation>;
using Kind = Operation::Kind;

constexpr std::size_t kShownMax = 12;                 // operations of an order, its last
constexpr std::size_t kCoreSearchesMax = 3000;        // to find the operations that suffice
constexpr std::size_t kCoreConfigurationsMax = 2000;  // for each of those searches
constexpr std::size_t kCoreConfigurationsSumMax = 100'000;

// --- the operations that suffice -------------------------------------------------------------------------------------

bool refused(const Operation& operation) {
  return operation.kind == Kind::kCompareAndSet && operation.end && !operation.succeeded;
}

bool changes(const Operation& operation) {
  if (operation.kind != Kind::kCompareAndSet) return operation.kind == Kind::kWrite;
  return !refused(operation) && operation.expected != operation.value;
}

Ticks end_of(const Operation& operation) { return operation.end ? operation.end->time_since_epoch().count() : kNever; }

Ticks begin_of(const Operation& operation) { return operation.begin.time_since_epoch().count(); }

// The history without [from, to), if that can only make it easier to order: then, if it still cannot be ordered, the
// whole cannot. Reads and refusals can always go. A change can go if nobody observes its value, and if no refusal is
// left that might need it: because the one cannot come before the other, or because another change is between them.
// Else it stays.
History without(const History& history, std::size_t from, std::size_t to) {
  const auto inside = [&](std::size_t i) { return i >= from && i < to; };
  std::unordered_set<std::uint64_t> observed;
  Ticks refused_last = -kNever;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    if (inside(i)) continue;
    if (refused(operation)) {
      refused_last = std::max(refused_last, end_of(operation));
    } else if (operation.kind != Kind::kWrite) {
      observed.insert(operation.kind == Kind::kRead ? operation.value : operation.expected);
    }
  }
  const auto refusal_may_follow = [&](const Operation& change) {
    Ticks overwritten = kNever;
    for (const Operation& other : history) {
      if (changes(other) && begin_of(other) > end_of(change)) overwritten = std::min(overwritten, end_of(other));
    }
    for (std::size_t i = 0; i < history.size(); ++i) {
      const Operation& other = history[i];
      if (!inside(i) && refused(other) && end_of(other) >= begin_of(change) && begin_of(other) <= overwritten)
        return true;
    }
    return false;
  };
  History rest;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    const bool needed = changes(operation) && (observed.count(operation.value) ||
                                               (refused_last >= begin_of(operation) && refusal_may_follow(operation)));
    if (!inside(i) || needed) rest.push_back(operation);
  }
  return rest;
}

// A part of the history, as small as can be found quickly, that cannot be ordered either: halves, quarters, eighths...
// are left out while they can be (as in Zeller's delta debugging).
History core_of(History history, std::uint64_t initial) {
  std::size_t searches = 0;
  std::size_t configurations = 0;
  std::size_t before = history.size() + 1;
  while (history.size() < before) {
    before = history.size();
    for (std::size_t length = std::max<std::size_t>(1, history.size() / 2);; length /= 2) {
      for (std::size_t to = history.size(); to > 0; to -= std::min(to, length)) {
        to = std::min(to, history.size());
        History rest = without(history, to - std::min(to, length), to);
        if (rest.size() == history.size()) continue;
        if (++searches > kCoreSearchesMax || configurations > kCoreConfigurationsSumMax) return history;
        const Plan plan(rest, initial);
        Search search(plan, kCoreConfigurationsMax);
        if (search.run() == Search::Outcome::kExcluded) history = std::move(rest);
        configurations += search.tried();
      }
      if (length == 1) break;
    }
  }
  return history;
}

// --- text ------------------------------------------------------------------------------------------------------------

std::string value_text(std::uint64_t value) { return value == 0 ? "absent" : std::to_string(value); }

std::string name_of(const Operation& operation) { return "#" + std::to_string(operation.id); }

std::string what_of(const Operation& operation) {
  if (operation.kind == Kind::kRead) return "read " + (operation.end ? value_text(operation.value) : "");
  if (operation.kind == Kind::kWrite) return operation.value == 0 ? "delete" : "write " + value_text(operation.value);
  const std::string text = "swap " + value_text(operation.expected) + " -> " + value_text(operation.value);
  return text + (!operation.end ? "" : operation.succeeded ? ", done" : ", refused");
}

std::string line_of(const Operation& operation) {
  char begin[32];
  char end[32] = "unknown";
  const auto print = [](char(&into)[32], TimePoint at) {
    std::snprintf(into, sizeof into, "%.3f", static_cast<double>(at.time_since_epoch().count()) / 1000);
  };
  print(begin, operation.begin);
  if (operation.end) print(end, *operation.end);
  char line[128];
  std::snprintf(line, sizeof line, "  %12s .. %12s ms  %-6s ", begin, end, name_of(operation).c_str());
  return line + what_of(operation);
}

// Why a step cannot follow the order.
std::string objection(const History& history, const Plan& plan, const Search::Best& best, std::size_t index) {
  const ordering::Step& step = plan.steps[index];
  const std::string value = value_text(best.value);
  const bool fits = step.role == ordering::Role::kWrite || step.expected == best.value;
  if (step.role == ordering::Role::kRefusal) return "refused, though the value is " + value;
  if (!fits) {
    const bool known = step.expected == 0 || step.expected == plan.initial || plan.writers.count(step.expected);
    return known ? "the value is " + value : "nobody wrote " + value_text(step.expected);
  }
  if (best.observer == kNone || best.observer == index) return "what comes next then fails";
  const Operation& observer = history[plan.steps[best.observer].source];
  return name_of(observer) + " has still to " + (observer.kind == Kind::kRead ? "read " : "find ") + value;
}

std::string explain(const History& history, const Plan& plan, const Search::Best& best) {
  std::string text = "the longest order has " + std::to_string(best.order.size()) + " of them";
  std::size_t first = 0;
  if (best.order.size() > kShownMax) {
    first = best.order.size() - kShownMax;
    text += "; its last";
  }
  text += ":\n";
  for (std::size_t i = first; i < best.order.size(); ++i) {
    text += line_of(history[plan.steps[best.order[i]].source]) + "\n";
  }
  text += "the value is then " + value_text(best.value) + ", and none of these can follow:";
  std::size_t shown = 0;
  for (const std::size_t index : best.candidates) {
    if (++shown > kShownMax) return text + "\n  and " + std::to_string(best.candidates.size() - kShownMax) + " more";
    text += "\n" + line_of(history[plan.steps[index].source]) + ": " + objection(history, plan, best, index);
  }
  const bool listed = std::count(best.candidates.begin(), best.candidates.end(), best.observer) > 0;
  if (best.observer != kNone && !listed) {
    text += "\nand it is still needed by:\n" + line_of(history[plan.steps[best.observer].source]);
  }
  return text;
}

// REQUIRES: the history cannot be ordered.
std::string why(const History& history, std::uint64_t initial, std::size_t configurations_max) {
  const History core = core_of(history, initial);
  const Plan plan(core, initial);
  Search search(plan, configurations_max);
  search.run();
  std::string text = "these " + std::to_string(core.size()) + ":\n";
  for (const Operation& operation : core) text += line_of(operation) + "\n";
  return text + explain(core, plan, search.best());
}

}  // namespace

Verdict check_linearizable(const std::vector<Operation>& history, std::uint64_t initial,
                           std::size_t configurations_max) {
  // Refusals are what makes a search long. Without them it is short, and most of what is wrong is wrong without them.
  History simpler;
  std::remove_copy_if(history.begin(), history.end(), std::back_inserter(simpler), refused);
  const std::string size = std::to_string(history.size()) + " operations";
  Verdict verdict;
  for (const History* tried : {&std::as_const(simpler), &history}) {
    if (tried == &simpler && simpler.size() == history.size()) continue;
    const Plan plan(*tried, initial);
    Search search(plan, configurations_max);
    const Search::Outcome outcome = search.run();
    verdict.configurations += search.tried();
    verdict.linearizable = outcome == Search::Outcome::kFound;
    verdict.gave_up = outcome == Search::Outcome::kGaveUp;
    if (outcome == Search::Outcome::kExcluded) {
      verdict.explanation = size + " cannot be ordered, nor can " + why(*tried, initial, configurations_max);
      break;
    }
    if (tried == &simpler || !verdict.gave_up) continue;
    verdict.explanation = "no order of " + size + " found in " + std::to_string(configurations_max) +
                          " attempts, and none excluded; " + explain(history, plan, search.best());
  }
  return verdict;
}

}  // namespace tako::sim
