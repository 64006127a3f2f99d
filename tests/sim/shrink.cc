#include "sim/shrink.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>
#include <string>

namespace tako::sim {
namespace {

constexpr int kRunsMax = 600;
// A world with one number less runs differently from its beginning on, and what failed may just not come about: others
// like it are tried too.
constexpr std::uint64_t kOthers = 3;

// What went wrong, without which key and version it went wrong with.
std::set<std::string> kinds_of(const SimulationResult& result) {
  std::set<std::string> kinds;
  for (const std::string& problem : result.problems) {
    std::string kind = problem;
    std::erase_if(kind, [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == '-'; });
    kinds.insert(std::move(kind));
  }
  return kinds;
}

class Shrinker {
 public:
  Shrinker(Scenario scenario, Plant plant, SimulationResult& result)
      : best_(scenario), first_seed_(scenario.seed), plant_(plant), result_(result), kinds_(kinds_of(result)) {}

  Scenario run() {
    shorten();
    shrink_with(0);
    shrink_with(kOthers);
    shorten();
    return best_;
  }

 private:
  // The same history, up to some moment.
  void shorten() {
    static const ScenarioField kEnd = {"ends_ms", &Scenario::ends_ms, 0, ""};
    for (std::int64_t part = 2; part <= 64;) {
      const std::int64_t now = best_.ends_ms > 0 ? best_.ends_ms : best_.seconds * 1000;
      const bool shorter = fails_with(kEnd, now - now / part);
      if (!shorter) part *= 2;
      if (runs_ >= kRunsMax) return;
    }
  }

  void shrink_with(std::uint64_t others) {
    others_ = others;
    bool smaller = true;
    while (smaller && runs_ < kRunsMax) {
      smaller = false;
      for (const ScenarioField& field : scenario_fields()) smaller |= towards_calm(field);
    }
  }

  // All the way, or half of it.
  bool towards_calm(const ScenarioField& field) {
    const std::int64_t now = best_.*field.member;
    if (now == field.calm || field.member == &Scenario::ends_ms) return false;
    if (fails_with(field, field.calm)) return true;
    const std::int64_t half = field.calm + (now - field.calm) / 2;
    return half != now && now > field.calm && fails_with(field, half);
  }

  bool fails_with(const ScenarioField& field, std::int64_t value) {
    Scenario candidate = best_;
    candidate.*field.member = value;
    if (fails(candidate, field)) return true;
    for (std::uint64_t other = 1; other <= others_; ++other) {
      candidate.seed = first_seed_ + other;
      if (fails(candidate, field)) return true;
    }
    return false;
  }

  // In the same way: another seed may well find something else.
  bool fails(const Scenario& candidate, const ScenarioField& field) {
    if (runs_++ >= kRunsMax) return false;
    SimulationResult result = simulate(candidate, plant_);
    const std::set<std::string> kinds = kinds_of(result);
    const auto known = [this](const std::string& kind) { return kinds_.contains(kind); };
    if (std::none_of(kinds.begin(), kinds.end(), known)) return false;
    std::fprintf(stderr, "shrink: after %d runs, %s from %lld to %lld, seed %llu: %zu writes answered\n", runs_,
                 std::string(field.name).c_str(), static_cast<long long>(best_.*field.member),
                 static_cast<long long>(candidate.*field.member), static_cast<unsigned long long>(candidate.seed),
                 result.answered);
    best_ = candidate;
    result_ = std::move(result);
    return true;
  }

  Scenario best_;
  const std::uint64_t first_seed_;
  const Plant plant_;
  SimulationResult& result_;
  const std::set<std::string> kinds_;
  std::uint64_t others_ = 0;
  int runs_ = 0;
};

}  // namespace

Scenario shrink(Scenario scenario, Plant plant, SimulationResult& result) {
  return Shrinker(scenario, plant, result).run();
}

}  // namespace tako::sim
