// The Replicator's large values.
#include "replication/download.h"
#include "replication/replicating.h"

namespace tako::replication {
namespace {

// What a replica may take to fetch a value from another, where the write waits for it.
constexpr Duration kFetchPatience = seconds(60);
constexpr std::uint64_t kFetchBytesPerSecond = 4 << 20;

}  // namespace

Task<Result<UpdateAnswer>> Replicator::update_large(std::string key, UpdateFn decide, net::ByteSource& body,
                                                    Duration step) {
  Result<Bytes> first = co_await body.next();
  if (!first) co_return first.error();
  Result<Bytes> second{Bytes()};
  if (first->size() == model::kPieceBytes) second = co_await body.next();
  if (!second) co_return second.error();
  if (second->empty()) {
    auto with_value = [decide = std::move(decide), value = std::move(*first)](const auto& now) {
      auto decided = decide(now);
      if (decided && *decided) (*decided)->value = value;
      return decided;
    };
    co_return co_await update(std::move(key), std::move(with_value), false, loop_.now() + step);
  }
  if (!placement_) co_return no_configuration();
  const auto upload = new_upload(key, model::WriteLevel::kQuorum, step);
  const Status brought = co_await upload->bring(std::move(*first), std::move(*second), body);
  if (!brought) {
    upload->end();
    co_return brought.error();
  }
  auto answer = co_await update_with(std::move(key), std::move(decide), upload, false, loop_.now() + step);
  upload->end();
  co_return answer;
}

std::shared_ptr<Upload> Replicator::new_upload(const std::string& key, model::WriteLevel level, Duration step) {
  Upload::Plan plan;
  plan.key = key;
  plan.placement = placement_;
  plan.level = level;
  plan.step = step;
  return std::make_shared<Upload>(call_context(), std::move(plan));
}

Task<Result<WriteAnswer>> Replicator::write_large(std::string key, Mutation mutation, net::ByteSource& body,
                                                  model::WriteLevel level, Duration step) {
  Result<Bytes> first = co_await body.next();
  if (!first) co_return first.error();
  Result<Bytes> second{Bytes()};
  if (first->size() == model::kPieceBytes) second = co_await body.next();
  if (!second) co_return second.error();
  if (second->empty()) {
    mutation.value = std::move(*first);
    co_return co_await write(std::move(key), std::move(mutation), level, loop_.now() + step);
  }

  if (!placement_) co_return no_configuration();
  const auto upload = new_upload(key, level, step);
  const Status brought = co_await upload->bring(std::move(*first), std::move(*second), body);
  if (!brought) {
    upload->end();
    co_return brought.error();
  }
  Proposal proposal = proposal_of(std::move(key), std::move(mutation), level);
  proposal.record.size = upload->size();
  proposal.record.checksum = upload->checksum();
  proposal.record.value.reset();
  proposal.upload = upload;
  proposal.deadline = loop_.now() + step;
  const auto fetch_seconds = static_cast<std::int64_t>(upload->size() / kFetchBytesPerSecond);
  proposal.fetch_deadline = proposal.deadline + kFetchPatience + seconds(fetch_seconds);
  auto answer = co_await propose(std::move(proposal));
  upload->end();
  co_return answer;
}

std::size_t Replicator::pieces_in_memory() const { return places_.used(); }

Task<std::optional<Download::Found>> Replicator::look_again(std::string key, TimePoint deadline) {
  auto answer = co_await read(std::move(key), model::ReadLevel::kLatest, false, deadline);
  if (!answer || !answer->record) co_return std::nullopt;
  Download::Found found;
  found.record = std::move(*answer->record);
  found.round = std::move(answer->round);
  co_return found;
}

std::unique_ptr<net::ByteSource> Replicator::open(std::string key, const ReadAnswer& answer, std::uint64_t begin,
                                                  std::uint64_t end, Duration step) {
  ASSERT(answer.record && answer.round && begin <= end && end <= answer.record->size);
  Download::Plan plan;
  plan.key = std::move(key);
  plan.record = answer.record->without_value();
  plan.round = answer.round;
  plan.begin = begin;
  plan.end = end;
  plan.step = step;
  plan.placement = [this] { return placement_; };
  plan.look = [this, key = plan.key](TimePoint deadline) { return look_again(key, deadline); };
  return std::make_unique<Download>(call_context(), std::move(plan));
}

}  // namespace tako::replication
