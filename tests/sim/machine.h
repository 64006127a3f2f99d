// Machines of the simulated world: a node, a proxy, a coordinator: the production objects on loops, a clock, a disk and
// a network of their own, so that each can be stopped, crashed, paused and started again alone.
//
// A machine belongs to a World and lives as long; between start and stop it has one to four loops and a host on the
// network. As in production (roles/), the first loop is where it is built and where it follows the coordinators.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/config_feed.h"
#include "control/coordinator.h"
#include "node/node.h"
#include "replication/replicators.h"
#include "runtime/files.h"
#include "sim/network.h"
#include "store/engine/sim_engine.h"

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
  bool paused() const { return alive() && host->paused(); }
  void pause() { host->pause(); }
  void resume() { host->resume(); }
  // Of the last start.
  test::SimLoop& loop(std::size_t i = 0) { return *loops_[i]; }
  std::size_t loops() const { return loops_.size(); }
  SimTransport& transport(std::size_t i = 0) { return *transports_[i]; }

  World& world;
  const std::string id;
  SkewedClock clock;
  runtime::MemoryFiles files;
  std::shared_ptr<Host> host;
  std::unique_ptr<control::ConfigFeed> feed;  // null where the world tells configurations itself
  unsigned starts = 0;
  bool start_failed = false;  // it gave up at start, as a process exits; to be started again

 protected:
  void power_on();
  // Stops the loops and runs what is left on them to its end; then `end`, which has to finish too.
  void power_off(const std::function<Task<>()>& end);
  // For a service that lives on the first loop.
  net::Shards on_first_loop(net::Service& service) { return net::Shards({{&loop(), &service}}); }
  // Follows the coordinators, and hands on what comes.
  Task<Status> follow(std::function<void(std::shared_ptr<const model::Placement>)> adopt);

 private:
  std::vector<std::unique_ptr<test::SimLoop>> loops_;
  std::vector<std::unique_ptr<SimTransport>> transports_;
};

class NodeMachine final : public Machine {
 public:
  NodeMachine(World& world, std::string id);
  void boot() override;
  void die(bool machine_crash) override;
  void stop();  // as by SIGTERM: with its last words on the disk
  void adopt(std::shared_ptr<const model::Placement> placement);
  void wipe();

  // Values that it found to be damaged, in all its lives.
  std::uint64_t values_damaged() const;

  store::SimDisk disk;
  std::unique_ptr<node::Node> node;

 private:
  Task<> start();
  void end();
  std::vector<std::unique_ptr<store::SimEngine>> engines_;  // one for each loop
  std::unique_ptr<replication::Replicator> agreeing_;             // for the node's settler
  unsigned machine_starts_ = 1;
  std::uint64_t damaged_before_ = 0;  // values, in the lives before
};

class ProxyMachine final : public Machine {
 public:
  // What a client's connection ends on: one loop of the proxy.
  struct Lane {
    Lane(ProxyMachine& m, std::size_t i) : machine(m), index(i), work(m.loop(i)) {}
    runtime::Loop& loop() const { return machine.loop(index); }
    net::Transport& transport() const { return machine.transport(index); }
    replication::Replicator& replicator() const { return machine.replicators->at(index); }

    ProxyMachine& machine;
    const std::size_t index;
    runtime::Gate work;  // what clients do here
  };

  ProxyMachine(World& world, std::string id);
  void boot() override;
  void die(bool machine_crash) override;
  Lane& lane(std::size_t i = 0) { return *lanes_[i]; }
  std::size_t operations_inside() const {
    std::size_t all = 0;
    for (const auto& lane : lanes_) all += lane->work.inside();
    return all;
  }
  Lane& draw_lane(Random& random) { return lane(loops() == 1 ? 0 : random.below(loops())); }

  std::unique_ptr<replication::Replicators> replicators;

 private:
  Task<> start();
  std::vector<std::unique_ptr<Lane>> lanes_;  // one for each loop
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
