#include "sim/world.h"

namespace tako::sim {
namespace {

constexpr std::size_t kProblemsMax = 50;
constexpr Duration kMoment = seconds(10);  // what a disk had begun to do may take so long

}  // namespace

World::World(WorldOptions options)
    : options_(std::move(options)), random_(options_.seed), scheduler_(clock_, random_.next()) {
  scheduler_.set_crossing(options_.crossing);
  wire_ = new_loop(clock_);
  wire_->be_the_world();
  network_ = std::make_unique<Network>(*wire_, random_.next(), tally_);
  auto configuration = model::parse_config(options_.config, "world");
  ASSERT(configuration.ok());
  contacts_ = control::coordinators_of(*configuration, "");
  placement_ = model::Placement::make(*configuration);
  for (const auto& spec : configuration->coordinators) {
    coordinators_.push_back(std::make_unique<CoordinatorMachine>(*this, spec.id, *configuration));
  }
  for (const auto& node : placement_->nodes()) nodes_.push_back(std::make_unique<NodeMachine>(*this, node.id));
  for (const auto& id : options_.more_nodes) nodes_.push_back(std::make_unique<NodeMachine>(*this, id));
  for (unsigned i = 0; i < options_.proxies; ++i) {
    proxies_.push_back(std::make_unique<ProxyMachine>(*this, "p" + std::to_string(i + 1)));
  }
  for_each_machine([](Machine& machine) { machine.boot(); });
}

World::~World() {
  for (auto& other : others_) other->die(false);
  for (auto& proxy : proxies_) proxy->die(false);
  for (auto& node : nodes_) node->die(false);
  for (auto& coordinator : coordinators_) coordinator->die(false);
  drain();
}

std::unique_ptr<test::SimLoop> World::new_loop(const runtime::Clock& clock) {
  return std::make_unique<test::SimLoop>(scheduler_, clock, random_.next());
}

unsigned World::draw_loops() { return static_cast<unsigned>(random_.between(1, options_.loops_max)); }

NodeMachine* World::find_node(std::string_view id) {
  for (auto& node : nodes_) {
    if (node->id == id) return node.get();
  }
  return nullptr;
}

void World::for_each_machine(const std::function<void(Machine&)>& visit) {
  for (auto& coordinator : coordinators_) visit(*coordinator);
  for (auto& node : nodes_) visit(*node);
  for (auto& proxy : proxies_) visit(*proxy);
}

Machine& World::add(std::unique_ptr<Machine> machine) {
  others_.push_back(std::move(machine));
  others_.back()->boot();
  return *others_.back();
}

void World::problem(std::string text) {
  if (problems_.size() < kProblemsMax) problems_.push_back(std::move(text));
}

// --- configuration ----------------------------------------------------------------------------------------------

void World::adopt(std::shared_ptr<const model::Placement> placement) {
  placement_ = std::move(placement);
  for (auto& proxy : proxies_) {
    if (proxy->alive()) proxy->replicators->adopt(placement_);
  }
  for (auto& node : nodes_) {
    if (node->alive()) node->adopt(placement_);
  }
}

std::shared_ptr<const model::Placement> World::placement_of(const model::Configuration& configuration) {
  auto& placement = placements_[{configuration.counter, configuration.hash}];
  if (!placement) placement = model::Placement::make(configuration, placement_.get());
  return placement;
}

control::Follower::Parse World::parser() {
  return [this](std::string_view text, std::string_view name) -> Result<model::Configuration> {
    const auto known = parsed_.find(text);
    if (known != parsed_.end()) return known->second;
    auto parsed = model::parse_config(text, name);
    if (parsed) parsed_.emplace(text, *parsed);
    return parsed;
  };
}

std::shared_ptr<const model::Placement> World::placement_of(const Machine& machine) const {
  if (!has_coordinators()) return placement_;
  const auto found = history_.find(configuration_of(machine));
  return found == history_.end() ? nullptr : found->second;
}

std::shared_ptr<const model::Placement> World::placement_before(const Machine& machine) const {
  const auto found = adopted_.find(machine.id);
  if (found == adopted_.end() || now() - found->second.at > kMoment) return nullptr;
  const auto before = history_.find(found->second.before);
  return before == history_.end() ? nullptr : before->second;
}

void World::check_step(std::uint64_t from, std::uint64_t to) {
  const auto before = history_.find(from);
  const auto after = history_.find(to);
  if (before == history_.end() || after == history_.end()) return;
  const model::Configuration& a = before->second->config();
  const model::Configuration& b = after->second->config();
  const bool same_active = a.active_deployment() == b.active_deployment();
  const bool begun = !a.target && same_active;
  const bool undone = a.target && !b.target && same_active;
  const bool promoted = a.target && !b.target && *a.target == b.active;
  if (begun || undone || promoted) return;
  problem("configuration " + std::to_string(to) + " is no step from " + std::to_string(from) + ": " + a.active + "," +
          a.target.value_or("-") + " then " + b.active + "," + b.target.value_or("-"));
}

void World::adopted(const Machine& machine, const model::Placement& placement) {
  const model::Configuration& configuration = placement.config();
  const auto [known, first_seen] = history_.emplace(configuration.counter, placement_of(configuration));
  if (first_seen) {
    check_step(configuration.counter - 1, configuration.counter);
    check_step(configuration.counter, configuration.counter + 1);
  }
  if (known->second->config().hash != configuration.hash) {
    problem("two contents of configuration " + std::to_string(configuration.counter) + "; one is at " + machine.id);
  }
  Adopted& of = adopted_[machine.id];
  if (configuration.counter < of.counter) {
    problem(machine.id + " went back from configuration " + std::to_string(of.counter) + " to " +
            std::to_string(configuration.counter));
  }
  of = Adopted{configuration.counter, of.counter, now()};
  if (configuration.counter <= placement_->config().counter) return;
  placement_ = placement_of(configuration);
  tally_.add("configuration");
  if (on_configuration) on_configuration(*placement_);
}

// --- time -------------------------------------------------------------------------------------------------------

void World::drain() { scheduler_.drain(); }

void World::run_for(Duration duration) {
  const TimePoint limit = now() + duration;
  while (scheduler_.step(limit)) {
  }
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = now() + limit;
  while (!done()) {
    if (!scheduler_.step(end)) return done();
  }
  return true;
}

}  // namespace tako::sim
