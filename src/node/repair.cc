#include "node/repair.h"

#include "base/log.h"

namespace tako::node {
namespace {

constexpr std::size_t kPassesAtOnce = 2;
constexpr Duration kContactInterval = seconds(1);
constexpr Duration kContactDeadline = seconds(2);
constexpr Duration kRetryInterval = seconds(5);

}  // namespace

Repairer::Repairer(Parts parts) : parts_(std::move(parts)), passes_(loop(), kPassesAtOnce), gate_(loop()) {}

Repairer::~Repairer() = default;

void Repairer::adopt(std::shared_ptr<const model::Placement> placement) {
  placement_ = std::move(placement);
  std::map<std::string, std::shared_ptr<Source>> sources;
  if (const auto self = placement_->find(parts_.id)) {
    for (const model::NodeIndex index : placement_->peers(*self)) {
      const auto& node = placement_->nodes()[index];
      const auto known = sources_.find(node.id);
      const bool same = known != sources_.end() && known->second->host == node.host && known->second->port == node.port;
      sources[node.id] = same ? known->second : std::make_shared<Source>(loop(), node);
    }
  }
  for (const auto& [id, source] : sources_) {
    const auto kept = sources.find(id);
    if (kept != sources.end() && kept->second == source) continue;
    source->gone = true;
    source->kick.notify();
  }
  sources_.swap(sources);
  for (const auto& [id, source] : sources_) {
    const auto before = sources.find(id);
    if (before != sources.end() && before->second == source) {
      source->forget_what_was_read();  // by another configuration
      source->kick.notify();
    } else {
      loop().spawn(gate_, follow(source));
    }
  }
  if (sources_.empty()) loop().spawn(gate_, reconsider_votes());  // nobody to ask
}

std::size_t Repairer::peers_up() const {
  std::size_t up = 0;
  for (const auto& [id, source] : sources_) up += source->up;
  return up;
}

std::optional<Duration> Repairer::oldest_agreement() const {
  Duration oldest = Duration::zero();
  for (const auto& [id, source] : sources_) {
    if (!source->agreed_at) return std::nullopt;
    oldest = std::max(oldest, loop().now() - *source->agreed_at);
  }
  return oldest;
}

Task<> Repairer::follow(std::shared_ptr<Source> source) {
  while (!loop().stopping() && !source->gone) {
    const bool up = co_await contact(*source);
    if (up && due(*source)) {
      const bool turn = co_await passes_.acquire(TimePoint::max());
      if (turn) {
        if (!source->gone) co_await pass_with(*source);
        passes_.release();
      }
    }
    if (loop().stopping() || source->gone) break;
    const Duration jitter(loop().random().below(static_cast<std::uint64_t>(kContactInterval.count() / 4)));
    co_await source->kick.wait(loop().now() + kContactInterval + jitter);
  }
}

Task<bool> Repairer::contact(Source& source) {
  wire::Announce announce;
  announce.node = parts_.id;
  announce.incarnation = parts_.standing->incarnation();
  announce.blank = parts_.standing->blank();
  wire::Request request;
  request.config = stamp_of(*placement_);
  request.body = std::move(announce);
  const std::uint64_t announced = parts_.standing->incarnation();
  auto answer = co_await parts_.transport->call(source.peer(), std::move(request), loop().now() + kContactDeadline);
  auto reply = net::expect<wire::AnnounceReply>(std::move(answer));
  if (!reply) {
    source.up = false;
    co_return false;
  }
  came_back_ |= reply->known_incarnation != 0 && reply->known_incarnation != announced;
  if (reply->known_incarnation > announced) {
    // Somebody of our name was there after us: we are the one who went back in time.
    log::warn("incarnation_raised", {{"node", parts_.id}, {"peer", source.id}});
    if (reply->known_incarnation > parts_.standing->incarnation()) {
      parts_.standing->raise_incarnation(reply->known_incarnation);
    }
    for (const auto& [id, other] : sources_) other->forget_what_was_read();
    const Status saved = co_await parts_.standing->save(parts_.shards.front()->engine());
    if (!saved) log::warn("standing_not_saved", {{"node", parts_.id}, {"reason", saved.error().message}});
    source.kick.notify();  // announce again
    co_return false;
  }
  learn(source, *reply);
  co_return announced == parts_.standing->incarnation();
}

void Repairer::learn(Source& source, const wire::AnnounceReply& reply) {
  if (!source.up || source.session != reply.session) source.due = true;
  if (source.incarnation != reply.incarnation) {
    source.forget_what_was_read();
    source.incarnation = reply.incarnation;
    source.keys_listed = 0;
  }
  source.up = true;
  source.session = reply.session;
  source.blank = reply.blank;
}

bool Repairer::due(const Source& source) const {
  const bool wanted = placement_->policy().background_repair || source.pulled.none();
  return wanted && (source.due || loop().now() >= source.next_pass);
}

Task<> Repairer::pass_with(Source& source) {
  const auto placement = placement_;
  if (!placement->find(parts_.id) || !placement->find(source.id)) co_return;
  source.due = false;
  Pass::Parts parts{parts_.id, parts_.shards, parts_.transport, placement, parts_.standing->blank()};
  Pass pass(std::move(parts), source, counters_.copied);
  const bool whole = co_await pass.run();
  if (whole) {
    ++counters_.passes;
    source.agreed_at = loop().now();
    const auto interval = placement->policy().background_repair_interval;
    source.next_pass = loop().now() + interval;
  } else {
    ++counters_.passes_failed;
    source.next_pass = loop().now() + kRetryInterval;
  }
  if (loop().stopping() || placement != placement_) co_return;
  co_await reconsider_votes();
}

Task<> Repairer::reconsider_votes() {
  const auto placement = placement_;
  const auto self = placement->find(parts_.id);
  if (!self) co_return;
  std::vector<const Source*> by_index(placement->nodes().size(), nullptr);
  for (const auto& [id, source] : sources_) {
    if (const auto index = placement->find(id)) by_index[*index] = source.get();
  }
  const auto find = [&by_index](model::NodeIndex index) { return by_index[index]; };
  std::size_t gained = 0;
  std::size_t doubtful = 0;
  for (std::uint32_t p = 0; p < model::kPartitions; ++p) {
    const auto partition = static_cast<model::Partition>(p);
    if (parts_.standing->votes(partition) || !placement->owns(*self, partition)) continue;
    const Informed informed = informed_of(partition, *placement, *self, find);
    if (!informed.yes) continue;
    parts_.standing->set_votes(partition);
    ++gained;
    doubtful += informed.possible_loss && came_back_;  // one that is new has lost nothing
  }
  if (gained == 0) co_return;
  counters_.possible_losses += doubtful;
  log::info("votes_gained", {{"node", parts_.id}, {"partitions", gained}});
  if (doubtful > 0) {
    log::warn("possible_loss",
              {{"node", parts_.id},
               {"partitions", doubtful},
               {"reason", "too few replicas with memory were left; what only the lost disks had is gone"}});
  }
  const Status saved = co_await parts_.standing->save(parts_.shards.front()->engine());
  if (!saved) log::warn("standing_not_saved", {{"node", parts_.id}, {"reason", saved.error().message}});
}

}  // namespace tako::node
