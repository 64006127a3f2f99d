#include "store/engine/rocks_options.h"

#include <algorithm>

#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "store/engine/rocks_log.h"

namespace tako::store {
namespace {

constexpr std::size_t kMemtableBytes = 64 << 20;
constexpr std::size_t kSystemMemtableBytes = 4 << 20;
constexpr std::uint64_t kLogBytesMax = 256 << 20;  // of all live logs: what a restart replays at most
constexpr std::uint64_t kBlobBytesMin = 4 << 10;
constexpr std::uint64_t kBlobFileBytes = 128 << 20;

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 8 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Index and filters are in the cache too, in partitions: so the memory is bounded whatever the number of keys.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  return table;
}

}  // namespace

rocksdb::ColumnFamilyOptions family_options(Family family, const RocksLimits& limits,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(cache)));
  options.write_buffer_size = family == Family::kSystem ? kSystemMemtableBytes : kMemtableBytes;
  options.max_write_buffer_number = 3;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  if (family == Family::kChunks) {
    options.enable_blob_files = true;
    options.min_blob_size = kBlobBytesMin;
    options.blob_file_size = kBlobFileBytes;
    options.blob_compression_type = rocksdb::kLZ4Compression;
    // Not while it merges of its own accord: the keys of many GiB are in one table, and whenever that is written anew a
    // share of all those values would be. RocksDatabase::give_back() does it when it pays.
    options.enable_blob_garbage_collection = false;
    // Tables of pieces are tiny, so they are merged by their number, and seldom.
    options.write_buffer_size = limits.pieces_buffer_bytes;
    options.level0_file_num_compaction_trigger = 16;
    options.level0_slowdown_writes_trigger = 48;
    options.level0_stop_writes_trigger = 64;
  }
  return options;
}

rocksdb::DBOptions database_options(const RocksLimits& limits) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;  // excludes recycled logs
  options.max_total_wal_size = kLogBytesMax;
  options.max_open_files = limits.open_files_max;
  options.max_background_jobs = static_cast<int>(std::max(2u, 2 * limits.background_threads));
  options.bytes_per_sync = 1 << 20;  // no bursts of dirty pages for a sync to wait for
  options.wal_bytes_per_sync = 1 << 20;
  options.allow_fallocate = false;  // a preallocated log is room that a small disk has not
  options.avoid_unnecessary_blocking_io = true;
  options.max_bgerror_resume_count = 0;
  options.skip_stats_update_on_db_open = false;  // or the number of keys starts at nothing
  options.skip_checking_sst_file_sizes_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = rocks_log();
  return options;
}

}  // namespace tako::store
