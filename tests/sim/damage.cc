#include "sim/damage.h"

namespace tako::sim {
namespace {

// A comparison may have begun before the damage, and ends some time after.
constexpr Duration kPassMax = seconds(20);
constexpr Duration kClocksApart = seconds(2);
constexpr Duration kRecently = seconds(90);  // longer than a question to it and its repair take

}  // namespace

bool Damage::allowed(const NodeMachine& node) {
  if (!every_key_has_two()) return false;
  if (damaged_.empty() || damaged_ == node.id) return true;
  if (!over()) return false;
  damaged_.clear();
  flipped_ = false;
  return true;
}

void Damage::happened(const NodeMachine& node) {
  damaged_ = node.id;
  since_ = world_.now();
  last_[node.id] = since_;
}

void Damage::bit_flipped(const NodeMachine& node) {
  happened(node);
  flipped_ = any_flipped_ = true;
}

bool Damage::recently(const std::string& node) const {
  const auto last = last_.find(node);
  return last != last_.end() && world_.now() - last->second < kRecently;
}

bool Damage::over() {
  if (flipped_ && !found_sound(*world_.find_node(damaged_))) return false;
  for (std::size_t i = 0; i < world_.nodes(); ++i) {
    const NodeMachine& node = world_.node(i);
    if (!world_.placement()->find(node.id)) continue;
    if (!node.alive() || !node.host->service) return false;
    const auto agreement = node.node->repairer().oldest_agreement();
    if (!agreement || world_.now() - *agreement < since_ + kPassMax) return false;
  }
  return all_vote();
}

bool Damage::found_sound(const NodeMachine& node) const {
  if (!node.alive() || !node.host->service) return false;
  const auto clean = node.node->scrubber().since_clean();
  return clean && world_.now() - *clean > since_ + kClocksApart;
}

void Damage::renew() {
  if (placement_ == world_.placement()) return;
  placement_ = world_.placement();
  owned_.clear();
  two_ = true;
  for (std::uint32_t p = 0; p < model::kPartitions; ++p) {
    unsigned active = 0;
    unsigned target = 0;
    for (const auto& replica : placement_->replicas(static_cast<model::Partition>(p))) {
      active += (replica.deployments & model::kInActive) != 0;
      target += (replica.deployments & model::kInTarget) != 0;
    }
    two_ &= active != 1 && target != 1;
  }
}

bool Damage::every_key_has_two() {
  renew();
  return two_;
}

const std::vector<model::Partition>& Damage::owned(const std::string& node) {
  renew();
  const auto known = owned_.find(node);
  if (known != owned_.end()) return known->second;
  std::vector<model::Partition>& all = owned_[node];
  const auto index = placement_->find(node);
  for (std::uint32_t p = 0; index && p < model::kPartitions; ++p) {
    const auto partition = static_cast<model::Partition>(p);
    if (placement_->owns(*index, partition)) all.push_back(partition);
  }
  return all;
}

bool Damage::all_vote() {
  for (std::size_t i = 0; i < world_.nodes(); ++i) {
    const NodeMachine& node = world_.node(i);
    const auto& partitions = owned(node.id);
    if (partitions.empty()) continue;
    if (!node.alive() || !node.host->service) return false;
    if (world_.configuration_of(node) != world_.placement()->config().counter) return false;
    for (const model::Partition partition : partitions) {
      if (!node.node->standing().votes(partition)) return false;
    }
  }
  return true;
}

}  // namespace tako::sim
