#include "sim/machine.h"

#include "sim/world.h"

namespace tako::sim {

// --- any ------------------------------------------------------------------------------------------------------

Machine::Machine(World& w, std::string name) : world(w), id(std::move(name)), clock(w.clock()) {}
Machine::~Machine() = default;

void Machine::power_on() {
  ASSERT(!alive());
  loop = world.new_loop(clock);
  host = std::make_shared<Host>(id, *loop);
  transport = std::make_unique<SimTransport>(world.network(), host);
  world.network().join(host);
  ++starts;
  start_failed = false;
}

void Machine::power_off(const std::function<Task<>()>& end) {
  host->alive = false;
  host->service = nullptr;
  host->backlog.clear();
  loop->stop();
  auto finish = [](Machine* self, const std::function<Task<>()>* last, bool* done) -> Task<> {
    co_await self->host->serving.drained();
    if (self->feed) co_await self->feed->drained();
    co_await (*last)();
    *done = true;
  };
  bool done = false;
  runtime::Gate ending(*loop);
  loop->spawn(ending, finish(this, &end, &done));
  world.drain();
  ASSERT(done && ending.inside() == 0);
  feed.reset();
}

void Machine::resume() {
  host->resume();
  loop->fire_due();
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
  auto publish = [this, adopt = std::move(adopt)](std::shared_ptr<const model::Placement> placement) {
    world.adopted(*this, *placement);
    adopt(std::move(placement));
  };
  feed = std::make_unique<control::ConfigFeed>(*loop, world.workers(), files, *transport, std::move(options), publish);
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
  engine = std::make_unique<store::SimEngine>(*loop, disk, storage);

  node::Node::Parts parts;
  parts.id = id;
  parts.loops = {{loop.get(), engine.get()}};
  parts.transport = transport.get();
  parts.boot_id = "boot-" + std::to_string(machine_starts_);
  parts.sync_always = storage.sync.always;
  parts.collection = world.options().collection;
  agreeing = std::make_unique<proxy::Replicator>(*loop, *transport, clock);
  parts.agreement = [this](std::string key, std::optional<model::Record> rescued, TimePoint deadline) {
    return agreeing->agree(std::move(key), std::move(rescued), deadline);
  };
  node = std::make_unique<node::Node>(std::move(parts));
  loop->spawn(host->serving, start());
}

Task<> NodeMachine::start() {
  Status started = co_await node->start();
  if (started) {
    auto adopt = [this](std::shared_ptr<const model::Placement> placement) {
      agreeing->adopt(placement);
      node->adopt(std::move(placement));
      if (alive()) host->service = node->shards().shard_of(wire::Request{}).service;
    };
    started = co_await follow(std::move(adopt));
  }
  if (!started) start_failed = true;
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

void NodeMachine::end() {
  auto last = [this]() -> Task<> {
    co_await node->stop();
    co_await agreeing->stop();
    co_await engine->close();
  };
  power_off(last);
  node.reset();
  agreeing.reset();
  engine.reset();
  transport.reset();
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
  replicator = std::make_unique<proxy::Replicator>(*loop, *transport, clock);
  work = std::make_unique<runtime::Gate>(*loop);
  loop->spawn(host->serving, start());
}

Task<> ProxyMachine::start() {
  auto adopt = [this](std::shared_ptr<const model::Placement> placement) { replicator->adopt(std::move(placement)); };
  const Status started = co_await follow(std::move(adopt));
  if (!started) start_failed = true;
}

void ProxyMachine::die(bool) {
  if (!alive()) return;
  auto end = [this]() -> Task<> {
    co_await work->drained();
    co_await replicator->stop();
  };
  power_off(end);
  work.reset();
  replicator.reset();
  transport.reset();
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
  coordinator = std::make_unique<control::Coordinator>(*loop, world.workers(), files, *transport, std::move(options));
  loop->spawn(host->serving, start());
}

Task<> CoordinatorMachine::start() {
  const Status started = co_await coordinator->start();
  if (!started) {
    start_failed = true;
  } else if (alive()) {
    host->service = coordinator.get();
  }
}

void CoordinatorMachine::die(bool) {
  if (!alive()) return;
  coordinator->dismiss();
  power_off([this]() -> Task<> { co_await coordinator->drained(); });
  coordinator.reset();
  transport.reset();
}

}  // namespace tako::sim
