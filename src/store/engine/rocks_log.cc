#include "store/engine/rocks_log.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "base/log.h"

namespace tako::store {
namespace {

constexpr std::size_t kTextBytesMax = 1000;

class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
    char text[kTextBytesMax];
    const int size = std::vsnprintf(text, sizeof text, format, arguments);
    if (size < 0) return;
    const std::string_view whole(text, std::min<std::size_t>(static_cast<std::size_t>(size), sizeof text - 1));
    log::warn("rocksdb", {{"level", level == rocksdb::InfoLogLevel::WARN_LEVEL ? "warn" : "error"}, {"text", whole}});
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> rocks_log() { return std::make_shared<RocksLog>(); }

}  // namespace tako::store
