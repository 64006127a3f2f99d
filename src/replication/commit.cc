#include "replication/commit.h"

#include "replication/rounds.h"

namespace tako::replication {
namespace {

using State = model::ReplicaReply::State;

constexpr Duration kStagingPoll = milliseconds(10);

bool is_error(const Result<wire::WriteReply>& answer, ErrorCode code) { return !answer && answer.code() == code; }

}  // namespace

Commit::Commit(Context& context, std::shared_ptr<Round> round, std::shared_ptr<Upload> upload,
               std::string key, model::Record record, TimePoint deadline)
    : context_(context),
      round_(std::move(round)),
      upload_(std::move(upload)),
      key_(std::move(key)),
      record_(std::move(record)),
      deadline_(deadline) {}

void Commit::begin() {
  for (std::size_t i = 0; i < round_->replicas.size(); ++i) {
    if (upload_->at(round_->peer(i).id) == Upload::At::kMissing) {
      without_.push_back(i);
    } else {
      ++asked_;
      upload_->commit_begins(round_->peer(i).id);
      context_.loop.spawn(context_.gate, ask(shared_from_this(), i));
    }
  }
  send_for_pieces();
}

wire::Write Commit::write() const {
  wire::Write write;
  write.key = key_;
  write.record = record_;
  return write;
}

Task<> Commit::ask([[maybe_unused]] std::shared_ptr<Commit> self, std::size_t i) {
  const net::Peer peer = round_->peer(i);
  while (upload_->at(peer.id) == Upload::At::kOnTheWay && context_.loop.now() < deadline_ &&
         !context_.loop.stopping()) {
    co_await context_.loop.sleep(kStagingPoll);
  }
  bool certain = true;  // that it was not carried out
  if (upload_->at(peer.id) == Upload::At::kStaged) {
    wire::Write write = this->write();
    write.upload = upload_->id();
    const wire::ConfigStamp stamp = wire::stamp_of(*round_->placement);
    auto answer = co_await net::call(context_.transport, peer, stamp, std::move(write), deadline_);
    certain = is_error(answer, ErrorCode::kNotFound);  // what was staged is gone
    if (certain) upload_->lost_at(peer.id);
    if (!certain) round_->heard_write(i, record_.ballot, std::move(answer));
  }
  --asked_;
  if (certain) without_.push_back(i);
  upload_->commit_ends(peer.id, round_->replies[i].state == State::kStored);
  send_for_pieces();
}

// A replica that has stored it, then a node that has it staged; another one at each try.
std::optional<Commit::Source> Commit::source(std::size_t tries) const {
  std::vector<Source> sources;
  for (std::size_t i = 0; i < round_->replies.size(); ++i) {
    if (round_->replies[i].state == State::kStored) sources.push_back({std::string(round_->peer(i).id), false});
  }
  for (std::string& node : upload_->staged_at()) sources.push_back({std::move(node), true});
  if (tries >= sources.size()) return std::nullopt;
  return sources[tries];
}

void Commit::send_for_pieces() {
  if (without_.empty()) return;
  const auto first = source(0);
  if (first && (!first->staged || asked_ == 0)) {
    for (const std::size_t i : std::exchange(without_, {})) {
      ++fetching_;
      context_.loop.spawn(context_.gate, fetch(shared_from_this(), i));
    }
  } else if (asked_ == 0) {
    for (const std::size_t i : std::exchange(without_, {})) {
      round_->heard_write(i, record_.ballot,
                          Error(ErrorCode::kUnsent, "no replica has all of the value to fetch it from"));
    }
  }
}

Task<> Commit::fetch([[maybe_unused]] std::shared_ptr<Commit> self, std::size_t i) {
  Result<wire::WriteReply> answer(ErrorCode::kTimeout, "out of time before it could be told where to fetch the value");
  std::size_t tries = 0;
  for (; context_.loop.now() < deadline_ && !context_.loop.stopping(); ++tries) {
    const auto from = source(tries);
    if (!from) break;
    wire::Write write = this->write();
    write.value_from = from->node;
    if (from->staged) write.upload = upload_->id();
    const wire::ConfigStamp stamp = wire::stamp_of(*round_->placement);
    answer = co_await net::call(context_.transport, round_->peer(i), stamp, std::move(write), deadline_);
    // The holder may be the one that fails.
    if (!is_error(answer, ErrorCode::kUnavailable) && !is_error(answer, ErrorCode::kNotFound)) break;
  }
  // Out of time is no answer: the replica goes on, and says so in the next round.
  if (is_error(answer, ErrorCode::kTimeout) && context_.loop.now() >= deadline_) co_return;
  --fetching_;
  round_->heard_write(i, record_.ballot, std::move(answer));
  // Refused now, or not reached now, says nothing of the tries before.
  auto& state = round_->replies[i].state;
  if (tries > 0 && (state == State::kRefused || state == State::kUnsent)) state = State::kFailed;
}

}  // namespace tako::replication
