#include "sim/scenario.h"

#include <algorithm>
#include <charconv>

#include "sim/draws.h"
#include "sim/themes.h"

namespace tako::sim {
namespace {

// In each world a fault is there with the same chance; in one world it is low, in another high.
class Faults {
 public:
  Faults(Random random, std::uint32_t percent) : random_(random), percent_(percent) {}
  std::int64_t operator()(std::int64_t low, std::int64_t high) {
    const std::int64_t rate = spread(random_, low, high);
    return coin(random_, percent_) ? rate : 0;
  }

 private:
  Random random_;
  const std::uint32_t percent_;
};

void draw_cluster(Scenario& s, Random random) {
  s.pool = coin(random, 60) ? even(random, 3, 6) : even(random, 1, 12);  // small clusters are denser in events
  s.buckets = even(random, 1, std::min<std::int64_t>(6, s.pool));
  s.per_key = coin(random, 60) ? 3 : even(random, 1, 4);
  s.proxies = even(random, 1, 4);
  s.coordinators = even(random, 1, 3);
  s.sync_always = coin(random, 50);
  s.sync_s = even(random, 1, 4);
  s.repair_s = spread(random, 3, 60);
  s.read_repair = coin(random, 80);
  s.background_repair = coin(random, 90);
  s.disk_us = spread(random, 20, 10'000);
  s.buggify = coin(random, 60);
  if (coin(random, 40)) s.repair_s = 86'400;  // digests have to find what differs
  s.scrub_s = spread(random, 3, 60);
}

// In most worlds tombstones go while the load is on.
void draw_collection(Scenario& s, Random random) {
  if (coin(random, 20)) return;
  s.grace_ms = spread(random, 500, 20'000);
  s.grace_step_ms = spread(random, 500, 5'000);
  s.drain_s = even(random, 0, 20);
}

void draw_load(Scenario& s, Random random) {
  s.seconds = even(random, 10, 60);
  s.operations = spread(random, 150, 1000);
  s.keys = spread(random, 1, 300);
  s.hot_pct = coin(random, 30) ? even(random, 20, 90) : 0;
  s.write_pct = even(random, 20, 90);
  s.delete_pct = even(random, 0, 40);
  s.strict_pct = coin(random, 20) ? 0 : even(random, 0, 100);
  s.strict_keys_pct = even(random, 0, 100);
  s.timestamp_pct = coin(random, 30) ? even(random, 1, 30) : 0;
  s.large_pct = coin(random, 40) ? even(random, 1, 5) : 0;
  s.update_pct = coin(random, 70) ? even(random, 10, 100) : 0;
  s.expiry_pct = coin(random, 30) ? even(random, 1, 40) : 0;
  s.timeout_ms = spread(random, 1000, 8000);
  s.flush_ppm = coin(random, 20) ? even(random, 1000, 20'000) : 0;
}

void draw_network(Scenario& s, Random random, std::uint32_t percent) {
  Faults fault(random.split("faults"), percent);
  s.delay_min_us = spread(random, 20, 10'000);
  s.delay_max_us = s.delay_min_us + spread(random, 100, 50'000);
  s.loss_ppm = fault(100, 200'000);
  s.duplicate_ppm = fault(100, 500'000);
  s.straggler_ppm = fault(100, 100'000);
  s.straggler_ms = spread(random, 500, 20'000);
  s.capacity = fault(5, 60);
  s.clogs = fault(10, 400);
  s.clog_ms = spread(random, 200, 5000);
  s.cuts = fault(10, 200);
  s.cut_ms = spread(random, 500, 15'000);
  s.reset_ppm = fault(100, 100'000);
  s.flicker_pct = fault(5, 50);
  s.flicker_ms = spread(random, 50, 3000);
}

void draw_machines(Scenario& s, Random random, std::uint32_t percent) {
  Faults fault(random.split("faults"), percent);
  s.kills = fault(10, 400);
  s.crashes = fault(10, 200);
  s.down_ms = spread(random, 100, 10'000);
  s.down_max = even(random, 1, std::max<std::int64_t>(1, s.pool / 2));
  s.pauses = fault(10, 200);
  s.pause_ms = spread(random, 200, 10'000);
  s.proxy_kills = fault(10, 300);
  s.coordinator_kills = fault(10, 100);
  s.stops = fault(10, 200);
}

void draw_loops(Scenario& s, Random random, std::uint32_t percent) {
  Faults fault(random.split("faults"), percent);
  s.cross_us = coin(random, 20) ? 0 : spread(random, 1, 500);
  s.cross_late_ppm = fault(1'000, 100'000);
  s.cross_late_us = spread(random, 500, 100'000);
  s.stalls = fault(10, 300);
  s.stall_ms = spread(random, 10, 5000);
  s.slow_loops = fault(10, 200);
  s.slow_loop_us = spread(random, 50, 5000);
}

void draw_disks(Scenario& s, Random random, std::uint32_t percent) {
  Faults fault(random.split("faults"), percent);
  s.wipes = fault(5, 100);
  s.rollbacks = fault(5, 50);
  s.rots = fault(5, 100);
  s.flips = fault(5, 100);
  s.full_disks = fault(5, 100);
  s.full_ms = spread(random, 500, 10'000);
  s.turns = fault(5, 50);
  s.slow_disks = fault(5, 100);
  s.slow_ms = spread(random, 10, 3000);
  s.read_error_ppm = fault(10, 30'000);
  s.write_error_ppm = fault(10, 30'000);
}

void draw_clocks(Scenario& s, Random random, std::uint32_t percent) {
  Faults fault(random.split("faults"), percent);
  s.skew_ms = fault(1, 5000);
  s.drift_ppm = fault(1, 50'000);
  s.clock_steps = fault(10, 200);
  s.clock_step_ms = coin(random, 10) ? 3'600'000 : spread(random, 10, 5000);
}

void draw_configuration(Scenario& s, Random random, std::uint32_t percent) {
  Faults fault(random.split("faults"), percent);
  s.reconfigurations = fault(20, 200);
  s.abort_pct = even(random, 0, 60);
  s.operators = coin(random, 40) ? 2 : 1;
  s.config_lag_ms = fault(100, 5000);
  s.leap_pct = even(random, 0, 50);
  s.haste_pct = coin(random, 50) ? even(random, 0, 100) : 0;
}

}  // namespace

const std::vector<ScenarioField>& scenario_fields() {
  static const std::vector<ScenarioField> fields = {
#define TAKO_FIELD(name, calm, text) {#name, &Scenario::name, calm, text},
      TAKO_SCENARIO(TAKO_FIELD)
#undef TAKO_FIELD
  };
  return fields;
}

Scenario draw_scenario(std::uint64_t seed, std::string_view theme) {
  Random random(seed);
  Scenario scenario;
  scenario.seed = seed;
  draw_cluster(scenario, random.split("cluster"));
  draw_collection(scenario, random.split("collection"));
  draw_load(scenario, random.split("load"));
  const std::uint32_t percents[] = {10, 20, 35, 60};
  const std::uint32_t percent = percents[random.below(4)];
  draw_network(scenario, random.split("network"), percent);
  draw_machines(scenario, random.split("machines"), percent);
  draw_loops(scenario, random.split("loops"), percent);
  draw_disks(scenario, random.split("disks"), percent);
  draw_clocks(scenario, random.split("clocks"), percent);
  draw_configuration(scenario, random.split("configuration"), percent);
  apply_theme(scenario, random.split("theme"), theme);
  if (scenario.background_repair == 0) scenario.reconfigurations = 0;  // nothing would move
  return scenario;
}

bool override_field(Scenario& scenario, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view digits = assignment.substr(equals + 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return false;
  for (const ScenarioField& field : scenario_fields()) {
    if (field.name != assignment.substr(0, equals)) continue;
    scenario.*field.member = value;
    return true;
  }
  return false;
}

std::string describe(const Scenario& scenario) {
  std::string text = "theme=" + std::string(scenario.theme);
  for (const ScenarioField& field : scenario_fields()) {
    if (scenario.*field.member == field.calm) continue;
    text += " " + std::string(field.name) + "=" + std::to_string(scenario.*field.member);
  }
  return text;
}

}  // namespace tako::sim
