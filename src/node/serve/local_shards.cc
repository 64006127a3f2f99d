#include "node/serve/local_shards.h"

#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {

Task<Result<model::Slot>> LocalShards::read(std::string key, bool want_value) const {
  Shard& shard = planted(Plant::kFirstShardReads) ? at(0) : of(key);
  auto reading = shard.store().read(std::move(key), want_value);
  co_return co_await runtime::run_on(shard.loop(), std::move(reading));
}

Task<Result<store::Listing>> LocalShards::list(std::uint64_t position, std::string key, std::uint64_t position_last,
                                               std::size_t entries_max) const {
  return at(0).store().list(position, std::move(key), position_last, entries_max);
}

}  // namespace tako::node
