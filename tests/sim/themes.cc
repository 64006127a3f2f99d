#include "sim/themes.h"

#include <algorithm>
#include <iterator>

#include "sim/draws.h"
#include "sim/themes_disks.h"
#include "sim/themes_moves.h"

namespace tako::sim {
namespace {

// What reads repair and nothing else does: no node meets another anew.
void readers(Scenario& s, Random random) {
  crowd(s, random);
  s.background_repair = 0;
  s.read_repair = 1;
  s.strict_pct = even(random, 0, 30);
  s.strict_keys_pct = 0;
  s.flicker_pct = even(random, 10, 50);
  s.flicker_ms = even(random, 50, 1000);
  s.loss_ppm = s.straggler_ppm = 0;
  s.cuts = s.clogs = s.kills = s.crashes = s.pauses = s.turns = s.full_disks = s.slow_disks = 0;
  s.wipes = s.rollbacks = s.rots = s.flips = 0;
  s.reconfigurations = 0;
  s.buggify = 0;
}

// Proxies whose clocks differ write the same keys.
void disagree(Scenario& s, Random random) {
  crowd(s, random);
  if (coin(random, 50)) {
    s.flicker_pct = even(random, 10, 50);
    s.flicker_ms = even(random, 20, 500);
  }
  s.reset_ppm = coin(random, 50) ? even(random, 10'000, 600'000) : 0;
  s.bulk_keys_pct = s.reset_ppm == 0 && coin(random, 50) ? 50 : 0;
  if (coin(random, 50)) s.delay_max_us = s.delay_min_us + even(random, 50'000, 500'000);  // much is under way at once
  s.keys = even(random, 1, 10);
  s.skew_ms = even(random, 50, 3000);
  s.clock_steps = even(random, 0, 200);
  s.timestamp_pct = s.bulk_keys_pct > 0 || coin(random, 50) ? even(random, 5, 40) : 0;
  if (coin(random, 50)) s.strict_pct = even(random, 0, 90);
  if (s.timestamp_pct > 0) s.strict_keys_pct = 0;
  if (s.reset_ppm == 0) return;
  // Was it stored? Nobody knows, and others write the same.
  s.keys = even(random, 1, 2);
  s.write_pct = even(random, 40, 50);
  s.skew_ms = even(random, 0, 30);
  s.reset_ppm = even(random, 100'000, 600'000);
  s.delay_max_us = s.delay_min_us + even(random, 20'000, 150'000);
  s.seconds = even(random, 20, 30);
  s.operations = 50 * s.seconds;
  s.strict_pct = 100;
  s.loss_ppm = s.straggler_ppm = s.flicker_pct = s.clock_steps = s.timestamp_pct = 0;
  s.kills = s.crashes = s.pauses = s.cuts = s.clogs = s.turns = 0;
}

// Tombstones go as soon as they may, while replicas miss much and proxies whose clocks are slow write below the fences.
void bury(Scenario& s, Random random) {
  crowd(s, random);
  s.pool = s.buckets = s.per_key = 3;
  s.background_repair = 1;
  s.repair_s = even(random, 10, 60);
  s.read_repair = coin(random, 50);
  s.grace_ms = even(random, 50, 1000);
  s.grace_step_ms = even(random, 100, 4000);
  s.turn_ms = even(random, 100, 1000);
  s.drain_s = 0;
  s.delete_pct = even(random, 30, 60);
  s.expiry_pct = 0;
  s.keys = even(random, 5, 20);
  s.hot_pct = 0;
  s.strict_keys_pct = 100;
  s.update_pct = coin(random, 50) ? 0 : even(random, 20, 60);
  s.skew_ms = coin(random, 70) ? even(random, 200, 3000) : 0;
  s.flicker_pct = even(random, 10, 50);
  s.flicker_ms = even(random, 50, 3000);
  s.straggler_ppm = coin(random, 50) ? even(random, 10'000, 100'000) : 0;
  s.straggler_ms = even(random, 500, 5000);
  s.seconds = even(random, 30, 60);
  s.operations = 25 * s.seconds;
  s.loss_ppm = s.cuts = s.clogs = s.turns = s.full_disks = s.slow_disks = 0;
  s.wipes = s.rollbacks = s.rots = s.flips = s.reconfigurations = 0;
  if (coin(random, 60)) s.kills = s.crashes = s.pauses = s.stops = 0;
}

// Nothing goes wrong but that all want the same few keys at once, with messages that overtake one another, or with
// clocks that do not agree on what has expired.
void contend(Scenario& s, Random random) {
  crowd(s, random);
  const bool clocks = coin(random, 50);
  s.pool = s.buckets = s.per_key = s.proxies = 3;
  s.keys = even(random, 2, 6);
  s.hot_pct = 0;
  s.strict_keys_pct = 100;
  s.update_pct = even(random, 20, 60);
  s.write_pct = clocks ? even(random, 10, 30) : even(random, 50, 80);
  s.expiry_pct = clocks ? even(random, 50, 90) : 0;
  s.skew_ms = clocks ? even(random, 500, 3000) : 0;
  s.seconds = even(random, 20, 40);
  s.operations = 30 * s.seconds;
  s.timeout_ms = even(random, 4000, 8000);
  s.delay_min_us = 1000;
  s.delay_max_us = clocks ? even(random, 5000, 50'000) : even(random, 50'000, 300'000);
  s.disk_us = even(random, 20, 500);
  s.loss_ppm = s.duplicate_ppm = s.straggler_ppm = s.reset_ppm = s.flicker_pct = s.large_pct = 0;
  s.cuts = s.clogs = s.kills = s.crashes = s.pauses = s.stops = s.turns = s.full_disks = s.slow_disks = 0;
  s.wipes = s.rollbacks = s.rots = s.flips = s.reconfigurations = s.proxy_kills = s.coordinator_kills = 0;
  s.clock_steps = s.drift_ppm = s.write_error_ppm = 0;
}

// Nothing but reconfigurations: no request may fail.
void calm(Scenario& s, Random random) {
  move(s, random.split("move"));
  s.faultless = 1;
  s.buggify = 0;
  s.proxies = 2;
  s.timeout_ms = 8000;
  s.delay_max_us = s.delay_min_us + even(random, 100, 10'000);
  s.disk_us = even(random, 20, 1000);
  s.grace_ms = std::max<std::int64_t>(s.grace_ms, 10'000);
  s.config_lag_ms = even(random, 0, 220);  // four times that, twice in a row, is less than a read's patience
  s.strict_pct = even(random, 0, 50);
  s.strict_keys_pct = 0;
  s.loss_ppm = s.duplicate_ppm = s.straggler_ppm = s.reset_ppm = s.flicker_pct = 0;
  s.cuts = s.rifts = s.clogs = s.kills = s.stops = s.crashes = s.pauses = 0;
  s.full_disks = s.slow_disks = s.stalls = s.slow_loops = s.cross_late_ppm = 0;
  s.proxy_kills = s.coordinator_kills = s.skew_ms = s.clock_steps = s.drift_ppm = s.timestamp_pct = 0;
}

// A bit flips in a value that is seldom read, and then the others that hold it go: a disk is lost, or the cluster moves
// to few of its nodes.
void rot(Scenario& s, Random random) {
  narrow(s, random.split("narrow"));
  s.flips = even(random, 100, 500);
  s.large_pct = even(random, 30, 70);
  s.keys = even(random, 20, 60);
  s.write_pct = even(random, 85, 100);
  s.delete_pct = even(random, 0, 10);
  s.expiry_pct = s.hot_pct = s.strict_pct = s.strict_keys_pct = 0;
  s.seconds = even(random, 60, 100);
  s.operations = even(random, 40, 150);
  s.flicker_pct = s.loss_ppm = 0;
  if (coin(random, 50)) {
    s.pool = s.buckets = s.per_key = 3;
    s.scrub_s = even(random, 20, 60);
    s.reconfigurations = even(random, 50, 200);
    if (coin(random, 25)) return;
    // One sleeps over its copies while the others move on: to one of them, and away from it.
    s.pauses = even(random, 200, 400);
    s.pause_ms = even(random, 6000, 10'000);
    s.haste_pct = s.narrow_pct = 100;
    s.abort_pct = s.leap_pct = s.wipes = s.grace_ms = 0;
    s.scrub_s = even(random, 50, 70);
    s.reconfigurations = even(random, 150, 250);
    return;
  }
  s.pool = s.buckets = s.per_key = 2;
  s.reconfigurations = s.config_lag_ms = 0;
  s.repair_s = even(random, 3, 10);
  s.scrub_s = even(random, 1, 3);
  s.wipes = even(random, 50, 200);
}

// Of "rot" those alone in which one sleeps over its copies, all alike.
void doze(Scenario& s, Random random) {
  rot(s, random);
  s.pool = s.buckets = s.per_key = 3;
  s.scrub_s = 60;
  s.reconfigurations = 200;
  s.pauses = 300;
  s.pause_ms = 8000;
  s.haste_pct = s.narrow_pct = 100;
  s.abort_pct = s.leap_pct = s.wipes = s.grace_ms = 0;
}

// A few values of one piece each are written again and again, while repair and hand-off read and copy them, on machines
// of several loops.
void churn(Scenario& s, Random random) {
  s.pool = even(random, 3, 5);
  s.buckets = s.per_key = 3;
  s.proxies = even(random, 1, 3);
  s.background_repair = 1;
  s.read_repair = coin(random, 30);
  s.repair_s = even(random, 3, 6);
  s.keys = even(random, 1, 4);
  s.hot_pct = 0;
  s.piece_pct = even(random, 60, 100);
  s.large_pct = 0;
  s.write_pct = even(random, 70, 95);
  s.strict_pct = coin(random, 50) ? 0 : even(random, 0, 30);
  s.strict_keys_pct = s.update_pct = 0;
  s.seconds = even(random, 20, 40);
  s.operations = even(random, 30, 80) * s.seconds;
  s.delay_max_us = s.delay_min_us + even(random, 100, 3000);
  s.loss_ppm = even(random, 20'000, 150'000);
  s.disk_us = even(random, 5000, 40'000);
  (coin(random, 50) ? s.cuts : s.kills) = even(random, 200, 500);
  s.cut_ms = s.down_ms = even(random, 1000, 2500);
  s.rots = s.flips = s.rollbacks = 0;
  s.reconfigurations = coin(random, 50) ? 0 : even(random, 50, 200);
}

// Plain writes to few keys through proxies of several loops, whose clocks differ by seconds.
void skew(Scenario& s, Random random) {
  s.pool = even(random, 3, 4);
  s.buckets = s.per_key = 3;
  s.proxies = even(random, 2, 3);
  s.keys = even(random, 1, 4);
  s.strict_pct = s.strict_keys_pct = s.timestamp_pct = s.bulk_keys_pct = s.large_pct = 0;
  s.write_pct = even(random, 70, 95);
  s.seconds = even(random, 20, 40);
  s.operations = even(random, 20, 40) * s.seconds;
  s.loss_ppm = even(random, 50'000, 150'000);
  s.skew_ms = even(random, 1000, 5000);
}

// flush_all now and then, by proxies whose clocks differ, while others write and nodes are away.
void flush(Scenario& s, Random random) {
  crowd(s, random);
  s.pool = even(random, 3, 5);
  s.proxies = even(random, 2, 3);
  s.keys = even(random, 3, 30);
  s.hot_pct = s.large_pct = 0;
  s.write_pct = even(random, 40, 70);
  s.delete_pct = even(random, 0, 10);
  s.strict_pct = coin(random, 50) ? 0 : even(random, 0, 100);
  s.strict_keys_pct = coin(random, 50) ? 0 : even(random, 0, 50);
  s.timestamp_pct = coin(random, 30) ? even(random, 5, 30) : 0;
  s.skew_ms = coin(random, 70) ? even(random, 100, 5000) : 0;
  s.seconds = even(random, 20, 50);
  s.operations = even(random, 10, 30) * s.seconds;
  s.flush_ppm = even(random, 5000, 30'000);
  s.background_repair = 1;
  s.repair_s = even(random, 3, 30);
  s.loss_ppm = coin(random, 50) ? 0 : even(random, 1000, 20'000);
  s.flicker_pct = coin(random, 50) ? 0 : even(random, 5, 30);
  s.flicker_ms = even(random, 50, 1500);
  s.cuts = s.clogs = s.crashes = s.turns = s.full_disks = s.wipes = s.rollbacks = s.rots = s.flips = 0;
  s.kills = coin(random, 50) ? 0 : even(random, 10, 50);
  s.down_ms = even(random, 100, 1000);
  s.reconfigurations = coin(random, 70) ? 0 : even(random, 50, 200);
}

struct Theme {
  const char* name;
  void (*apply)(Scenario&, Random);
};

// Each takes its worlds from those that the ones before have left: so their seeds stay what they were.
struct Generation {
  std::vector<Theme> themes;
  std::uint64_t (*draw)(Random&);  // a theme's number; beyond them: none of these
};

const std::vector<Generation>& generations() {
  static const std::vector<Generation> all = {
      {{{"forget", forget},
        {"hold", hold},
        {"readers", readers},
        {"disagree", disagree},
        {"move", move},
        {"leap", leap},
        {"calm", calm},
        {"decay", decay}},
       [](Random& random) { return random.below(12); }},
      {{{"narrow", narrow}, {"bury", bury}}, [](Random& random) { return random.below(4); }},
      {{{"contend", contend}}, [](Random& random) { return random.split("contend").below(4); }},
      {{{"waver", waver}, {"wide", wide}}, [](Random& random) { return random.split("late").below(4); }},
      {{{"rot", rot}}, [](Random& random) { return random.split("rot").below(4); }},
      {{{"relapse", relapse}}, [](Random& random) { return random.split("relapse").below(4); }},
      {{{"churn", churn}, {"skew", skew}}, [](Random& random) { return random.split("churn").below(12); }},
      {{{"wipe", wipe}}, [](Random& random) { return random.split("wipe").below(5); }},
      {{{"lone", lone}}, [](Random& random) { return random.split("lone").below(8); }},
      {{{"outrun", outrun}}, [](Random& random) { return random.split("outrun").below(8); }},
      {{{"stray", stray}}, [](Random& random) { return random.split("stray").below(8); }},
      {{{"flush", flush}}, [](Random& random) { return random.split("flush").below(6); }},
      // By their names only: "rot" has enough of the first, and the others are made for one mistake each.
      {{{"doze", doze}, {"pair", pair}, {"stray-bury", stray_bury}, {"linger", linger}},
       [](Random&) { return std::uint64_t{4}; }},
  };
  return all;
}

const Theme* theme_called(std::string_view name) {
  for (const Generation& generation : generations()) {
    for (const Theme& theme : generation.themes) {
      if (theme.name == name) return &theme;
    }
  }
  return nullptr;
}

const Theme* drawn_theme(Random& random) {
  for (const Generation& generation : generations()) {
    const std::uint64_t drawn = generation.draw(random);
    if (drawn < generation.themes.size()) return &generation.themes[drawn];
  }
  return nullptr;
}

}  // namespace

// One that is named has the world that it would have if it were drawn first.
void apply_theme(Scenario& s, Random random, std::string_view wanted) {
  const Theme* theme = nullptr;
  if (wanted.empty()) {
    theme = drawn_theme(random);
  } else {
    (void)generations().front().draw(random);
    theme = theme_called(wanted);
  }
  if (theme == nullptr) return;
  s.theme = theme->name;
  s.flush_ppm = 0;
  theme->apply(s, random);
}

}  // namespace tako::sim
