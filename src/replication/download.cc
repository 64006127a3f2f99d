#include "replication/download.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "base/plant.h"
#include "model/checksum.h"
#include "replication/rounds.h"

namespace tako::replication {
namespace {

constexpr Duration kAgainAfter = milliseconds(100);
constexpr unsigned kLooksMax = 16;         // for the value under another ballot, in one download
constexpr Duration kAskMin = seconds(1);   // one replica, before another one is asked
constexpr std::uint32_t kAheadAlways = 1;  // beside the next piece: what keeps a replica at work while that is sent

}  // namespace

// Whom to ask, in which order. Shared by the pieces under way.
class Download::Replicas {
 public:
  Replicas(Context& context, const Plan& plan) : context_(context) {
    take(*plan.round, plan.record.ballot);
  }

  // Those that hold the ballot, in any order; then the others.
  void take(const Round& round, const model::Ballot& ballot) {
    placement_ = round.placement;
    all_.clear();
    ++generation_;
    std::vector<Replica> others;
    for (std::size_t i = 0; i < round.replicas.size(); ++i) {
      const auto& reply = round.replies[i];
      const bool holds = reply.state == model::ReplicaReply::State::kPresent && reply.ballot == ballot;
      const bool good = holds && !round.damaged[i] && context_.transport.reachable(round.peer(i));
      (good ? all_ : others).push_back(Replica{round.replicas[i].node});
    }
    current_ = all_.empty() ? 0 : context_.loop.random().below(all_.size());
    all_.insert(all_.end(), others.begin(), others.end());
  }

  net::Peer peer(std::size_t i) const {
    const auto& node = placement_->nodes()[all_[i].node];
    return net::Peer{node.id, node.host, node.port};
  }
  // Calls in flight hold it beside the names in it.
  const std::shared_ptr<const model::Placement>& placement() const { return placement_; }

  // The first from the current one on that is still worth asking, and was not asked in this turn.
  std::optional<std::size_t> choose(const std::vector<bool>& asked) const {
    for (std::size_t n = 0; n < all_.size(); ++n) {
      const std::size_t i = (current_ + n) % all_.size();
      if (!all_[i].over && !(i < asked.size() && asked[i])) return i;
    }
    return std::nullopt;
  }
  std::size_t size() const { return all_.size(); }
  unsigned generation() const { return generation_; }

  // `i` failed; over: for good.
  void failed(std::size_t i, unsigned generation, bool over) {
    if (generation != generation_) return;
    all_[i].over |= over;
    if (i == current_) current_ = (current_ + 1) % all_.size();
  }

  // The owners of now, if they are others than before.
  bool renew(const std::shared_ptr<const model::Placement>& now, const std::string& key) {
    if (!now || now == placement_) return false;
    placement_ = now;
    all_.clear();
    for (const model::Replica& replica : now->replicas(model::partition_of(key))) all_.push_back({replica.node});
    current_ = 0;
    ++generation_;
    return true;
  }

 private:
  struct Replica {
    model::NodeIndex node = 0;
    bool over = false;
  };
  Context& context_;
  std::shared_ptr<const model::Placement> placement_;
  std::vector<Replica> all_;
  std::size_t current_ = 0;
  unsigned generation_ = 0;
};

struct Download::Piece {
  std::uint32_t index = 0;
  std::optional<Result<Bytes>> result;
  std::uint64_t checksum = 0;
  PieceBudget::Place place;
  bool dropped = false;  // nobody waits for it
};

struct Download::State : std::enable_shared_from_this<State>, PieceBudget::Reader {
  State(Context& r, Plan p)
      : context(r), plan(std::move(p)), ballot(plan.record.ballot), replicas(r, plan), arrived(r.loop) {
    ASSERT(plan.begin <= plan.end && plan.end <= plan.record.size);
    next_to_ask = static_cast<std::uint32_t>(plan.begin / model::kPieceBytes);
    last = plan.end > plan.begin ? static_cast<std::uint32_t>((plan.end - 1) / model::kPieceBytes) : 0;
    at = plan.begin;
  }

  void read_ahead();
  Task<> fetch(std::shared_ptr<State> self, std::shared_ptr<Piece> piece);
  Task<Result<wire::PieceReply>> ask(std::uint32_t index, std::size_t i, TimePoint deadline);
  Task<bool> find_again(TimePoint deadline);
  Result<Bytes> take(Piece& piece);
  void give_back() override;

  Context& context;
  const Plan plan;
  model::Ballot ballot;  // under which the version is stored
  Replicas replicas;
  unsigned looks = 0;
  std::deque<std::shared_ptr<Piece>> ahead;  // in order
  std::uint32_t next_to_ask = 0;
  std::uint32_t last = 0;
  std::uint32_t taken = 0;
  std::uint64_t at = 0;
  model::ValueChecksum checksum;
  runtime::Signal arrived;
};

Download::Download(Context& context, Plan plan)
    : state_(std::make_shared<State>(context, std::move(plan))) {}

Download::~Download() {
  state_->context.places.moves(*state_);
  state_->give_back();
}

// Begins anew with the piece that comes next, as cautiously as at first.
void Download::State::give_back() {
  if (ahead.empty()) return;
  next_to_ask = ahead.front()->index;
  taken = 0;
  for (const auto& piece : ahead) piece->dropped = true;
  ahead.clear();
}

void Download::State::read_ahead() {
  const std::uint32_t wanted = std::min(kReadAhead, taken) + 1;
  while (ahead.size() < wanted && next_to_ask <= last) {
    auto piece = std::make_shared<Piece>();
    // The other half is left to uploads, which cannot do without.
    if (context.places.has_free(PieceBudget::kPlaces / 2 + 1)) piece->place = context.places.take_if_free();
    if (!piece->place && ahead.size() > kAheadAlways) return;
    piece->index = next_to_ask++;
    ahead.push_back(piece);
    context.loop.spawn(context.gate, fetch(shared_from_this(), std::move(piece)));
  }
}

Task<Result<wire::PieceReply>> Download::State::ask(std::uint32_t index, std::size_t i, TimePoint deadline) {
  const auto placement = replicas.placement();
  wire::ReadPiece read;
  read.key = plan.key;
  read.ballot = ballot;
  read.index = index;
  const wire::ConfigStamp stamp = wire::stamp_of(*placement);
  auto reply = co_await net::call(context.transport, replicas.peer(i), stamp, std::move(read), deadline);
  if (!reply || planted(Plant::kChecksumUnseen)) co_return reply;
  const bool whole = reply->piece.size() == model::piece_size(plan.record.size, index);
  if (!whole || model::piece_checksum(reply->piece.view()) != reply->checksum) {
    co_return Error(ErrorCode::kIo, "a piece came damaged");
  }
  co_return reply;
}

// The version, where it is stored under another ballot by now. False: it is not.
Task<bool> Download::State::find_again(TimePoint deadline) {
  if (looks++ >= kLooksMax) co_return false;
  const unsigned generation = replicas.generation();
  const std::optional<Found> found = co_await plan.look(deadline);
  if (generation != replicas.generation()) co_return true;  // another piece has found it
  const model::Record& was = plan.record;
  const bool same = found && found->record.version == was.version && found->record.size == was.size &&
                    found->record.checksum == was.checksum && found->record.ballot != ballot;
  if (!same) co_return false;
  ballot = found->record.ballot;
  replicas.take(*found->round, ballot);
  co_return true;
}

Task<> Download::State::fetch([[maybe_unused]] std::shared_ptr<State> self, std::shared_ptr<Piece> piece) {
  const TimePoint deadline = context.loop.now() + plan.step;
  Error problem(ErrorCode::kUnavailable, "no replica that holds the value can be reached");
  std::vector<bool> asked;
  bool conflict = false;
  while (!piece->dropped) {
    const auto i = replicas.choose(asked);
    if (!i) {
      // All were asked, in vain. Perhaps others hold it by now; else those that may come back.
      const bool renewed = replicas.renew(plan.placement(), plan.key);
      asked.clear();
      if (!renewed && !replicas.choose(asked)) {
        if (!conflict) break;
        problem = Error(ErrorCode::kConflict, "the value was overwritten while it was read; read it again");
        conflict = false;
        const bool there = co_await find_again(deadline);
        if (!there) break;
        continue;
      }
      if (context.loop.now() + kAgainAfter >= deadline || context.loop.stopping()) break;
      if (!renewed) co_await context.loop.sleep(kAgainAfter);
      continue;
    }
    const unsigned generation = replicas.generation();
    const TimePoint patience = context.loop.now() + std::max(plan.step / 4, kAskMin);
    auto reply = co_await ask(piece->index, *i, std::min(patience, deadline));
    if (reply) {
      piece->checksum = reply->checksum;
      piece->result = std::move(reply->piece);
      break;
    }
    const bool gone = reply.code() == ErrorCode::kConflict || reply.code() == ErrorCode::kNotFound;
    conflict |= gone;
    replicas.failed(*i, generation, gone || reply.code() == ErrorCode::kCorrupt);
    problem = reply.error();
    if (generation == replicas.generation()) {
      asked.resize(std::max(asked.size(), *i + 1));
      asked[*i] = true;
    } else {
      asked.clear();
    }
    if (context.loop.stopping()) break;
  }
  if (!piece->result) piece->result = std::move(problem);
  arrived.notify();
}

Task<Result<Bytes>> Download::next() {
  State& state = *state_;
  if (state.at >= state.plan.end) co_return Bytes();
  state.context.places.moves(state);
  state.read_ahead();
  const std::shared_ptr<Piece> piece = state.ahead.front();
  while (!piece->result) {
    const bool woken = co_await state.arrived.wait(state.context.loop.now() + state.plan.step);
    if (!woken && state.context.loop.stopping()) co_return Error(ErrorCode::kStopping, "this proxy is stopping");
  }
  state.ahead.pop_front();
  piece->place.reset();
  auto bytes = state.take(*piece);
  if (bytes && state.at < state.plan.end) {
    state.read_ahead();
    state.context.places.waits(state);
  }
  co_return bytes;
}

// The part of it that was asked for.
Result<Bytes> Download::State::take(Piece& piece) {
  if (!*piece.result) return piece.result->error();
  Bytes bytes = std::move(**piece.result);
  ++taken;
  checksum.add(piece.checksum);
  const bool whole = plan.begin == 0 && plan.end == plan.record.size;
  if (whole && piece.index == last && checksum.value() != plan.record.checksum && !planted(Plant::kChecksumUnseen)) {
    return {ErrorCode::kCorrupt, "the value does not match its checksum; read it again"};
  }
  const std::uint64_t first = std::uint64_t{piece.index} * model::kPieceBytes;
  const std::uint64_t end = std::min(first + bytes.size(), plan.end);
  if (at >= end || first > at) return {ErrorCode::kInternal, "a piece of the wrong length"};
  bytes = bytes.slice(static_cast<std::size_t>(at - first), static_cast<std::size_t>(end - at));
  at = end;
  return bytes;
}

}  // namespace tako::replication
