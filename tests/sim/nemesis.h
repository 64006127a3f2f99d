// Nemesis: what goes wrong, and when: each fault of a scenario at its rate, at machines and links drawn at random, and
// each one's end. What takes stored state away asks Damage first.
//
// Driven by the simulation, a few times a simulated second. calm() ends everything: then the healing begins.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/damage.h"
#include "sim/scenario.h"
#include "sim/world.h"

namespace tako::sim {

class Nemesis {
 public:
  static constexpr Duration kTick = milliseconds(100);

  Nemesis(World& world, const Scenario& scenario, Damage& damage);

  void tick();
  // No fault of links, disks and clocks any more, nobody is paused. Who is down stays down.
  void calm();
  // Everybody that is down starts, and who gave up at start does so again.
  void start_all();
  void restart_failed();

 private:
  struct Snapshot {
    store::SimDisk::Snapshot disk;
    runtime::MemoryFiles files;
    unsigned starts = 0;  // of the machine, when it was taken
    bool known = false;   // peers have met a later start of it
  };

  bool due(std::int64_t per_ks);
  void later(std::int64_t mean_ms, std::function<void()> undo);
  void after(Duration time, std::function<void()> act) { ends_.emplace(world_.now() + time, std::move(act)); }
  void end_what_is_due();

  void machines();
  void loops();
  void links();
  void disks();
  void clocks();
  void stop_node();
  void end_node(bool machine_crash);
  void turn();
  void hold();
  void relay();
  void lone();
  void lose_pair();
  void outrun();
  void part(const std::string& one, const std::string& other);
  // `down`: until it starts again; none: as the scenario draws it.
  void lose_disk(NodeMachine& node, bool rollback, std::optional<Duration> down = std::nullopt);
  void cut_something();
  void rift();
  void strand();
  void take_snapshots();

  NodeMachine& some_node();
  std::vector<NodeMachine*> three_nodes();
  std::vector<NodeMachine*> shuffled_nodes();
  std::size_t down() const;
  bool only_in_target(const std::string& node) const;
  std::vector<std::string> names() const;

  World& world_;
  const Scenario& scenario_;
  Damage& damage_;
  Random random_;
  std::multimap<TimePoint, std::function<void()>> ends_;
  std::map<std::string, Snapshot> snapshots_;
  TimePoint relay_over_{};
};

}  // namespace tako::sim
