#include "node/serve/shard.h"

#include <algorithm>

#include "base/plant.h"
#include "node/serve/fetcher.h"
#include "runtime/run_on.h"
#include "wire/cluster/limits.h"

namespace tako::node {
namespace {

constexpr std::size_t kListEntriesMax = 4096;
constexpr Duration kLateBy = milliseconds(300);  // where rare branches are common

template <class T>
void put(wire::Reply& reply, Result<T> result) {
  if (result) {
    reply.body = std::move(*result);
  } else {
    reply.body = result.error();
  }
}

}  // namespace

Shard::Shard(Parts parts)
    : id_(std::move(parts.id)),
      loop_(*parts.loop),
      engine_(*parts.engine),
      store_(loop_, engine_, parts.part, *parts.floors),
      standing_(*parts.standing),
      front_(parts.front) {
  report_losses(*parts.losses);
}

void Shard::report_losses(Losses& losses) {
  if (planted(Plant::kCorruptIsAbsent)) return;
  store::Store::Findings findings;
  findings.unreadable = [this, &losses](const std::string& key) {
    const model::Partition partition = model::partition_of(key);
    if (!shared_with_others(partition)) return;  // nobody could bring it back: it stays an error
    const bool voted = standing_.lose_vote(partition) || in_target_only(partition);
    losses.unreadable(key, voted);
  };
  findings.overtaken = [&losses](const std::string& key, model::Record record) {
    losses.overtaken(key, std::move(record));
  };
  findings.damaged = [&losses](const std::string& key, const model::Ballot& ballot) { losses.damaged(key, ballot); };
  store_.report_to(std::move(findings));
}

bool Shard::shared_with_others(model::Partition partition) const {
  if (!placement_) return false;
  const auto replicas = placement_->replicas(partition);
  return std::any_of(replicas.begin(), replicas.end(), [this](const auto& replica) { return replica.node != self_; });
}

// Messages between loops may overtake one another.
void Shard::adopt(std::shared_ptr<const model::Placement> placement, std::shared_ptr<const Duties> duties) {
  loop_.check_here();
  if (placement_ && wire::stamp_of(*placement).counter < stamp_.counter) return;
  duties_ = std::move(duties);
  placement_ = std::move(placement);
  self_ = placement_->find(id_);
  stamp_ = wire::stamp_of(*placement_);
  std::erase_if(met_, [this](const auto& one) { return !placement_->find(one.first); });
  adopted_.store(stamp_.counter, std::memory_order_release);
}

void Shard::remember_renewed(const std::string& node, std::uint64_t incarnation) {
  std::erase_if(renewed_, [now = loop_.now()](const auto& one) { return one.second.forget_at <= now; });
  const int lifetimes = buggify(loop_.random(), "shard/renewed") ? 10 : 2;
  Renewed& renewed = renewed_[node];
  renewed.incarnation = std::max(renewed.incarnation, incarnation);
  renewed.forget_at = loop_.now() + lifetimes * kOperationLifetimeMax;
  renewed_until_ = std::max(renewed_until_, renewed.forget_at);
}

std::vector<wire::Incarnation> Shard::renewed_for(const std::string& peer) const {
  std::vector<wire::Incarnation> lives;
  const auto asker = placement_ ? placement_->find(peer) : std::nullopt;
  for (const auto& [node, renewed] : renewed_) {
    const auto index = asker && node != peer ? placement_->find(node) : std::nullopt;
    if (!index || renewed.forget_at <= loop_.now() || lives.size() == wire::kIncarnationsMax) continue;
    lives.push_back({node, renewed.incarnation});
  }
  return lives;
}

void Shard::remember_met(const std::string& node, std::uint64_t incarnation, std::uint64_t own) {
  met_[node] = {incarnation, own};
}

// Of the key's replicas. Who asks by another configuration than ours counts others too: then all that were renewed.
void Shard::name_lives(model::Partition partition, const wire::ConfigStamp& asked_by, wire::Voter& voter) const {
  const TimePoint now = loop_.now();
  if (voter.votes && renewed_until_ <= now) return;  // as a rule: nobody has lost anything of late
  if (!placement_ || asked_by != stamp_) {
    for (const auto& [node, renewed] : renewed_) {
      if (renewed.forget_at > now && voter.renewed.size() < wire::kRenewedMax)
        voter.renewed.push_back({node, renewed.incarnation});
    }
  }
  if (!placement_) return;
  for (const auto& replica : placement_->replicas(partition)) {
    const std::string& node = placement_->nodes()[replica.node].id;
    const auto renewed = renewed_.find(node);
    const bool named = renewed != renewed_.end() && renewed->second.forget_at > now && asked_by == stamp_;
    if (named && voter.renewed.size() < wire::kRenewedMax) voter.renewed.push_back({node, renewed->second.incarnation});
    const auto met = voter.votes ? met_.end() : met_.find(node);
    const bool counts = met != met_.end() && met->second.own == voter.incarnation;
    if (counts && voter.met.size() < wire::kRenewedMax) voter.met.push_back({node, met->second.incarnation});
  }
}

bool Shard::in_target_only(model::Partition partition) const {
  for (const auto& replica : placement_->replicas(partition)) {
    if (replica.node == self_) return replica.deployments == model::kInTarget;
  }
  return false;
}

Shard::Worth Shard::worth(model::Partition partition, const wire::ConfigStamp& asked_by) const {
  if (standing_.votes(partition)) return {true, true};
  const bool same = asked_by == stamp_;
  return {same && !standing_.suspended(partition) && in_target_only(partition), false};
}

wire::Voter Shard::voter(model::Partition partition, const wire::ConfigStamp& asked_by, const Worth& at_begin) {
  const Worth now = worth(partition, asked_by);
  wire::Voter voter;
  voter.votes = at_begin.votes && now.votes;
  voter.informed = at_begin.informed && now.informed;
  voter.incarnation = standing_.incarnation();
  name_lives(partition, asked_by, voter);
  return voter;
}

Status Shard::check_configuration(const wire::ConfigStamp& theirs) const {
  if (!placement_) return {ErrorCode::kUnavailable, "node " + id_ + " has no configuration yet"};
  if (theirs.counter == 0 || stamp_.counter == 0) return ok_status();
  if (theirs.counter < stamp_.counter && !planted(Plant::kStaleServed)) {
    return {ErrorCode::kStale, "configuration " + std::to_string(theirs.counter) + " is outdated; node " + id_ +
                                   " has " + std::to_string(stamp_.counter)};
  }
  if (theirs.counter == stamp_.counter && theirs.hash != stamp_.hash) {
    return {ErrorCode::kConflict, "two different configurations both call themselves version " +
                                      std::to_string(stamp_.counter) +
                                      "; push a new one through the master coordinator"};
  }
  return ok_status();
}

// Asked about what has been stored by now: has a newer configuration come meanwhile?
Status Shard::overtaken(const wire::ConfigStamp& config) const {
  return planted(Plant::kLateVotes) ? ok_status() : check_configuration(config);
}

// Someone who knows a newer configuration than ours may know that we own the key.
Status Shard::check_owner(const std::string& key, const wire::ConfigStamp& theirs) const {
  if (theirs.counter > stamp_.counter) return ok_status();
  if (self_ && placement_->owns(*self_, model::partition_of(key))) return ok_status();
  return {ErrorCode::kStale,
          "node " + id_ + " does not own this key in configuration " + std::to_string(stamp_.counter)};
}

// What is asked of the node as a whole, whatever configuration the asker goes by. True: it was.
Task<bool> Shard::front_serves(wire::Request& request, wire::Reply& reply) {
  if (!front_) co_return false;
  if (auto* announce = std::get_if<wire::Announce>(&request.body)) {
    auto answer = co_await front_->announced(std::move(*announce));
    put(reply, std::move(answer));
  } else if (std::holds_alternative<wire::StatusQuery>(request.body)) {
    wire::StatusReply answer = co_await front_->status();
    reply.body = std::move(answer);
  } else if (const auto* arrival = std::get_if<wire::ArrivalQuery>(&request.body)) {
    auto answer = co_await front_->arrival(*arrival);
    put(reply, std::move(answer));
  } else if (const auto* repair = std::get_if<wire::RepairQuery>(&request.body)) {
    put(reply, front_->repair(*repair));
  } else {
    co_return false;
  }
  reply.config = stamp_;
  co_return true;
}

Task<wire::Reply> Shard::handle(wire::Request request, TimePoint deadline) {
  loop_.check_here();
  wire::Reply reply;
  const bool of_node = co_await front_serves(request, reply);
  if (of_node) co_return reply;
  const Status current = check_configuration(request.config);
  if (auto* staged = std::get_if<wire::WritePiece>(&request.body)) {
    auto answer = co_await write_piece(std::move(*staged));
    put(reply, std::move(answer));
  } else if (auto* ended = std::get_if<wire::Discard>(&request.body)) {
    auto answer = co_await discard(std::move(*ended));
    put(reply, std::move(answer));
  } else if (auto* part = std::get_if<wire::ReadPiece>(&request.body)) {
    auto answer = co_await read_piece(std::move(*part));
    put(reply, std::move(answer));
  } else if (!current) {
    reply.body = current.error();
  } else if (auto* prepared = std::get_if<wire::Prepare>(&request.body)) {
    auto answer = co_await prepare(std::move(*prepared), request.config);
    put(reply, std::move(answer));
  } else if (auto* asked = std::get_if<wire::Read>(&request.body)) {
    auto answer = co_await read(std::move(*asked), request.config);
    put(reply, std::move(answer));
  } else if (auto* given = std::get_if<wire::Write>(&request.body)) {
    auto answer = co_await write(std::move(*given), request.config, deadline);
    put(reply, std::move(answer));
  } else if (auto* wanted = std::get_if<wire::List>(&request.body)) {
    auto answer = co_await list(std::move(*wanted));
    put(reply, std::move(answer));
  } else if (auto* digest = std::get_if<wire::DigestQuery>(&request.body); digest && front_) {
    auto answer = co_await front_->compared(std::move(*digest), request.config);
    put(reply, std::move(answer));
  } else if (auto* collect = std::get_if<wire::CollectQuery>(&request.body); collect && front_) {
    auto answer = co_await front_->collecting(std::move(*collect), request.config);
    put(reply, std::move(answer));
  } else if (std::holds_alternative<wire::Ping>(request.body)) {
    reply.body = wire::Pong{};
  } else {
    reply.body = Error(ErrorCode::kInvalid, "a node does not serve this kind of request");
  }
  reply.config = stamp_;
  co_return reply;
}

Task<Result<wire::ReadReply>> Shard::read(wire::Read request, wire::ConfigStamp config) {
  ++counters_.reads;
  wire::ReadReply reply;
  const model::Partition partition = model::partition_of(request.key);
  const Worth at_begin = worth(partition, config);
  auto slot = co_await store_.read(request.key, request.want_value || request.verify);
  if (!slot && planted(Plant::kCorruptIsAbsent)) slot = model::Slot{};
  if (!slot) co_return slot.error();
  if (request.verify && slot->record && slot->record->in_pieces()) {
    const Status sound = co_await store_.verify(std::move(request.key), slot->ballot());
    if (!sound) co_return sound.error();
  }
  if (slot->record && !request.want_value) slot->record->value.reset();
  reply.slot = std::move(*slot);
  reply.voter = voter(partition, config, at_begin);
  co_return reply;
}

Task<Result<wire::WriteReply>> Shard::write(wire::Write request, wire::ConfigStamp config, TimePoint deadline) {
  ++counters_.writes;
  const Status owner = check_owner(request.key, config);
  if (!owner) co_return owner.error();
  const model::Partition partition = model::partition_of(request.key);
  const Worth at_begin = worth(partition, config);
  auto accepted = co_await take(std::move(request), config, deadline);
  if (!accepted) co_return accepted.error();
  const Status counts = overtaken(config);
  if (!counts) co_return counts.error();
  wire::WriteReply reply;
  reply.outcome = accepted->stored ? wire::WriteReply::Outcome::kStored : wire::WriteReply::Outcome::kRefused;
  reply.stored = accepted->ballot;
  reply.version = accepted->version;
  reply.promise = accepted->promise;
  reply.voter = voter(partition, config, at_begin);
  if (!accepted->stored) ++counters_.refused;
  co_return reply;
}

// Who may have forgotten a promise gives none (rule 6); what it holds is told all the same.
Task<Result<wire::PromiseReply>> Shard::prepare(wire::Prepare request, wire::ConfigStamp config) {
  ++counters_.prepares;
  const Status owner = check_owner(request.key, config);
  if (!owner) co_return owner.error();
  const model::Partition partition = model::partition_of(request.key);
  const Worth at_begin = worth(partition, config);
  wire::PromiseReply reply;
  if (at_begin.votes) {
    auto promised = co_await store_.promise(std::move(request.key), request.ballot, request.want_value);
    if (!promised) co_return promised.error();
    const Status counts = overtaken(config);
    if (!counts) co_return counts.error();
    reply.promised = promised->given;
    reply.slot = std::move(promised->slot);
  } else {
    auto slot = co_await store_.read(std::move(request.key), request.want_value);
    if (!slot) co_return slot.error();
    reply.slot = std::move(*slot);
  }
  reply.voter = voter(partition, config, at_begin);
  if (!reply.promised) ++counters_.refused;
  co_return reply;
}

// A value that is not here is fetched where the request says. That may take long, so a proposal is held once more to
// the configuration in force: its copy stays, but it is no vote of an older one.
Task<Result<store::Accepted>> Shard::take(wire::Write request, wire::ConfigStamp config, TimePoint deadline) {
  const bool elsewhere = !request.value_from.empty() && fetcher_;
  const bool copy = request.source == wire::Write::Source::kCopy;
  const store::Origin origin = copy ? store::Origin::kCopy : store::Origin::kProposal;
  if (buggify(loop_.random(), "shard/late_accept")) co_await loop_.sleep(kLateBy);
  if (!elsewhere) {
    co_return co_await store_.accept(std::move(request.key), std::move(request.record), request.upload, request.promise,
                                     origin);
  }
  const model::Ballot ballot = request.record.ballot;
  auto accepted = co_await store_.accept(request.key, request.record, request.upload, request.promise, origin);
  const bool missing = !accepted && accepted.code() == ErrorCode::kNotFound;
  if (!missing) co_return accepted;
  Fetcher::From from(std::move(request.value_from), request.upload);
  auto fetch = fetcher_->fetch(request.key, std::move(request.record), std::move(from), deadline);
  accepted = co_await runtime::run_on(fetcher_->loop(), std::move(fetch));
  if (!accepted || copy) co_return accepted;
  if (ballot.timestamp <= store_.floors().fence() && !planted(Plant::kFloorUnfenced)) {
    co_return Error(ErrorCode::kTimeout,
                    "the value took so long to be copied that its write is too old; write it again");
  }
  const Status owner = check_owner(request.key, config);
  if (!owner) co_return owner.error();
  co_return accepted;
}

Task<Result<wire::PieceStored>> Shard::write_piece(wire::WritePiece request) {
  const Status staged = co_await store_.stage(std::move(request.key), request.upload, request.index,
                                              std::move(request.piece), request.checksum);
  if (!staged) co_return staged.error();
  co_return wire::PieceStored{};
}

Task<Result<wire::Discarded>> Shard::discard(wire::Discard request) {
  const Status discarded = co_await store_.discard(std::move(request.key), request.upload);
  if (!discarded) co_return discarded.error();
  co_return wire::Discarded{};
}

Task<Result<wire::PieceReply>> Shard::read_piece(wire::ReadPiece request) {
  Result<store::StoredPiece> piece;
  if (request.staged) {
    piece = co_await store_.read_staged(std::move(request.key), *request.staged, request.index);
  } else {
    piece = co_await store_.read_piece(std::move(request.key), request.ballot, request.index);
  }
  if (!piece) co_return piece.error();
  co_return wire::PieceReply{std::move(piece->bytes), piece->checksum};
}

Task<Result<wire::ListReply>> Shard::list(wire::List request) {
  const auto placement = placement_;
  const auto duties = duties_;
  const auto asker = placement->find(request.asker);
  if (!asker || !self_) {
    co_return Error(ErrorCode::kStale, "node " + id_ + " or " + request.asker + " is in no live deployment");
  }
  if (front_ && !front_->adopted_by_all(stamp_.counter)) {
    co_return Error(ErrorCode::kStale, "node " + id_ + " is about to take another configuration; ask again");
  }
  const auto self = *self_;
  std::size_t entries_max = std::min<std::size_t>(request.entries_max, kListEntriesMax);
  if (buggify(loop_.random(), "shard/list")) entries_max = loop_.random().between(1, 3);
  const store::Floors& floors = store_.floors();
  const auto shared = duties->shared.find(*asker);
  std::vector<std::pair<model::Partition, Timestamp>> floors_before;
  if (shared != duties->shared.end()) {
    PartitionSet asked = shared->second & PartitionSet::first(model::partition_of_position(request.position_last) + 1u);
    asked -= PartitionSet::first(model::partition_of_position(request.position));
    const PartitionSet raised = floors.among(asked);
    raised.for_each([&](model::Partition p) { floors_before.emplace_back(p, floors.of(p)); });
  }
  PartitionSet voting;
  for (std::size_t i = 0; i < PartitionSet::kWords; ++i) voting.set_word(i, standing_.voting_word(i));
  if (buggify(loop_.random(), "shard/late_list")) co_await loop_.sleep(kLateBy);
  const std::size_t values_bytes_max = request.values ? wire::kListValuesBytesMax : 0;
  auto listing = co_await store_.list(request.position, std::move(request.key), request.position_last,
                                      std::max<std::size_t>(entries_max, 1), values_bytes_max);
  if (!listing) co_return listing.error();
  if (placement_ != placement && !planted(Plant::kListedBeforeFenced)) {
    co_return Error(ErrorCode::kStale, "node " + id_ + " has taken another configuration while it listed; ask again");
  }
  wire::ListReply reply;
  reply.complete = listing->complete;
  reply.next_position = listing->next_position;
  reply.next_key = std::move(listing->next_key);
  reply.incarnation = standing_.incarnation();
  for (auto& entry : listing->entries) {
    if (!placement->share(*asker, self, model::partition_of_position(entry.position))) continue;
    reply.entries.push_back(
        {std::move(entry.key), entry.ballot, entry.promise, entry.ends, std::move(entry.record)});
  }
  for (std::size_t i = 0; i < PartitionSet::kWords; ++i) voting.set_word(i, voting.word(i) & standing_.voting_word(i));
  const std::uint32_t last = model::partition_of_position(reply.complete ? request.position_last : reply.next_position);
  reply.fence = floors.fence();
  if (shared == duties->shared.end()) co_return reply;
  PartitionSet listed = shared->second & PartitionSet::first(last + 1);
  listed -= PartitionSet::first(model::partition_of_position(request.position));
  bool open = false;  // partitions that are not shared do not end a range
  listed.for_each([&](model::Partition partition) {
    if (!voting[partition]) {
      if (!open) reply.not_voting.push_back({partition, partition});
      reply.not_voting.back().second = partition;
    }
    open = !voting[partition];
  });
  for (const auto& [partition, floor] : floors_before) {
    if (!listed[partition]) continue;
    auto& told = reply.floors;
    if (!told.empty() && told.back().floor == floor && told.back().run.second + 1 == partition) {
      told.back().run.second = partition;
    } else {
      told.push_back({{partition, partition}, floor});
    }
  }
  co_return reply;
}

Task<std::vector<Result<store::Accepted>>> Shard::accept_copies(std::vector<store::Copy> copies) {
  loop_.check_here();
  auto taken = co_await store_.accept_new(copies);
  std::vector<Result<store::Accepted>> outcomes(copies.size());
  runtime::Gate gate(loop_);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (taken[i]) {
      outcomes[i] = std::move(*taken[i]);
    } else {
      loop_.spawn(gate, accept_into(outcomes[i], std::move(copies[i])));
    }
  }
  co_await gate.drained();
  co_return outcomes;
}

Task<> Shard::accept_into(Result<store::Accepted>& outcome, store::Copy copy) {
  outcome = co_await store_.accept(std::move(copy.key), std::move(copy.record));
}

Task<Result<store::Accepted>> Shard::accept_copy(std::string key, model::Record record) {
  loop_.check_here();
  co_return co_await store_.accept(std::move(key), std::move(record));
}

Task<Result<bool>> Shard::drop(std::string key, model::Ballot ballot) {
  loop_.check_here();
  const bool ours = self_ && placement_->owns(*self_, model::partition_of(key));
  if (ours && !planted(Plant::kDropsOwned)) co_return false;  // again
  co_return co_await store_.drop(std::move(key), ballot);
}

Task<Status> Shard::raise_floors(std::vector<std::pair<model::Partition, Timestamp>> floors, std::uint64_t since,
                                 bool as_voter) {
  loop_.check_here();
  if (as_voter) std::erase_if(floors, [this](const auto& one) { return !standing_.votes(one.first); });
  co_return co_await store_.raise_floors(std::move(floors), since);
}

Task<Result<bool>> Shard::erase_unreadable(std::string key) {
  loop_.check_here();
  co_return co_await store_.erase_unreadable(std::move(key));
}

}  // namespace tako::node
