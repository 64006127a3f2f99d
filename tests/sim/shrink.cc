#include "sim/shrink.h"

#include <cstdio>
#include <string_view>

namespace tako::sim {
namespace {

constexpr int kRunsMax = 150;

class Shrinker {
 public:
  Shrinker(Scenario scenario, Plant plant, SimulationResult& result)
      : best_(scenario), plant_(plant), result_(result) {}

  Scenario run() {
    bool smaller = true;
    while (smaller && runs_ < kRunsMax) {
      smaller = false;
      for (const ScenarioField& field : scenario_fields()) smaller |= towards_calm(field);
    }
    return best_;
  }

 private:
  // All the way, or half of it.
  bool towards_calm(const ScenarioField& field) {
    const std::int64_t now = best_.*field.member;
    if (now == field.calm) return false;
    Scenario candidate = best_;
    candidate.*field.member = field.calm;
    if (fails(candidate)) return true;
    const std::int64_t half = field.calm + (now - field.calm) / 2;
    if (half == now || half == field.calm) return false;
    candidate.*field.member = half;
    return fails(candidate);
  }

  bool fails(const Scenario& candidate) {
    if (runs_++ >= kRunsMax) return false;
    SimulationResult result = simulate(candidate, plant_);
    if (result.problems.empty()) return false;
    best_ = candidate;
    result_ = std::move(result);
    std::fprintf(stderr, "shrink: %s\n", describe(best_).c_str());
    return true;
  }

  Scenario best_;
  const Plant plant_;
  SimulationResult& result_;
  int runs_ = 0;
};

}  // namespace

Scenario shrink(Scenario scenario, Plant plant, SimulationResult& result) {
  return Shrinker(scenario, plant, result).run();
}

}  // namespace tako::sim
