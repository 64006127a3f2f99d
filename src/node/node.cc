#include "node/node.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr std::size_t kNodeIdBytesMax = 255;
constexpr Duration kSaveRetryInterval = seconds(1);
constexpr Duration kSweepInterval = seconds(10);
constexpr Duration kCountInterval = seconds(5);

std::vector<Shard*> pointers(const std::vector<std::unique_ptr<Shard>>& shards) {
  std::vector<Shard*> all;
  for (const auto& shard : shards) all.push_back(shard.get());
  return all;
}

}  // namespace

Node::Node(Parts parts)
    : parts_(std::move(parts)),
      session_(parts_.loops.front().loop->random().next()),
      gate_(*parts_.loops.front().loop) {
  const auto count = static_cast<unsigned>(parts_.loops.size());
  for (const LoopParts& on : parts_.loops) {
    Shard::Parts shard;
    shard.id = parts_.id;
    shard.loop = on.loop;
    shard.engine = on.engine;
    shard.part = {static_cast<unsigned>(shards_.size()), count};
    shard.standing = &standing_;
    shard.floors = &floors_;
    shard.front = shards_.empty() ? this : nullptr;
    shard.losses = this;
    shards_.push_back(std::make_unique<Shard>(std::move(shard)));
  }
  local_ = std::make_unique<LocalShards>(pointers(shards_));
  const LocalShards* all = local_.get();
  fetcher_ = std::make_unique<Fetcher>(Fetcher::Parts{parts_.id, all, parts_.transport});
  for (const auto& shard : shards_) shard->fetch_with(*fetcher_);
  Fetcher* fetcher = fetcher_.get();
  settler_ = std::make_unique<Settler>(first().loop(), parts_.agreement);
  Settler* settler = settler_.get();
  collector_ = std::make_unique<Collector>(
      Collector::Parts{parts_.id, all, parts_.transport, &standing_, &floors_, parts_.collection});
  Repairer::Parts repair{parts_.id, all, parts_.transport, &standing_, fetcher, settler, &floors_, {}, {}, {}, {}};
  repair.take_floors = [this](Repairer::FloorList floors, std::uint64_t since) {
    return collector_->take_floors(std::move(floors), since);
  };
  repair.raise_fence = [this](Timestamp fence) { return collector_->raise_fence(fence); };
  repair.take_lives = [this](std::string from, std::uint64_t own, wire::AnnounceReply reply) {
    return take_lives(std::move(from), own, std::move(reply));
  };
  repair.drop_ended = [this] { return handoff_->drop_ended(); };
  repairer_ = std::make_unique<Repairer>(std::move(repair));
  handoff_ = std::make_unique<Handoff>(Handoff::Parts{parts_.id, all, parts_.transport, &standing_, settler});
  mender_ =
      std::make_unique<Mender>(Mender::Parts{parts_.id, all, parts_.transport, &standing_, repairer_.get(), fetcher});
  scrubber_ = std::make_unique<Scrubber>(parts_.id, *all);
  peers_ = std::make_unique<PeerMemory>(first().loop(), engine());
}

Node::~Node() = default;

net::Shards Node::shards() const {
  std::vector<net::Shard> all;
  for (const auto& shard : shards_) all.push_back({&shard->loop(), shard.get()});
  return net::Shards(std::move(all));
}

Task<Status> Node::start() {
  runtime::Loop& loop = first().loop();
  Standing::Start start;
  start.boot_id = parts_.boot_id;
  start.sync_always = parts_.sync_always;
  start.fresh_incarnation = loop.wall();
  start.nonce = session_;
  Status loaded = co_await standing_.load(engine(), std::move(start));
  if (!loaded) co_return loaded;
  if (parts_.newborn_cluster && standing_.blank()) {
    standing_.set_votes_everywhere();
    Status saved = co_await standing_.save(engine());
    if (!saved) co_return saved;
  }
  loaded = co_await peers_->load();
  if (!loaded) co_return loaded;
  // Whether these were heard of long ago is not known any more.
  const auto known = peers_->incarnations();
  for (const auto& [node, incarnation] : known) co_await tell_shards(node, incarnation);
  loaded = co_await load_floors();
  if (!loaded) co_return loaded;
  loaded = co_await load_digests();
  if (!loaded) co_return loaded;
  loop.spawn(gate_, sweep_uploads());
  for (const auto& shard : shards_) loop.spawn(gate_, count_unknown(shard.get()));
  co_return ok_status();
}

Task<Status> Node::load_floors() {
  for (const auto& shard : shards_) {
    auto load = shard->store().load_floors();
    const Status loaded = co_await runtime::run_on(shard->loop(), std::move(load));
    if (!loaded) co_return loaded;
  }
  co_return co_await collector_->load();
}

// --- digests ----------------------------------------------------------------------------------------------------

// Those saved by the stop that came right before this start, and by no other: the nonce of the start before is theirs.
Task<Status> Node::load_digests() {
  for (const auto& shard : shards_) {
    auto load = shard->store().load_digests(standing_.previous_nonce());
    const Status loaded = co_await runtime::run_on(shard->loop(), std::move(load));
    if (!loaded) co_return loaded;
  }
  co_return co_await first().store().forget_saved_digests();
}

Task<> Node::count_unknown(Shard* shard) {
  runtime::Loop& loop = first().loop();
  if (buggify(loop.random(), "node/late_count")) co_await loop.sleep(12 * kCountInterval);
  while (!loop.stopping()) {
    auto count = shard->store().count_unknown();
    co_await runtime::run_on(shard->loop(), std::move(count));
    co_await loop.sleep(kCountInterval);
  }
}

Task<> Node::save_digests() {
  for (const auto& shard : shards_) {
    auto save = shard->store().save_digests(standing_.nonce());
    const Status saved = co_await runtime::run_on(shard->loop(), std::move(save));
    if (!saved) log::warn("digests_not_saved", {{"node", parts_.id}, {"reason", saved.error().message}});
  }
}

// --- the rest ---------------------------------------------------------------------------------------------------

// At once after a start: what was staged before it is nobody's.
Task<> Node::sweep_uploads() {
  runtime::Loop& loop = first().loop();
  while (!loop.stopping()) {
    for (const auto& shard : shards_) {
      auto sweep = shard->store().sweep();
      co_await runtime::run_on(shard->loop(), std::move(sweep));
    }
    co_await loop.sleep(kSweepInterval);
  }
}

// What it must not vote in any more by this configuration ends before anything goes by it.
// The mark in the database names the newest configuration that this node went by. On a full disk that may be there
// while the configuration's own file is not; then a start brings an older one, of which this node has said that it
// refuses it (arrival()). So it waits for a newer one, and serves nothing until then.
void Node::adopt(std::shared_ptr<const model::Placement> placement) {
  const wire::ConfigStamp stamp = wire::stamp_of(*placement);
  if (stamp.counter != 0 && stamp.counter < standing_.newest_counter() && !planted(Plant::kConfigUnstored)) {
    log::warn("config_outdated", {{"node", parts_.id},
                                  {"given", stamp.counter},
                                  {"had", standing_.newest_counter()},
                                  {"action", "waits for a newer one from a coordinator"}});
    return;
  }
  placement_ = placement;
  const auto duties = duties_of(*placement, parts_.id);
  duties_ = duties;
  standing_.adopt(*duties);
  if (!standing_.durable_for(duties->stamp)) first().loop().spawn(gate_, save_standing());
  for (const auto& shard : shards_) {
    if (shard == shards_.front()) {
      shard->adopt(placement, duties);
    } else if (!planted(Plant::kAdoptsOnFirst)) {
      shard->loop().post([shard = shard.get(), placement, duties] { shard->adopt(placement, duties); });
    }
  }
  fetcher_->adopt(placement);
  repairer_->adopt(placement, duties);
  mender_->adopt(placement);
  handoff_->adopt(placement, *duties);
  scrubber_->adopt(placement, *duties);
  collector_->adopt(placement, duties, *repairer_);
}

// Until the configuration in force is durable in the mark.
Task<> Node::save_standing() {
  while (!first().loop().stopping() && !standing_.durable_for(wire::stamp_of(*placement_))) {
    const Status saved = co_await standing_.save(engine());
    if (saved) continue;
    log::warn("standing_not_saved", {{"node", parts_.id}, {"reason", saved.error().message}});
    co_await first().loop().sleep(kSaveRetryInterval);
  }
}

Task<> Node::stop() {
  co_await collector_->stop();
  co_await settler_->stop();
  co_await repairer_->stop();
  co_await handoff_->stop();
  co_await scrubber_->stop();
  co_await mender_->stop();
  co_await fetcher_->stop();
  co_await gate_.drained();
  co_await save_digests();
  const Status saved = co_await standing_.save_clean_stop(engine());
  if (!saved) log::warn("clean_stop_not_marked", {{"node", parts_.id}, {"reason", saved.error().message}});
}

Task<> Node::tell_shards(std::string node, std::uint64_t incarnation) {
  for (const auto& shard : shards_) {
    auto tell = [](Shard* to, std::string who, std::uint64_t now) -> Task<> {
      to->remember_renewed(std::move(who), now);
      co_return;
    };
    auto task = tell(shard.get(), node, incarnation);
    co_await runtime::run_on(shard->loop(), std::move(task));
  }
}

Task<> Node::tell_shards_met(std::string node, std::uint64_t incarnation, std::uint64_t own) {
  for (const auto& shard : shards_) {
    auto tell = [](Shard* to, std::string who, std::uint64_t theirs, std::uint64_t ours) -> Task<> {
      to->remember_met(who, theirs, ours);
      co_return;
    };
    auto task = tell(shard.get(), node, incarnation, own);
    co_await runtime::run_on(shard->loop(), std::move(task));
  }
}

// Before anything is read from that peer. What it knows is durable here and known to every shard, as if those nodes had
// announced themselves to us. False: it is not, yet.
Task<bool> Node::take_lives(std::string from, std::uint64_t own, wire::AnnounceReply reply) {
  const std::uint64_t theirs = reply.incarnation;
  std::vector<wire::Incarnation> lives = std::move(reply.renewed);
  lives.push_back({from, theirs});
  for (const wire::Incarnation& life : lives) {
    const bool foreign = life.node == parts_.id || !placement_->find(life.node);
    if (foreign || !peers_->is_news(life.node, life.incarnation) || planted(Plant::kLivesNotTaken)) continue;
    co_await tell_shards(life.node, life.incarnation);
    const Status learned = co_await peers_->learn(life.node, life.incarnation);
    if (!learned) co_return false;
  }
  if (theirs == 0 || met_[from] == std::pair(theirs, own)) co_return true;
  co_await tell_shards_met(from, theirs, own);
  met_[from] = {theirs, own};
  co_return true;
}

void Node::unreadable(std::string key, bool voted) {
  first().loop().post([this, key = std::move(key), voted] { mender_->unreadable(key, voted); });
}

void Node::overtaken(std::string key, model::Record record) {
  first().loop().post([this, key = std::move(key), record = std::move(record)]() mutable {
    settler_->rescue(std::move(key), std::move(record));
  });
}

void Node::damaged(std::string key, model::Ballot ballot) {
  first().loop().post([this, key = std::move(key), ballot] { mender_->damaged(key, ballot); });
}

// Durable, and known to every shard, before the announcer may read from us (rule 21).
Task<Result<wire::AnnounceReply>> Node::announced(wire::Announce announce) {
  if (announce.node.empty() || announce.node.size() > kNodeIdBytesMax || announce.node == parts_.id) {
    co_return Error(ErrorCode::kInvalid,
                    "an announcement under no name, or under that of node " + parts_.id + " itself");
  }
  if (!placement_ || !placement_->find(announce.node)) {
    co_return Error(ErrorCode::kUnavailable, "node " + parts_.id + " has no configuration that names " + announce.node);
  }
  if (buggify(first().loop().random(), "node/announced")) {
    co_return Error(ErrorCode::kOverloaded, "node " + parts_.id + " is busy; announce it again");
  }
  // It is remembered as ours, so it must not be taken back by a crash.
  if (!standing_.incarnation_durable()) {
    const Status saved = co_await standing_.save(engine());
    if (!saved) co_return saved.error();
  }
  const std::string from = announce.node;
  if (peers_->is_news(from, announce.incarnation)) co_await tell_shards(from, announce.incarnation);
  collector_->renewed(from, announce.incarnation);
  const auto heard = co_await peers_->hear(std::move(announce));
  if (!heard) co_return heard.error();
  repairer_->heard_from(from);
  wire::AnnounceReply reply;
  reply.known_incarnation = heard->known_incarnation;
  reply.rolled_back = heard->rolled_back;
  reply.incarnation = standing_.incarnation();
  reply.blank = standing_.blank();
  reply.session = session_;
  reply.gains = standing_.gains();
  reply.renewed = first().renewed_for(from);
  co_return reply;
}

// An owner in the target alone has arrived when it is informed, which it becomes by reading the active owners under
// this very configuration. One that is an active owner too is informed anyway, which says that it forgot nothing, and
// not that it ever had what a majority decided without it. In the target that majority may be gone: of A = {1,2,3} a
// write is at 2 and 3, and B is {1}. So it has to have read the others as well, unless the owners do not change at all.
// Counted before the mark is written and after it: what is said is in the mark, and was not lost meanwhile.
Task<Result<wire::ArrivalReply>> Node::arrival(wire::ArrivalQuery query) {
  if (!placement_) co_return Error(ErrorCode::kUnavailable, "node " + parts_.id + " has no configuration yet");
  const auto duties = duties_;
  PartitionSet there = duties->target & standing_.informed();
  if (query.durably) {
    const Status saved = co_await standing_.save(engine());
    if (!saved) co_return saved.error();
    if (duties != duties_) {
      co_return Error(ErrorCode::kUnavailable, "node " + parts_.id + " has just taken another configuration");
    }
    there &= standing_.informed();
  }
  there -= standing_.suspended();
  there -= duties->staying - repairer_->read_active(duties->staying);
  const Repairer::Reading reading = repairer_->reading(duties->target_only | duties->staying);
  wire::ArrivalReply reply;
  reply.adopted = duties->stamp;
  reply.durable = standing_.durable_for(duties->stamp);
  reply.owned = static_cast<std::uint32_t>(duties->target.count());
  reply.arrived = static_cast<std::uint32_t>(there.count());
  reply.read = reading.read;
  reply.to_read = reading.to_read;
  co_return reply;
}

Result<wire::RepairReply> Node::repair(wire::RepairQuery query) {
  using Action = wire::RepairQuery::Action;
  if (!placement_) return Error(ErrorCode::kUnavailable, "node " + parts_.id + " has no configuration yet");
  if (query.action != Action::kProgress) {
    const Status begun = repairer_->begin_cycle(query.action == Action::kDryRun);
    if (!begun) return begun.error();
  }
  return repairer_->cycle_progress();
}

Task<Result<wire::DigestReply>> Node::compared(wire::DigestQuery question, wire::ConfigStamp config) {
  return repairer_->compared(std::move(question), config);
}

Task<Result<wire::CollectReply>> Node::collecting(wire::CollectQuery query, wire::ConfigStamp config) {
  return collector_->asked(std::move(query), config);
}

bool Node::adopted_by_all(std::uint64_t counter) const {
  return std::all_of(shards_.begin(), shards_.end(),
                     [counter](const auto& shard) { return shard->adopted() >= counter; });
}

Task<Node::Holdings> Node::holdings_of(Shard* shard) {
  const store::Digests& digests = shard->store().digests();
  co_return Holdings{digests.all(), digests.unknown().count(), shard->counters()};
}

Task<Node::Holdings> Node::holdings() {
  Holdings all;
  for (const auto& shard : shards_) {
    auto part = holdings_of(shard.get());
    const Holdings of_shard = co_await runtime::run_on(shard->loop(), std::move(part));
    all.totals.bytes += of_shard.totals.bytes;
    all.totals.values += of_shard.totals.values;
    all.totals.tombstones += of_shard.totals.tombstones;
    all.unknown += of_shard.unknown;
    all.requests += of_shard.requests;
  }
  co_return all;
}

namespace {

nlohmann::json whole_seconds(const std::optional<Duration>& duration) {
  nlohmann::json value;
  if (duration) value = std::chrono::duration_cast<seconds>(*duration).count();
  return value;
}

nlohmann::json describe(const std::vector<Repairer::Peer>& peers) {
  nlohmann::json all = nlohmann::json::array();
  for (const Repairer::Peer& peer : peers) {
    all.push_back({{"id", peer.id},
                   {"phase", peer.phase},
                   {"seconds_since_agreement", whole_seconds(peer.since_agreement)},
                   {"partitions_shared", peer.partitions_shared},
                   {"partitions_to_compare", peer.partitions_to_compare}});
  }
  return all;
}

nlohmann::json describe(const Scrubber& scrubber) {
  const Scrubber::Counters& counters = scrubber.counters();
  return {{"rounds", counters.rounds},
          {"values", counters.values},
          {"bytes", counters.bytes},
          {"damaged", counters.damaged},
          {"failures", counters.failures},
          {"seconds_since_clean", whole_seconds(scrubber.since_clean())}};
}

}  // namespace

Task<wire::StatusReply> Node::status() {
  const Holdings held = co_await holdings();
  const store::EngineStats disk = engine().stats();
  const PartitionSet& owned = repairer_->owned();
  const PartitionSet voting = (owned & standing_.informed()) - standing_.suspended();
  const Repairer::Counters& repaired = repairer_->counters();
  const Collector::Counters& collected = collector_->counters();
  const Timestamp fence = collector_->fence();
  const Timestamp wall = first().loop().wall();
  nlohmann::json fence_age;
  if (fence != 0) fence_age = wall > fence ? (wall - fence) / 1'000'000 : 0;
  const nlohmann::json seconds_since_agreement = whole_seconds(repairer_->oldest_agreement());
  const nlohmann::json status = {{"id", parts_.id},
                                 {"items", disk.keys_estimate},
                                 {"values", held.totals.values},
                                 {"tombstones", held.totals.tombstones},
                                 {"value_bytes", held.totals.bytes},
                                 {"partitions_not_counted", held.unknown},
                                 {"bytes", disk.bytes_on_disk},
                                 {"disk", disk.state},
                                 {"owned_partitions", owned.count()},
                                 {"voting_partitions", voting.count()},
                                 {"incarnation", standing_.incarnation()},
                                 {"requests",
                                  {{"reads", held.requests.reads},
                                   {"writes", held.requests.writes},
                                   {"prepares", held.requests.prepares},
                                   {"refused", held.requests.refused}}},
                                 {"collection",
                                  {{"tombstones", held.totals.tombstones},
                                   {"partitions_to_collect", collector_->to_collect()},
                                   {"partitions_collected", collected.partitions},
                                   {"rows_dropped", collected.rows},
                                   {"promises_dropped", collected.promises},
                                   {"fence_age_seconds", fence_age},
                                   {"waits_for", collector_->waits_for()}}},
                                 {"scrub", describe(*scrubber_)},
                                 {"config_version", placement_ ? placement_->config().counter : 0},
                                 {"repair",
                                  {{"peers", repairer_->peers()},
                                   {"peers_up", repairer_->peers_up()},
                                   {"with", describe(repairer_->peer_states())},
                                   {"comparisons", repairer_->comparisons().comparisons},
                                   {"comparisons_equal", repairer_->comparisons().equal},
                                   {"passes", repaired.passes},
                                   {"passes_failed", repaired.passes_failed},
                                   {"keys_compared", repaired.copied.keys_compared},
                                   {"keys_differing", repaired.copied.keys_differing},
                                   {"keys_pulled", repaired.copied.keys_pulled},
                                   {"keys_pushed", repaired.copied.keys_pushed},
                                   {"bytes_pulled", repaired.copied.bytes_pulled},
                                   {"bytes_pushed", repaired.copied.bytes_pushed},
                                   {"failures", repaired.copied.failures},
                                   {"possible_loss_partitions", repaired.possible_losses},
                                   {"disk_went_back", repaired.rollbacks},
                                   {"rows_forgotten", mender_->counters().rows_forgotten},
                                   {"values_fetched", fetcher_->counters().fetched},
                                   {"keys_settled", settler_->counters().settled},
                                   {"values_damaged", mender_->counters().values_damaged},
                                   {"values_mended", mender_->counters().values_mended},
                                   {"seconds_since_agreement", seconds_since_agreement},
                                   {"handed_off", handoff_->counters().handed_off},
                                   {"handoff_waiting", handoff_->counters().waiting}}}};
  co_return wire::StatusReply{json_text(status)};
}

}  // namespace tako::node
