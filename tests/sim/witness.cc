#include "sim/witness.h"

#include "sim/disks.h"
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
  ++configurations_;
  for (const std::string& key : history_.keys()) {
    const model::Version told = history_.told(key);
    if (told.none()) continue;
    const std::string row_key = store::slot_key(model::position_of(key), key);
    bool held = false;
    for (const auto& replica : placement.replicas(model::partition_of(key))) {
      if (!(replica.deployments & model::kInActive)) continue;
      const NodeMachine& owner = *world_.find_node(placement.nodes()[replica.node].id);
      held |= covers(owner, row_key, told) != Covers::kNot;
    }
    if (held) continue;
    world_.problem(key + ": " + to_string(told) + " was answered, and no active owner has it when configuration " +
                   std::to_string(placement.config().counter) + " begins");
  }
}

void Witness::erased(const NodeMachine& by, const std::string& row_key, const std::string& row) {
  const auto at = store::parse_slot_key(row_key);
  const auto stored = store::decode_slot(row);
  if (!at || !stored || damage_.ever(by.id)) return;  // what is unreadable, or damaged, is erased and read again
  const bool ends = !stored->slot.record || model::ends_at(*stored->slot.record) != model::kNeverEnds;
  const Timestamp floor = floor_on(by.disk, model::partition_of(at->key));  // of who hands off it is gone by now
  const bool by_floor = stored->slot.record && model::ends_at(*stored->slot.record) <= floor;
  if (by_floor || (ends && owns(by, at->key) && !handed_off_before(by, row_key, *stored))) {
    return collected(by, at->key, stored->slot, row_key);
  }
  if (!stored->slot.record) return;
  if (owns(by, at->key) && by.node && by.node->standing().votes(model::partition_of(at->key))) {
    world_.problem(at->key + ": " + by.id + " votes, and erased its copy " + to_string(stored->slot.ballot()));
  }
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

// No floor has ended it: then it has just taken a new configuration, and the erasure had begun by the one before, as of
// a copy that it did not own.
bool Witness::handed_off_before(const NodeMachine& by, const std::string& row_key,
                                const store::StoredSlot& stored) const {
  const auto before = world_.placement_before(by);
  const std::string key = store::parse_slot_key(row_key)->key;
  const Timestamp floor = floor_on(by.disk, model::partition_of(key));
  const bool ended = !stored.slot.record || model::ends_at(*stored.slot.record) <= floor;
  return !ended && before && why_wrong(by, *before, row_key, key, stored.slot.ballot()).empty();
}

bool Witness::owns(const NodeMachine& node, const std::string& key) const {
  const auto placement = world_.placement_of(node);
  const auto index = placement ? placement->find(node.id) : std::nullopt;
  return index && placement->owns(*index, model::partition_of(key));
}

void Witness::collected(const NodeMachine& by, const std::string& key, const model::Slot& slot,
                        const std::string& row_key) {
  const model::Partition partition = model::partition_of(key);
  const Timestamp floor = floor_on(by.disk, partition);
  const bool counts = by.node && by.node->standing().votes(partition);
  // It was taken over without a vote (node/repair/pass.h).
  if (!slot.record && !counts) return world_.tally().add("promise withdrawn");
  world_.tally().add(slot.record ? "tombstone collected" : "promise collected");
  const std::string what = key + ": " + by.id + " dropped " + to_string(slot.ballot());
  if (slot.record && model::ends_at(*slot.record) > floor) world_.problem(what + ", which no floor has ended");
  if (slot.promise.timestamp > floor) world_.problem(what + ", and a promise above its floor");
  if (damage_.ever() || configurations_ > 1) return;
  for (const auto& replica : world_.placement()->replicas(partition)) {
    const NodeMachine& owner = *world_.find_node(world_.placement()->nodes()[replica.node].id);
    if (fence_on(owner.disk) < floor) world_.problem(what + ", and owner " + owner.id + " is not fenced");
    const auto& rows = owner.disk.rows(Family::kMeta);
    const auto row = rows.find(row_key);
    const auto stored = row == rows.end() ? store::StoredSlot{} : store::decode_slot(row->second).value();
    const model::Ballot held = stored.slot.ballot();
    const bool live = stored.slot.record && model::ends_at(*stored.slot.record) > floor;
    if (live && held.timestamp <= floor) {
      world_.problem(what + ", and owner " + owner.id + " holds " + to_string(held) + " below that floor");
    }
  }
}

std::string Witness::why_wrong(const NodeMachine& by, const model::Placement& placement, const std::string& row_key,
                               const std::string& key, const model::Ballot& ballot) const {
  for (const auto& replica : placement.replicas(model::partition_of(key))) {
    const NodeMachine& owner = *world_.find_node(placement.nodes()[replica.node].id);
    if (owner.id == by.id) return "it is an owner";
    const bool elsewhere = world_.configuration_of(owner) != placement.config().counter;
    if (elsewhere || damage_.recently(owner.id)) continue;
    const Covers has = covers(owner, row_key, ballot);
    if (has == Covers::kNot) return "its owner " + owner.id + " has none";
    const model::Partition partition = model::partition_of(key);
    if (has == Covers::kByFloor && !informed(owner, partition)) {
      return "its owner " + owner.id + ", which is not informed, has it by its floor only";
    }
  }
  return "";
}

// It may have been asked before it restarted.
bool Witness::informed(const NodeMachine& owner, model::Partition partition) {
  if (!owner.node) return true;
  const node::Standing& standing = owner.node->standing();
  return standing.votes(partition) || standing.suspended(partition);
}

Witness::Covers Witness::covers(const NodeMachine& owner, const std::string& row_key,
                                const model::Ballot& ballot) const {
  const auto& rows = owner.disk.rows(Family::kMeta);
  const auto row = rows.find(row_key);
  model::Slot slot;
  if (row != rows.end()) {
    auto stored = store::decode_slot(row->second);
    if (!stored) return Covers::kYes;
    slot = std::move(stored->slot);
  }
  if (slot.covers(ballot)) return Covers::kYes;
  slot.floor = floor_on(owner.disk, model::partition_of_position(store::parse_slot_key(row_key)->position));
  return slot.covers(ballot) ? Covers::kByFloor : Covers::kNot;
}

}  // namespace tako::sim
