#include "sim/nemesis.h"

#include <algorithm>

namespace tako::sim {
namespace {

constexpr std::uint32_t kSnapshotPpm = 20'000;  // of ticks
constexpr std::size_t kManyNodes = 4;

}  // namespace

Nemesis::Nemesis(World& world, const Scenario& scenario, Damage& damage)
    : world_(world), scenario_(scenario), damage_(damage), random_(world.random().split("nemesis")) {
  NetworkFaults& faults = world_.network().faults;
  faults.delay_min = microseconds(scenario.delay_min_us);
  faults.delay_max = microseconds(std::max(scenario.delay_min_us, scenario.delay_max_us));
  faults.loss_ppm = static_cast<std::uint32_t>(scenario.loss_ppm);
  faults.duplicate_ppm = static_cast<std::uint32_t>(scenario.duplicate_ppm);
  faults.straggler_ppm = static_cast<std::uint32_t>(scenario.straggler_ppm);
  faults.straggler_max = milliseconds(scenario.straggler_ms);
  faults.capacity = static_cast<std::size_t>(scenario.capacity);
  faults.reset_ppm = static_cast<std::uint32_t>(scenario.reset_ppm);
  faults.flicker_ppm = static_cast<std::uint32_t>(10'000 * scenario.flicker_pct);
  faults.flicker_turn = milliseconds(std::max<std::int64_t>(1, scenario.flicker_ms));
  faults.config_lag_max = milliseconds(scenario.config_lag_ms);
  world_.for_each_machine([this](Machine& machine) {
    const auto span = static_cast<std::uint64_t>(scenario_.skew_ms);
    machine.clock.offset = milliseconds(static_cast<std::int64_t>(random_.below(2 * span + 1)) - scenario_.skew_ms);
    const auto drift = static_cast<std::uint64_t>(scenario_.drift_ppm);
    machine.clock.drift_ppm = static_cast<std::int64_t>(random_.below(2 * drift + 1)) - scenario_.drift_ppm;
  });
  for (std::size_t i = 0; i < world_.nodes(); ++i) {
    world_.node(i).disk.set_error_rates(static_cast<std::uint32_t>(scenario.read_error_ppm),
                                        static_cast<std::uint32_t>(scenario.write_error_ppm));
  }
}

bool Nemesis::due(std::int64_t per_ks) {
  const auto ppm = per_ks * kTick.count() / 1000;  // events per 1000 s, in a tick of so many microseconds
  return random_.chance_ppm(static_cast<std::uint32_t>(std::min<std::int64_t>(ppm, 1'000'000)));
}

void Nemesis::later(std::int64_t mean_ms, std::function<void()> undo) {
  const std::uint64_t ms = 1 + random_.below(static_cast<std::uint64_t>(2 * std::max<std::int64_t>(1, mean_ms)));
  ends_.emplace(world_.now() + milliseconds(static_cast<std::int64_t>(ms)), std::move(undo));
}

void Nemesis::end_what_is_due() {
  while (!ends_.empty() && ends_.begin()->first <= world_.now()) {
    auto undo = std::move(ends_.begin()->second);
    ends_.erase(ends_.begin());
    undo();
  }
}

void Nemesis::tick() {
  end_what_is_due();
  restart_failed();
  machines();
  loops();
  links();
  disks();
  clocks();
}

void Nemesis::restart_failed() {
  world_.for_each_machine([this](Machine& machine) {
    if (!machine.start_failed || !machine.alive()) return;
    machine.die(false);
    machine.boot();
    world_.tally().add("start failed");
  });
}

// --- machines ---------------------------------------------------------------------------------------------------

NodeMachine& Nemesis::some_node() { return world_.node(random_.below(world_.nodes())); }

std::size_t Nemesis::down() const {
  std::size_t down = 0;
  for (std::size_t i = 0; i < world_.nodes(); ++i) down += !world_.node(i).alive();
  return down;
}

void Nemesis::machines() {
  if (due(scenario_.kills)) end_node(false);
  if (due(scenario_.crashes)) end_node(true);
  if (due(scenario_.stops)) stop_node();
  if (due(scenario_.pauses)) {
    std::vector<Machine*> candidates;
    world_.for_each_machine([&candidates](Machine& machine) {
      if (machine.alive() && !machine.paused()) candidates.push_back(&machine);
    });
    if (candidates.empty()) return;
    Machine* machine = candidates[random_.below(candidates.size())];
    machine->pause();
    world_.tally().add("pause");
    later(scenario_.pause_ms, [machine] {
      if (machine->paused()) machine->resume();
    });
  }
  if (due(scenario_.proxy_kills)) {
    ProxyMachine& proxy = world_.proxy(random_.below(world_.proxies()));
    if (!proxy.alive()) return;
    proxy.die(false);
    world_.tally().add("proxy killed");
    later(scenario_.down_ms, [&proxy] { proxy.boot(); });
  }
  if (due(scenario_.coordinator_kills)) {
    CoordinatorMachine& coordinator = world_.coordinator(random_.below(world_.coordinators()));
    if (!coordinator.alive()) return;
    coordinator.die(false);
    world_.tally().add("coordinator killed");
    later(4 * scenario_.down_ms, [&coordinator] { coordinator.boot(); });
  }
}

// One loop of a process; its neighbours notice by the answers that do not come.
void Nemesis::loops() {
  const bool stall = due(scenario_.stalls);
  const bool slow = due(scenario_.slow_loops);
  if (!stall && !slow) return;
  std::vector<Machine*> candidates;
  world_.for_each_machine([&candidates](Machine& machine) {
    if (machine.alive()) candidates.push_back(&machine);
  });
  if (candidates.empty()) return;
  Machine& machine = *candidates[random_.below(candidates.size())];
  test::SimLoop& loop = machine.loop(random_.below(machine.loops()));
  if (stall) {
    const std::uint64_t most = 2 * static_cast<std::uint64_t>(std::max<std::int64_t>(1, scenario_.stall_ms));
    loop.stall_until(world_.now() + milliseconds(static_cast<std::int64_t>(1 + random_.below(most))));
    world_.tally().add("loop stuck");
  } else {
    loop.slow_down(microseconds(scenario_.slow_loop_us));
    world_.tally().add("loop slow");
    const unsigned starts = machine.starts;
    later(5000, [&machine, &loop, starts] {
      if (machine.starts == starts) loop.let_run();
    });
  }
}

void Nemesis::stop_node() {
  NodeMachine& node = some_node();
  if (!node.alive() || node.paused() || down() >= static_cast<std::size_t>(scenario_.down_max)) return;
  node.stop();
  world_.tally().add("node stopped");
  later(scenario_.down_ms, [&node] {
    if (!node.alive()) node.boot();
  });
}

void Nemesis::end_node(bool machine_crash) {
  NodeMachine& node = some_node();
  if (!node.alive() || down() >= static_cast<std::size_t>(scenario_.down_max)) return;
  const bool loses = machine_crash && !scenario_.sync_always;
  if (loses && !damage_.allowed(node)) return;
  if (loses) damage_.happened(node);
  node.die(machine_crash);
  world_.tally().add(machine_crash ? "machine crashed" : "node killed");
  later(scenario_.down_ms, [&node] {
    if (!node.alive()) node.boot();
  });
}

// --- links ------------------------------------------------------------------------------------------------------

std::vector<std::string> Nemesis::names() const {
  std::vector<std::string> all;
  world_.for_each_machine([&all](Machine& machine) { all.push_back(machine.id); });
  return all;
}

void Nemesis::links() {
  if (due(scenario_.clogs)) {
    const auto all = names();
    const TimePoint until = world_.now() + milliseconds(scenario_.clog_ms);
    world_.network().clog(all[random_.below(all.size())], all[random_.below(all.size())], until);
    world_.tally().add("clog");
  }
  if (due(scenario_.cuts)) cut_something();
  if (due(scenario_.rifts) && world_.placement()->config().target) rift();
  if (scenario_.strands > 0 && due(scenario_.strands)) strand();
}

// While the cluster moves: between the machines that are moved to and those that are left.
void Nemesis::rift() {
  const auto& nodes = world_.placement()->nodes();
  Network& network = world_.network();
  if (random_.chance_ppm(500'000)) {  // only nodes: they cannot repair, or not with all; everybody else reaches all
    const std::uint32_t share_ppm = random_.chance_ppm(500'000) ? 1'000'000 : 600'000;
    for (const auto& a : nodes) {
      for (const auto& b : nodes) {
        const bool between = only_in_target(a.id) != only_in_target(b.id);
        if (between && random_.chance_ppm(share_ppm)) network.cut(a.id, b.id);
      }
    }
    world_.tally().add("rift between old nodes and new");
  } else {  // the new ones, some of the old, and some proxies, from everybody else
    std::set<std::string> group;
    for (const auto& node : nodes) {
      if (only_in_target(node.id) || random_.chance_ppm(300'000)) group.insert(node.id);
    }
    for (std::size_t i = 0; i < world_.proxies(); ++i) {
      if (random_.chance_ppm(500'000)) group.insert(world_.proxy(i).id);
    }
    network.isolate(std::move(group));
    world_.tally().add("rift between the deployments");
  }
  later(scenario_.rift_ms, [&network] {
    network.isolate({});
    network.heal_cuts();
  });
}

bool Nemesis::only_in_target(const std::string& node) const {
  for (const auto& bucket : world_.placement()->config().active_deployment().buckets) {
    for (const auto& spec : bucket.nodes) {
      if (spec.id == node) return false;
    }
  }
  return true;
}

// Where two are no majority: they answer every write at w=two, and nobody else hears of it, nor they of a move.
void Nemesis::strand() {
  const auto& nodes = world_.placement()->nodes();
  if (world_.placement()->config().target || nodes.size() < kManyNodes) return;
  std::set<std::string> group;
  while (group.size() < 2) group.insert(nodes[random_.below(nodes.size())].id);
  for (std::size_t i = 0; i < world_.proxies(); ++i) group.insert(world_.proxy(i).id);
  Network& network = world_.network();
  network.isolate(std::move(group));
  world_.tally().add("two nodes stranded with the proxies");
  later(scenario_.strand_ms, [&network] { network.isolate({}); });
}

void Nemesis::cut_something() {
  const auto all = names();
  Network& network = world_.network();
  switch (random_.below(3)) {
    case 0: {  // two halves
      std::set<std::string> group;
      for (const auto& name : all) {
        if (random_.chance_ppm(500'000)) group.insert(name);
      }
      network.isolate(std::move(group));
      world_.tally().add("partition in groups");
      break;
    }
    case 1:  // one machine
      network.isolate({all[random_.below(all.size())]});
      world_.tally().add("partition of one");
      break;
    default: {  // one way, some links
      const std::size_t links = random_.between(1, all.size());
      for (std::size_t i = 0; i < links; ++i) {
        network.cut(all[random_.below(all.size())], all[random_.below(all.size())]);
      }
      world_.tally().add("partition one way");
    }
  }
  later(scenario_.cut_ms, [&network] {
    network.isolate({});
    network.heal_cuts();
  });
}

// --- disks ------------------------------------------------------------------------------------------------------

void Nemesis::take_snapshots() {
  if (scenario_.rollbacks == 0) return;
  if (random_.chance_ppm(kSnapshotPpm)) {
    NodeMachine& node = some_node();
    if (node.alive() && node.host->service)
      snapshots_[node.id] = {node.disk.snapshot(), node.files, node.starts, false};
  }
  // Going back is noticed by peers who know a later start of the node than its disk does.
  for (auto& [id, snapshot] : snapshots_) {
    const NodeMachine& node = *world_.find_node(id);
    if (snapshot.known || !node.alive() || !node.host->service || node.starts == snapshot.starts) continue;
    const auto& repairer = node.node->repairer();
    const auto agreement = repairer.oldest_agreement();
    snapshot.known = repairer.peers_up() == repairer.peers() && agreement && repairer.peers() > 0;
  }
}

void Nemesis::disks() {
  take_snapshots();
  if (due(scenario_.wipes)) lose_disk(some_node(), false);
  if (due(scenario_.rollbacks)) lose_disk(some_node(), true);
  if (due(scenario_.turns)) turn();
  if (due(scenario_.holds)) hold();
  if (scenario_.relays > 0 && due(scenario_.relays)) relay();
  if (scenario_.outruns > 0 && due(scenario_.outruns)) outrun();
  if (scenario_.lones > 0 && due(scenario_.lones)) lone();
  if (scenario_.pairs > 0 && due(scenario_.pairs)) lose_pair();
  if (due(scenario_.rots) || due(scenario_.flips)) {
    const auto family = random_.chance_ppm(500'000) ? store::Family::kMeta : store::Family::kChunks;
    NodeMachine& node = some_node();
    if (scenario_.background_repair != 0 && damage_.allowed(node) && node.disk.flip_bit(random_, family)) {
      damage_.bit_flipped(node);
      world_.tally().add(family == store::Family::kMeta ? "row unreadable" : "bit flipped");
    }
  }
  if (due(scenario_.full_disks)) {
    NodeMachine& node = some_node();
    // At once, or with what is written next.
    const std::uint64_t room = random_.chance_ppm(500'000) ? 0 : random_.below(50'000);
    node.disk.set_capacity(std::max<std::uint64_t>(1, node.disk.bytes() + room - (room == 0)));
    world_.tally().add("disk full");
    later(scenario_.full_ms, [&node] { node.disk.set_capacity(0); });
  }
  if (due(scenario_.slow_disks)) {
    NodeMachine& node = some_node();
    world_.tally().add("disk slow");
    if (random_.chance_ppm(500'000)) {
      node.disk.stall_until(world_.now() + milliseconds(scenario_.slow_ms));
    } else {
      node.disk.set_latency(Duration::zero(), milliseconds(scenario_.slow_ms));
      later(5000, [this, &node] { node.disk.set_latency(Duration::zero(), world_.options().disk_latency_max); });
    }
  }
}

// --- clocks -----------------------------------------------------------------------------------------------------

void Nemesis::clocks() {
  if (!due(scenario_.clock_steps)) return;
  std::vector<Machine*> all;
  world_.for_each_machine([&all](Machine& machine) { all.push_back(&machine); });
  const auto span = static_cast<std::uint64_t>(2 * scenario_.clock_step_ms + 1);
  const Duration step = milliseconds(static_cast<std::int64_t>(random_.below(span)) - scenario_.clock_step_ms);
  all[random_.below(all.size())]->clock.offset += step;
  world_.tally().add("clock step");
}

// --- the end ----------------------------------------------------------------------------------------------------

void Nemesis::calm() {
  ends_.clear();
  snapshots_.clear();
  NetworkFaults& faults = world_.network().faults;
  const NetworkFaults calm;
  faults = calm;
  world_.network().isolate({});
  world_.network().heal_cuts();
  world_.network().heal_clogs();
  for (std::size_t i = 0; i < world_.nodes(); ++i) {
    store::SimDisk& disk = world_.node(i).disk;
    disk.set_capacity(0);
    disk.set_error_rates(0, 0);
    disk.set_latency(Duration::zero(), world_.options().disk_latency_max);
    disk.stall_until(world_.now());
  }
  world_.for_each_machine([](Machine& machine) {
    if (machine.paused()) machine.resume();
    if (!machine.alive()) return;
    for (std::size_t i = 0; i < machine.loops(); ++i) machine.loop(i).let_run();
  });
}

void Nemesis::start_all() {
  world_.for_each_machine([](Machine& machine) {
    if (!machine.alive()) machine.boot();
  });
}

}  // namespace tako::sim
