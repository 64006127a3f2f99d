// The Nemesis: what disks lose, by itself and in the middle of a story of several machines.
#include <algorithm>

#include "sim/nemesis.h"

namespace tako::sim {

// What a majority was told while one was away, that one and a node that has forgotten it do not know: a majority, too.
void Nemesis::turn() {
  if (world_.nodes() < 3 || down() > 0) return;
  const auto three = three_nodes();
  NodeMachine& misses = *three[0];
  NodeMachine& loses = *three[1];
  NodeMachine& away = *three[2];
  misses.die(false);
  world_.tally().add("turn");
  const bool rollback = scenario_.rollbacks > 0 && random_.chance_ppm(500'000);
  const bool crash = !rollback && scenario_.crashes > 0 && scenario_.sync_always == 0;
  later(scenario_.down_ms, [this, &misses, &loses, &away, rollback, crash] {
    away.die(false);
    later(2 * scenario_.down_ms, [&away] {
      if (!away.alive()) away.boot();
    });
    if (!misses.alive()) misses.boot();
    if (!crash) return lose_disk(loses, rollback);
    if (!loses.alive() || !damage_.allowed(loses)) return;
    damage_.happened(loses);
    loses.die(true);
    loses.boot();
  });
}

std::vector<NodeMachine*> Nemesis::three_nodes() {
  std::vector<NodeMachine*> three;
  while (three.size() < 3) {
    NodeMachine* node = &some_node();
    if (std::find(three.begin(), three.end(), node) == three.end()) three.push_back(node);
  }
  return three;
}

// One proxy's writes reach one node, which answers, loses its disk and catches up; then they reach the second, which
// may have restarted and is away soon after; the third hears of them last (counterexample B21 of the protocol).
void Nemesis::hold() {
  if (world_.nodes() < 3 || down() > 0) return;
  const auto three = three_nodes();
  NodeMachine& loses = *three[0];
  NodeMachine& second = *three[1];
  NodeMachine& third = *three[2];
  const std::string proxy = world_.proxy(random_.below(world_.proxies())).id;
  if (!damage_.allowed(loses)) return;
  world_.tally().add("hold");
  const Duration held = milliseconds(static_cast<std::int64_t>(random_.between(2500, 4000)));
  world_.network().clog(proxy, second.id, world_.now() + held);
  world_.network().clog(proxy, third.id, world_.now() + held + seconds(2));
  after(milliseconds(1000), [this, &loses] { lose_disk(loses, false); });
  if (random_.chance_ppm(500'000)) {
    after(held - milliseconds(200), [&second] {
      if (!second.alive()) return;
      second.die(false);
      second.boot();
    });
  }
  after(held + milliseconds(100), [this, &second] {
    if (!second.alive()) return;
    second.die(false);
    after(seconds(2), [&second] {
      if (!second.alive()) second.boot();
    });
  });
}

std::vector<NodeMachine*> Nemesis::shuffled_nodes() {
  std::vector<NodeMachine*> all;
  for (std::size_t i = 0; i < world_.nodes(); ++i) all.push_back(&world_.node(i));
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random_.below(i)]);
  return all;
}

// One proxy's writes reach one node, which answers, loses its disk and catches up. Only when all is equal again do they
// reach the second, and never anybody else; the second loses its disk right after that, and perhaps once before: then
// it is told late, or by nobody, what it had known of the first (D5 of the protocol; model/verdict.h).
void Nemesis::relay() {
  if (world_.nodes() < 2 || down() > 0 || world_.now() < relay_over_) return;
  const auto nodes = shuffled_nodes();
  NodeMachine& first = *nodes[0];
  NodeMachine& second = *nodes[1];
  if (!damage_.allowed(first)) return;
  Network& network = world_.network();
  const std::string proxy = world_.proxy(random_.below(world_.proxies())).id;
  const Duration held = milliseconds(static_cast<std::int64_t>(random_.between(30'000, 40'000)));
  relay_over_ = world_.now() + held + seconds(20);
  world_.tally().add("relay");
  network.clog(proxy, second.id, world_.now() + held);
  for (std::size_t i = 2; i < nodes.size(); ++i) network.cut(proxy, nodes[i]->id);
  after(milliseconds(1500), [this, &first] { lose_disk(first, false); });
  const std::uint64_t story = random_.below(3);
  const auto before = [this, held](std::uint64_t least_ms, std::uint64_t most_ms) {
    return held - milliseconds(static_cast<std::int64_t>(random_.between(least_ms, most_ms)));
  };
  const auto lose_second = [this, &second] { lose_disk(second, false, milliseconds(20)); };
  if (story == 1) {  // alone with the proxies, it has met nobody
    after(before(400, 1500), [this, &network, &second, nodes, lose_second] {
      if (!damage_.allowed(second)) return;
      for (const NodeMachine* other : nodes) {
        network.cut(second.id, other->id);
        network.cut(other->id, second.id);
      }
      lose_second();
    });
  } else if (story == 2) {  // it votes again before anybody has announced himself to it
    after(before(100, 1000), lose_second);
  }
  after(held + milliseconds(static_cast<std::int64_t>(random_.between(20, 120))), [this, &second] {
    if (damage_.allowed(second)) world_.tally().add("relay to the end");
    lose_disk(second, false);
  });
  after(held + milliseconds(200), [&network] { network.heal_cuts(); });
}

// A node alone with a proxy is told values that nobody else has, and one of those on its disk is damaged.
void Nemesis::lone() {
  if (down() > 0 || world_.now() < relay_over_) return;
  NodeMachine& node = some_node();
  Network& network = world_.network();
  network.isolate({node.id, world_.proxy(random_.below(world_.proxies())).id});
  const Duration alone = milliseconds(static_cast<std::int64_t>(random_.between(1000, 4000)));
  relay_over_ = world_.now() + alone + seconds(1);
  world_.tally().add("alone with a proxy");
  after(alone, [this, &node, &network] {
    if (node.alive() && damage_.allowed(node) && node.disk.flip_bit(random_, store::Family::kChunks)) {
      damage_.bit_flipped(node);
      world_.tally().add("bit flipped while alone");
    }
    network.isolate({});
  });
}

// What a majority of five was told is left at one of them, when the two others lose their disks. That one is away, and
// each of the two may read the other and the two that were never told: no majority that knows (rule 22). For worlds in
// which all is written at quorum: no other level promises to outlive two losses.
void Nemesis::lose_pair() {
  if (world_.nodes() < 5 || down() > 0 || world_.now() < relay_over_) return;
  const auto nodes = shuffled_nodes();
  for (const NodeMachine* node : nodes) {
    if (!damage_.allowed(*node)) return;
  }
  Network& network = world_.network();
  for (std::size_t i = 0; i < world_.proxies(); ++i) {
    for (const std::size_t untold : {3, 4}) network.cut(world_.proxy(i).id, nodes[untold]->id);
  }
  relay_over_ = world_.now() + seconds(15);
  world_.tally().add("pair of disks");
  after(milliseconds(static_cast<std::int64_t>(random_.between(500, 2500))), [this, nodes, &network] {
    network.heal_cuts();
    network.isolate({nodes[2]->id});
    for (const std::size_t loses : {0, 1}) {
      NodeMachine& node = *nodes[loses];
      if (node.alive()) node.die(false);
      node.wipe();
      damage_.happened(node);
      world_.tally().add("disk wiped");
      after(milliseconds(20), [&node] {
        if (!node.alive()) node.boot();
      });
    }
    after(milliseconds(static_cast<std::int64_t>(random_.between(4000, 9000))), [&network] { network.isolate({}); });
  });
}

void Nemesis::part(const std::string& one, const std::string& other) {
  world_.network().cut(one, other);
  world_.network().cut(other, one);
}

// One proxy's writes reach one node only. Another proxy's updates reach the other nodes, whose promises it does not
// hear. Then all proxies reach the first node and one of the others: a write that is older than what the first holds,
// and newer than what the second does, is refused by both. The first loses its disk before anybody has read it.
void Nemesis::outrun() {
  if (world_.nodes() < 3 || world_.proxies() < 2 || down() > 0 || world_.now() < relay_over_) return;
  const auto nodes = shuffled_nodes();
  NodeMachine& first = *nodes[0];
  if (!damage_.allowed(first)) return;
  Network& network = world_.network();
  const std::size_t writer = random_.below(world_.proxies());
  const std::size_t promised = (writer + 1) % world_.proxies();
  const auto alone = [this, nodes, &first] {
    for (std::size_t i = 1; i < nodes.size(); ++i) part(first.id, nodes[i]->id);
  };
  alone();
  part(world_.proxy(promised).id, first.id);
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    part(world_.proxy(writer).id, nodes[i]->id);
    network.cut(nodes[i]->id, world_.proxy(promised).id);
  }
  world_.tally().add("outrun");
  const Duration apart = milliseconds(static_cast<std::int64_t>(random_.between(1000, 3000)));
  const Duration together = apart + milliseconds(static_cast<std::int64_t>(random_.between(500, 2000)));
  relay_over_ = world_.now() + together + seconds(5);
  after(apart, [this, nodes, &network, alone] {
    network.heal_cuts();
    alone();
    for (std::size_t i = 0; i < world_.proxies(); ++i) {
      for (std::size_t j = 2; j < nodes.size(); ++j) part(world_.proxy(i).id, nodes[j]->id);
    }
  });
  after(together, [this, &first, &network] {
    lose_disk(first, false, milliseconds(20));
    network.heal_cuts();
  });
}

void Nemesis::lose_disk(NodeMachine& node, bool rollback, std::optional<Duration> down) {
  const auto snapshot = snapshots_.find(node.id);
  if (rollback && (snapshot == snapshots_.end() || !snapshot->second.known)) return;
  if (scenario_.background_repair == 0 || !damage_.allowed(node)) return;
  if (node.alive()) {
    node.die(false);
    const auto boot = [&node] {
      if (!node.alive()) node.boot();
    };
    if (down) {
      after(*down, boot);
    } else {
      later(scenario_.down_ms, boot);
    }
  }
  if (rollback) {
    node.disk.restore(snapshot->second.disk);
    node.files = snapshot->second.files;
    world_.forgot_configuration(node);
    world_.tally().add("disk rolled back");
  } else {
    node.wipe();
    snapshots_.erase(node.id);
    world_.tally().add("disk wiped");
  }
  damage_.happened(node);
}

}  // namespace tako::sim
