#include "sim/operator.h"

#include <algorithm>

namespace tako::sim {
namespace {

constexpr Duration kCallTime = seconds(3);
constexpr Duration kPatience = seconds(30);  // until an operator undoes what does not arrive
constexpr std::size_t kDeploymentsKept = 3;

using Buckets = std::vector<model::BucketSpec>;

void drop_empty(Buckets& buckets) {
  std::erase_if(buckets, [](const model::BucketSpec& bucket) { return bucket.nodes.empty(); });
}

// Numbers not in use, for a new bucket's id.
std::string free_bucket_id(const Buckets& buckets) {
  for (int number = 1;; ++number) {
    const std::string id = "b" + std::to_string(number);
    const auto same = [&id](const model::BucketSpec& bucket) { return bucket.id == id; };
    if (std::none_of(buckets.begin(), buckets.end(), same)) return id;
  }
}

bool in_use(const Buckets& buckets, const model::NodeSpec& node) {
  for (const auto& bucket : buckets) {
    if (std::find(bucket.nodes.begin(), bucket.nodes.end(), node) != bucket.nodes.end()) return true;
  }
  return false;
}

std::vector<model::NodeSpec> spare_nodes(const Buckets& buckets, std::size_t pool) {
  std::vector<model::NodeSpec> spare;
  for (std::size_t number = 1; number <= pool; ++number) {
    if (!in_use(buckets, node_spec(number))) spare.push_back(node_spec(number));
  }
  return spare;
}

std::vector<model::NodeSpec> shuffled(std::vector<model::NodeSpec> nodes, Random& random) {
  for (std::size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[random.below(i)]);
  return nodes;
}

Buckets dealt(const std::vector<model::NodeSpec>& nodes, std::size_t buckets, Random& random) {
  Buckets dealt(std::max<std::size_t>(1, std::min(buckets, nodes.size())));
  for (std::size_t i = 0; i < dealt.size(); ++i) dealt[i].id = "b" + std::to_string(i + 1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::size_t at = i < dealt.size() ? i : random.below(dealt.size());
    dealt[at].nodes.push_back(nodes[i]);
  }
  return dealt;
}

// Some of the pool: more likely those that are not in use.
Buckets elsewhere(const Buckets& from, std::size_t pool, Random& random) {
  std::vector<model::NodeSpec> nodes = spare_nodes(from, pool);
  for (const model::NodeSpec& node : spare_nodes({}, pool)) {
    if (in_use(from, node) && random.chance_ppm(300'000)) nodes.push_back(node);
  }
  if (nodes.empty()) nodes = spare_nodes({}, pool);
  nodes = shuffled(std::move(nodes), random);
  if (random.chance_ppm(300'000)) return dealt(nodes, random.between(1, 4), random);
  std::size_t as_many = 0;
  for (const model::BucketSpec& bucket : from) as_many += bucket.nodes.size();
  nodes.resize(std::min(nodes.size(), as_many));
  return dealt(nodes, from.size(), random);
}

// A minority of those in use, or as many of those that are not; from a few: most of the pool. Each key is on all of
// them.
Buckets narrowed(const Buckets& from, const Scenario& scenario, Random& random) {
  const auto pool = static_cast<std::size_t>(scenario.pool);
  std::vector<model::NodeSpec> nodes;
  for (const model::BucketSpec& bucket : from) nodes.insert(nodes.end(), bucket.nodes.begin(), bucket.nodes.end());
  const std::size_t most = std::max<std::size_t>(1, nodes.size() / 2);
  const bool few = nodes.size() <= pool / 2;
  if (few) nodes = spare_nodes({}, pool);
  const std::vector<model::NodeSpec> spare = spare_nodes(from, pool);
  if (!few && !spare.empty() && random.chance_ppm(500'000)) nodes = spare;
  nodes = shuffled(std::move(nodes), random);
  const auto wide = static_cast<std::size_t>(few ? scenario.wide_buckets : 0);
  if (wide > 0) {
    nodes.resize(std::min(wide, nodes.size()));
    return dealt(nodes, wide, random);
  }
  const std::size_t least = few ? std::max<std::size_t>(3, nodes.size()) - 2 : 1;
  nodes.resize(random.between(least, few ? nodes.size() : std::min(most, nodes.size())));
  return dealt(nodes, random.between(1, 3), random);
}

}  // namespace

model::NodeSpec node_spec(std::size_t number) {
  model::NodeSpec node;
  node.id = "n" + std::to_string(number);
  node.host = "localhost";
  node.port = static_cast<std::uint16_t>(5000 + number);
  return node;
}

model::Configuration first_configuration(const Scenario& scenario, Random random) {
  model::Deployment deployment;
  deployment.name = "d1";
  deployment.read_repair = scenario.read_repair != 0;
  deployment.background_repair = scenario.background_repair != 0;
  deployment.background_repair_interval = seconds(scenario.repair_s);
  deployment.background_scrub_interval = seconds(scenario.scrub_s);
  deployment.buckets_per_key = static_cast<unsigned>(scenario.per_key);
  const auto pool = static_cast<std::size_t>(scenario.pool);
  // Some machines stay aside for a reconfiguration.
  const std::size_t least = std::min<std::size_t>(pool, static_cast<std::size_t>(scenario.buckets));
  const std::size_t nodes = scenario.reconfigurations > 0 ? random.between(least, pool) : pool;
  auto first = shuffled(spare_nodes({}, nodes), random);
  deployment.buckets = dealt(first, static_cast<std::size_t>(scenario.buckets), random);

  model::Configuration configuration;
  configuration.active = deployment.name;
  configuration.deployments.push_back(std::move(deployment));
  for (std::int64_t i = 1; i <= scenario.coordinators; ++i) {
    model::CoordinatorSpec coordinator;
    coordinator.id = "c" + std::to_string(i);
    coordinator.address = {"localhost", static_cast<std::uint16_t>(4000 + i)};
    configuration.coordinators.push_back(std::move(coordinator));
  }
  configuration.sync.always = scenario.sync_always != 0;
  configuration.sync.interval = seconds(scenario.sync_s);
  auto checked = model::checked(configuration);
  ASSERT(checked.ok());
  return std::move(*checked);
}

Operator::Operator(World& w, std::string name, const Scenario& scenario, Damage& damage)
    : Machine(w, std::move(name)), scenario_(scenario), damage_(damage), random_(w.random().split("operator")) {}

void Operator::boot() {
  power_on();
  work_ = std::make_unique<runtime::Gate>(loop());
  loop().spawn(*work_, run());
}

void Operator::die(bool) {
  if (!alive()) return;
  power_off([this]() -> Task<> { co_await work_->drained(); });
  work_.reset();
}

Duration Operator::hesitation() {
  if (static_cast<std::int64_t>(random_.below(100)) < scenario_.haste_pct) return milliseconds(20);
  return milliseconds(static_cast<std::int64_t>(random_.below(4000)));
}

Task<> Operator::run() {
  const auto per_ks = static_cast<std::uint64_t>(std::max<std::int64_t>(1, scenario_.reconfigurations));
  while (!loop().stopping() && !retired_) {
    const std::uint64_t mean_ms = 1'000'000 / per_ks;
    co_await loop().sleep(milliseconds(static_cast<std::int64_t>(random_.below(2 * mean_ms))));
    if (loop().stopping() || retired_) break;
    idle_ = false;
    co_await change();
    idle_ = true;
  }
}

// One step of whatever is due: begin, or go on with what another one began.
Task<> Operator::change() {
  auto found = co_await fetch();
  if (!found || loop().stopping()) co_return;
  model::Configuration next = std::move(*found);
  if (!next.target) {
    model::Deployment deployment = drawn_deployment(next);
    const std::uint64_t counter = next.counter;
    std::erase_if(next.deployments, [&](const model::Deployment& d) {
      return d.name == deployment.name || (d.name != next.active && next.deployments.size() >= kDeploymentsKept);
    });
    next.target = deployment.name;
    next.deployments.push_back(std::move(deployment));
    const bool begun = co_await push(std::move(next), counter);
    if (!begun) co_return;
    world.tally().add("reconfiguration begun");
    found = co_await fetch();
    if (!found || !found->target) co_return;
    next = std::move(*found);
  }
  const std::uint64_t counter = next.counter;
  const bool undo = static_cast<std::int64_t>(random_.below(100)) < scenario_.abort_pct;
  bool done = false;
  if (undo) co_await loop().sleep(hesitation());  // at any moment
  else done = co_await promote(next);
  if (done) world.tally().add("reconfiguration promoted");
  if (done || loop().stopping()) co_return;
  next.target.reset();
  done = co_await push(std::move(next), counter);
  if (done) world.tally().add("reconfiguration undone");
}

// From the coordinator that knows most, of those that answer.
Task<std::optional<model::Configuration>> Operator::fetch() {
  std::optional<model::Configuration> best;
  for (const control::Contact& contact : world.contacts()) {
    wire::Request request;
    request.body = wire::FetchConfig{};
    auto answer = co_await transport().call(contact.peer(), std::move(request), loop().now() + kCallTime);
    auto reply = net::expect<wire::ConfigReply>(std::move(answer));
    if (!reply || reply->text.empty()) continue;
    auto parsed = world.parser()(reply->text, "fetched");
    if (parsed && (!best || parsed->counter > best->counter)) best = std::move(*parsed);
  }
  co_return best;
}

Task<bool> Operator::push(model::Configuration next, std::uint64_t made_from) {
  co_await loop().sleep(hesitation());
  auto checked = model::checked(next);
  if (!checked) co_return false;
  for (int attempt = 0; attempt < 5 && !loop().stopping(); ++attempt) {
    const bool taken = co_await offer(*checked, made_from);
    if (taken) co_return true;
    co_await loop().sleep(hesitation());
  }
  co_return false;
}

// To whoever takes it: only the master may.
Task<bool> Operator::offer(model::Configuration next, std::uint64_t made_from) {
  for (const control::Contact& contact : world.contacts()) {
    wire::PushConfig body;
    body.expected_counter = made_from;
    body.text = model::to_yaml(next);
    wire::Request request;
    request.body = std::move(body);
    auto answer = co_await transport().call(contact.peer(), std::move(request), loop().now() + kCallTime);
    auto reply = net::expect<wire::ConfigReply>(std::move(answer));
    if (reply) co_return true;
    if (reply.code() == ErrorCode::kConflict) world.tally().add("configuration refused");
  }
  co_return false;
}

// It asks for it at once, and again until it gets it: whether all has arrived is the coordinator's to say.
Task<bool> Operator::promote(model::Configuration next) {
  const std::uint64_t counter = next.counter;
  next.active = *next.target;
  next.target.reset();
  auto checked = model::checked(next);
  if (!checked) co_return false;
  const TimePoint end = loop().now() + kPatience;
  while (loop().now() < end && !loop().stopping()) {
    if (world.placement()->config().counter > counter) co_return false;
    const bool taken = co_await offer(*checked, counter);
    if (taken) co_return true;
    co_await loop().sleep(milliseconds(50) + hesitation() / 2);
  }
  co_return false;
}

// A neighbour of the one in force: what operators do. Now and then something else altogether.
model::Deployment Operator::drawn_deployment(const model::Configuration& in_force) {
  model::Deployment next = in_force.active_deployment();
  const bool back = in_force.deployments.size() > 1 && random_.chance_ppm(250'000);
  if (back) next = in_force.deployments[random_.below(in_force.deployments.size())];
  next.name = "d" + std::to_string(random_.below(1'000'000));
  Buckets& buckets = next.buckets;
  const auto pool = static_cast<std::size_t>(scenario_.pool);
  auto spare = spare_nodes(buckets, pool);
  if (static_cast<std::int64_t>(random_.below(100)) < scenario_.narrow_pct) {
    buckets = narrowed(buckets, scenario_, random_);
    next.buckets_per_key = static_cast<unsigned>(buckets.size());
    return next;
  }
  model::BucketSpec& one = buckets[random_.below(buckets.size())];
  if (static_cast<std::int64_t>(random_.below(100)) < scenario_.leap_pct) {
    buckets = elsewhere(buckets, pool, random_);
    if (random_.chance_ppm(200'000)) next.buckets_per_key = static_cast<unsigned>(random_.between(1, 3));
    return next;
  }
  if (back) return next;
  switch (random_.below(6)) {
    case 0:  // another bucket
      if (!spare.empty()) buckets.push_back({free_bucket_id(buckets), {spare.front()}});
      break;
    case 1:  // one less
      if (buckets.size() > 1) one.nodes.clear();
      break;
    case 2:  // another node
      if (!spare.empty()) one.nodes.push_back(spare[random_.below(spare.size())]);
      break;
    case 3:  // a node replaced
      if (!spare.empty()) one.nodes[random_.below(one.nodes.size())] = spare[random_.below(spare.size())];
      break;
    case 4:  // a node less
      if (one.nodes.size() > 1 || buckets.size() > 1) one.nodes.pop_back();
      break;
    default: next.buckets_per_key = static_cast<unsigned>(random_.between(1, 4));
  }
  drop_empty(buckets);
  return next;
}

}  // namespace tako::sim
