#include "sim/disks.h"

#include <algorithm>
#include <utility>

#include "model/checksum.h"
#include "store/floors.h"
#include "store/slot_codec.h"

namespace tako::sim {

using store::Family;

namespace {

Timestamp time_in(const std::string& row) {
  Timestamp time = 0;
  for (const char byte : row) time = time << 8 | static_cast<unsigned char>(byte);
  return time;
}

}  // namespace

Timestamp floor_on(const store::SimDisk& disk, model::Partition partition) {
  const auto& rows = disk.rows(Family::kSystem);
  const auto row = rows.find(store::floor_row_key(partition));
  return row == rows.end() ? 0 : time_in(row->second);
}

Timestamp fence_on(const store::SimDisk& disk) {
  Timestamp fence = 0;
  const auto& rows = disk.rows(Family::kSystem);
  for (auto row = rows.lower_bound("fence/"); row != rows.end() && row->first.starts_with("fence/"); ++row) {
    fence = std::max(fence, time_in(row->second));
  }
  return fence;
}

Disks::Disks(World& world) : world_(world) {
  for (std::size_t i = 0; i < world.nodes(); ++i) read(i);
}

void Disks::read(std::size_t node) {
  const store::SimDisk& disk = world_.node(node).disk;
  std::size_t pieces = 0;
  for (const auto& [row_key, row] : disk.rows(Family::kMeta)) {
    const auto parsed = store::parse_slot_key(row_key);
    if (!parsed) continue;
    copies_[parsed->key].push_back(copy_of(node, row_key, row, pieces));
  }
  const std::size_t stored = disk.rows(Family::kChunks).size();
  if (stored != pieces) {
    leaks_.push_back(world_.node(node).id + " stores " + std::to_string(stored) + " pieces, its records have " +
                     std::to_string(pieces));
  }
}

Disks::Copy Disks::copy_of(std::size_t node, const std::string& row_key, const std::string& row,
                           std::size_t& pieces) const {
  const store::SimDisk& disk = world_.node(node).disk;
  Copy copy;
  copy.node = node;
  auto stored = store::decode_slot(row);
  if (!stored) {
    copy.problem = "a row that does not decode";
    return copy;
  }
  if (disk.rotten(Family::kMeta, row_key)) copy.problem = "an unreadable row";
  pieces += stored->pieces;
  stored->slot.promise = {};
  const model::UploadId pieces_id = std::exchange(stored->pieces_id, model::UploadId{});  // each disk's own
  copy.row = store::encode_slot(*stored);
  stored->pieces_id = pieces_id;
  if (!stored->slot.record) return copy;
  copy.record = std::move(stored->slot.record);
  model::Record& record = *copy.record;
  if (record.tombstone()) return copy;
  if (stored->pieces > 0) {
    const auto at = *store::parse_slot_key(row_key);
    std::string value;
    for (std::uint32_t i = 0; i < stored->pieces; ++i) {
      const auto& rows = disk.rows(Family::kChunks);
      const auto row = rows.find(store::piece_key(at.position, at.key, stored->pieces_id, i));
      const auto piece = row == rows.end() ? std::nullopt : store::decode_piece(row->second);
      if (!piece) {
        copy.problem = "a piece is missing";
      } else {
        value += piece->bytes.view();
        const bool sound = model::piece_checksum(piece->bytes.view()) == piece->checksum;
        if (!sound) copy.problem = "a piece that does not match its checksum";
      }
    }
    record.value = Bytes(std::move(value));
  }
  const bool whole = record.value->size() == record.size && model::checksum_of(record.value->view()) == record.checksum;
  if (!whole && copy.problem.empty()) copy.problem = "a value that does not match its checksum";
  return copy;
}

Timestamp Disks::floor_of(model::Partition partition) const {
  const auto placement = world_.placement();
  Timestamp floor = 0;
  for (const auto& owner : placement->replicas(partition)) {
    const NodeMachine* node = world_.find_node(placement->nodes()[owner.node].id);
    floor = std::max(floor, floor_on(node->disk, partition));
  }
  return floor;
}

bool Disks::live(const Copy& copy, Timestamp floor) const {
  if (!copy.problem.empty()) return true;
  return copy.record && (floor == 0 || model::ends_at(*copy.record) > floor);
}

std::string Disks::first_difference(bool everywhere) const {
  const auto placement = world_.placement();
  for (const auto& [key, copies] : copies_) {
    const model::Partition partition = model::partition_of(key);
    const auto owners = placement->replicas(partition);
    std::map<std::string, const Copy*> by_node;
    for (const Copy& copy : copies) by_node[world_.node(copy.node).id] = &copy;
    const Timestamp floor = floor_of(partition);
    std::string states;
    bool same = true;
    const Copy* first = nullptr;
    for (const auto& owner : owners) {
      const std::string& id = placement->nodes()[owner.node].id;
      const auto found = by_node.find(id);
      const Copy* copy = found == by_node.end() ? nullptr : found->second;
      states += " " + id + "=";
      if (!copy || !copy->record || !live(*copy, floor)) {
        states += copy && !copy->problem.empty() ? copy->problem : "nothing";
        same = false;
      } else {
        states += to_string(copy->record->ballot) + (copy->problem.empty() ? "" : " (" + copy->problem + ")");
        if (!first) first = copy;
        same &= copy->problem.empty() && copy->row == first->row;
      }
      by_node.erase(id);
    }
    // Nobody holds anything but promises, or all hold the same.
    const bool any = std::any_of(copies.begin(), copies.end(), [&](const Copy& copy) { return live(copy, floor); });
    if (!any) continue;
    if (!same && (first || !everywhere)) return key + ": its owners differ:" + states;
    for (const auto& [id, copy] : by_node) {
      if (everywhere && copy->record) return key + ": " + id + " has a copy and is no owner:" + states;
    }
  }
  return "";
}

std::string Disks::first_wrong_digest() const {
  for (std::size_t i = 0; i < world_.nodes(); ++i) {
    const NodeMachine& node = world_.node(i);
    if (!node.alive() || !node.host->service) continue;
    for (std::size_t loop = 0; loop < node.node->loops(); ++loop) {
      std::string wrong = wrong_digest(node, node.node->digests(loop));
      if (!wrong.empty()) return node.id + " " + wrong;
    }
  }
  return "";
}

// Of one of the node's loops, beside what its disk holds of that loop's partitions.
std::string Disks::wrong_digest(const NodeMachine& node, const store::Digests& digests) const {
  if (digests.busy()) return "";
  std::map<model::Partition, store::Digests::Totals> real;
  model::PartitionSet rotten;
  for (const auto& [row_key, row] : node.disk.rows(Family::kMeta)) {
    const auto at = store::parse_slot_key(row_key);
    if (!at) continue;
    const auto stored = store::decode_slot(row);
    const model::Partition partition = model::partition_of_position(at->position);
    if (!digests.ours(partition)) continue;
    if (!stored || node.disk.rotten(Family::kMeta, row_key)) rotten.set(partition);
    if (!stored) continue;
    real[partition].add(store::Digests::held(at->position, stored->slot));
    const bool counted = stored->slot.record && digests.known(partition);
    if (counted && model::ends_at(*stored->slot.record) < digests.ends(partition)) {
      return "would not look for the end of " + at->key + " in its partition";
    }
  }
  const model::PartitionSet unknown = digests.unknown() - rotten;
  if (!unknown.none()) return "does not know what it holds of " + std::to_string(unknown.count()) + " partitions";
  std::string wrong;
  digests.known().for_each([&](model::Partition p) {
    const auto found = real.find(p);
    const store::Digests::Totals there = found == real.end() ? store::Digests::Totals{} : found->second;
    if (wrong.empty() && !(digests.of(p) == there)) {
      wrong = "has a digest of partition " + std::to_string(p) + " that is not of what it holds (" +
              std::to_string(digests.of(p).records()) + " records, and there are " + std::to_string(there.records()) +
              ")";
    }
  });
  return wrong;
}

std::map<std::string, std::optional<model::Record>> Disks::newest() const {
  std::map<std::string, std::optional<model::Record>> newest;
  for (const auto& [key, copies] : copies_) {
    auto& best = newest[key];
    const Timestamp floor = floor_of(model::partition_of(key));
    for (const Copy& copy : copies) {
      const bool counts = copy.record && copy.problem.empty() && live(copy, floor);
      if (counts && (!best || copy.record->ballot > best->ballot)) best = copy.record;
    }
  }
  return newest;
}

}  // namespace tako::sim
