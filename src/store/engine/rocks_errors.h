// RocksDB's statuses as our errors: one line that says what is wrong and what to do. Private to rocks_database.cc.
#pragma once

#include <string>

#include <rocksdb/status.h>

#include "base/result.h"

namespace tako::store {

ErrorCode code_of(const rocksdb::Status& status);
// What a client can be told of it; the details are in the log.
std::string text_of(ErrorCode code);
Error error_of(const rocksdb::Status& status);

// Of the database in the folder `path`.
Error open_error(const std::string& path, const rocksdb::Status& status);
Error damaged_error(const std::string& path, const std::string& how);

}  // namespace tako::store
