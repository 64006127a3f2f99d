#include "model/step.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tako::model {
namespace {

constexpr std::uint32_t kStranger = ~0u;  // a node that the other placement does not know

using Owners = std::vector<std::uint32_t>;

void owners_in(const ReplicaSet& replicas, std::uint8_t deployment, const std::vector<std::uint32_t>& name,
               Owners& out) {
  out.clear();
  for (const Replica& replica : replicas) {
    if (replica.deployments & deployment) out.push_back(name[replica.node]);
  }
  std::sort(out.begin(), out.end());
}

// Does each partition have the same nodes here as there?
bool same_owners(const Placement& a, std::uint8_t in_a, const Placement& b, std::uint8_t in_b) {
  std::vector<std::uint32_t> name_a(a.nodes().size());
  for (std::uint32_t n = 0; n < name_a.size(); ++n) name_a[n] = n;
  std::vector<std::uint32_t> name_b;
  for (const auto& node : b.nodes()) {
    const auto known = a.find(node.id);
    name_b.push_back(known ? *known : kStranger);
  }
  // There are few pairs of sets in a small cluster. One that is pushed out of here is compared once more.
  constexpr std::uint64_t kNone = ~0ull;
  std::array<std::uint64_t, 1024> compared;
  compared.fill(kNone);
  Owners owners_a, owners_b;
  for (std::uint32_t p = 0; p < kPartitions; ++p) {
    const auto partition = static_cast<Partition>(p);
    const std::uint32_t set_a = a.set_of(partition);
    const std::uint32_t set_b = b.set_of(partition);
    const std::uint64_t pair = std::uint64_t{set_a} << 32 | set_b;
    if (std::exchange(compared[(set_a * 31 + set_b) % compared.size()], pair) == pair) continue;
    owners_in(a.set(set_a), in_a, name_a, owners_a);
    owners_in(b.set(set_b), in_b, name_b, owners_b);
    if (owners_a != owners_b) return false;
  }
  return true;
}

}  // namespace

Step step_between(const Placement& from, const Placement& to) {
  if (same_owners(from, kInActive, to, kInActive)) {
    if (!from.has_target()) return to.has_target() ? Step::kBegin : Step::kSettings;
    if (!to.has_target()) return Step::kAbort;
    return same_owners(from, kInTarget, to, kInTarget) ? Step::kSettings : Step::kJump;
  }
  const bool promotes = from.has_target() && !to.has_target() && same_owners(from, kInTarget, to, kInActive);
  return promotes ? Step::kPromote : Step::kJump;
}

std::string jump_reason(const Placement& from, const Placement& to) {
  const std::string in_force = "the active deployment " + from.config().active;
  if (!from.has_target()) {
    return "it changes where keys live in one step: " + in_force + " would become another one; make that the " +
           "target_deployment first (tako ctl deploy apply)";
  }
  const std::string moving = "the cluster is moving to " + *from.config().target;
  if (same_owners(from, kInActive, to, kInActive)) {
    return moving + "; finish that (tako ctl deploy promote) or undo it (tako ctl deploy abort) before the next";
  }
  return moving + ", and this is neither that promotion alone nor " + in_force +
         " as it is; take one step at a time (tako ctl deploy promote, then apply)";
}

}  // namespace tako::model
