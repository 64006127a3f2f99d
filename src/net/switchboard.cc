#include "net/switchboard.h"

#include <utility>

#include "runtime/run_on.h"

namespace tako::net {

Shards::Shards(std::vector<Shard> shards) : shards_(std::move(shards)) {
  ASSERT(!shards_.empty());
  for (const Shard& shard : shards_) ASSERT(shard.loop && shard.service);
}

const Shard& Shards::shard_of(const wire::Request& request) const {
  const std::string* key = nullptr;
  if (const auto* read = std::get_if<wire::Read>(&request.body)) key = &read->key;
  if (const auto* write = std::get_if<wire::Write>(&request.body)) key = &write->key;
  if (const auto* piece = std::get_if<wire::WritePiece>(&request.body)) key = &piece->key;
  if (const auto* discard = std::get_if<wire::Discard>(&request.body)) key = &discard->key;
  if (const auto* piece = std::get_if<wire::ReadPiece>(&request.body)) key = &piece->key;
  if (const auto* prepare = std::get_if<wire::Prepare>(&request.body)) key = &prepare->key;
  if (!key || shards_.size() == 1) return shards_.front();
  return shards_[model::partition_of(*key) % shards_.size()];
}

Task<wire::Reply> Shards::dispatch(runtime::Loop& here, wire::Request request, TimePoint deadline) const {
  const Shard& shard = shard_of(request);
  if (shard.loop == &here) co_return co_await shard.service->handle(std::move(request), deadline);
  co_return co_await runtime::run_on(*shard.loop, shard.service->handle(std::move(request), deadline));
}

void Switchboard::add(std::string id, Shards shards) {
  const bool added = parties_.emplace(std::move(id), std::move(shards)).second;
  ASSERT(added);
}

const Shards* Switchboard::find(std::string_view id) const {
  const auto found = parties_.find(id);
  return found == parties_.end() ? nullptr : &found->second;
}

}  // namespace tako::net
