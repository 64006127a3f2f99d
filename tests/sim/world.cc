#include "sim/world.h"

namespace tako::sim {

NodeMachine::NodeMachine(World& w, std::string name) : world(w), id(std::move(name)), clock(w.clock_), disk(w.clock_) {}

void NodeMachine::boot() {
  ASSERT(!alive());
  loop = world.new_loop(clock);
  host = std::make_shared<Host>(id, *loop);
  transport = std::make_unique<SimTransport>(*world.network_, host);
  store::SimOptions storage;
  storage.sync = world.options_.sync;
  storage.latency_max = microseconds(300);
  engine = std::make_unique<store::SimEngine>(*loop, disk, storage);

  node::Node::Parts parts;
  parts.id = id;
  parts.loops = {{loop.get(), engine.get()}};
  parts.transport = transport.get();
  parts.sync_always = storage.sync.always;
  node = std::make_unique<node::Node>(std::move(parts));
  world.network_->join(host);
  auto start = [](NodeMachine* self) -> Task<> {
    const Status started = co_await self->node->start();
    if (!started) co_return;  // it died while it started
    self->node->adopt(self->world.placement_);
    self->host->service = self->node->shards().shard_of(wire::Request{}).service;
  };
  loop->spawn(host->serving, start(this));
}

void NodeMachine::die(bool machine_crash) {
  if (!alive()) return;
  host->alive = false;
  host->service = nullptr;
  if (machine_crash) {
    disk.crash(world.random_);
  } else {
    disk.kill();
  }
  loop->stop();
  auto end = [](NodeMachine* self, bool* done) -> Task<> {
    co_await self->host->serving.drained();
    co_await self->node->stop();
    co_await self->engine->close();
    *done = true;
  };
  bool done = false;
  runtime::Gate ending(*loop);
  loop->spawn(ending, end(this, &done));
  world.drain();
  ASSERT(done && ending.inside() == 0);
  node.reset();
  engine.reset();
  transport.reset();
}

ProxyMachine::ProxyMachine(World& w, std::string id)
    : world(w),
      clock(w.clock_),
      loop(w.new_loop(clock)),
      host(std::make_shared<Host>(id, *loop)),
      transport(std::make_unique<SimTransport>(*w.network_, host)),
      replicator(std::make_unique<proxy::Replicator>(*loop, *transport, clock)),
      work(*loop) {
  w.network_->join(host);
  replicator->adopt(w.placement_);
}

void ProxyMachine::end() {
  host->alive = false;
  loop->stop();
  world.drain();
  ASSERT(work.inside() == 0);
  bool done = false;
  auto stop = [](ProxyMachine* self, bool* flag) -> Task<> {
    co_await self->replicator->stop();
    *flag = true;
  };
  loop->spawn(work, stop(this, &done));
  world.drain();
  ASSERT(done);
}

World::World(WorldOptions options) : options_(std::move(options)), random_(options_.seed) {
  wire_ = new_loop(clock_);
  network_ = std::make_unique<Network>(*wire_, random_.next());
  auto configuration = model::parse_config(options_.config, "world");
  ASSERT(configuration.ok());
  placement_ = model::Placement::make(std::move(*configuration));
  for (const auto& node : placement_->nodes()) {
    nodes_.push_back(std::make_unique<NodeMachine>(*this, node.id));
    nodes_.back()->boot();
  }
  for (unsigned i = 0; i < options_.proxies; ++i) {
    proxies_.push_back(std::make_unique<ProxyMachine>(*this, "p" + std::to_string(i + 1)));
  }
}

World::~World() {
  for (auto& proxy : proxies_) proxy->end();
  for (auto& node : nodes_) node->die(false);
  drain();
}

std::unique_ptr<runtime::Loop> World::new_loop(const runtime::Clock& clock) {
  return std::make_unique<runtime::Loop>(io_, clock, random_.next(), runtime::Loop::Drive::kByHand);
}

void World::adopt(std::shared_ptr<const model::Placement> placement) {
  placement_ = std::move(placement);
  for (auto& proxy : proxies_) proxy->replicator->adopt(placement_);
  for (auto& node : nodes_) {
    if (node->alive()) node->node->adopt(placement_);
  }
}

void World::drain() {
  io_.restart();
  io_.poll();
}

void World::for_each_loop(const std::function<void(runtime::Loop&)>& visit) {
  visit(*wire_);
  for (auto& proxy : proxies_) visit(*proxy->loop);
  for (auto& node : nodes_) {
    if (node->loop) visit(*node->loop);
  }
}

// False: nothing more happens before `limit`.
bool World::step(TimePoint limit) {
  drain();
  std::optional<TimePoint> next;
  for_each_loop([&next](runtime::Loop& loop) {
    const auto timer = loop.next_timer();
    if (timer && (!next || *timer < *next)) next = timer;
  });
  if (!next || *next > limit) {
    clock_.advance_to(limit);
    return false;
  }
  clock_.advance_to(*next);
  for_each_loop([](runtime::Loop& loop) { loop.fire_due(); });
  return true;
}

void World::run_for(Duration duration) {
  const TimePoint limit = now() + duration;
  while (step(limit)) {
  }
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = now() + limit;
  while (!done()) {
    if (!step(end)) return done();
  }
  return true;
}

}  // namespace tako::sim
