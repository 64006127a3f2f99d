#include "sim/machine.h"

#include "runtime/run_on.h"
#include "sim/world.h"

namespace tako::sim {

// --- any ------------------------------------------------------------------------------------------------------

Machine::Machine(World& w, std::string name) : world(w), id(std::move(name)), clock(w.clock()) {}
Machine::~Machine() = default;

void Machine::power_on() {
  ASSERT(!alive());
  loops_.clear();
  transports_.clear();
  std::vector<test::SimLoop*> all;
  const unsigned count = world.draw_loops();
  for (unsigned i = 0; i < count; ++i) {
    loops_.push_back(world.new_loop(clock));
    all.push_back(loops_.back().get());
  }
  host = std::make_shared<Host>(id, std::move(all), loop().random().next());
  for (unsigned i = 0; i < count; ++i) {
    transports_.push_back(std::make_unique<SimTransport>(world.network(), host, i));
  }
  world.network().join(host);
  ++starts;
  start_failed = false;
}

void Machine::power_off(const std::function<Task<>()>& end) {
  host->alive = false;
  host->service.reset();
  host->resume();
  for (auto& one : loops_) {
    one->let_run();
    one->stop();
  }
  auto finish = [](Machine* self, const std::function<Task<>()>* last, bool* done) -> Task<> {
    for (std::size_t i = 0; i < self->loops(); ++i) {
      auto drained = self->host->serving[i]->drained();
      co_await runtime::run_on(self->loop(i), std::move(drained));
    }
    if (self->feed) co_await self->feed->drained();
    co_await (*last)();
    *done = true;
  };
  bool done = false;
  runtime::Gate ending(loop());
  loop().spawn(ending, finish(this, &end, &done));
  world.drain();
  ASSERT(done && ending.inside() == 0);
  feed.reset();
}

Task<Status> Machine::follow(std::function<void(std::shared_ptr<const model::Placement>)> adopt) {
  if (!world.has_coordinators()) {
    adopt(world.placement());
    co_return ok_status();
  }
  control::ConfigFeed::Options options;
  options.seeds = world.contacts();
  options.place = [this](const model::Configuration& configuration, const model::Placement*) {
    return world.placement_of(configuration);
  };
  options.parse = world.parser();
  auto publish = [this, adopt = std::move(adopt)](std::shared_ptr<const model::Placement> placement) {
    world.adopted(*this, *placement);
    adopt(std::move(placement));
  };
  feed = std::make_unique<control::ConfigFeed>(loop(), world.workers(), files, transport(), std::move(options),
                                               publish);
  auto first = co_await feed->start();
  if (!first) co_return first.error();
  co_return ok_status();
}

// --- node -----------------------------------------------------------------------------------------------------

NodeMachine::NodeMachine(World& w, std::string name) : Machine(w, std::move(name)), disk(w.clock()) {}

void NodeMachine::boot() {
  power_on();
  store::SimOptions storage;
  storage.sync = world.options().sync;
  storage.latency_max = world.options().disk_latency_max;

  node::Node::Parts parts;
  parts.id = id;
  for (std::size_t i = 0; i < loops(); ++i) {
    engines_.push_back(std::make_unique<store::SimEngine>(loop(i), disk, storage));
    parts.loops.push_back({&loop(i), engines_.back().get()});
  }
  parts.transport = &transport();
  parts.boot_id = "boot-" + std::to_string(machine_starts_);
  parts.sync_always = storage.sync.always;
  parts.collection = world.options().collection;
  agreeing_ = std::make_unique<replication::Replicator>(loop(), transport(), clock,
                                                        std::make_shared<replication::VersionMark>(0));
  parts.agreement = [this](std::string key, std::optional<model::Record> rescued, model::Ballot promise,
                           TimePoint deadline) {
    return agreeing_->agree(std::move(key), std::move(rescued), promise, deadline);
  };
  node = std::make_unique<node::Node>(std::move(parts));
  loop().spawn(*host->serving.front(), start());
}

Task<> NodeMachine::start() {
  Status started = co_await node->start();
  if (started) {
    auto adopt = [this](std::shared_ptr<const model::Placement> placement) {
      this->adopt(std::move(placement));
      if (alive() && !host->service) host->service.emplace(node->shards());
    };
    started = co_await follow(std::move(adopt));
  }
  if (!started) start_failed = true;
}

void NodeMachine::adopt(std::shared_ptr<const model::Placement> placement) {
  agreeing_->adopt(placement);
  node->adopt(std::move(placement));
}

void NodeMachine::die(bool machine_crash) {
  if (!alive()) return;
  if (machine_crash) {
    ++machine_starts_;
    disk.crash(world.random());
  } else {
    disk.kill();
  }
  end();
}

void NodeMachine::stop() {
  if (!alive()) return;
  end();
  disk.kill();
}

std::uint64_t NodeMachine::values_damaged() const {
  if (!node) return damaged_before_;
  return damaged_before_ + node->mender().counters().values_damaged;
}

void NodeMachine::end() {
  damaged_before_ = values_damaged();
  auto last = [this]() -> Task<> {
    co_await node->stop();
    co_await agreeing_->stop();
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      auto close = engines_[i]->close();
      co_await runtime::run_on(loop(i), std::move(close));
    }
  };
  power_off(last);
  node.reset();
  agreeing_.reset();
  engines_.clear();
}

void NodeMachine::wipe() {
  ASSERT(!alive());
  disk.wipe();
  files = runtime::MemoryFiles{};
  world.forgot_configuration(*this);
}

// --- proxy ----------------------------------------------------------------------------------------------------

ProxyMachine::ProxyMachine(World& w, std::string name) : Machine(w, std::move(name)) {}

void ProxyMachine::boot() {
  power_on();
  std::vector<replication::Replicators::LoopParts> parts;
  for (std::size_t i = 0; i < loops(); ++i) {
    parts.push_back({&loop(i), &transport(i)});
    lanes_.push_back(std::make_unique<Lane>(*this, i));
  }
  replicators = std::make_unique<replication::Replicators>(std::move(parts), clock,
                                                           std::make_shared<replication::VersionMark>(0));
  loop().spawn(*host->serving.front(), start());
}

Task<> ProxyMachine::start() {
  auto adopt = [this](std::shared_ptr<const model::Placement> placement) { replicators->adopt(std::move(placement)); };
  const Status started = co_await follow(std::move(adopt));
  if (!started) start_failed = true;
}

void ProxyMachine::die(bool) {
  if (!alive()) return;
  auto end = [this]() -> Task<> {
    for (auto& lane : lanes_) {
      auto drained = lane->work.drained();
      co_await runtime::run_on(lane->loop(), std::move(drained));
    }
    co_await replicators->stop();
  };
  power_off(end);
  lanes_.clear();
  replicators.reset();
}

// --- coordinator ----------------------------------------------------------------------------------------------

CoordinatorMachine::CoordinatorMachine(World& w, std::string name, model::Configuration first)
    : Machine(w, host_of(name)), first_(std::move(first)) {}

void CoordinatorMachine::boot() {
  power_on();
  control::Coordinator::Options options;
  options.id = id.substr(host_of("").size());
  options.file = first_;
  options.place = [this](const model::Configuration& configuration, const model::Placement*) {
    return world.placement_of(configuration);
  };
  options.parse = world.parser();
  coordinator = std::make_unique<control::Coordinator>(loop(), world.workers(), files, transport(), std::move(options));
  loop().spawn(*host->serving.front(), start());
}

Task<> CoordinatorMachine::start() {
  const Status started = co_await coordinator->start();
  if (!started) {
    start_failed = true;
  } else if (alive()) {
    host->service.emplace(on_first_loop(*coordinator));
  }
}

void CoordinatorMachine::die(bool) {
  if (!alive()) return;
  coordinator->dismiss();
  power_off([this]() -> Task<> { co_await coordinator->drained(); });
  coordinator.reset();
}

}  // namespace tako::sim
