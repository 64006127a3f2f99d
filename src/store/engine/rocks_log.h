// What RocksDB has to say, among our own log lines: `rocksdb level=... text=...`, from a warning on.
//
// By itself it writes a file beside the data. On a full disk that file fails, and then the next line that goes there
// aborts the process, by an assertion in 7.8; whatever else the node would have survived.
#pragma once

#include <memory>

#include <rocksdb/env.h>

namespace tako::store {

// Used on all of RocksDB's threads.
std::shared_ptr<rocksdb::Logger> rocks_log();

}  // namespace tako::store
