#include "replication/upload.h"

#include <algorithm>

#include "base/plant.h"
#include "replication/rounds.h"

namespace tako::replication {
namespace {

constexpr Duration kAgainAfter = milliseconds(100);
constexpr Duration kDiscardAgainAfter = seconds(1);
constexpr Duration kDiscardDeadline = seconds(30);  // later the replica's own sweep frees it

model::UploadId draw_id(Random& random) {
  model::UploadId id;
  id.high = random.next();
  id.low = random.next();
  return id;
}

// The same call may succeed later: it was lost on the way, or the other side is busy or away.
bool may_pass(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnsent:
    case ErrorCode::kTimeout:
    case ErrorCode::kOverloaded:
    case ErrorCode::kCorrupt:
    case ErrorCode::kStopping: return true;
    default: return false;
  }
}

}  // namespace

struct Upload::Piece {
  Piece(PieceBudget::Place p, Bytes b)
      : place(std::move(p)), bytes(std::move(b)), checksum(model::piece_checksum(bytes.view())) {}

  const PieceBudget::Place place;
  const Bytes bytes;
  const std::uint64_t checksum;
};

Upload::Upload(Context& context, Plan plan)
    : context_(context),
      plan_(std::move(plan)),
      id_(draw_id(context.loop.random())),
      replicas_(plan_.placement->replicas(model::partition_of(plan_.key))),
      lanes_(replicas_.size()),
      began_(context.loop.now()),
      changed_(context.loop) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const auto& node = plan_.placement->nodes()[replicas_[i].node];
    lanes_[i].peer = net::Peer{node.id, node.host, node.port};
  }
}

// Would the level be reached if these lanes, and no others, stored it?
template <class Counts>
bool Upload::enough(Counts counts) const {
  std::vector<model::ReplicaReply> replies(lanes_.size());
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    replies[i].deployments = replicas_[i].deployments;
    replies[i].state = counts(lanes_[i]) ? model::ReplicaReply::State::kStored : model::ReplicaReply::State::kFailed;
    replies[i].votes = true;  // who does not is known when it commits
  }
  return model::judge_write(plan_.level, replies) == model::Verdict::kYes;
}

bool Upload::enough_without(const Lane& lane) const {
  return enough([&lane](const Lane& other) { return other.live && &other != &lane; });
}

Error Upload::failure() const {
  if (last_error_.code == ErrorCode::kNoSpace) {
    return {ErrorCode::kNoSpace, "the disks of too many replicas are full; free some space and write again"};
  }
  if (last_error_.code == ErrorCode::kTimeout) {
    return {ErrorCode::kTimeout, "too few replicas took the value in time; nothing was written: write it again"};
  }
  return {ErrorCode::kUnavailable,
          "too few replicas can take the value; nothing was written: write it again (" + last_error_.message + ")"};
}

// --- the source's side ----------------------------------------------------------------------------------------

Task<Status> Upload::bring(Bytes first, Bytes second, net::ByteSource& rest) {
  Status added = co_await add(std::move(first));
  bool last = second.size() < model::kPieceBytes;
  if (added) added = co_await add(std::move(second));
  while (added) {
    Status room = co_await wait_for_room(lag_allowed() - 1);
    if (!room) co_return room;
    Result<Bytes> piece = co_await rest.next();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return co_await wait_for_enough();
    if (last) co_return Error(ErrorCode::kInternal, "a short piece in the middle of a value");
    if (size_ + piece->size() > model::kValueBytesMax) {
      co_return Error(ErrorCode::kTooLarge, "the value is larger than 16 GiB");
    }
    last = piece->size() < model::kPieceBytes;
    added = co_await add(std::move(*piece));
  }
  co_return added;
}

Task<Status> Upload::add(Bytes bytes) {
  PieceBudget::Place place = co_await context_.places.take(context_.loop.now() + plan_.step);
  if (!place) co_return Error(ErrorCode::kOverloaded, "too many large values are written at once; try again");
  size_ += bytes.size();
  auto piece = std::make_shared<const Piece>(std::move(place), std::move(bytes));
  checksum_.add(piece->checksum);
  window_.push_back(std::move(piece));
  ++count_;
  push();
  co_return ok_status();
}

// Where places for pieces are few, each upload takes fewer, so that one more can always begin.
std::uint32_t Upload::lag_allowed() const {
  if (context_.places.has_free(PieceBudget::kPlaces / 2)) return kLagMax;
  return context_.places.has_free(PieceBudget::kPlaces / 4) ? kLagMax / 2 : 1;
}

Task<Status> Upload::wait_for_room(std::uint32_t behind_max) {
  const auto slow = [&](const Lane& lane) { return lane.live && behind(lane) > behind_max; };
  while (std::any_of(lanes_.begin(), lanes_.end(), slow)) {
    if (context_.loop.stopping()) co_return Error(ErrorCode::kStopping, "this proxy is stopping");
    // Do the others have nothing left to do, and are enough?
    const bool held_up = enough([this](const Lane& lane) { return lane.live && behind(lane) == 0; });
    const TimePoint since = context_.loop.now();
    const Duration allowed = kHoldMax + (since - began_) / 10;
    const TimePoint until = since + (held_up ? std::max(allowed - held_, Duration::zero()) : plan_.step);
    const bool woken = co_await changed_.wait(until);
    if (held_up) held_ += context_.loop.now() - since;
    if (held_up && !woken) {
      for (Lane& lane : lanes_) {
        if (slow(lane)) drop(lane);
      }
    }
  }
  if (!enough([](const Lane& lane) { return lane.live; })) co_return failure();
  co_return ok_status();
}

Task<Status> Upload::wait_for_enough() {
  const auto complete = [this](const Lane& lane) { return lane.live && behind(lane) == 0; };
  while (!enough(complete)) {
    if (context_.loop.stopping()) co_return Error(ErrorCode::kStopping, "this proxy is stopping");
    if (!enough([](const Lane& lane) { return lane.live; })) co_return failure();
    co_await changed_.wait(context_.loop.now() + plan_.step);
  }
  co_return ok_status();
}

// --- the replicas' side ---------------------------------------------------------------------------------------

std::uint32_t Upload::behind(const Lane& lane) const {
  return count_ - (planted(Plant::kVisibleEarly) ? lane.sent : lane.stored);
}

void Upload::push() {
  std::uint32_t all_sent = count_;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    while (lane.live && lane.sent < count_ && lane.under_way < kWindow) {
      ++lane.under_way;
      const std::uint32_t index = lane.sent++;
      context_.loop.spawn(context_.gate, send(shared_from_this(), i, index, window_[index - first_]));
    }
    if (lane.live) all_sent = std::min(all_sent, lane.sent);
  }
  for (; first_ < all_sent; ++first_) window_.pop_front();
}

Task<> Upload::send([[maybe_unused]] std::shared_ptr<Upload> self, std::size_t i, std::uint32_t index,
                    std::shared_ptr<const Piece> piece) {
  Lane& lane = lanes_[i];
  const TimePoint deadline = context_.loop.now() + plan_.step;
  while (lane.live) {
    wire::WritePiece write;
    write.key = plan_.key;
    write.upload = id_;
    write.index = index;
    write.piece = piece->bytes;
    write.checksum = piece->checksum;
    const wire::ConfigStamp stamp = wire::stamp_of(*plan_.placement);
    const auto stored = co_await net::call(context_.transport, lane.peer, stamp, std::move(write), deadline);
    if (stored) {
      ++lane.stored;
      break;
    }
    const bool busy = stored.code() == ErrorCode::kOverloaded;
    const bool again = may_pass(stored.code()) && context_.loop.now() + kAgainAfter < deadline;
    if (!again || context_.loop.stopping() || (!busy && enough_without(lane))) {
      if (lane.live) last_error_ = stored.error();
      drop(lane);
      break;
    }
    co_await context_.loop.sleep(kAgainAfter);
  }
  piece.reset();
  --lane.under_way;
  push();
  discard(lane);
  changed_.notify();
}

void Upload::drop(Lane& lane) {
  lane.live = false;
  push();  // what was kept for it only
  discard(lane);
}

Upload::At Upload::at(std::string_view node) const {
  for (const Lane& lane : lanes_) {
    if (lane.peer.id != node || !lane.live) continue;
    return behind(lane) == 0 ? At::kStaged : At::kOnTheWay;
  }
  return At::kMissing;
}

std::vector<std::string> Upload::staged_at() const {
  std::vector<std::string> nodes;
  for (const Lane& lane : lanes_) {
    if (lane.live && !lane.committed && behind(lane) == 0) nodes.emplace_back(lane.peer.id);
  }
  return nodes;
}

std::size_t Upload::given_up() const {
  return static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return !lane.live; }));
}

// --- its end --------------------------------------------------------------------------------------------------

Upload::Lane* Upload::lane_of(std::string_view node) {
  for (Lane& lane : lanes_) {
    if (lane.peer.id == node) return &lane;
  }
  return nullptr;
}

void Upload::commit_begins(std::string_view node) {
  if (Lane* lane = lane_of(node)) ++lane->commits;
}

void Upload::commit_ends(std::string_view node, bool stored) {
  Lane* lane = lane_of(node);
  if (!lane) return;
  --lane->commits;
  lane->committed |= stored;
  if (ended_ && !lane->committed && lane->commits == 0) drop(*lane);
}

void Upload::end() {
  ended_ = true;
  for (Lane& lane : lanes_) {
    if (!lane.committed && lane.commits == 0) drop(lane);
  }
}

void Upload::lost_at(std::string_view node) {
  if (Lane* lane = lane_of(node)) drop(*lane);
}

// When nothing is under way any more that could bring a piece after that.
void Upload::discard(Lane& lane) {
  if (lane.live || lane.discarded || lane.under_way > 0 || lane.sent == 0) return;
  lane.discarded = true;
  context_.loop.spawn(context_.gate, free_at(shared_from_this(), lane.peer));
}

// A replica that is busy is asked again: it would keep the pieces until its sweep.
Task<> Upload::free_at([[maybe_unused]] std::shared_ptr<Upload> self, net::Peer peer) {
  const TimePoint deadline = context_.loop.now() + kDiscardDeadline;
  while (!context_.loop.stopping()) {
    wire::Discard discard;
    discard.key = plan_.key;
    discard.upload = id_;
    const wire::ConfigStamp stamp = wire::stamp_of(*plan_.placement);
    const TimePoint by = std::min(deadline, context_.loop.now() + plan_.step);
    const auto done = co_await net::call(context_.transport, peer, stamp, std::move(discard), by);
    if (done || !may_pass(done.code()) || context_.loop.now() + kDiscardAgainAfter >= deadline) co_return;
    co_await context_.loop.sleep(kDiscardAgainAfter);
  }
}

Task<Result<TakenBody>> take_body(Context& context, std::string key, model::WriteLevel level, net::ByteSource& body,
                                  Duration step) {
  TakenBody taken;
  Result<Bytes> first = co_await body.next();
  if (!first) co_return first.error();
  Result<Bytes> second{Bytes()};
  if (first->size() == model::kPieceBytes) second = co_await body.next();
  if (!second) co_return second.error();
  if (second->empty()) {
    taken.value = std::move(*first);
    co_return taken;
  }
  if (!context.placement) co_return no_configuration();
  Upload::Plan plan;
  plan.key = std::move(key);
  plan.placement = context.placement;
  plan.level = level;
  plan.step = step;
  taken.upload = std::make_shared<Upload>(context, std::move(plan));
  const Status brought = co_await taken.upload->bring(std::move(*first), std::move(*second), body);
  if (brought) co_return taken;
  taken.upload->end();
  co_return brought.error();
}

}  // namespace tako::replication
