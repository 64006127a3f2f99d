// A few nodes in virtual time for the tests of src/node: each with one to four loops, a disk and a database of its own,
// and calls that reach whoever is up and not cut off, at once. Proxies and network faults are in tests/sim.
//
// The test's thread drives all. What crosses between loops takes no time here, and arrives in a drawn order: so a call
// is over before the clock moves, and a node may die between two steps. TAKO_TEST_SEED draws other numbers of loops and
// other orders.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/log.h"
#include "node/node.h"
#include "runtime/run_on.h"
#include "store/engine/sim_engine.h"
#include "support/scheduler.h"

namespace tako::test {

inline std::uint64_t test_seed() {
  const char* seed = std::getenv("TAKO_TEST_SEED");
  return seed ? std::strtoull(seed, nullptr, 10) : 1;
}

// Deployments of one node a bucket: {{"d1", {1, 2, 3}}} has nodes n1, n2 and n3, and a key on up to three of them.
struct Shape {
  std::string active;
  std::string target;
  std::map<std::string, std::vector<int>> deployments;
  std::string interval = "30s";  // of background repair
  std::string scrub = "14d";
};

inline std::shared_ptr<const model::Placement> placement_of(int version, const Shape& shape, int buckets_per_key = 3) {
  std::string text = "version: " + std::to_string(version) + "\nactive_deployment: " + shape.active + "\n";
  if (!shape.target.empty()) text += "target_deployment: " + shape.target + "\n";
  text += "deployments:\n";
  for (const auto& [name, nodes] : shape.deployments) {
    text += "  " + name + ":\n    background_repair_interval: " + shape.interval +
            "\n    background_scrub_interval: " + shape.scrub +
            "\n    hash: {buckets_per_key: " + std::to_string(buckets_per_key) + "}\n    buckets:\n";
    for (const int n : nodes) {
      const std::string number = std::to_string(n);
      text += "      b" + number + ": {n" + number + ": [localhost, " + std::to_string(4700 + n) + "]}\n";
    }
  }
  auto configuration = model::parse_config(text, "test");
  REQUIRE_MESSAGE(configuration.ok(), text);
  return model::Placement::make(std::move(*configuration));
}

class Cluster;

class Machine final : public net::Transport {
 public:
  Machine(Cluster& cluster, std::string id);

  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint deadline) override;
  bool reachable(const net::Peer&) const override { return true; }

  void boot();
  void kill();   // kill -9
  void crash();  // with the machine
  bool up() const { return node != nullptr; }
  void adopt(std::shared_ptr<const model::Placement> placement) { node->adopt(std::move(placement)); }

  // A request as a peer or a proxy sends it, by the configuration in force.
  wire::Reply ask(decltype(wire::Request::body) body);
  bool put(const std::string& key, const std::string& value, std::uint64_t timestamp);
  bool remove(const std::string& key, std::uint64_t timestamp);
  // "-" for nothing, "?" for nothing from one that does not vote, an error's name.
  std::string get(const std::string& key);
  bool votes(const std::string& key) const { return node->standing().votes(model::partition_of(key)); }
  // In all it owns.
  bool votes() const;
  // Of all loops together.
  store::Digests::Totals held() const;
  std::size_t partitions_unknown() const;
  store::Digests::Totals held(model::Partition partition) const {
    return node->digests(partition % node->loops()).of(partition);
  }

  Cluster& cluster;
  const std::string id;
  store::SimDisk disk;
  bool cut_off = false;
  bool sync_always = true;
  // The first one.
  test::SimLoop& loop() { return *loops_.front(); }
  std::unique_ptr<node::Node> node;

 private:
  void die();
  std::vector<std::unique_ptr<test::SimLoop>> loops_;
  std::vector<std::unique_ptr<store::SimEngine>> engines_;
  int machine_starts_ = 1;
};

class Cluster {
 public:
  Cluster(int nodes, std::shared_ptr<const model::Placement> first) : placement(std::move(first)) {
    REQUIRE(log::open("off", "").ok());
    for (int i = 1; i <= nodes; ++i) machines.push_back(std::make_unique<Machine>(*this, "n" + std::to_string(i)));
    for (auto& machine : machines) machine->boot();
  }
  ~Cluster() {
    for (auto& machine : machines) {
      if (machine->up()) machine->kill();
    }
  }
  // By number, from 1.
  Machine& operator[](std::size_t number) { return *machines.at(number - 1); }
  Machine* find(std::string_view id) {
    for (auto& machine : machines) {
      if (machine->id == id) return machine.get();
    }
    return nullptr;
  }

  void adopt(std::shared_ptr<const model::Placement> next) {
    placement = std::move(next);
    for (auto& machine : machines) {
      if (machine->up()) machine->adopt(placement);
    }
    settle();
  }

  void settle() { scheduler.drain(); }
  void run_for(Duration duration) {
    const TimePoint end = clock.now() + duration;
    while (scheduler.step(end)) settle();
  }
  template <class Done>
  bool run_until(Done done, Duration limit = seconds(60)) {
    const TimePoint end = clock.now() + limit;
    while (!done()) {
      settle();
      if (done()) break;
      if (!scheduler.step(end)) return done();
      settle();
    }
    return true;
  }
  bool all_vote() {
    for (auto& machine : machines) {
      if (machine->up() && !machine->votes()) return false;
    }
    return true;
  }

  // Sees each call; false: it is lost on the way.
  std::function<bool(const wire::Request& request, std::string_view to)> let_pass;
  // Sees those that are not lost: how late it arrives.
  std::function<Duration(const wire::Request& request, std::string_view to)> late_by;
  // ... and how long it and its reply would be.
  bool count_bytes = false;
  std::size_t bytes = 0;

  node::Collector::Options collection;  // of machines that boot from here on

  VirtualClock clock;
  Random random{test_seed()};
  Scheduler scheduler{clock, random.next()};
  std::shared_ptr<const model::Placement> placement;
  std::vector<std::unique_ptr<Machine>> machines;

};

// --- Machine ----------------------------------------------------------------------------------------------------

inline Machine::Machine(Cluster& c, std::string name) : cluster(c), id(std::move(name)), disk(c.clock) {}

inline Task<Result<wire::Reply>> Machine::call(net::Peer to, wire::Request request, TimePoint deadline) {
  Machine* there = cluster.find(to.id);
  if (!there || !there->up() || there->cut_off || cut_off) {
    co_return Error(ErrorCode::kUnsent, "it cannot be reached");
  }
  if (cluster.let_pass && !cluster.let_pass(request, to.id)) co_return Error(ErrorCode::kUnavailable, "lost");
  if (cluster.late_by) {
    const Duration late = cluster.late_by(request, to.id);
    if (late > Duration::zero()) co_await loop().sleep(late);
    if (!there->up()) co_return Error(ErrorCode::kUnavailable, "lost");
  }
  const net::Shards shards = there->node->shards();
  const std::size_t asked = cluster.count_bytes ? wire::encode(request).size() : 0;
  auto reply = co_await shards.dispatch(loop(), std::move(request), deadline);
  if (cluster.count_bytes) cluster.bytes += asked + wire::encode(reply).size();
  co_return reply;
}

inline void Machine::boot() {
  REQUIRE(!up());
  engines_.clear();
  loops_.clear();
  store::SimOptions storage;
  storage.sync.always = sync_always;
  node::Node::Parts parts;
  parts.id = id;
  const auto count = cluster.random.between(1, 4);
  for (std::uint64_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<SimLoop>(cluster.scheduler, cluster.clock, cluster.random.next()));
    engines_.push_back(std::make_unique<store::SimEngine>(*loops_.back(), disk, storage));
    parts.loops.push_back({loops_.back().get(), engines_.back().get()});
  }
  parts.transport = this;
  parts.boot_id = "boot " + std::to_string(machine_starts_);
  parts.sync_always = sync_always;
  parts.collection = cluster.collection;
  node = std::make_unique<node::Node>(std::move(parts));
  bool started = false;
  auto start = [](node::Node* self, bool* done) -> Task<> {
    const Status status = co_await self->start();
    *done = status.ok();
  };
  runtime::Gate starting(loop());
  loop().spawn(starting, start(node.get(), &started));
  cluster.settle();
  REQUIRE(started);
  node->adopt(cluster.placement);
}

inline void Machine::kill() {
  disk.kill();
  die();
}

inline void Machine::crash() {
  ++machine_starts_;
  disk.crash(cluster.random);
  die();
}

inline void Machine::die() {
  for (auto& one : loops_) one->stop();
  auto end = [](Machine* self, bool* done) -> Task<> {
    co_await self->node->stop();
    for (std::size_t i = 0; i < self->loops_.size(); ++i) {
      auto close = self->engines_[i]->close();
      co_await runtime::run_on(*self->loops_[i], std::move(close));
    }
    *done = true;
  };
  bool done = false;
  runtime::Gate ending(loop());
  loop().spawn(ending, end(this, &done));
  cluster.settle();
  REQUIRE(done);
  node.reset();
}

inline wire::Reply Machine::ask(decltype(wire::Request::body) body) {
  wire::Request request;
  request.config = wire::stamp_of(*cluster.placement);
  request.body = std::move(body);
  std::optional<wire::Reply> reply;
  auto asking = [](Machine* self, wire::Request* question, std::optional<wire::Reply>* answer) -> Task<> {
    const net::Shards shards = self->node->shards();
    *answer = co_await shards.dispatch(self->loop(), std::move(*question), TimePoint::max());
  };
  runtime::Gate open(loop());
  loop().spawn(open, asking(this, &request, &reply));
  cluster.settle();
  REQUIRE(reply.has_value());
  return std::move(*reply);
}

inline bool Machine::put(const std::string& key, const std::string& value, std::uint64_t timestamp) {
  wire::Write write;
  write.key = key;
  write.record = model::make_value({timestamp, 1}, Bytes(std::string(value)));
  const wire::Reply reply = ask(std::move(write));
  const auto* written = std::get_if<wire::WriteReply>(&reply.body);
  return written && written->outcome == wire::WriteReply::Outcome::kStored;
}

inline bool Machine::remove(const std::string& key, std::uint64_t timestamp) {
  wire::Write write;
  write.key = key;
  write.record = model::make_tombstone({timestamp, 1});
  const wire::Reply reply = ask(std::move(write));
  const auto* written = std::get_if<wire::WriteReply>(&reply.body);
  return written && written->outcome == wire::WriteReply::Outcome::kStored;
}

inline std::string Machine::get(const std::string& key) {
  wire::Read read;
  read.key = key;
  const wire::Reply reply = ask(std::move(read));
  if (const auto* error = std::get_if<Error>(&reply.body)) return name_of(error->code);
  const auto& held = std::get<wire::ReadReply>(reply.body);
  const bool tombstone = held.slot.record && held.slot.record->tombstone();
  if (tombstone) return "deleted";
  if (!held.slot.record) return held.voter.informed ? "-" : held.voter.votes ? "~" : "?";
  return std::string(held.slot.record->value->view());
}

inline bool Machine::votes() const {
  const auto duties = node::duties_of(*cluster.placement, id);
  return (duties->owned() - node->standing().informed()).none() &&
         (duties->owned() & node->standing().suspended()).none();
}

inline store::Digests::Totals Machine::held() const {
  store::Digests::Totals all;
  for (std::size_t i = 0; i < node->loops(); ++i) {
    const store::Digests::Totals part = node->digests(i).all();
    all.sum += part.sum;
    all.bytes += part.bytes;
    all.values += part.values;
    all.tombstones += part.tombstones;
  }
  return all;
}

inline std::size_t Machine::partitions_unknown() const {
  std::size_t all = 0;
  for (std::size_t i = 0; i < node->loops(); ++i) all += node->digests(i).unknown().count();
  return all;
}

// A new one in which every owner votes.
inline std::unique_ptr<Cluster> voting_cluster(int nodes, const Shape& shape) {
  auto c = std::make_unique<Cluster>(nodes, placement_of(1, shape));
  REQUIRE(c->run_until([&] { return c->all_vote(); }));
  return c;
}

}  // namespace tako::test
