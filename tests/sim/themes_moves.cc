#include "sim/themes_moves.h"

#include <algorithm>

#include "sim/draws.h"
#include "sim/themes_disks.h"

namespace tako::sim {

void move(Scenario& s, Random random) {
  crowd(s, random);
  s.pool = even(random, 4, 8);
  s.buckets = even(random, 1, 4);
  s.per_key = even(random, 1, 3);
  s.keys = even(random, 10, 60);
  s.hot_pct = 0;
  s.background_repair = 1;
  s.repair_s = even(random, 3, 10);
  s.coordinators = even(random, 1, 3);
  s.reconfigurations = even(random, 150, 500);
  s.operators = even(random, 1, 2);
  s.coordinator_kills = even(random, 0, 100);
  s.kills = even(random, 0, 100);
  s.down_max = 1;
  s.seconds = even(random, 30, 60);
  s.loss_ppm = coin(random, 50) ? even(random, 1000, 100'000) : 0;
  s.cuts = coin(random, 50) ? even(random, 0, 300) : 0;
  s.rifts = coin(random, 50) ? even(random, 50, 500) : 0;
  s.rift_ms = even(random, 500, 5000);
  s.cut_ms = even(random, 500, 5000);
  s.flicker_pct = coin(random, 60) ? even(random, 10, 50) : 0;
  s.flicker_ms = even(random, 50, 1000);
  s.config_lag_ms = coin(random, 70) ? even(random, 100, 5000) : 0;
  s.leap_pct = even(random, 20, 80);
  s.haste_pct = even(random, 0, 100);
  s.strict_pct = coin(random, 60) ? 100 : even(random, 0, 50);
  if (s.strict_pct < 100) s.strict_keys_pct = even(random, 0, 50);
  s.wipes = s.rollbacks = s.rots = s.flips = s.turns = 0;
  s.sync_always = 1;
}

void leap(Scenario& s, Random random) {
  move(s, random.split("move"));
  s.pool = even(random, 5, 7);
  s.buckets = s.per_key = 3;
  s.leap_pct = 90;
  s.abort_pct = even(random, 10, 60);
  s.cuts = coin(random, 50) ? even(random, 0, 200) : 0;
  s.rifts = even(random, 300, 1000);
  s.rift_ms = even(random, 500, 4000);
  s.reconfigurations = even(random, 300, 800);
  s.repair_s = even(random, 3, 30);
  s.flicker_pct = coin(random, 50) ? even(random, 10, 30) : 0;
  s.loss_ppm = 0;
  s.timeout_ms = even(random, 1000, 3000);
  s.keys = even(random, 3, 20);
  s.write_pct = 50;
  s.seconds = even(random, 60, 120);
  s.operations = 12 * s.seconds;
  s.kills = s.coordinator_kills = 0;
  if (coin(random, 30)) s.wipes = even(random, 10, 60);
  s.reset_ppm = coin(random, 30) ? even(random, 10'000, 100'000) : 0;
}

void narrow(Scenario& s, Random random) {
  move(s, random.split("move"));
  s.pool = even(random, 5, 7);
  s.buckets = even(random, 2, 3);
  s.per_key = s.buckets;
  s.narrow_pct = 90;
  s.leap_pct = 20;
  s.abort_pct = even(random, 0, 30);
  s.haste_pct = even(random, 50, 100);
  s.reconfigurations = even(random, 200, 600);
  s.read_repair = 0;
  s.repair_s = even(random, 30, 60);
  s.flicker_pct = even(random, 20, 50);
  s.flicker_ms = even(random, 100, 2000);
  s.loss_ppm = s.kills = s.cuts = s.rifts = s.coordinator_kills = s.straggler_ppm = 0;
  s.config_lag_ms = coin(random, 50) ? 0 : even(random, 100, 3000);
  s.keys = even(random, 10, 40);
  s.write_pct = 50;
  s.strict_pct = coin(random, 50) ? 100 : even(random, 0, 50);
  s.operations = 15 * s.seconds;
}

void waver(Scenario& s, Random random) {
  move(s, random.split("move"));
  s.pool = even(random, 2, 4);
  s.buckets = even(random, 1, 2);
  s.per_key = 1;
  s.keys = even(random, 10, 40);
  s.write_pct = even(random, 60, 90);
  s.delete_pct = even(random, 0, 10);
  s.expiry_pct = s.large_pct = 0;
  s.operations = 15 * s.seconds;
  s.timeout_ms = even(random, 4000, 8000);
  s.read_repair = 0;
  s.repair_s = even(random, 30, 60);
  s.grace_ms = 3'600'000;
  s.disk_us = even(random, 20'000, 150'000);  // a read by one replica waits for 200 ms at least
  s.delay_min_us = 50;
  s.delay_max_us = even(random, 500, 5000);
  s.config_lag_ms = coin(random, 50) ? 0 : even(random, 100, 1000);
  s.reconfigurations = even(random, 500, 1000);
  s.operators = s.coordinators = 1;
  s.leap_pct = even(random, 30, 100);
  s.haste_pct = 100;
  s.abort_pct = even(random, 0, 30);
  s.loss_ppm = s.duplicate_ppm = s.straggler_ppm = s.reset_ppm = s.flicker_pct = 0;
  s.cuts = s.rifts = s.clogs = s.kills = s.stops = s.crashes = s.pauses = 0;
  s.slow_disks = coin(random, 50) ? 0 : even(random, 200, 1000);
  s.slow_ms = even(random, 200, 1000);
  s.full_disks = s.proxy_kills = s.coordinator_kills = 0;
  if (coin(random, 50)) return;
  // Between neighbours: who asks knows the newer configuration first, and is known under the older one, too.
  s.pool = 3;
  s.buckets = 2;
  s.leap_pct = even(random, 10, 30);
  s.disk_us = even(random, 20'000, 60'000);
  s.slow_disks = 0;
  s.config_lag_ms = even(random, 200, 500);
}

void wide(Scenario& s, Random random) {
  narrow(s, random.split("narrow"));
  s.pool = even(random, 6, 7);
  s.buckets = s.per_key = s.wide_buckets = 5;
  s.narrow_pct = 100;
  s.abort_pct = even(random, 0, 10);
  s.haste_pct = 100;
  s.operators = s.coordinators = 1;
  s.reconfigurations = even(random, 300, 600);
  s.flicker_pct = coin(random, 50) ? 0 : even(random, 10, 30);
  s.config_lag_ms = coin(random, 50) ? 0 : even(random, 100, 1000);
  s.rifts = coin(random, 50) ? 0 : even(random, 200, 1000);
  s.rift_ms = even(random, 500, 3000);
  s.strands = even(random, 100, 400);
  s.strand_ms = even(random, 2000, 5000);
  s.strict_pct = even(random, 0, 10);
  s.strict_keys_pct = even(random, 0, 10);
  s.keys = even(random, 30, 100);
  s.write_pct = even(random, 70, 95);
  s.delete_pct = even(random, 0, 10);
  s.expiry_pct = s.large_pct = 0;
  s.disk_us = even(random, 20, 500);
  s.delay_max_us = s.delay_min_us + even(random, 100, 5000);
  s.timeout_ms = even(random, 1000, 2000);
  s.seconds = even(random, 30, 50);
  s.operations = 15 * s.seconds;
  s.stops = s.crashes = s.pauses = s.full_disks = s.clogs = s.duplicate_ppm = s.reset_ppm = 0;
}

void stray(Scenario& s, Random random) {
  leap(s, random.split("leap"));
  s.pool = even(random, 7, 9);
  s.buckets = s.per_key = even(random, 1, 3);
  s.leap_pct = even(random, 90, 100);
  s.abort_pct = even(random, 30, 70);
  s.haste_pct = 100;
  s.reconfigurations = even(random, 400, 1000);
  s.operators = s.coordinators = 1;
  s.rifts = even(random, 1000, 3000);
  s.rift_ms = even(random, 1500, 4000);
  s.keys = even(random, 30, 100);
  s.hot_pct = s.large_pct = s.expiry_pct = 0;
  s.config_lag_ms = coin(random, 50) ? 0 : even(random, 50, 300);
  s.disk_us = even(random, 20, 500);
  s.delay_max_us = s.delay_min_us + even(random, 100, 5000);
  s.straggler_ppm = s.duplicate_ppm = s.flicker_pct = s.reset_ppm = 0;
  s.cuts = s.clogs = s.stops = s.crashes = s.pauses = s.wipes = s.full_disks = s.slow_disks = 0;
  s.seconds = even(random, 40, 70);
  s.operations = 12 * s.seconds;
  s.grace_ms = 3'600'000;
}

void stray_bury(Scenario& s, Random random) {
  stray(s, random.split("stray"));
  s.buckets = s.per_key = 3;
  s.keys = even(random, 10, 30);
  s.delete_pct = even(random, 30, 60);
  s.reconfigurations = even(random, 100, 300);
  s.repair_s = even(random, 3, 6);
  s.grace_ms = even(random, 50, 1000);
  s.grace_step_ms = even(random, 100, 1000);
  s.turn_ms = even(random, 100, 500);
  s.drain_s = 0;
}

void linger(Scenario& s, Random random) {
  stray_bury(s, random.split("stray-bury"));
  s.pool = 6;
  s.abort_pct = even(random, 70, 90);
  s.reconfigurations = even(random, 150, 350);
}

}  // namespace tako::sim
