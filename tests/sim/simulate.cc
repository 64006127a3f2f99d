// simulate: runs seeds one after the other in one thread and says what came of each; scripts/simulate runs many of it.
//   simulate --seeds A..B [--theme NAME] [--set NAME=NUMBER]... [--plant NAME] [--until-failure]
//   simulate --replay SEED [--shrink] [--log] [--set ...] [--plant NAME]
//   simulate --list-plants | --list-fields
// Lines for the script: `begin SEED`, then `ok SEED key=value...` or `failed SEED ...` with indented lines after it;
// `tally COUNT WHAT` at the end. Exit code 1: a seed failed.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "sim/shrink.h"
#include "sim/simulation.h"
#include "sim/switches.h"

namespace {

using namespace tako;
using namespace tako::sim;

struct Arguments {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool replay = false;
  bool shrink = false;
  bool log = false;
  bool until_failure = false;
  Plant plant = Plant::kNone;
  std::vector<std::string> sets;
  std::string theme;  // instead of the one the seed draws
};

[[noreturn]] void usage(const std::string& problem) {
  std::fprintf(stderr, "simulate: %s; see the head of tests/sim/simulate.cc, or scripts/simulate --help\n",
               problem.c_str());
  std::exit(2);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) usage("'" + std::string(text) + "' is no number");
  return value;
}

Plant plant_named(std::string_view name) {
  for (const PlantInfo& info : plants()) {
    if (info.name == name) return info.plant;
  }
  usage("no plant is called '" + std::string(name) + "'; --list-plants has them");
}

void list_plants() {
  for (const PlantInfo& info : plants()) {
    std::printf("%.*s\t%.*s\t%.*s\n", static_cast<int>(info.name.size()), info.name.data(),
                static_cast<int>(info.rule.size()), info.rule.data(), static_cast<int>(info.text.size()),
                info.text.data());
  }
}

void list_fields() {
  for (const ScenarioField& field : scenario_fields()) {
    std::printf("%-22s %8lld  %s\n", std::string(field.name).c_str(), static_cast<long long>(field.calm),
                std::string(field.text).c_str());
  }
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  bool any = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const auto value = [&]() -> std::string_view {
      if (i + 1 >= argc) usage("'" + std::string(option) + "' wants a value");
      return argv[++i];
    };
    if (option == "--seeds") {
      const std::string_view range = value();
      const std::size_t dots = range.find("..");
      arguments.first = number(range.substr(0, dots));
      arguments.last = dots == std::string_view::npos ? arguments.first : number(range.substr(dots + 2));
      any = true;
    } else if (option == "--replay") {
      arguments.first = arguments.last = number(value());
      arguments.replay = any = true;
    } else if (option == "--set") {
      arguments.sets.emplace_back(value());
    } else if (option == "--theme") {
      arguments.theme = value();
    } else if (option == "--plant") {
      arguments.plant = plant_named(value());
    } else if (option == "--shrink") {
      arguments.shrink = true;
    } else if (option == "--log") {
      arguments.log = true;
    } else if (option == "--until-failure") {
      arguments.until_failure = true;
    } else if (option == "--list-plants") {
      list_plants();
      std::exit(0);
    } else if (option == "--list-fields") {
      list_fields();
      std::exit(0);
    } else {
      usage("'" + std::string(option) + "' is not known");
    }
  }
  if (!any) usage("--seeds or --replay is missing");
  return arguments;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void print_result(const Scenario& scenario, const SimulationResult& result, double cpu) {
  const double simulated = static_cast<double>(result.simulated.count()) / 1e6;
  std::printf("%s %llu theme=%s simulated_s=%.1f cpu_s=%.3f messages=%llu answered=%zu fingerprint=%016llx\n",
              result.problems.empty() ? "ok" : "failed", static_cast<unsigned long long>(scenario.seed),
              std::string(scenario.theme).c_str(), simulated, cpu, static_cast<unsigned long long>(result.messages),
              result.answered, static_cast<unsigned long long>(result.fingerprint));
  for (const std::string& problem : result.problems) std::printf("  %s\n", problem.c_str());
}

Scenario scenario_of(std::uint64_t seed, const Arguments& arguments) {
  Scenario scenario = draw_scenario(seed, arguments.theme);
  for (const std::string& assignment : arguments.sets) {
    if (!override_field(scenario, assignment)) usage("'" + assignment + "': no such number; --list-fields has them");
  }
  return scenario;
}

std::string planted_by(Plant plant) {
  for (const PlantInfo& info : plants()) {
    if (info.plant == plant) return " --plant " + std::string(info.name);
  }
  return "";
}

// What has to be set to get it from its seed.
std::string settings_of(const Scenario& scenario) {
  const Scenario drawn = draw_scenario(scenario.seed);
  std::string text;
  for (const ScenarioField& field : scenario_fields()) {
    const std::int64_t value = scenario.*field.member;
    if (value != drawn.*field.member) text += " --set " + std::string(field.name) + "=" + std::to_string(value);
  }
  return text;
}

int replay(const Arguments& arguments) {
  Scenario scenario = scenario_of(arguments.first, arguments);
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(scenario.seed), describe(scenario).c_str());
  const double began = cpu_seconds();
  SimulationResult result = simulate(scenario, arguments.plant);
  print_result(scenario, result, cpu_seconds() - began);
  if (arguments.shrink && !result.problems.empty()) {
    scenario = shrink(scenario, arguments.plant, result);
    std::printf("shrunk to: %s\n", describe(scenario).c_str());
    std::printf("again: scripts/simulate --replay %llu%s%s\n", static_cast<unsigned long long>(scenario.seed),
                planted_by(arguments.plant).c_str(), settings_of(scenario).c_str());
    print_result(scenario, result, 0);
  }
  if (!result.history.empty()) std::printf("the history of that key, in ms:\n%s", result.history.c_str());
  for (const auto& [what, times] : result.tally.counts()) {
    std::printf("tally %llu %s\n", static_cast<unsigned long long>(times), what.c_str());
  }
  return result.problems.empty() ? 0 : 1;
}

int run_seeds(const Arguments& arguments) {
  Tally tally;
  int failures = 0;
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    std::printf("begin %llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    const Scenario scenario = scenario_of(seed, arguments);
    const double began = cpu_seconds();
    const SimulationResult result = simulate(scenario, arguments.plant);
    print_result(scenario, result, cpu_seconds() - began);
    for (const auto& [what, times] : result.tally.counts()) tally.add(what, times);
    failures += !result.problems.empty();
    if (failures > 0 && arguments.until_failure) break;
  }
  for (const auto& [what, times] : tally.counts()) {
    std::printf("tally %llu %s\n", static_cast<unsigned long long>(times), what.c_str());
  }
  return failures > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  if (!log::open(arguments.log ? "debug" : "off", "").ok()) return 2;
  return arguments.replay ? replay(arguments) : run_seeds(arguments);
}
