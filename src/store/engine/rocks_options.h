// How Tako wants RocksDB: the options of the database and of its families. Private to rocks_database.cc.
#pragma once

#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include "store/engine/rocks_database.h"

namespace tako::store {

rocksdb::DBOptions database_options(const RocksLimits& limits);
rocksdb::ColumnFamilyOptions family_options(Family family, const RocksLimits& limits,
                                            const std::shared_ptr<rocksdb::Cache>& cache);

}  // namespace tako::store
