// kept := stamp_counter: u64, stamp_hash: u64, leavers_until: u64
#include "node/gc/collector.h"

#include <algorithm>

#include "base/log.h"
#include "base/plant.h"
#include "model/step.h"
#include "runtime/run_on.h"
#include "wire/cluster/codec.h"
#include "wire/cluster/limits.h"

namespace tako::node {
namespace {

constexpr char kKeptKey[] = "collection";
constexpr int kTurnsMax = 10;  // so many times longer while nothing comes of it, or nothing is to be done
constexpr Duration kAskDeadline = seconds(5);
constexpr Duration kWantedFor = minutes(2);
constexpr Duration kSaveRetry = seconds(1);

using wire::PartitionRun;

std::vector<PartitionRun> runs_of(const PartitionSet& set) {
  std::vector<PartitionRun> runs;
  set.for_each([&runs](model::Partition p) {
    if (runs.empty() || runs.back().second + 1 != p) runs.push_back({p, p});
    runs.back().second = p;
  });
  return runs;
}

Task<PartitionSet> ending_on(Shard* shard, Timestamp floor) { co_return shard->store().digests().ending_by(floor); }

}  // namespace

Collector::Collector(Parts parts)
    : parts_(std::move(parts)),
      comparer_(Comparer::Parts{parts_.id, parts_.shards, parts_.transport}),
      synced_(model::kPartitions),
      watched_since_(model::kPartitions),
      kick_(loop()),
      raising_(loop(), 1),
      gate_(loop()) {}

Task<Status> Collector::load() {
  fence_ = parts_.floors->fence();
  auto row = co_await parts_.shards->engine().get(store::Family::kSystem, kKeptKey);
  if (!row) co_return Status(row.error());
  if (!*row) co_return ok_status();
  wire::Reader in{std::string_view(**row)};
  Kept kept;
  kept.stamp.counter = in.u64();
  kept.stamp.hash = in.u64();
  kept.leavers_until = in.u64();
  if (in.ok()) kept_ = kept;
  co_return ok_status();
}

// Of a configuration that this node slept through nobody knows what it took away.
void Collector::adopt(std::shared_ptr<const model::Placement> placement, std::shared_ptr<const Duties> duties,
                      Repairer& repairer) {
  repairer_ = &repairer;
  const wire::ConfigStamp stamp = duties->stamp;
  if (!kept_) {
    kept_ = Kept{stamp, 0};
  } else if (kept_->stamp != stamp) {
    bool taken = true;
    if (placement_) {
      const model::Step step = model::step_between(*placement_, *placement);
      taken = step != model::Step::kSettings && step != model::Step::kBegin;
    }
    const Timestamp until = loop().wall() + static_cast<Timestamp>(parts_.options.leavers_drain.count());
    if (taken) kept_->leavers_until = until;
    kept_->stamp = stamp;
  }
  placement_ = std::move(placement);
  duties_ = std::move(duties);
  begin_anew(PartitionSet::all());
  wanted_.clear();
  std::erase_if(peers_, [this](const auto& peer) {
    const auto index = placement_->find(peer.first);
    return !index || !duties_->shared.contains(*index);
  });
  if (!std::exchange(saving_, true)) loop().spawn(gate_, save());
  kick_.notify();
  if (!std::exchange(running_, true)) loop().spawn(gate_, run());
}

Task<> Collector::save() {
  Kept saved;
  bool done = false;
  while (!loop().stopping() && (!done || saved.stamp != kept_->stamp)) {
    saved = *kept_;
    wire::Writer out;
    out.u64(saved.stamp.counter);
    out.u64(saved.stamp.hash);
    out.u64(saved.leavers_until);
    store::Batch batch;
    batch.frees_space = true;
    batch.put(store::Family::kSystem, kKeptKey, out.take());
    const Status written = co_await parts_.shards->engine().write(std::move(batch));
    done = written.ok();
    if (!done) co_await loop().sleep(kSaveRetry);
  }
  saving_ = false;
}

// --- what is known, and when it is not any more -----------------------------------------------------------------

// Where this node itself is another one now, its peers forget what they were told before they answer it (renewed()),
// and compare with it again; a floor needs all of them. So what is forgotten here is a second guard: no history is
// known that goes wrong without it. It stays, since our own word then needs no argument about the order of messages.
void Collector::begin_anew(const PartitionSet& partitions) {
  partitions.for_each([this](model::Partition p) { synced_[p] = 0; });
  watched_ -= partitions;
  begun_anew_ |= partitions;
}

void Collector::check_incarnation() {
  if (std::exchange(incarnation_, parts_.standing->incarnation()) == parts_.standing->incarnation()) return;
  begin_anew(PartitionSet::all());
}

void Collector::renewed(const std::string& node, std::uint64_t incarnation) {
  Peer& peer = peers_[node];
  if (incarnation <= peer.incarnation) return;
  peer.incarnation = incarnation;
  const auto index = placement_ ? placement_->find(node) : std::nullopt;
  const auto shared = index ? duties_->shared.find(*index) : duties_->shared.end();
  if (index && shared != duties_->shared.end()) begin_anew(shared->second);
}

Timestamp Collector::grid() const {
  const auto grace = static_cast<Timestamp>(parts_.options.grace.count());
  const auto step = static_cast<Timestamp>(std::max<Duration::rep>(1, parts_.options.step.count()));
  const Timestamp now = loop().wall();
  return now <= grace ? 0 : (now - grace) / step * step;
}

// As far as the clocks of those who answered go too. 0: nobody has answered yet.
Timestamp Collector::next_fence() const {
  Timestamp next = grid();
  bool any = duties_->shared.empty();
  for (const auto& [id, peer] : peers_) {
    if (!peer.answered) continue;
    any = true;
    next = std::min(next, peer.clock);
  }
  return any ? next : 0;
}

std::string Collector::reason_to_wait() const {
  if (!placement_->policy().background_repair) return "background repair is switched off";
  if (placement_->has_target()) return "a reconfiguration is under way";
  const Timestamp now = loop().wall();
  const auto drain = static_cast<Timestamp>(parts_.options.leavers_drain.count());
  if (kept_->leavers_until > now && kept_->leavers_until <= now + drain) {
    return "nodes that lost partitions may still have copies to hand off";
  }
  return "";
}

// --- the turns --------------------------------------------------------------------------------------------------

Task<> Collector::run() {
  const Duration shortest = parts_.options.turn;
  Duration wait = shortest;
  while (!loop().stopping()) {
    const Duration jitter(loop().random().below(static_cast<std::uint64_t>(shortest.count() / 4)));
    co_await kick_.wait(loop().now() + wait + jitter);
    if (loop().stopping()) break;
    if (buggify(loop().random(), "collector/late")) co_await loop().sleep(2 * shortest);
    const bool went_on = co_await turn();
    wait = went_on ? shortest : std::min(2 * wait, kTurnsMax * shortest);
  }
}

// True: something came of it.
Task<bool> Collector::turn() {
  ++counters_.turns;
  const auto duties = duties_;
  check_incarnation();
  if (loop().now() >= wanted_until_) wanted_.clear();
  PartitionSet interest = co_await ending_by(std::max(grid(), fence_));
  if (!same(duties)) co_return true;
  interest |= wanted_;
  interest &= duties->active;
  interest_ = interest;
  waits_for_ = interest.none() ? "" : reason_to_wait();
  bool went_on = false;
  if (!interest.none()) {
    const bool waits = !waits_for_.empty();
    const Timestamp next = next_fence();
    if (!waits && next > fence_) went_on = co_await raise_fence(next);
    if (!same(duties)) co_return true;
    co_await ask_all(interest);
    if (!same(duties)) co_return true;
    if (!waits) {
      watch();
      const bool compared = co_await compare();
      if (!same(duties)) co_return true;
      const bool synced = count_synced();
      const bool raised = co_await raise_floors();
      went_on |= compared || synced || raised || next_fence() > fence_;
      if (!same(duties)) co_return true;
    }
    const bool caught_up = co_await catch_up();
    went_on |= caught_up;
  }
  const bool dropped = co_await drop();
  co_return went_on || dropped;
}

Task<PartitionSet> Collector::ending_by(Timestamp floor) {
  PartitionSet all;
  for (Shard* shard : *parts_.shards) {
    auto look = ending_on(shard, floor);
    const PartitionSet part = co_await runtime::run_on(shard->loop(), std::move(look));
    all |= part;
  }
  co_return all;
}

Task<bool> Collector::raise_fence(Timestamp fence) {
  if (fence <= fence_) co_return true;
  const bool turn = co_await raising_.acquire(TimePoint::max());
  if (!turn) co_return false;
  bool raised = true;
  for (Shard* shard : *parts_.shards) {
    auto raise = shard->store().raise_fence(fence);
    const Status status = co_await runtime::run_on(shard->loop(), std::move(raise));
    raised &= status.ok();
  }
  if (raised) fence_ = std::max(fence_, fence);
  raising_.release();
  co_return raised;
}

// --- asking -----------------------------------------------------------------------------------------------------

Task<> Collector::ask_all(PartitionSet interest) {
  told_.whole = interest;
  begun_anew_.clear();
  for (auto& [id, peer] : peers_) peer.answered = false;
  interest.for_each([&](model::Partition p) {
    if (!parts_.standing->votes(p)) told_.whole.reset(p);
    told_.fence[p] = fence_;
    told_.synced[p] = model::kNeverEnds;  // ours is looked at when it counts
    told_.votes_for[p] = 1;
  });
  const auto duties = duties_;
  const auto placement = placement_;
  for (const auto& [index, shared] : duties->shared) {
    const PartitionSet about = shared & interest;
    if (about.none()) continue;
    const std::string id = placement->nodes()[index].id;
    const bool answered = co_await ask(id, about);
    if (!same(duties)) co_return;
    peers_[id].answered = answered;
    if (!answered && waits_for_.empty()) waits_for_ = "node " + id + " does not answer";
    const bool slow = answered && peers_[id].clock + 2 * static_cast<Timestamp>(parts_.options.step.count()) < grid();
    if (slow && waits_for_.empty()) waits_for_ = "the clock of node " + id + " is behind ours";
  }
}

// Of one peer, in messages of a bounded length. What it does not speak of is not known of all owners.
Task<bool> Collector::ask(std::string id, PartitionSet about) {
  const auto duties = duties_;
  const auto placement = placement_;
  const auto& node = placement->nodes()[*placement->find(id)];
  const auto runs = runs_of(about);
  const std::size_t most = buggify(loop().random(), "collector/few") ? 2 : wire::kCollectRunsMax;
  PartitionSet said;
  bool answered = true;
  peers_[id].ahead.clear();
  // What is of interest because others have asked is not asked of them in turn, or it would be for ever.
  const bool wants = !(interest_ - wanted_).none();
  for (std::size_t from = 0; from < runs.size() && answered; from += most) {
    const auto begin = runs.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = runs.begin() + static_cast<std::ptrdiff_t>(std::min(runs.size(), from + most));
    wire::CollectQuery query;
    query.asker = parts_.id;
    query.fence = wants ? fence_ : 0;
    query.partitions.assign(begin, end);
    wire::Request request;
    request.config = duties->stamp;
    request.body = std::move(query);
    const net::Peer to{node.id, node.host, node.port};
    auto called = co_await parts_.transport->call(to, std::move(request), loop().now() + kAskDeadline);
    const bool by_the_same = called && called->config == duties->stamp;
    const auto reply = net::expect<wire::CollectReply>(std::move(called));
    if (!same(duties)) co_return false;
    renewed(id, reply ? reply->incarnation : 0);
    Peer& peer = peers_[id];
    answered = reply && by_the_same && reply->incarnation == peer.incarnation;
    if (answered) hear(peer, *reply, said);
  }
  told_.whole -= about - said;
  if (answered && !(about - said).none() && waits_for_.empty()) waits_for_ = "node " + id + " is catching up";
  co_return answered;
}

void Collector::hear(Peer& peer, const wire::CollectReply& reply, PartitionSet& said) {
  peer.clock = reply.clock;
  for (const auto& [run, synced, floor] : reply.entries) {
    for (std::uint32_t p = run.first; p <= run.second; ++p) {
      said.set(p);
      told_.fence[p] = std::min(told_.fence[p], reply.fence);
      told_.synced[p] = std::min(told_.synced[p], synced);
      told_.votes_for[p] += synced >= synced_[p];
      const auto partition = static_cast<model::Partition>(p);
      if (floor > parts_.floors->of(partition)) peer.ahead.emplace_back(partition, floor);
    }
  }
}

Task<Result<wire::CollectReply>> Collector::asked(wire::CollectQuery query, wire::ConfigStamp config) {
  const auto index = placement_ ? placement_->find(query.asker) : std::nullopt;
  const auto shared = index ? duties_->shared.find(*index) : decltype(duties_->shared.end())();
  if (!index || shared == duties_->shared.end() || config != duties_->stamp) {
    co_return Error(ErrorCode::kStale, "node " + parts_.id + " does not share partitions with " + query.asker +
                                           " in the configuration that it goes by");
  }
  check_incarnation();
  PartitionSet about;
  for (const auto& [first, last] : query.partitions) {
    for (std::uint32_t p = first; p <= last; ++p) about.set(p);
  }
  about &= shared->second;
  PartitionSet open;  // in which the asker waits for us
  about.for_each([&](model::Partition p) {
    if (synced_[p] < query.fence) open.set(p);
  });
  const bool news = !(open - wanted_).none() || (query.fence > fence_ && !open.none());
  wanted_ |= open;
  if (!open.none()) wanted_until_ = loop().now() + kWantedFor;
  if (news) kick_.notify();
  wire::CollectReply reply;
  reply.incarnation = incarnation_;
  reply.fence = fence_;
  reply.clock = grid();
  about.for_each([&](model::Partition p) {
    if (!parts_.standing->votes(p)) return;
    const Timestamp floor = parts_.floors->of(p);
    auto& all = reply.entries;
    const bool goes_on =
        !all.empty() && all.back().run.second + 1 == p && all.back().synced == synced_[p] && all.back().floor == floor;
    if (goes_on) {
      all.back().run.second = p;
    } else if (all.size() < wire::kCollectRunsMax) {
      all.push_back({{p, p}, synced_[p], floor});
    }
  });
  co_return reply;
}

}  // namespace tako::node
