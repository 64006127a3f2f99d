#include "node/repair/settler.h"

#include "base/log.h"

namespace tako::node {
namespace {

constexpr Duration kSettleDeadline = seconds(10);
constexpr int kRescueAttempts = 20;
constexpr Duration kRescuePause = seconds(3);

}  // namespace

void Settler::note(std::string key, model::Ballot promise) {
  if (!agreement_ || keys_.size() >= kKeysMax || loop_.stopping()) return;
  const bool fresh = keys_.insert(key).second;
  if (fresh) loop_.spawn(gate_, settle(std::move(key), promise));
}

Task<> Settler::settle(std::string key, model::Ballot promise) {
  co_await settle_now(key, promise);
  keys_.erase(key);
}

Task<std::optional<model::Ballot>> Settler::settle_now(std::string key, model::Ballot promise) {
  std::optional<model::Ballot> ballot;
  if (!agreement_) co_return ballot;
  const bool turn = co_await turns_.acquire(TimePoint::max());
  if (!turn) co_return ballot;
  ballot = co_await agreement_(key, std::nullopt, promise, loop_.now() + kSettleDeadline);
  turns_.release();
  ++(ballot ? counters_.settled : counters_.failed);
  log::debug("key_settled", {{"key", key}, {"settled", ballot.has_value()}});
  co_return ballot;
}

void Settler::rescue(std::string key, model::Record record) {
  if (!agreement_ || rescues_ >= kRescuesMax || loop_.stopping()) return;
  ++rescues_;
  loop_.spawn(gate_, bring_back(std::move(key), std::move(record)));
}

Task<> Settler::bring_back(std::string key, model::Record record) {
  bool back = false;
  for (int attempt = 0; attempt < kRescueAttempts && !back && !loop_.stopping(); ++attempt) {
    if (attempt > 0) co_await loop_.sleep(kRescuePause);
    std::optional<model::Record> rescued = record;
    const auto ballot = co_await agreement_(key, std::move(rescued), model::Ballot(), loop_.now() + kSettleDeadline);
    back = ballot.has_value();
  }
  counters_.rescued += back;
  log::info("write_rescued", {{"key", key}, {"version", model::to_string(record.version)}, {"done", back}});
  --rescues_;
}

}  // namespace tako::node
