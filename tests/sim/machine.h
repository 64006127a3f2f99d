// Machines of the simulated world: a node, a proxy, a coordinator: the production objects on a loop, a clock, a disk
// and a network of their own, so that each can be stopped, crashed, paused and started again alone.
//
// A machine belongs to a World and lives as long; between start and stop it has a loop and a host on the network.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/config_feed.h"
#include "control/coordinator.h"
#include "node/node.h"
#include "proxy/replicator.h"
#include "runtime/files.h"
#include "sim/network.h"
#include "store/sim_engine.h"

namespace tako::sim {

class World;

// A machine's own idea of the time of day.
class SkewedClock final : public runtime::Clock {
 public:
  explicit SkewedClock(const runtime::Clock& truth) : truth_(truth), began_(truth.now()) {}
  TimePoint now() const override { return truth_.now(); }
  Timestamp wall() const override {
    const auto lived = (truth_.now() - began_).count();
    return truth_.wall() + static_cast<Timestamp>(offset.count() + lived * drift_ppm / 1'000'000);
  }
  Duration offset = Duration::zero();
  std::int64_t drift_ppm = 0;

 private:
  const runtime::Clock& truth_;
  const TimePoint began_;
};

class Machine {
 public:
  Machine(World& world, std::string id);
  virtual ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  virtual void boot() = 0;
  // kill -9, or the machine with its page cache. Its objects are gone when this returns.
  virtual void die(bool machine_crash) = 0;
  bool alive() const { return host && host->alive; }
  bool paused() const { return alive() && host->paused; }
  void pause() { host->pause(); }
  void resume();

  World& world;
  const std::string id;
  SkewedClock clock;
  runtime::MemoryFiles files;
  std::unique_ptr<runtime::Loop> loop;  // of the last start
  std::shared_ptr<Host> host;
  std::unique_ptr<SimTransport> transport;
  std::unique_ptr<control::ConfigFeed> feed;  // null where the world tells configurations itself
  unsigned starts = 0;
  bool start_failed = false;  // it gave up at start, as a process exits; to be started again

 protected:
  void power_on();
  // Stops the loop and runs what is left on it to its end; then `end`, which has to finish too.
  void power_off(const std::function<Task<>()>& end);
  // Follows the coordinators, and hands on what comes.
  Task<Status> follow(std::function<void(std::shared_ptr<const model::Placement>)> adopt);
};

class NodeMachine final : public Machine {
 public:
  NodeMachine(World& world, std::string id);
  void boot() override;
  void die(bool machine_crash) override;
  void stop();  // as by SIGTERM: with its last words on the disk
  void wipe();

  store::SimDisk disk;
  std::unique_ptr<store::SimEngine> engine;
  std::unique_ptr<proxy::Replicator> agreeing;  // for the node's settler
  std::unique_ptr<node::Node> node;

 private:
  Task<> start();
  void end();
  unsigned machine_starts_ = 1;
};

class ProxyMachine final : public Machine {
 public:
  ProxyMachine(World& world, std::string id);
  void boot() override;
  void die(bool machine_crash) override;

  std::unique_ptr<proxy::Replicator> replicator;
  std::unique_ptr<runtime::Gate> work;  // what clients do here

 private:
  Task<> start();
};

class CoordinatorMachine final : public Machine {
 public:
  // `first`: the file it is started with.
  CoordinatorMachine(World& world, std::string id, model::Configuration first);
  void boot() override;
  void die(bool machine_crash) override;
  static std::string host_of(const std::string& id) { return "coordinator:" + id; }

  std::unique_ptr<control::Coordinator> coordinator;

 private:
  Task<> start();
  const model::Configuration first_;
};

}  // namespace tako::sim
