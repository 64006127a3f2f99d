// World: a whole cluster on virtual time in one thread: the production Node and Replicator over a simulated network,
// disks and clocks. One seed is one history.
//
// Each machine has a loop of its own on a shared io_context, so that it can die alone: its messages stop, its disk
// forgets what was not synced, its waits end, its objects go. step() lets everything run that is ready, then moves the
// clock to the next timer of any loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/placement.h"
#include "node/node.h"
#include "proxy/replicator.h"
#include "sim/network.h"
#include "store/sim_engine.h"
#include "support/run_loop.h"

namespace tako::sim {

// A machine's own idea of the time of day.
class SkewedClock final : public runtime::Clock {
 public:
  explicit SkewedClock(const runtime::Clock& truth) : truth_(truth) {}
  TimePoint now() const override { return truth_.now(); }
  Timestamp wall() const override { return truth_.wall() + static_cast<Timestamp>(offset.count()); }
  Duration offset = Duration::zero();

 private:
  const runtime::Clock& truth_;
};

class NodeMachine {
 public:
  NodeMachine(class World& world, std::string id);
  void boot();
  // kill -9, or the machine with its page cache. Its objects are gone when this returns.
  void die(bool machine_crash);
  void wipe() { disk.wipe(); }
  bool alive() const { return node != nullptr; }

  World& world;
  const std::string id;
  SkewedClock clock;
  store::SimDisk disk;
  std::unique_ptr<runtime::Loop> loop;
  std::shared_ptr<Host> host;
  std::unique_ptr<SimTransport> transport;
  std::unique_ptr<store::SimEngine> engine;
  std::unique_ptr<node::Node> node;
};

class ProxyMachine {
 public:
  ProxyMachine(class World& world, std::string id);
  void end();

  World& world;
  SkewedClock clock;
  std::unique_ptr<runtime::Loop> loop;
  std::shared_ptr<Host> host;
  std::unique_ptr<SimTransport> transport;
  std::unique_ptr<proxy::Replicator> replicator;
  runtime::Gate work;  // what clients do here
};

struct WorldOptions {
  std::uint64_t seed = 1;
  std::string config;  // YAML
  unsigned proxies = 2;
  store::SyncPolicy sync{true, seconds(1)};
};

class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  Random& random() { return random_; }
  Network& network() { return *network_; }
  NodeMachine& node(std::size_t i) { return *nodes_[i]; }
  std::size_t nodes() const { return nodes_.size(); }
  ProxyMachine& proxy(std::size_t i) { return *proxies_[i]; }
  std::size_t proxies() const { return proxies_.size(); }
  TimePoint now() const { return clock_.now(); }
  std::shared_ptr<const model::Placement> placement() const { return placement_; }
  const WorldOptions& options() const { return options_; }

  // A new configuration reaches everybody at once.
  void adopt(std::shared_ptr<const model::Placement> placement);

  // Lets time pass. until: as soon as `done`, false if it was not within `limit`.
  void run_for(Duration duration);
  bool run_until(const std::function<bool()>& done, Duration limit);

 private:
  friend class NodeMachine;
  friend class ProxyMachine;
  std::unique_ptr<runtime::Loop> new_loop(const runtime::Clock& clock);
  void drain();
  bool step(TimePoint limit);
  void for_each_loop(const std::function<void(runtime::Loop&)>& visit);

  const WorldOptions options_;
  asio::io_context io_{1};
  test::VirtualClock clock_;
  Random random_;
  std::unique_ptr<runtime::Loop> wire_;
  std::unique_ptr<Network> network_;
  std::shared_ptr<const model::Placement> placement_;
  std::vector<std::unique_ptr<NodeMachine>> nodes_;
  std::vector<std::unique_ptr<ProxyMachine>> proxies_;
};

}  // namespace tako::sim
