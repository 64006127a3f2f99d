// LocalShards: the shards of this node, and which of them a key belongs to. The one way by which the node's own work
// (repair, hand-off, scrub, collection) comes to a store.
//
// A partition belongs to one shard, partition % size, and each key's lock, digest and staged pieces are that shard's.
// So what is done with a key is done through of(), on that shard's loop: run_on(shard.loop(), ...), or read() here.
// What goes over all keys goes over all shards, each on its own loop. Only a listing and the node's own rows of the
// system family stand on the first shard: they take no lock, and all engines of a node see one database.
// Made by the Node before the loops run; only read afterwards.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "node/serve/shard.h"

namespace tako::node {

class LocalShards {
 public:
  // REQUIRES: there is one at least, in the order of their indices; they outlive it
  explicit LocalShards(std::vector<Shard*> shards) : shards_(std::move(shards)) { ASSERT(!shards_.empty()); }

  std::size_t size() const { return shards_.size(); }
  auto begin() const { return shards_.begin(); }
  auto end() const { return shards_.end(); }

  std::size_t index_of(model::Partition partition) const { return partition % shards_.size(); }
  Shard& at(std::size_t index) const { return *shards_[index]; }
  Shard& of(model::Partition partition) const { return *shards_[index_of(partition)]; }
  Shard& of(const std::string& key) const { return of(model::partition_of(key)); }

  // The loop on which the node does its own work.
  runtime::Loop& loop() const { return shards_.front()->loop(); }
  // Of the first shard, for the node's own rows.
  store::Engine& engine() const { return shards_.front()->engine(); }

  // See Store::read, through the key's own shard. On the first loop.
  Task<Result<model::Slot>> read(std::string key, bool want_value) const;
  // See Store::list: of all partitions. On the first loop.
  Task<Result<store::Listing>> list(std::uint64_t position, std::string key, std::uint64_t position_last,
                                    std::size_t entries_max) const;

 private:
  std::vector<Shard*> shards_;
};

}  // namespace tako::node
