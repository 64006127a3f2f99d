// World: a whole cluster on virtual time in one thread: the production Node, Replicator, Coordinator and ConfigFeed
// over a simulated network, disks and clocks. One seed is one history.
//
// Each machine (machine.h) has one to four loops of its own, drawn at each start, so that it can die alone: its
// messages stop, its disk forgets what was not synced, its waits end, its objects go. The scheduler
// (support/scheduler.h) lets everything run that is ready, then moves the clock to the next timer of any loop that is
// not paused or stuck.
// Where the configuration names coordinators they run, and everybody follows them; else adopt() tells everybody.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/placement.h"
#include "sim/machine.h"
#include "sim/tally.h"
#include "support/scheduler.h"

namespace tako::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  std::string config;                   // YAML
  std::vector<std::string> more_nodes;  // machines that the first configuration does not name
  unsigned proxies = 2;
  store::SyncPolicy sync{true, seconds(1)};
  Duration disk_latency_max = microseconds(300);
  unsigned loops_max = 4;  // of a machine
  test::Scheduler::Crossing crossing{microseconds(50), milliseconds(5), 10'000};
  node::Collector::Options collection;
};

class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  Random& random() { return random_; }
  Network& network() { return *network_; }
  Tally& tally() { return tally_; }
  NodeMachine& node(std::size_t i) { return *nodes_[i]; }
  std::size_t nodes() const { return nodes_.size(); }
  NodeMachine* find_node(std::string_view id);
  ProxyMachine& proxy(std::size_t i) { return *proxies_[i]; }
  std::size_t proxies() const { return proxies_.size(); }
  CoordinatorMachine& coordinator(std::size_t i) { return *coordinators_[i]; }
  std::size_t coordinators() const { return coordinators_.size(); }
  std::size_t machines() const { return nodes_.size() + proxies_.size() + coordinators_.size(); }
  bool has_coordinators() const { return !coordinators_.empty(); }
  const std::vector<control::Contact>& contacts() const { return contacts_; }
  // One that is no part of the cluster: an operator.
  Machine& add(std::unique_ptr<Machine> machine);
  void for_each_machine(const std::function<void(Machine&)>& visit);  // of the cluster

  const runtime::Clock& clock() const { return clock_; }
  TimePoint now() const { return clock_.now(); }
  runtime::Workers& workers() { return workers_; }
  const WorldOptions& options() const { return options_; }

  // The newest configuration that any machine goes by.
  std::shared_ptr<const model::Placement> placement() const { return placement_; }
  // What a machine goes by, and what it went by until a moment ago; null: nothing.
  std::shared_ptr<const model::Placement> placement_of(const Machine& machine) const;
  std::shared_ptr<const model::Placement> placement_before(const Machine& machine) const;
  // One for all machines: making one is the dearest thing they do.
  std::shared_ptr<const model::Placement> placement_of(const model::Configuration& configuration);
  // model::parse_config. All machines read the same few texts: each is parsed once.
  control::Follower::Parse parser();
  // Where there are no coordinators: a new configuration reaches everybody at once.
  void adopt(std::shared_ptr<const model::Placement> placement);
  // A machine goes by this now. Checked: one version number has one content, nobody goes back, and each version is one
  // step from the one before (protocol rules 26, 28, 29).
  void adopted(const Machine& machine, const model::Placement& placement);
  void forgot_configuration(const Machine& machine) { adopted_.erase(machine.id); }
  // The version that a machine goes by; 0: none yet.
  std::uint64_t configuration_of(const Machine& machine) const {
    const auto found = adopted_.find(machine.id);
    return found == adopted_.end() ? 0 : found->second.counter;
  }

  // Lets time pass. until: as soon as `done`, false if it was not within `limit`.
  void run_for(Duration duration);
  bool run_until(const std::function<bool()>& done, Duration limit);
  void drain();
  std::unique_ptr<test::SimLoop> new_loop(const runtime::Clock& clock);
  // How many a machine has that starts now.
  unsigned draw_loops();

  // Called when a newer configuration is seen for the first time.
  std::function<void(const model::Placement&)> on_configuration;

  void problem(std::string text);
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void check_step(std::uint64_t from, std::uint64_t to);

  const WorldOptions options_;
  test::VirtualClock clock_;
  Random random_;
  test::Scheduler scheduler_;
  runtime::Workers workers_{0};
  Tally tally_;
  std::unique_ptr<test::SimLoop> wire_;
  std::unique_ptr<Network> network_;
  std::shared_ptr<const model::Placement> placement_;
  std::vector<control::Contact> contacts_;
  std::vector<std::unique_ptr<CoordinatorMachine>> coordinators_;
  std::vector<std::unique_ptr<NodeMachine>> nodes_;
  std::vector<std::unique_ptr<ProxyMachine>> proxies_;
  std::vector<std::unique_ptr<Machine>> others_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::shared_ptr<const model::Placement>> placements_;
  std::map<std::string, model::Configuration, std::less<>> parsed_;  // by text
  std::map<std::uint64_t, std::shared_ptr<const model::Placement>> history_;  // by counter
  struct Adopted {
    std::uint64_t counter = 0;
    std::uint64_t before = 0;
    TimePoint at;
  };
  std::map<std::string, Adopted> adopted_;  // by machine
  std::vector<std::string> problems_;
};

}  // namespace tako::sim
