#include "sim/themes_disks.h"

#include <algorithm>

#include "sim/draws.h"

namespace tako::sim {

void crowd(Scenario& s, Random& random) {
  s.pool = even(random, 3, 4);
  s.buckets = 3;
  s.per_key = 3;
  s.proxies = even(random, 2, 3);
  s.strict_pct = 100;
  s.write_pct = even(random, 30, 60);
  s.delete_pct = even(random, 0, 20);
  s.keys = even(random, 5, 40);
  s.seconds = even(random, 20, 50);
  s.operations = even(random, 400, 1000);
  s.timeout_ms = even(random, 1000, 4000);
  s.capacity = 0;
  s.straggler_ppm = std::min<std::int64_t>(s.straggler_ppm, 10'000);
  s.loss_ppm = std::min<std::int64_t>(s.loss_ppm, 50'000);
  s.disk_us = std::min<std::int64_t>(s.disk_us, 2000);
  s.read_error_ppm = s.write_error_ppm = 0;
}

void forget(Scenario& s, Random random) {
  crowd(s, random);
  s.pool = coin(random, 80) ? 3 : 4;
  s.background_repair = 1;
  s.repair_s = even(random, 3, 15);
  s.keys = even(random, 10, 50);
  s.hot_pct = 0;
  s.loss_ppm = coin(random, 50) ? 0 : even(random, 5'000, 50'000);
  s.cuts = s.clogs = s.pauses = 0;
  s.kills = coin(random, 50) ? even(random, 0, 100) : 0;
  s.down_ms = even(random, 500, 2500);
  s.turns = even(random, 50, 300);
  switch (random.below(3)) {
    case 0: s.wipes = even(random, 0, 100); break;
    case 1:
      s.rollbacks = even(random, 50, 100);
      s.wipes = s.crashes = 0;
      break;
    default:
      s.sync_always = 0;
      s.crashes = even(random, 20, 100);
      s.wipes = s.rollbacks = 0;
  }
  if (coin(random, 70)) s.reconfigurations = 0;
  s.read_error_ppm = coin(random, 40) ? even(random, 10'000, 300'000) : 0;
}

void hold(Scenario& s, Random random) {
  crowd(s, random);
  s.pool = s.buckets = s.per_key = 3;
  s.proxies = even(random, 2, 3);
  s.background_repair = 1;
  s.repair_s = even(random, 10, 30);
  s.keys = even(random, 12, 40);  // what is half-way is to stay the newest, and to be read
  s.hot_pct = 0;
  s.strict_keys_pct = 100;
  s.write_pct = even(random, 15, 35);
  s.seconds = even(random, 60, 100);
  s.operations = 20 * s.seconds;
  s.timeout_ms = even(random, 6000, 8000);
  s.sync_always = 1;
  s.delay_min_us = 100;
  s.delay_max_us = even(random, 1000, 5000);
  s.disk_us = even(random, 20, 500);
  s.loss_ppm = s.duplicate_ppm = s.straggler_ppm = s.reset_ppm = s.flicker_pct = 0;
  s.cuts = s.clogs = s.kills = s.crashes = s.pauses = s.turns = s.full_disks = s.slow_disks = 0;
  s.wipes = s.rollbacks = s.rots = s.flips = 0;
  s.down_ms = even(random, 50, 200);
  s.holds = even(random, 100, 300);
  s.skew_ms = s.clock_steps = s.drift_ppm = 0;
  s.reconfigurations = 0;
  s.buggify = 0;
}

void wipe(Scenario& s, Random random) {
  hold(s, random.split("hold"));
  s.pool = s.buckets = s.per_key = coin(random, 70) ? 3 : 2;
  s.keys = even(random, 300, 1000);
  s.strict_pct = even(random, 0, 60);
  s.strict_keys_pct = even(random, 0, 50);
  s.update_pct = coin(random, 50) ? 0 : even(random, 10, 40);
  s.write_pct = even(random, 50, 80);
  s.delete_pct = even(random, 0, 10);
  s.expiry_pct = s.timestamp_pct = s.bulk_keys_pct = 0;
  s.large_pct = coin(random, 70) ? 0 : even(random, 5, 20);
  s.repair_s = even(random, 5, 20);
  s.read_repair = coin(random, 50);
  s.grace_ms = 3'600'000;
  s.seconds = even(random, 90, 130);
  s.operations = even(random, 15, 30) * s.seconds;
  s.timeout_ms = even(random, 48'000, 55'000);
  s.holds = 0;
  s.relays = even(random, 100, 300);
  s.stops = s.proxy_kills = s.coordinator_kills = s.write_error_ppm = s.read_error_ppm = 0;
  s.buggify = coin(random, 20);
}

void lone(Scenario& s, Random random) {
  hold(s, random.split("hold"));
  s.pool = s.buckets = s.per_key = even(random, 2, 3);
  s.large_pct = even(random, 50, 90);
  s.write_pct = even(random, 80, 100);
  s.delete_pct = 0;
  s.strict_pct = s.strict_keys_pct = s.update_pct = s.expiry_pct = 0;
  s.keys = even(random, 20, 60);
  s.scrub_s = even(random, 2, 5);
  s.repair_s = even(random, 5, 15);
  s.timeout_ms = even(random, 1000, 3000);
  s.operations = even(random, 3, 6) * s.seconds;
  s.holds = s.stops = 0;
  s.lones = even(random, 100, 300);
}

void pair(Scenario& s, Random random) {
  hold(s, random.split("hold"));
  s.pool = s.buckets = s.per_key = 5;
  s.keys = even(random, 30, 200);
  s.strict_pct = s.strict_keys_pct = 100;
  s.update_pct = s.delete_pct = s.expiry_pct = s.large_pct = 0;
  s.write_pct = even(random, 30, 60);
  s.repair_s = even(random, 5, 20);
  s.read_repair = coin(random, 50);
  s.grace_ms = 3'600'000;
  s.timeout_ms = even(random, 1000, 3000);
  s.read_error_ppm = coin(random, 80) ? even(random, 10'000, 300'000) : 0;
  s.buggify = coin(random, 70);
  s.holds = s.stops = s.proxy_kills = s.coordinator_kills = 0;
  s.pairs = even(random, 100, 400);
}

void outrun(Scenario& s, Random random) {
  hold(s, random.split("hold"));
  s.keys = even(random, 4, 20);
  s.strict_pct = even(random, 20, 50);
  s.strict_keys_pct = 0;
  s.update_pct = even(random, 50, 90);
  s.write_pct = even(random, 60, 90);
  s.delete_pct = s.expiry_pct = s.bulk_keys_pct = s.large_pct = 0;
  s.timestamp_pct = even(random, 20, 60);
  s.repair_s = even(random, 10, 30);
  s.read_repair = coin(random, 50);
  s.seconds = even(random, 60, 100);
  s.operations = even(random, 20, 60) * s.seconds;
  s.timeout_ms = even(random, 500, 2000);
  s.holds = s.stops = s.proxy_kills = s.coordinator_kills = s.write_error_ppm = s.read_error_ppm = 0;
  s.outruns = even(random, 100, 300);
}

void decay(Scenario& s, Random random) {
  crowd(s, random);
  s.background_repair = 1;
  s.repair_s = even(random, 3, 10);
  s.strict_pct = even(random, 0, 60);
  s.large_pct = even(random, 5, 30);
  s.operations = even(random, 150, 500);
  s.rots = even(random, 20, 200);
  s.flips = even(random, 20, 200);
  s.write_error_ppm = coin(random, 50) ? even(random, 1000, 200'000) : 0;
  s.disk_us = even(random, 100, 30'000);
  s.full_disks = even(random, 0, 100);
  s.kills = even(random, 0, 300);
  s.down_ms = even(random, 300, 2000);
  if (coin(random, 30)) {  // they refuse, and lose nothing
    s.rots = s.flips = s.wipes = s.rollbacks = s.turns = 0;
    s.sync_always = 1;
    s.write_error_ppm = even(random, 50'000, 400'000);
  }
}

void relapse(Scenario& s, Random random) {
  crowd(s, random);
  s.pool = 3;
  s.background_repair = 1;
  s.repair_s = even(random, 3, 10);
  s.keys = even(random, 5, 20);
  s.seconds = even(random, 60, 100);
  s.operations = 15 * s.seconds;
  s.kills = even(random, 300, 800);
  s.down_ms = even(random, 100, 500);
  s.down_max = 1;
  s.rollbacks = even(random, 500, 2000);
  s.disk_us = even(random, 20, 500);
  s.loss_ppm = s.straggler_ppm = s.flicker_pct = 0;
  s.cuts = s.clogs = s.crashes = s.pauses = s.turns = s.full_disks = s.slow_disks = 0;
  s.wipes = s.rots = s.flips = s.reconfigurations = 0;
}

}  // namespace tako::sim
