#include "sim/simulation.h"

#include <algorithm>

#include "sim/clients.h"
#include "sim/disks.h"
#include "sim/nemesis.h"
#include "sim/operator.h"
#include "sim/switches.h"
#include "sim/witness.h"

namespace tako::sim {
namespace {

constexpr Duration kBirthMax = seconds(120);
constexpr Duration kLateBirthMax = seconds(600);  // a page of one row, each answer late: where rare branches are common
constexpr Duration kPoll = milliseconds(500);
constexpr Duration kCoreMax = seconds(60);
// An operator ends what it has begun; a held request whose answer is lost is asked again after 25 s.
constexpr Duration kToldMax = seconds(150);
constexpr std::size_t kCoreKeys = 12;
constexpr std::int64_t kRepairMax = 60;        // longer intervals are not waited for
constexpr Duration kQuietAfter = seconds(20);  // operations, and what proxies do behind their backs, are over
constexpr std::size_t kPollsToRead = 20;       // every ten seconds, where only reads repair
constexpr std::size_t kReadBackKeys = 60;
// Under way in one machine when no client asks for anything: announcements, pages of a pass; at a coordinator everybody
// waits for something newer.
constexpr std::size_t kRequestsLeftMax = 24;

class Simulation {
 public:
  Simulation(const Scenario& scenario, Plant plant, SimulationResult& result)
      : scenario_(scenario),
        result_(result),
        switches_(scenario.seed, scenario.buggify != 0, plant, result.tally),
        world_(world_options(scenario)),
        damage_(world_),
        witness_(world_, damage_, history_),
        clients_(world_, scenario_, history_) {}

  void run() {
    if (!be_born()) return finish();
    Nemesis nemesis(world_, scenario_, damage_);
    suffer(nemesis);
    nemesis.calm();
    for (Operator* op : operators_) op->retire();
    serve_in_core(nemesis);
    heal(nemesis);
    read_back();
    check_at_rest();
    history_.check_linearizable();
    finish();
  }

 private:
  static WorldOptions world_options(const Scenario& scenario) {
    WorldOptions options;
    options.seed = scenario.seed;
    const model::Configuration first = first_configuration(scenario, Random(scenario.seed).split("deployment"));
    options.config = model::to_yaml(first);
    for (std::int64_t i = 1; i <= scenario.pool; ++i) {
      const model::NodeSpec spec = node_spec(static_cast<std::size_t>(i));
      if (options.config.find(" " + spec.id + ":") == std::string::npos) options.more_nodes.push_back(spec.id);
    }
    options.proxies = static_cast<unsigned>(scenario.proxies);
    options.sync.always = scenario.sync_always != 0;
    options.sync.interval = seconds(scenario.sync_s);
    options.disk_latency_max = microseconds(scenario.disk_us);
    options.loops_max = static_cast<unsigned>(std::clamp<std::int64_t>(scenario.loops_max, 1, 16));
    options.crossing.usual = microseconds(scenario.cross_us);
    options.crossing.late = microseconds(scenario.cross_late_us);
    options.crossing.late_ppm = static_cast<std::uint32_t>(scenario.cross_late_ppm);
    options.collection.grace = milliseconds(scenario.grace_ms);
    options.collection.step = milliseconds(scenario.grace_step_ms);
    options.collection.turn = milliseconds(scenario.turn_ms);
    options.collection.leavers_drain = seconds(scenario.drain_s);
    return options;
  }

  bool wait_until(const std::function<bool()>& done, Duration limit) {
    const TimePoint end = world_.now() + limit;
    while (!done()) {
      if (world_.now() >= end) return false;
      world_.run_for(kPoll);
    }
    return true;
  }

  // A healthy new cluster: everybody hears of the configuration and votes.
  bool be_born() {
    const Duration limit = scenario_.buggify != 0 ? kLateBirthMax : kBirthMax;
    const bool born = wait_until([this] { return damage_.all_vote(); }, limit);
    if (!born) world_.problem("a new cluster does not come to vote");
    return born;
  }

  void suffer(Nemesis& nemesis) {
    if (scenario_.reconfigurations > 0) {
      for (std::int64_t i = 1; i <= scenario_.operators; ++i) {
        auto op = std::make_unique<Operator>(world_, "op" + std::to_string(i), scenario_, damage_);
        operators_.push_back(op.get());
        world_.add(std::move(op));
      }
    }
    const Duration whole = seconds(scenario_.seconds);
    const TimePoint end = world_.now() + (scenario_.ends_ms > 0 ? milliseconds(scenario_.ends_ms) : whole);
    for (TimePoint tick = world_.now(); world_.now() < end;) {
      const TimePoint next = std::min(std::max(clients_.next_operation(), world_.now()), tick);
      world_.run_for(next - world_.now());
      clients_.tick();
      if (world_.now() < tick) continue;
      nemesis.tick();
      tick += Nemesis::kTick;
    }
  }

  // --- liveness, first half: a random part of the machines, everybody else stays away for good ---------------------

  void serve_in_core(Nemesis& nemesis) {
    clients_.time_of_peace_is_over();
    Random random = world_.random().split("core");
    world_.for_each_machine([&](Machine& machine) {
      const bool node = dynamic_cast<NodeMachine*>(&machine) != nullptr;
      const bool in_core = !node || random.chance_ppm(750'000);
      if (in_core && !machine.alive()) machine.boot();
      if (!in_core) machine.die(false);
    });
    world_.run_for(seconds(8));
    nemesis.restart_failed();
    if (!core_can_decide()) {
      world_.tally().add("core without a quorum");
      return;
    }
    world_.tally().add("core");
    std::vector<std::string> keys = history_.keys();
    for (std::size_t i = 0; i < kCoreKeys && !keys.empty(); ++i) {
      const std::string& key = keys[random.below(keys.size())];
      ProxyMachine& proxy = world_.proxy(random.below(world_.proxies()));
      serve_one(proxy, key);
    }
  }

  // A majority with a vote, of every key, in each live deployment?
  bool core_can_decide() {
    const auto placement = world_.placement();
    for (std::size_t i = 0; i < world_.nodes(); ++i) {
      const NodeMachine& node = world_.node(i);
      const bool member = placement->find(node.id).has_value();
      if (member && node.alive() && world_.configuration_of(node) != placement->config().counter) return false;
    }
    for (const std::string& key : history_.keys()) {
      const model::Partition partition = model::partition_of(key);
      for (const std::uint8_t deployment : {model::kInActive, model::kInTarget}) {
        std::size_t members = 0;
        std::size_t voters = 0;
        for (const auto& replica : placement->replicas(partition)) {
          if (!(replica.deployments & deployment)) continue;
          ++members;
          const NodeMachine* node = world_.find_node(placement->nodes()[replica.node].id);
          if (!node->alive() || !node->host->service) continue;
          const node::Standing& standing = node->node->standing();
          const bool newcomer = replica.deployments == model::kInTarget && !standing.suspended(partition);
          voters += newcomer || standing.votes(partition);
        }
        if (members > 0 && voters < members / 2 + 1) return false;
      }
    }
    return true;
  }

  // A read and a write at quorum, each at once or after a retry, within the bound.
  void serve_one(ProxyMachine& proxy, const std::string& key) {
    const Event* event = nullptr;
    const auto over = [&event] { return event->end.has_value(); };
    for (const bool write : {true, false}) {
      const TimePoint end = world_.now() + kCoreMax;
      do {
        event = write ? clients_.begin_write(proxy, key, model::WriteLevel::kQuorum, 100)
                      : clients_.begin_read(proxy, key, model::ReadLevel::kQuorum);
        if (!world_.run_until(over, kCoreMax)) break;
      } while (!event->ok && world_.now() < end);
      if (event->ok && write && !latest_sees(proxy, *event)) return;
      // A row found unreadable just now takes a vote away.
      if (event->ok || !core_can_decide()) continue;
      world_.problem(key + ": not served by a healed core with a quorum: " + event->error);
      return;
    }
  }

  // Nothing is lost on the way now: whoever has it is reachable.
  bool latest_sees(ProxyMachine& proxy, const Event& written) {
    const Event* read = clients_.begin_read(proxy, written.key, model::ReadLevel::kLatest);
    const auto over = [read] { return read->end.has_value(); };
    const bool answered = world_.run_until(over, kCoreMax) && read->ok;
    if (!answered || read->version >= written.version) return true;
    world_.problem(written.key + ": `latest` reads " + to_string(read->version) + " after " +
                   to_string(written.version) + " was written, with all its holders reachable");
    return false;
  }

  // --- liveness, second half: everybody ----------------------------------------------------------------------------

  void heal(Nemesis& nemesis) {
    nemesis.start_all();
    world_.run_for(seconds(5));
    nemesis.restart_failed();
    const bool told = wait_until([this] { return everybody_is_told(); }, kToldMax);
    if (!told) world_.problem("not everybody hears of the newest configuration");
    look_at_every_value();
    const bool repaired = scenario_.background_repair != 0;
    if (!repaired && scenario_.read_repair == 0) return;
    const std::int64_t interval_s = std::min<std::int64_t>(scenario_.repair_s, kRepairMax);
    const Duration limit = store::Store::kStagedIdleMax + seconds(120 + 4 * interval_s);
    const TimePoint quiet = world_.now() + kQuietAfter;
    std::string difference;
    const bool equal = wait_until(
        [&] {
          nemesis.restart_failed();
          if (!repaired) read_everything();
          if (repaired && !damage_.all_vote()) {
            difference = "not every owner votes";
            return false;
          }
          const Disks disks(world_);
          difference = disks.first_difference(repaired);
          check_agreement(quiet, difference);
          if (repaired && difference.empty()) difference = disks.first_leak();
          return difference.empty();
        },
        limit);
    if (!equal) world_.problem("did not converge: " + difference);
  }

  // Nobody writes any more, and nothing is handed over or lost: what all say to have found equal since then is equal.
  void check_agreement(TimePoint quiet, const std::string& difference) {
    if (difference.empty() || damage_.ever() || scenario_.reconfigurations > 0) return;
    for (std::size_t i = 0; i < world_.nodes(); ++i) {
      NodeMachine& node = world_.node(i);
      if (!node.alive() || !node.host->service) return;
      const auto agreed = node.node->repairer().oldest_agreement();
      if (!agreed || *agreed > world_.now() - quiet || node.node->repairer().peers() == 0) return;
    }
    world_.problem("all say that they agree, and " + difference);
  }

  // One read may leave its repair out: too many at once, say.
  void read_everything() {
    if (polls_++ % kPollsToRead != 0) return;
    for (const std::string& key : history_.keys()) {
      clients_.begin_read(world_.proxy(0), key, model::ReadLevel::kLatest);
    }
  }

  bool everybody_is_told() {
    bool told = true;
    for (const Operator* op : operators_) told &= op->idle();
    const std::uint64_t newest = world_.placement()->config().counter;
    for (std::size_t i = 0; i < world_.nodes(); ++i) told &= world_.configuration_of(world_.node(i)) == newest;
    for (std::size_t i = 0; i < world_.proxies(); ++i) told &= world_.configuration_of(world_.proxy(i)) == newest;
    return told;
  }

  // A flipped bit is found by whoever reads the value.
  void look_at_every_value() {
    const auto placement = world_.placement();
    ProxyMachine& proxy = world_.proxy(0);
    for (const std::string& key : history_.keys()) {
      for (const auto& replica : placement->replicas(model::partition_of(key))) {
        const auto& node = placement->nodes()[replica.node];
        ProxyMachine::Lane& lane = proxy.draw_lane(world_.random());
        lane.loop().spawn(lane.work, look(&lane, placement, key, net::Peer{node.id, node.host, node.port}));
      }
    }
    world_.run_for(seconds(3));
  }

  static Task<> look(ProxyMachine::Lane* proxy, std::shared_ptr<const model::Placement> placement, std::string key,
                     net::Peer peer) {
    wire::Read read;
    read.key = key;
    wire::Request request;
    request.config = wire::ConfigStamp{placement->config().counter, placement->config().hash};
    request.body = std::move(read);
    auto called = co_await proxy->transport().call(peer, std::move(request), proxy->loop().now() + seconds(2));
    const auto found = net::expect<wire::ReadReply>(std::move(called));
    const bool large = found && found->slot.record && found->slot.record->in_pieces();
    for (std::uint32_t i = 0; large && i < model::pieces_of(found->slot.record->size); ++i) {
      wire::Request part;
      part.body = wire::ReadPiece{key, found->slot.record->ballot, i};
      (void)co_await proxy->transport().call(peer, std::move(part), proxy->loop().now() + seconds(2));
    }
  }

  // A strict operation may settle a key without the one replica that holds what w=one has answered. It brings that
  // back, unless it dies before.
  bool nothing_strict() const { return scenario_.strict_pct == 0 && scenario_.strict_keys_pct == 0; }

  // What is left is what was promised, and every level reads it.
  void read_back() {
    auto newest = Disks(world_).newest();
    for (const std::string& key : history_.keys())
      history_.check_final(key, newest[key], !damage_.ever() && nothing_strict());
    const model::ReadLevel levels[] = {model::ReadLevel::kLatest, model::ReadLevel::kQuorum, model::ReadLevel::kAll,
                                       model::ReadLevel::kOne};
    std::vector<std::pair<const Event*, std::string>> reads;
    const auto keys = history_.keys();
    for (std::size_t i = 0; i < std::min(keys.size(), kReadBackKeys); ++i) {
      ProxyMachine& proxy = world_.proxy(i % world_.proxies());
      reads.emplace_back(clients_.begin_read(proxy, keys[i], levels[i % 4]), keys[i]);
      world_.run_for(milliseconds(5));
    }
    world_.run_for(seconds(20));
    if (scenario_.background_repair == 0) return;  // they need not be equal, and one replica may be asked
    for (const auto& [event, key] : reads) {
      const auto& left = newest[key];
      if (left && left->expires_at != 0) continue;  // a read may have written its end down
      if (event->ok && event->value == 0 && (!left || left->tombstone())) continue;  // collected, or about to be
      const model::Version version = left ? left->version : model::Version{};
      if (!event->ok) {
        world_.problem(key + ": cannot be read (" + event->level + ") after everything has healed: " + event->error);
      } else if (event->version != version) {
        world_.problem(key + ": reads " + to_string(event->version) + " (" + event->level + ") after everything has " +
                       "healed, its owners hold " + to_string(version));
      }
    }
  }

  // Where no bit has flipped no value is damaged, whatever is written while it is read.
  void check_false_damage() {
    if (damage_.any_flipped()) return;
    for (std::size_t i = 0; i < world_.nodes(); ++i) {
      const NodeMachine& node = world_.node(i);
      if (node.values_damaged() > 0) {
        world_.problem(node.id + " took " + std::to_string(node.values_damaged()) + " sound values for damaged ones");
      }
    }
  }

  void check_at_rest() {
    world_.run_for(seconds(70));  // longer than any operation lives
    world_.for_each_machine([this](Machine& machine) {
      const std::size_t inside = machine.host->requests_inside();
      const bool waited_at = dynamic_cast<CoordinatorMachine*>(&machine) != nullptr;
      if (inside > kRequestsLeftMax + (waited_at ? world_.machines() : 0)) {
        world_.problem(machine.id + " still works on " + std::to_string(inside) + " requests that nobody waits for");
      }
    });
    check_false_damage();
    const std::string digest = Disks(world_).first_wrong_digest();
    if (!digest.empty()) world_.problem(digest);
    for (std::size_t i = 0; i < world_.proxies(); ++i) {
      const std::size_t inside = world_.proxy(i).operations_inside();
      if (inside > 0) world_.problem(world_.proxy(i).id + " does not end " + std::to_string(inside) + " operations");
    }
  }

  void finish() {
    result_.problems = world_.problems();
    result_.problems.insert(result_.problems.end(), history_.problems().begin(), history_.problems().end());
    std::string key = history_.problem_key();
    if (key.empty() && !result_.problems.empty()) {
      const std::string& text = result_.problems.front();
      for (const std::string& name : history_.keys()) {
        if (text.find(name + ":") != std::string::npos) key = name;
      }
    }
    result_.history = history_.tell(key);
    result_.fingerprint = world_.network().fingerprint();
    result_.messages = world_.network().messages();
    result_.answered = history_.answered();
    result_.simulated = world_.now() - began_;
    for (const auto& [what, times] : world_.tally().counts()) result_.tally.add(what, times);
  }

  const Scenario scenario_;
  SimulationResult& result_;
  Switches switches_;
  World world_;
  const TimePoint began_ = world_.now();
  Damage damage_;
  History history_;
  Witness witness_;
  Clients clients_;
  std::vector<Operator*> operators_;
  std::size_t polls_ = 0;
};

}  // namespace

SimulationResult simulate(const Scenario& scenario, Plant plant) {
  SimulationResult result;
  Simulation simulation(scenario, plant, result);
  simulation.run();
  return result;
}

}  // namespace tako::sim
