#include "node/repair/repair.h"

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "base/plant.h"
#include "node/repair/alike.h"

namespace tako::node {
namespace {

// One: a pass knows what those before it have brought (rule 23).
constexpr std::size_t kPassesAtOnce = 1;
constexpr Duration kContactInterval = seconds(1);
constexpr Duration kContactDeadline = seconds(2);
constexpr Duration kRetryInterval = seconds(5);
constexpr Duration kOwedRetryInterval = milliseconds(500);  // where votes wait for it
constexpr Duration kCompareInterval = seconds(3);
constexpr unsigned kComparisonsPerSecond = 50;
constexpr Duration kConfirmPause = milliseconds(500);  // writes on their way to all replicas have arrived
constexpr Duration kUnknownPatience = seconds(60);

}  // namespace

Repairer::Repairer(Parts parts)
    : parts_(std::move(parts)),
      comparer_(Comparer::Parts{parts_.id, parts_.shards, parts_.transport}),
      passes_(loop(), kPassesAtOnce),
      gate_(loop()) {}

Repairer::~Repairer() = default;

void Repairer::adopt(std::shared_ptr<const model::Placement> placement, std::shared_ptr<const Duties> duties) {
  placement_ = std::move(placement);
  owned_ = duties->owned();
  staying_ = duties->staying;
  std::map<std::string, std::shared_ptr<Source>> sources;
  for (const auto& [index, shared] : duties->shared) {
    const auto& node = placement_->nodes()[index];
    const auto known = sources_.find(node.id);
    const bool same = known != sources_.end() && known->second->host == node.host && known->second->port == node.port;
    auto& source = sources[node.id] = same ? known->second : std::make_shared<Source>(loop(), node);
    source->shared = shared;
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
      source->forget_what_was_read(PartitionSet::all());  // by another configuration
      source->todo &= source->shared;
      source->full = source->owed;
      if (source->owed) source->todo = source->shared;
      source->cycle_at.reset();
      source->compare_at = TimePoint();
      source->kick.notify();
    } else {
      loop().spawn(gate_, follow(source));
    }
  }
  lift_suspensions();
  loop().spawn(gate_, reconsider_votes(owned_));  // of those that no other node owns
}

std::size_t Repairer::peers_up() const {
  std::size_t up = 0;
  for (const auto& [id, source] : sources_) up += source->up;
  return up;
}

Repairer::Reading Repairer::reading(const PartitionSet& partitions) const {
  Reading reading;
  for (const auto& [id, source] : sources_) {
    reading.to_read += (source->shared & partitions).count();
    reading.read += (source->shared & partitions & source->pulled).count();
  }
  return reading;
}

PartitionSet Repairer::read_active(const PartitionSet& partitions) const {
  PartitionSet read;
  const auto self = placement_->find(parts_.id);
  if (!self) return read;
  const Judge judge(*placement_, *self, sources_by_index());
  const auto ask = [&judge](model::Partition partition) { return judge.has_read_active(partition); };
  for_each_alike(*placement_, partitions, what_was_read(), ask, [&read](model::Partition partition, bool yes) {
    if (yes) read.set(partition);
  });
  return read;
}

std::optional<Duration> Repairer::oldest_agreement() const {
  Duration oldest = Duration::zero();
  for (const auto& [id, source] : sources_) {
    if (!source->agreed_at) return std::nullopt;
    oldest = std::max(oldest, loop().now() - *source->agreed_at);
  }
  return oldest;
}

std::vector<Repairer::Peer> Repairer::peer_states() const {
  std::vector<Peer> peers;
  for (const auto& [id, source] : sources_) {
    Peer peer;
    peer.id = id;
    if (!source->up) {
      peer.phase = "away";
    } else if (informing(*source)) {
      peer.phase = "reading";
    } else if (!source->todo.none()) {
      peer.phase = "repairing";
    } else {
      peer.phase = source->unknown_since ? "counting" : "comparing";
    }
    if (source->agreed_at) peer.since_agreement = loop().now() - *source->agreed_at;
    peer.partitions_shared = source->shared.count();
    peer.partitions_to_compare = source->todo.count();
    peers.push_back(std::move(peer));
  }
  return peers;
}

void Repairer::heard_from(const std::string& node) {
  const auto found = sources_.find(node);
  if (found != sources_.end() && !found->second->up) found->second->kick.notify();
}

void Repairer::read_again(const PartitionSet& partitions) {
  for (const auto& [id, source] : sources_) {
    source->forget_what_was_read(partitions);
    source->kick.notify();
  }
}

void Repairer::begin_sweep(const PartitionSet& partitions) {
  for (const auto& [id, source] : sources_) source->forget_sweep(partitions);
}

PartitionSet Repairer::swept_with(const std::string& node) const {
  const auto found = sources_.find(node);
  return found == sources_.end() ? PartitionSet() : found->second->swept;
}

void Repairer::read_from(const std::string& node, const PartitionSet& partitions) {
  const auto found = sources_.find(node);
  if (found == sources_.end()) return;
  found->second->todo |= partitions & found->second->shared;
  found->second->kick.notify();
}

Task<> Repairer::follow(std::shared_ptr<Source> source) {
  while (!loop().stopping() && !source->gone) {
    const bool up = co_await contact(*source);
    if (up) co_await compare_with(*source);
    if (up) fill_todo(*source);
    const bool due = !source->todo.none() && loop().now() >= source->pass_at;
    if (up && due) {
      const bool turn = co_await passes_.acquire(TimePoint::max());
      if (turn) {
        if (!source->gone) co_await pass_with(*source);
        passes_.release();
      }
    }
    if (loop().stopping() || source->gone) break;
    const Duration jitter(loop().random().below(static_cast<std::uint64_t>(kContactInterval.count() / 4)));
    const int intervals = buggify(loop().random(), "repair/contact") ? 5 : 1;
    co_await source->kick.wait(loop().now() + intervals * kContactInterval + jitter);
  }
}

// --- announcements ----------------------------------------------------------------------------------------------

wire::Announce Repairer::announcement() const {
  const Standing& standing = *parts_.standing;
  wire::Announce announce;
  announce.node = parts_.id;
  announce.incarnation = standing.incarnation();
  announce.blank = standing.blank();
  announce.boot = standing.boot();
  announce.nonce = standing.nonce();
  announce.previous_nonce = standing.previous_nonce();
  announce.sequence = parts_.shards->engine().sequence();
  announce.start_sequence = standing.start_sequence();
  return announce;
}

// True: the peer knows us as we are now.
Task<bool> Repairer::contact(Source& source) {
  Standing& standing = *parts_.standing;
  if (!standing.incarnation_durable()) {
    const bool saved = co_await save_standing();
    if (!saved) co_return false;
  }
  const std::uint64_t announced = standing.incarnation();
  const wire::ConfigStamp stamp = wire::stamp_of(*placement_);
  const TimePoint deadline = loop().now() + kContactDeadline;
  auto reply = co_await net::call(*parts_.transport, source.peer(), stamp, announcement(), deadline);
  if (!reply) {
    source.up = false;
    co_return false;
  }
  if (announced != standing.incarnation()) {
    source.kick.notify();  // the answer is about somebody we are no more
    co_return false;
  }
  came_back_ |= reply->known_incarnation != 0 && reply->known_incarnation != announced;
  if (reply->rolled_back || reply->known_incarnation > announced) {
    co_await went_back(source.id, reply->known_incarnation);
    co_return false;
  }
  const bool taken = co_await parts_.take_lives(source.id, announced, *reply);
  if (!taken || source.gone || announced != standing.incarnation()) co_return false;
  source.announced = announced;
  learn(source, *reply);
  co_return true;
}

// Somebody of our name was there after us. Also an empty disk with a slow clock comes here, with nothing to lose.
Task<> Repairer::went_back(std::string peer, std::uint64_t known_incarnation) {
  Standing& standing = *parts_.standing;
  log::warn("disk_went_back", {{"node", parts_.id},
                               {"peer", peer},
                               {"reason",
                                "the peer has met this node in a later state than its data folder is in (a "
                                "restored backup?); it votes nowhere until it has caught up"}});
  ++counters_.rollbacks;
  came_back_ = true;
  standing.start_over(std::max(known_incarnation, standing.incarnation()));
  read_again(PartitionSet::all());
  const bool saved = co_await save_standing();  // else the next contact does
  if (saved) co_await reconsider_votes(owned_);
}

void Repairer::learn(Source& source, const wire::AnnounceReply& reply) {
  if (!source.up || source.session != reply.session) {
    source.due = true;
    source.compare_at = TimePoint();
    source.pass_at = TimePoint();
  }
  if (source.incarnation != reply.incarnation) {
    source.forget_what_was_read(PartitionSet::all());
    source.incarnation = reply.incarnation;
    source.keys_listed = 0;
  }
  if (source.gains != reply.gains && lacks_votes_of(source)) {
    source.due = true;
    source.pass_at = TimePoint();
  }
  source.up = true;
  source.session = reply.session;
  source.gains = reply.gains;
  source.blank = reply.blank;
  if (confirmed_.insert(source.id).second) lift_suspensions();
}

// Of what was read there, is there anything that would be done with, had the peer been a voter?
bool Repairer::lacks_votes_of(const Source& source) const {
  return !((source.pulled - source.pulled_as_voter) & owed()).none();
}

// Without a vote here; or, in a reconfiguration, to be read before the target is promoted (rule 27).
PartitionSet Repairer::owed() const { return (owned_ - parts_.standing->informed()) | staying_; }

void Repairer::lift_suspensions() {
  Standing& standing = *parts_.standing;
  if (!standing.suspends()) return;
  const auto self = placement_->find(parts_.id);
  if (!self) return;
  std::vector<bool> answered(placement_->nodes().size());
  for (const std::string& id : confirmed_) {
    if (const auto index = placement_->find(id)) answered[*index] = true;
  }
  const auto present = [&answered](model::NodeIndex node) { return answered[node]; };
  const PartitionSet waiting = owned_ & standing.suspended();
  std::vector<bool> enough(placement_->sets());
  for (std::uint32_t set = 0; set < enough.size(); ++set) {
    enough[set] = majority_with(placement_->set(set), *self, present);
  }
  PartitionSet lifted;
  waiting.for_each([&](model::Partition partition) {
    if (enough[placement_->set_of(partition)]) lifted.set(partition);
  });
  if (!lifted.none()) standing.lift(lifted);
  if (lifted == waiting) standing.lift_all();
}

Task<bool> Repairer::save_standing() {
  const Status saved = co_await parts_.standing->save(parts_.shards->engine());
  if (!saved) log::warn("standing_not_saved", {{"node", parts_.id}, {"reason", saved.error().message}});
  co_return saved.ok();
}

// --- digests ----------------------------------------------------------------------------------------------------

// Do we owe ourselves to read what this source has? Then it is read key by key.
bool Repairer::informing(const Source& source) const {
  return !((source.shared & owed()) - source.pulled).none();
}

Duration Repairer::compare_interval() const {
  const auto spread = milliseconds(1000 * sources_.size() / kComparisonsPerSecond);
  return std::max<Duration>(kCompareInterval, spread);
}

// One of two peers asks; which one is drawn by their names. The other does if it has not been asked for long.
bool Repairer::asks(const Source& source) const {
  const bool odd = ((xxh3_64(parts_.id) ^ xxh3_64(source.id)) & 1) != 0;
  if ((parts_.id < source.id) == odd) return true;
  return !source.asked_at || loop().now() - *source.asked_at > 2 * compare_interval();
}

Task<> Repairer::compare_with(Source& source) {
  const auto placement = placement_;
  const bool passing = !source.todo.none() && loop().now() >= source.pass_at;
  if (!placement->policy().background_repair || loop().now() < source.compare_at || passing) co_return;
  if (informing(source) || source.shared.none() || !asks(source)) co_return;
  const wire::ConfigStamp stamp = wire::stamp_of(*placement);
  auto outcome = co_await comparer_.compare(source.peer(), source.shared, stamp);
  if (outcome.answered && !outcome.differing.none()) {
    const PartitionSet unknown = outcome.unknown;
    co_await loop().sleep(kConfirmPause);
    if (loop().stopping() || placement != placement_) co_return;
    outcome = co_await comparer_.look_again(source.peer(), outcome.differing, stamp);
    outcome.unknown |= unknown;
    if (outcome.equal()) outcome.answered = false;  // just these are; the others were not looked at again
  }
  if (loop().stopping() || placement != placement_) co_return;
  source.compare_at = loop().now() + compare_interval();
  if (!outcome.differing.none()) {
    log::debug("partitions_differ",
               {{"node", parts_.id}, {"peer", source.id}, {"partitions", outcome.differing.count()}});
    source.todo |= outcome.differing;
    source.pass_at = TimePoint();
    source.compare_at = TimePoint();  // when they have been exchanged
  }
  not_known(source, outcome.unknown);
  if (outcome.equal() && source.todo.none()) source.agreed_at = loop().now();
}

void Repairer::not_known(Source& source, const PartitionSet& unknown) {
  if (unknown.none()) {
    source.unknown_since.reset();
  } else if (!source.unknown_since) {
    source.unknown_since = loop().now();
  } else if (loop().now() - *source.unknown_since > kUnknownPatience) {
    source.todo |= unknown;
    source.unknown_since.reset();
  }
}

Task<Result<wire::DigestReply>> Repairer::compared(wire::DigestQuery question, wire::ConfigStamp config) {
  const auto found = sources_.find(question.asker);
  if (!placement_ || found == sources_.end() || config != wire::stamp_of(*placement_)) {
    co_return Error(ErrorCode::kStale, "node " + parts_.id + " does not share partitions with " + question.asker +
                                           " in the configuration that it goes by");
  }
  if (buggify(loop().random(), "repair/compared")) co_return Error(ErrorCode::kOverloaded, "busy; compare it later");
  const auto source = found->second;
  const auto placement = placement_;
  const bool root = question.level == wire::DigestQuery::Level::kRoot;
  source->asked_at = loop().now();
  if (root && informing(*source)) {
    wire::DigestReply busy;
    busy.busy = true;
    co_return busy;
  }
  auto reply = co_await comparer_.answer(std::move(question), source->shared);
  if (reply.equal && placement == placement_) source->agreed_at = loop().now();
  co_return reply;
}

// --- passes -----------------------------------------------------------------------------------------------------

void Repairer::fill_todo(Source& source) const {
  const bool allowed = placement_->policy().background_repair;
  if (source.due) {
    source.todo |= source.shared & owed();
    if (!allowed && source.pulled.none()) source.todo |= source.shared;
    source.due = false;
  }
  // By digests alone a peer that does not answer them would never be compared.
  const TimePoint first = loop().now() + placement_->policy().background_repair_interval;
  if (!source.cycle_at) source.cycle_at = first;
  if (!allowed || loop().now() < *source.cycle_at) return;
  source.todo = source.shared;
  source.full = true;
  source.cycle_at = first;
}

Task<> Repairer::pass_with(Source& source) {
  const auto placement = placement_;
  if (source.announced != parts_.standing->incarnation()) co_return;  // to be announced to it first (rule 21)
  if (buggify(loop().random(), "repair/pass")) {
    source.pass_at = loop().now() + kRetryInterval;
    co_return;
  }
  co_await parts_.drop_ended();
  if (loop().stopping() || placement != placement_) co_return;
  Pass pass(parts_of_pass(source), source, counters_.copied);
  const bool whole = co_await pass.run();
  if (loop().stopping() || placement != placement_) co_return;
  if (whole) {
    ++counters_.passes;
    if (source.full) source.agreed_at = loop().now();
    source.full = false;
    source.owed = false;
  } else {
    ++counters_.passes_failed;
    source.pass_at = loop().now() + (informing(source) ? kOwedRetryInterval : kRetryInterval);
  }
  source.compare_at = TimePoint();
  co_await reconsider_votes(source.pulled);
}

Pass::Parts Repairer::parts_of_pass(const Source& source) const {
  Pass::Parts parts;
  parts.id = parts_.id;
  parts.shards = parts_.shards;
  parts.transport = parts_.transport;
  parts.fetcher = parts_.fetcher;
  parts.settler = parts_.settler;
  parts.placement = placement_;
  parts.hurry = (owned_ & parts_.standing->informed()).none();
  parts.unsettleable = unsettleable();
  parts.informed = parts_.standing->informed();
  parts.standing = parts_.standing;
  parts.floors = parts_.floors;
  parts.take_floors = parts_.take_floors;
  for (const auto& [id, other] : sources_) {
    if (other.get() != &source) parts.read_elsewhere |= other->pulled;
  }
  return parts;
}

}  // namespace tako::node
