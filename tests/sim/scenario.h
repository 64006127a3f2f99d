// Scenario: everything that one seed draws about its world, as numbers with names.
//
// A world is drawn, then run: the draws of a run (which message is lost, who crashes when) come from streams of their
// own, so that one number changed by hand (`simulate --set loss_ppm=0`) changes nothing else that was drawn here. That
// is what shrinking stands on. Rates are events per thousand seconds; 0 switches a fault off, and in each world some
// are off (swarm testing: Groce et al., 2012).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tako::sim {

// name, the calm value, what it is
#define TAKO_SCENARIO(X)                                                                                     \
  /* the cluster */                                                                                          \
  X(pool, 3, "machines that can be nodes")                                                                   \
  X(buckets, 3, "of the first deployment")                                                                   \
  X(per_key, 3, "buckets per key")                                                                           \
  X(proxies, 1, "")                                                                                          \
  X(coordinators, 1, "")                                                                                     \
  X(sync_always, 1, "0: sync at an interval")                                                                \
  X(sync_s, 1, "that interval")                                                                              \
  X(repair_s, 20, "background repair interval")                                                              \
  X(scrub_s, 10, "the interval in which every value is read")                                                \
  X(read_repair, 1, "")                                                                                      \
  X(background_repair, 1, "")                                                                                \
  X(grace_ms, 3'600'000, "tombstones are not collected before")                                              \
  X(grace_step_ms, 600'000, "")                                                                              \
  X(turn_ms, 3'000, "of collecting")                                                                         \
  X(drain_s, 86'400, "collection waits for leavers")                                                         \
  X(disk_us, 100, "an operation takes up to this")                                                           \
  X(buggify, 0, "1: rare branches are common")                                                               \
  /* the load */                                                                                             \
  X(seconds, 20, "of simulated time under faults")                                                           \
  X(ends_ms, 0, "that time ends then, and until then all is as it was; 0: it does not")                      \
  X(operations, 100, "begun in that time")                                                                   \
  X(keys, 10, "")                                                                                            \
  X(hot_pct, 0, "of operations go to one key")                                                               \
  X(write_pct, 50, "of operations")                                                                          \
  X(delete_pct, 10, "of writes")                                                                             \
  X(strict_pct, 50, "of operations are at quorum")                                                           \
  X(strict_keys_pct, 50, "of keys see operations at quorum only")                                            \
  X(timestamp_pct, 0, "of plain writes carry the client's timestamp")                                        \
  X(bulk_keys_pct, 0, "of keys see writes with the client's timestamp only")                                 \
  X(large_pct, 0, "of values are in several pieces")                                                         \
  X(piece_pct, 0, "of values are in one piece beside the row")                                               \
  X(update_pct, 0, "of writes at quorum are conditional")                                                    \
  X(expiry_pct, 0, "of values expire")                                                                       \
  X(timeout_ms, 3000, "of an operation")                                                                     \
  X(flush_ppm, 0, "of operations are followed by a flush_all")                                               \
  /* the network */                                                                                          \
  X(delay_min_us, 50, "")                                                                                    \
  X(delay_max_us, 2000, "")                                                                                  \
  X(loss_ppm, 0, "")                                                                                         \
  X(duplicate_ppm, 0, "")                                                                                    \
  X(straggler_ppm, 0, "messages that are very late")                                                         \
  X(straggler_ms, 2000, "by up to this")                                                                     \
  X(capacity, 0, "messages under way on one link; 0: no limit")                                              \
  X(reset_ppm, 0, "requests whose connection breaks")                                                        \
  X(flicker_pct, 0, "of the time a link between a proxy and a node is down")                                 \
  X(flicker_ms, 500, "a turn of it")                                                                         \
  X(clogs, 0, "links that deliver nothing for a while")                                                      \
  X(clog_ms, 2000, "")                                                                                       \
  X(cuts, 0, "partitions: groups, one machine, one way")                                                     \
  X(cut_ms, 5000, "")                                                                                        \
  X(rifts, 0, "partitions between what is left and what is moved to, while the cluster moves")               \
  X(rift_ms, 2000, "")                                                                                       \
  X(strands, 0, "partitions between two of many nodes, with the proxies, and everybody else, who moves on")  \
  X(strand_ms, 4000, "")                                                                                     \
  /* machines */                                                                                             \
  X(kills, 0, "kill -9 of a node")                                                                           \
  X(stops, 0, "of a node, in order")                                                                         \
  X(crashes, 0, "of a node's machine: what was not synced is lost")                                          \
  X(down_ms, 3000, "until it starts again")                                                                  \
  X(down_max, 1, "nodes down at once")                                                                       \
  X(pauses, 0, "SIGSTOP")                                                                                    \
  X(pause_ms, 3000, "")                                                                                      \
  X(proxy_kills, 0, "")                                                                                      \
  X(coordinator_kills, 0, "")                                                                                \
  /* their loops */                                                                                          \
  X(loops_max, 4, "of a machine: at each start it draws one to so many")                                     \
  X(cross_us, 50, "a message between two loops takes up to this")                                            \
  X(cross_late_ppm, 0, "of them take up to cross_late_us")                                                   \
  X(cross_late_us, 5000, "")                                                                                 \
  X(stalls, 0, "a loop is stuck while its neighbours run")                                                   \
  X(stall_ms, 500, "")                                                                                       \
  X(slow_loops, 0, "a loop pauses after all it does, while its neighbours do not")                           \
  X(slow_loop_us, 1000, "a pause")                                                                           \
  /* disks; the first four damage a copy, and one node at a time is damaged */                               \
  X(wipes, 0, "the disk is empty")                                                                           \
  X(rollbacks, 0, "the disk goes back to a snapshot")                                                        \
  X(rots, 0, "a row becomes unreadable")                                                                     \
  X(flips, 0, "a bit of a stored piece flips")                                                               \
  X(turns, 0, "a node misses writes, comes back, and of those who have them one loses them and one is away") \
  X(holds, 0, "a node loses its disk and catches up while a proxy's writes are half-way")                    \
  X(relays, 0, "two nodes lose their disks, one after the other, while a proxy's writes are half-way")       \
  X(lones, 0, "a bit flips in what one node alone was told")                                                 \
  X(outruns, 0, "one node holds a newer value, the others a promise only, and then it loses its disk")       \
  X(pairs, 0, "of five nodes two lose their disks at once, and the one that knows is away")                   \
  X(full_disks, 0, "writes are refused for a while")                                                         \
  X(full_ms, 4000, "")                                                                                       \
  X(slow_disks, 0, "operations take long, or wait for a while")                                              \
  X(slow_ms, 300, "")                                                                                        \
  X(read_error_ppm, 0, "reads that fail")                                                                    \
  X(write_error_ppm, 0, "group commits that fail, done or not")                                              \
  /* clocks */                                                                                               \
  X(skew_ms, 0, "between machines")                                                                          \
  X(drift_ppm, 0, "")                                                                                        \
  X(clock_steps, 0, "of one machine's time of day")                                                          \
  X(clock_step_ms, 3000, "forward or back")                                                                  \
  /* configuration */                                                                                        \
  X(reconfigurations, 0, "")                                                                                 \
  X(config_lag_ms, 0, "until a machine hears of a new one, at most")                                         \
  X(leap_pct, 15, "of them to a deployment that has nothing to do with the one before")                      \
  X(narrow_pct, 0, "of them to a few of the nodes in use, or from a few to all")                             \
  X(wide_buckets, 0, "of the many that such a change from a few goes to; 0: one to three")                   \
  X(haste_pct, 0, "of an operator's pauses are left out")                                                    \
  X(abort_pct, 20, "of them are undone")                                                                     \
  X(operators, 1, "at work, who do not talk to each other")                                                  \
  X(faultless, 0, "1: nothing goes wrong, and so every request has to succeed")

struct Scenario {
  std::uint64_t seed = 0;
  std::string_view theme = "any";  // what it was drawn for
#define TAKO_FIELD(name, calm, text) std::int64_t name = calm;
  TAKO_SCENARIO(TAKO_FIELD)
#undef TAKO_FIELD
};

struct ScenarioField {
  std::string_view name;
  std::int64_t Scenario::*member;
  std::int64_t calm;
  std::string_view text;
};
const std::vector<ScenarioField>& scenario_fields();

// theme: empty, the seed draws one too; unknown: none.
Scenario draw_scenario(std::uint64_t seed, std::string_view theme = {});

// `name=number`; false: no such name, or no number.
bool override_field(Scenario& scenario, std::string_view assignment);

// The numbers that are not calm.
std::string describe(const Scenario& scenario);

}  // namespace tako::sim
