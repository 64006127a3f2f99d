#include "sim/witness.h"

#include "store/slot_codec.h"

namespace tako::sim {

using store::Family;

Witness::Witness(World& world, const Damage& damage, const History& history)
    : world_(world), damage_(damage), history_(history) {
  world.on_configuration = [this](const model::Placement& placement) { begins(placement); };
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    NodeMachine& node = world.node(i);
    node.disk.on_slot_erased = [this, &node](const std::string& row_key, const std::string& row) {
      erased(node, row_key, row);
    };
  }
}

void Witness::begins(const model::Placement& placement) {
  for (const std::string& key : history_.keys()) {
    const model::Version told = history_.told(key);
    if (told.none()) continue;
    const std::string row_key = store::slot_key(model::position_of(key), key);
    bool held = false;
    for (const auto& replica : placement.replicas(model::partition_of(key))) {
      if (!(replica.deployments & model::kInActive)) continue;
      const NodeMachine& owner = *world_.find_node(placement.nodes()[replica.node].id);
      held |= covers(owner, row_key, told);
    }
    if (held) continue;
    world_.problem(key + ": " + to_string(told) + " was answered, and no active owner has it when configuration " +
                   std::to_string(placement.config().counter) + " begins");
  }
}

void Witness::erased(const NodeMachine& by, const std::string& row_key, const std::string& row) {
  const auto at = store::parse_slot_key(row_key);
  const auto stored = store::decode_slot(row);
  if (!at || !stored || !stored->slot.record) return;
  if (damage_.ever(by.id)) return;  // what is unreadable, or damaged, is erased and read again
  world_.tally().add("copy handed off and erased");
  const model::Ballot ballot = stored->slot.ballot();
  const auto now = world_.placement_of(by);
  const auto before = world_.placement_before(by);
  std::string wrong = now ? why_wrong(by, *now, row_key, at->key, ballot) : "";
  if (!wrong.empty() && before && why_wrong(by, *before, row_key, at->key, ballot).empty()) return;
  if (!wrong.empty()) {
    world_.problem(at->key + ": " + by.id + " erased its copy " + to_string(ballot) + ", but " + wrong);
  }
}

std::string Witness::why_wrong(const NodeMachine& by, const model::Placement& placement, const std::string& row_key,
                               const std::string& key, const model::Ballot& ballot) const {
  for (const auto& replica : placement.replicas(model::partition_of(key))) {
    const NodeMachine& owner = *world_.find_node(placement.nodes()[replica.node].id);
    if (owner.id == by.id) return "it is an owner";
    const bool elsewhere = world_.configuration_of(owner) != placement.config().counter;
    if (elsewhere || damage_.recently(owner.id) || covers(owner, row_key, ballot)) continue;
    return "its owner " + owner.id + " has none";
  }
  return "";
}

bool Witness::covers(const NodeMachine& owner, const std::string& row_key, const model::Ballot& ballot) const {
  const auto& rows = owner.disk.rows(Family::kMeta);
  const auto row = rows.find(row_key);
  if (row == rows.end()) return false;
  const auto stored = store::decode_slot(row->second);
  return !stored || stored->slot.ballot() >= ballot;
}

}  // namespace tako::sim
