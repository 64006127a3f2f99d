#include "node/node.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "runtime/run_on.h"
#include "wire/codec.h"

namespace tako::node {
namespace {

constexpr char kIncarnationPrefix[] = "peer/";
constexpr char kIncarnationEnd[] = "peer0";  // '0' follows '/'
constexpr std::size_t kIncarnationsMax = 20'000;
constexpr std::size_t kNodeIdBytesMax = 255;

std::vector<Shard*> pointers(const std::vector<std::unique_ptr<Shard>>& shards) {
  std::vector<Shard*> all;
  for (const auto& shard : shards) all.push_back(shard.get());
  return all;
}

}  // namespace

Node::Node(Parts parts) : parts_(std::move(parts)), session_(parts_.loops.front().loop->random().next()) {
  for (const LoopParts& on : parts_.loops) {
    Shard::Front* front = shards_.empty() ? this : nullptr;
    shards_.push_back(std::make_unique<Shard>(parts_.id, *on.loop, *on.engine, standing_, front));
  }
  repairer_ = std::make_unique<Repairer>(Repairer::Parts{parts_.id, pointers(shards_), parts_.transport, &standing_});
  handoff_ = std::make_unique<Handoff>(Handoff::Parts{parts_.id, pointers(shards_), parts_.transport});
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
  Status loaded = co_await standing_.load(engine(), std::move(start));
  if (!loaded) co_return loaded;
  if (parts_.newborn_cluster && standing_.blank()) {
    standing_.set_votes_everywhere();
    Status saved = co_await standing_.save(engine());
    if (!saved) co_return saved;
  }
  co_return co_await load_incarnations();
}

Task<Status> Node::load_incarnations() {
  store::Range range{kIncarnationPrefix, kIncarnationEnd};
  const store::ScanLimits limits{kIncarnationsMax, 64 << 20};
  auto page = co_await engine().scan(store::Family::kSystem, std::move(range), limits);
  if (!page) co_return page.error();
  for (const auto& [key, value] : page->entries) {
    wire::Reader reader{std::string_view(value)};
    const std::uint64_t incarnation = reader.u64();
    const std::string node = key.substr(sizeof kIncarnationPrefix - 1);
    incarnations_[node] = incarnation;
    // Whether it was long ago is not known any more.
    co_await tell_shards(node, incarnation);
  }
  co_return ok_status();
}

void Node::adopt(std::shared_ptr<const model::Placement> placement) {
  placement_ = placement;
  for (const auto& shard : shards_) {
    if (shard == shards_.front()) {
      shard->adopt(placement);
    } else {
      shard->loop().post([shard = shard.get(), placement] { shard->adopt(placement); });
    }
  }
  repairer_->adopt(placement);
  handoff_->adopt(placement);
}

Task<> Node::stop() {
  co_await repairer_->stop();
  co_await handoff_->stop();
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

// Durable, and known to every shard, before the announcer may read from us (rule 21).
Task<Result<wire::AnnounceReply>> Node::announced(wire::Announce announce) {
  if (announce.node.empty() || announce.node.size() > kNodeIdBytesMax || announce.node == parts_.id) {
    co_return Error(ErrorCode::kInvalid,
                    "an announcement under no name, or under that of node " + parts_.id + " itself");
  }
  if (!placement_ || !placement_->find(announce.node)) {
    co_return Error(ErrorCode::kUnavailable, "node " + parts_.id + " has no configuration that names " + announce.node);
  }
  const auto known = incarnations_.find(announce.node);
  wire::AnnounceReply reply;
  reply.known_incarnation = known == incarnations_.end() ? 0 : known->second;
  reply.incarnation = standing_.incarnation();
  reply.blank = standing_.blank();
  reply.session = session_;
  if (announce.incarnation > reply.known_incarnation) {
    wire::Writer writer;
    writer.u64(announce.incarnation);
    store::Batch batch;
    batch.put(store::Family::kSystem, kIncarnationPrefix + announce.node, writer.take());
    const Status saved = co_await engine().write(std::move(batch));
    if (!saved) co_return saved.error();
    auto& highest = incarnations_[announce.node];
    highest = std::max(highest, announce.incarnation);
    co_await tell_shards(announce.node, highest);
  }
  co_return reply;
}

Task<wire::StatusReply> Node::status() {
  const store::EngineStats disk = engine().stats();
  std::uint32_t owned = 0;
  std::uint32_t voting = 0;
  const auto self = placement_ ? placement_->find(parts_.id) : std::nullopt;
  for (std::uint32_t p = 0; self && p < model::kPartitions; ++p) {
    const auto partition = static_cast<model::Partition>(p);
    if (!placement_->owns(*self, partition)) continue;
    ++owned;
    voting += standing_.votes(partition);
  }
  const Repairer::Counters& repaired = repairer_->counters();
  const auto agreement = repairer_->oldest_agreement();
  nlohmann::json seconds_since_agreement;
  if (agreement) seconds_since_agreement = std::chrono::duration_cast<seconds>(*agreement).count();
  const nlohmann::json status = {{"id", parts_.id},
                                 {"items", disk.keys_estimate},
                                 {"bytes", disk.bytes_on_disk},
                                 {"disk", disk.state},
                                 {"owned_partitions", owned},
                                 {"voting_partitions", voting},
                                 {"incarnation", standing_.incarnation()},
                                 {"config_version", placement_ ? placement_->config().counter : 0},
                                 {"repair",
                                  {{"peers", repairer_->peers()},
                                   {"peers_up", repairer_->peers_up()},
                                   {"passes", repaired.passes},
                                   {"passes_failed", repaired.passes_failed},
                                   {"keys_compared", repaired.copied.keys_compared},
                                   {"keys_pulled", repaired.copied.keys_pulled},
                                   {"keys_pushed", repaired.copied.keys_pushed},
                                   {"bytes_pulled", repaired.copied.bytes_pulled},
                                   {"bytes_pushed", repaired.copied.bytes_pushed},
                                   {"failures", repaired.copied.failures},
                                   {"possible_loss_partitions", repaired.possible_losses},
                                   {"seconds_since_agreement", seconds_since_agreement},
                                   {"handed_off", handoff_->counters().handed_off},
                                   {"handoff_waiting", handoff_->counters().waiting}}}};
  co_return wire::StatusReply{status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

}  // namespace tako::node
