#include "node/repair/comparer.h"

#include <algorithm>
#include <numeric>

#include "base/plant.h"
#include "runtime/run_on.h"
#include "wire/cluster/limits.h"

namespace tako::node {
namespace {

constexpr Duration kAskDeadline = seconds(5);
// What is unknown hides what is below it. A few nodes are looked into; many mean that a node counts anew.
constexpr std::size_t kUnknownNodesMax = 64;

using Level = Comparer::Level;
using Nodes = Comparer::Nodes;
using Sums = Comparer::Sums;

unsigned shift_of(Level level) {
  switch (level) {
    case Level::kRoot: return 16;
    case Level::kGroup: return 8;
    case Level::kBranch: return 4;
    case Level::kLeaf: return 0;
  }
  return 0;
}

// The partitions first..end-1, as bits of the word that `first` is in.
std::uint64_t mask_of(std::uint32_t first, std::uint32_t end) {
  const std::uint32_t from = first % 64;
  const std::uint32_t count = std::min(end - first, 64 - from);
  return (count == 64 ? ~0ull : (1ull << count) - 1) << from;
}

// Visits the words of the partitions below a node: index, mask.
template <class F>
void for_each_word(Level level, std::uint16_t node, F visit) {
  const std::uint32_t first = static_cast<std::uint32_t>(node) << shift_of(level);
  const std::uint32_t end = first + (1u << shift_of(level));
  for (std::uint32_t p = first; p < end; p = (p / 64 + 1) * 64) visit(p / 64, mask_of(p, end));
}

bool touches(const PartitionSet& set, Level level, std::uint16_t node) {
  bool any = false;
  for_each_word(level, node, [&](std::size_t word, std::uint64_t mask) { any |= (set.word(word) & mask) != 0; });
  return any;
}

PartitionSet below(const PartitionSet& shared, Level level, const Nodes& nodes) {
  PartitionSet set;
  for (const std::uint16_t node : nodes) {
    for_each_word(level, node, [&](std::size_t word, std::uint64_t mask) {
      set.set_word(word, set.word(word) | (shared.word(word) & mask));
    });
  }
  return set;
}

// The nodes one level down, below these, in which anything is shared.
Nodes children(const PartitionSet& shared, Level level, const Nodes& nodes, Level down) {
  Nodes all;
  const unsigned bits = shift_of(level) - shift_of(down);
  for (const std::uint16_t node : nodes) {
    for (std::uint32_t i = 0; i < (1u << bits); ++i) {
      const auto child = static_cast<std::uint16_t>((static_cast<std::uint32_t>(node) << bits) + i);
      if (touches(shared, down, child)) all.push_back(child);
    }
  }
  return all;
}

void add(wire::DigestSum& to, const wire::DigestSum& part) {
  to.known = to.known && part.known;
  to.sum += part.sum;
}

// What one store has of them. On its loop.
Sums sums_of(const store::Digests& digests, const PartitionSet& shared, Level level, const Nodes& nodes) {
  const PartitionSet unknown = digests.unknown() & shared;
  const PartitionSet occupied = digests.occupied() & shared;
  Sums sums(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for_each_word(level, nodes[i], [&](std::size_t word, std::uint64_t mask) {
      if (unknown.word(word) & mask) sums[i].known = false;
      for (std::uint64_t left = occupied.word(word) & mask; left != 0; left &= left - 1) {
        const auto p = static_cast<model::Partition>(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
        sums[i].sum += digests.of(p).sum;
      }
    });
  }
  return sums;
}

Task<Sums> sums_on(Shard* shard, std::shared_ptr<const PartitionSet> shared, Level level, Nodes nodes) {
  co_return sums_of(shard->store().digests(), *shared, level, nodes);
}

Nodes all_groups() {
  Nodes groups(model::kPartitions >> shift_of(Level::kGroup));
  std::iota(groups.begin(), groups.end(), static_cast<std::uint16_t>(0));
  return groups;
}

wire::DigestSum root_of(const Sums& groups) {
  wire::DigestSum root;
  for (const wire::DigestSum& group : groups) add(root, group);
  return root;
}

bool both_known(const wire::DigestSum& a, const wire::DigestSum& b) { return a.known && b.known; }

// RETURNS whether they are as good as equal; "unknown" is not.
bool agree(const wire::DigestSum& mine, const wire::DigestSum& theirs) {
  if (!both_known(mine, theirs)) return planted(Plant::kUnknownIsEqual);
  return mine.sum == theirs.sum;
}

}  // namespace

Task<Sums> Comparer::sums(PartitionSet shared, Level level, Nodes nodes) {
  const auto set = std::make_shared<const PartitionSet>(shared);
  Sums all = sums_of(parts_.shards->at(0).store().digests(), *set, level, nodes);
  const std::size_t loops = parts_.shards->size() - planted(Plant::kDigestMissesLoop);
  for (std::size_t i = 1; i < loops; ++i) {
    auto part = sums_on(&parts_.shards->at(i), set, level, nodes);
    const Sums sums = co_await runtime::run_on(parts_.shards->at(i).loop(), std::move(part));
    for (std::size_t n = 0; n < all.size(); ++n) add(all[n], sums[n]);
  }
  co_return all;
}

// --- the one who asks -------------------------------------------------------------------------------------------

Task<Result<wire::DigestReply>> Comparer::ask(net::Peer peer, wire::DigestQuery question, wire::ConfigStamp stamp) {
  using Answer = Result<wire::DigestReply>;
  question.asker = parts_.id;
  const bool root = question.level == Level::kRoot;
  const std::size_t asked = root ? all_groups().size() : question.nodes.size();
  wire::Request request;
  request.config = stamp;
  request.body = std::move(question);
  auto reply = co_await parts_.transport->call(peer, std::move(request), loop().now() + kAskDeadline);
  const bool same = reply && reply->config == stamp;
  auto answer = net::expect<wire::DigestReply>(std::move(reply));
  if (!answer) co_return answer;
  if (!same) co_return Answer(ErrorCode::kStale, "node " + std::string(peer.id) + " goes by another configuration");
  const bool whole = answer->sums.size() == asked || (root && (answer->equal || answer->busy));
  if (!whole)
    co_return Answer(ErrorCode::kInvalid, "node " + std::string(peer.id) + " answered with another number of sums");
  co_return answer;
}

Task<Comparer::Outcome> Comparer::compare(net::Peer peer, PartitionSet shared, wire::ConfigStamp stamp) {
  ++counters_.comparisons;
  Outcome outcome;
  const Nodes groups = all_groups();
  const Sums mine = co_await sums(shared, Level::kGroup, groups);
  wire::DigestQuery question;
  question.root = root_of(mine);
  auto reply = co_await ask(peer, std::move(question), stamp);
  if (!reply) co_return outcome;
  outcome.answered = true;
  outcome.busy = reply->busy;
  counters_.equal += reply->equal;
  if (reply->equal || reply->busy) co_return outcome;

  Verdicts found;
  for (const std::uint16_t group : groups) {
    if (planted(Plant::kDigestHalf) && group >= groups.size() / 2) break;
    if (agree(mine[group], reply->sums[group])) continue;
    (both_known(mine[group], reply->sums[group]) ? found.differing : found.unknown).push_back(group);
  }
  for (Level level = Level::kGroup; level != Level::kLeaf;) {
    const Level down = level == Level::kGroup ? Level::kBranch : Level::kLeaf;
    if (found.unknown.size() > kUnknownNodesMax) {
      outcome.unknown |= below(shared, level, found.unknown);
    } else {
      found.differing.insert(found.differing.end(), found.unknown.begin(), found.unknown.end());
    }
    Nodes nodes = children(shared, level, found.differing, down);
    found = co_await compare_nodes(peer, shared, stamp, down, std::move(nodes));
    outcome.answered = found.answered;
    if (!found.answered) co_return outcome;
    level = down;
  }
  outcome.differing = below(shared, Level::kLeaf, found.differing);
  outcome.unknown |= below(shared, Level::kLeaf, found.unknown);
  co_return outcome;
}

Task<Comparer::Outcome> Comparer::look_again(net::Peer peer, PartitionSet suspects, wire::ConfigStamp stamp) {
  Nodes nodes;
  suspects.for_each([&nodes](model::Partition p) { nodes.push_back(p); });
  const Verdicts found = co_await compare_nodes(peer, suspects, stamp, Level::kLeaf, std::move(nodes));
  Outcome outcome;
  outcome.answered = found.answered;
  outcome.differing = below(suspects, Level::kLeaf, found.differing);
  outcome.unknown = below(suspects, Level::kLeaf, found.unknown);
  co_return outcome;
}

Task<Comparer::Verdicts> Comparer::compare_nodes(net::Peer peer, PartitionSet shared, wire::ConfigStamp stamp,
                                                 Level level, Nodes nodes) {
  Verdicts found;
  const std::size_t most = buggify(loop().random(), "comparer/few") ? 3 : wire::kDigestNodesMax;
  for (std::size_t from = 0; from < nodes.size(); from += most) {
    const auto begin = nodes.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = nodes.begin() + static_cast<std::ptrdiff_t>(std::min(nodes.size(), from + most));
    const Nodes some(begin, end);
    wire::DigestQuery question;
    question.level = level;
    question.nodes = some;
    auto reply = co_await ask(peer, std::move(question), stamp);
    if (!reply || reply->busy) co_return found;
    const Sums mine = co_await sums(shared, level, some);
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (agree(mine[i], reply->sums[i])) continue;
      (both_known(mine[i], reply->sums[i]) ? found.differing : found.unknown).push_back(some[i]);
    }
  }
  found.answered = true;
  co_return found;
}

// --- the one who is asked ---------------------------------------------------------------------------------------

Task<wire::DigestReply> Comparer::answer(wire::DigestQuery question, PartitionSet shared) {
  wire::DigestReply reply;
  if (question.level != Level::kRoot) {
    for (std::uint16_t& node : question.nodes) node &= (model::kPartitions >> shift_of(question.level)) - 1;
    reply.sums = co_await sums(shared, question.level, std::move(question.nodes));
    co_return reply;
  }
  Sums groups = co_await sums(shared, Level::kGroup, all_groups());
  reply.equal = agree(root_of(groups), question.root);
  if (!reply.equal) reply.sums = std::move(groups);
  co_return reply;
}

}  // namespace tako::node
