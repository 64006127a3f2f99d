// The search for a linear order of the steps of a Plan, and what its longest attempt looked like.
//
// Depth first over configurations (which steps are taken, and the value), each of them entered once. The rules that
// keep their number small are argued at the head of linearize_search.cc. Works once; bounded by the number of choices
// that it tries, each of which costs some hundred bytes.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/linearize_plan.h"

namespace tako::sim::ordering {

class Search {
 public:
  enum class Outcome { kFound, kExcluded, kGaveUp };

  Search(const Plan& plan, std::size_t configurations_max) : plan_(plan), max_(configurations_max) {}

  Outcome run();
  std::size_t tried() const { return tried_; }

  struct Best {
    std::vector<std::size_t> order;  // steps
    std::uint64_t value = 0;
    std::vector<std::size_t> candidates;  // required steps that might have been next
    std::size_t observer = kNone;         // a required step that still needs the value, which is not 0
  };
  // The longest order that was met.
  Best best() const;

 private:
  struct Position {
    std::vector<bool> done;  // by step: the required ones
    std::vector<bool> used;  // the optional ones, and those of no use any more
    std::uint64_t value = 0;
    std::size_t low = 0;  // in Plan::required: those before are done
    std::size_t required_done = 0;
    std::vector<std::size_t> taken;  // since the parent
  };
  struct Node {
    std::size_t parent;
    Position position;
  };
  struct Option {
    std::size_t node;
    std::size_t step;
  };

  bool gone(const Position& position, std::size_t step) const {
    return plan_.steps[step].required ? position.done[step] : position.used[step - plan_.required.size()];
  }
  bool done(const Position& position) const { return position.required_done == plan_.required.size(); }
  Ticks frontier(Position& position) const;
  void take(Position& position, std::size_t step) const;
  void settle(Position& position) const;
  std::size_t observer(const Position& position) const;
  bool play_block(Position& position, const Block& block) const;
  bool play(Position& position, std::size_t step) const;
  bool movable(const Position& position, const Block& block, Ticks zero_begin) const;
  std::optional<std::size_t> kind(const Position& position, const Block& block, Ticks limit) const;
  void add(std::size_t parent, Position position);
  void expand(std::size_t node);
  enum class Allowed { kSwaps, kSwapsAndWrites, kAll };  // writes of other values than 0, first
  void add_optional(std::size_t node, Ticks limit, const std::vector<std::size_t>& candidates, Allowed allowed);

  const Plan& plan_;
  const std::size_t max_;
  std::vector<Node> nodes_;
  std::unordered_multimap<std::size_t, std::size_t> met_;  // nodes, by a hash of what is done and the value
  std::vector<Option> stack_;
  std::size_t tried_ = 0;
  Node best_{kNone, {}};
};

}  // namespace tako::sim::ordering
