#include "model/config.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "model/config_fields.h"
#include "model/tree.h"

namespace tako::model {

Status check_id(std::string_view id) {
  const std::string hint = "; expected a string without '/' or white space";
  if (id.empty()) return {ErrorCode::kInvalid, "is empty" + hint};
  const bool bad = std::any_of(id.begin(), id.end(), [](char c) {
    return c == '/' || c == 0x7f || static_cast<unsigned char>(c) <= 0x20;
  });
  if (bad) return {ErrorCode::kInvalid, "is " + fields::cited(id) + hint};
  if (id.size() <= kIdBytesMax) return ok_status();
  return {ErrorCode::kInvalid, "is " + std::to_string(id.size()) + " bytes long; expected at most " +
                                   std::to_string(kIdBytesMax)};
}

namespace {

Tree number(std::uint64_t n) { return Tree::plain(std::to_string(n)); }
Tree truth(bool value) { return Tree::plain(value ? "true" : "false"); }

Tree to_tree(const NodeSpec& node) {
  if (!node.zone.empty()) {
    Tree map = Tree::map();
    map.flow = true;
    map.add("host", Tree::string(node.host));
    map.add("port", number(node.port));
    if (node.http_port != 0) map.add("http", number(node.http_port));
    map.add("zone", Tree::string(node.zone));
    return map;
  }
  Tree list = Tree::list();
  list.items.push_back(Tree::string(node.host));
  if (node.http_port != 0) list.items.push_back(number(node.http_port));
  list.items.push_back(number(node.port));
  return list;
}

Tree to_tree(const Deployment& deployment) {
  Tree hash = Tree::map();
  hash.add("buckets_per_key", number(deployment.buckets_per_key));
  hash.add("points_per_bucket", number(deployment.points_per_bucket));
  Tree weights = Tree::map();
  for (const BucketSpec& bucket : deployment.buckets) {
    if (bucket.weight != 0) weights.add(bucket.id, number(bucket.weight));
  }
  if (!weights.items.empty()) hash.add("weights", std::move(weights));  // as it was before there were any

  Tree buckets = Tree::map();
  for (const BucketSpec& bucket : deployment.buckets) {
    Tree nodes = Tree::map();
    for (const NodeSpec& node : bucket.nodes) nodes.add(node.id, to_tree(node));
    buckets.add(bucket.id, std::move(nodes));
  }

  Tree map = Tree::map();
  map.add("read_repair", truth(deployment.read_repair));
  map.add("background_repair", truth(deployment.background_repair));
  map.add("background_repair_interval", Tree::string(format_interval(deployment.background_repair_interval)));
  if (deployment.background_scrub_interval != kScrubIntervalDefault) {  // as it was before there was one
    map.add("background_scrub_interval", Tree::string(format_interval(deployment.background_scrub_interval)));
  }
  map.add("hash", std::move(hash));
  map.add("buckets", std::move(buckets));
  return map;
}

// The largest unit that says it exactly.
std::string format_bytes(std::uint64_t bytes) {
  for (const auto& [unit, size] : kByteUnits) {
    if (bytes % size == 0) return std::to_string(bytes / size) + std::string(unit);
  }
  return std::to_string(bytes);
}

enum class Counter { kWith, kWithout };

Tree to_tree(const Configuration& c, Counter counter) {
  Tree map = Tree::map();
  if (counter == Counter::kWith && c.counter != 0) map.add("version", number(c.counter));
  map.add("active_deployment", Tree::string(c.active));
  if (c.target) map.add("target_deployment", Tree::string(*c.target));
  if (c.master) map.add("master_coordinator", Tree::string(*c.master));
  if (!c.coordinators.empty()) {
    Tree coordinators = Tree::map();
    for (const CoordinatorSpec& coordinator : c.coordinators) {
      Tree address = Tree::list();
      address.items.push_back(Tree::string(coordinator.address.host));
      address.items.push_back(number(coordinator.address.port));
      coordinators.add(coordinator.id, std::move(address));
    }
    map.add("coordinators", std::move(coordinators));
  }
  map.add("sync", Tree::string(c.sync.always ? "always" : format_interval(c.sync.interval)));
  if (c.limits != Limits()) {  // as it was before there were any
    Tree limits = Tree::map();
    limits.add("value_bytes", Tree::string(format_bytes(c.limits.value_bytes)));
    map.add("limits", std::move(limits));
  }
  Tree deployments = Tree::map();
  for (const Deployment& deployment : c.deployments) deployments.add(deployment.name, to_tree(deployment));
  map.add("deployments", std::move(deployments));
  return map;
}

}  // namespace

Configuration::Configuration() = default;
Configuration::Configuration(const Configuration& other) = default;
Configuration::Configuration(Configuration&& other) noexcept = default;
Configuration& Configuration::operator=(const Configuration& other) = default;
Configuration& Configuration::operator=(Configuration&& other) noexcept = default;
Configuration::~Configuration() = default;

const Deployment* Configuration::find_deployment(std::string_view name) const {
  for (const Deployment& deployment : deployments) {
    if (deployment.name == name) return &deployment;
  }
  return nullptr;
}

const CoordinatorSpec* Configuration::find_coordinator(std::string_view id) const {
  for (const CoordinatorSpec& coordinator : coordinators) {
    if (coordinator.id == id) return &coordinator;
  }
  return nullptr;
}

const Deployment& Configuration::active_deployment() const {
  const Deployment* found = find_deployment(active);
  ASSERT(found != nullptr);
  return *found;
}

const Deployment* Configuration::target_deployment() const { return target ? find_deployment(*target) : nullptr; }

std::string to_yaml(const Configuration& configuration) { return to_yaml(to_tree(configuration, Counter::kWith)); }

std::string to_json(const Configuration& configuration) { return to_json(to_tree(configuration, Counter::kWith)); }

std::uint64_t content_hash(const Configuration& configuration) {
  const std::uint64_t hash = xxh3_64(to_yaml(to_tree(configuration, Counter::kWithout)));
  return hash == 0 ? 1 : hash;
}

Result<Configuration> checked(const Configuration& configuration) {
  return parse_config(to_yaml(configuration), "configuration");
}

}  // namespace tako::model
