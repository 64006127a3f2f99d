#include "api/memcached/stats.h"

#include <array>
#include <utility>

namespace tako::api {
namespace {

using Named = std::pair<const char*, MemcachedStats::Counter MemcachedStats::*>;

constexpr std::array<Named, 20> kCounters{{
    {"cmd_get", &MemcachedStats::cmd_get},
    {"cmd_set", &MemcachedStats::cmd_set},
    {"cmd_flush", &MemcachedStats::cmd_flush},
    {"cmd_touch", &MemcachedStats::cmd_touch},
    {"cmd_meta", &MemcachedStats::cmd_meta},
    {"get_hits", &MemcachedStats::get_hits},
    {"get_misses", &MemcachedStats::get_misses},
    {"delete_misses", &MemcachedStats::delete_misses},
    {"delete_hits", &MemcachedStats::delete_hits},
    {"incr_misses", &MemcachedStats::incr_misses},
    {"incr_hits", &MemcachedStats::incr_hits},
    {"decr_misses", &MemcachedStats::decr_misses},
    {"decr_hits", &MemcachedStats::decr_hits},
    {"cas_misses", &MemcachedStats::cas_misses},
    {"cas_hits", &MemcachedStats::cas_hits},
    {"cas_badval", &MemcachedStats::cas_badval},
    {"touch_hits", &MemcachedStats::touch_hits},
    {"touch_misses", &MemcachedStats::touch_misses},
    {"store_too_large", &MemcachedStats::store_too_large},
    {"server_errors", &MemcachedStats::server_errors},
}};

template <class Value>
void add(std::string& text, const char* name, const Value& value) {
  text += std::string("STAT ") + name + ' ';
  if constexpr (std::is_convertible_v<Value, std::string>)
    text += value;
  else
    text += std::to_string(value);
  text += "\r\n";
}

}  // namespace

std::string MemcachedStats::text(const std::string& argument, const Now& now) {
  if (argument.empty()) return general(now) + "END\r\n";
  if (argument == "settings") return settings(now) + "END\r\n";
  if (argument == "items" || argument == "slabs" || argument == "sizes" || argument == "conns") return "END\r\n";
  if (argument == "reset") {
    reset();
    return "RESET\r\n";
  }
  return "ERROR\r\n";
}

std::string MemcachedStats::general(const Now& now) const {
  std::string text;
  add(text, "pid", about_.process);
  add(text, "uptime", std::chrono::duration_cast<seconds>(now.time - started_).count());
  add(text, "time", now.wall / 1'000'000);
  add(text, "version", std::string(wire::kMemcachedVersion));
  add(text, "pointer_size", 8 * sizeof(void*));
  add(text, "max_connections", about_.connections_max);
  add(text, "curr_connections", traffic_.connected.load());
  add(text, "total_connections", traffic_.connections.load());
  add(text, "bytes_read", traffic_.bytes_read.load());
  add(text, "bytes_written", traffic_.bytes_written.load());
  add(text, "threads", about_.threads);
  for (const auto& [name, counter] : kCounters) add(text, name, (this->*counter).load());
  return text;
}

std::string MemcachedStats::settings(const Now& now) const {
  std::string text;
  add(text, "maxconns", about_.connections_max);
  add(text, "num_threads", about_.threads);
  add(text, "item_size_max", now.value_bytes_max);
  add(text, "cas_enabled", std::string("yes"));
  add(text, "flush_enabled", std::string("yes"));
  add(text, "evictions", std::string("off"));
  add(text, "binding_protocol", std::string("ascii"));
  return text;
}

// Those of commands; connections go on being counted.
void MemcachedStats::reset() {
  for (const auto& [name, counter] : kCounters) (this->*counter).store(0);
}

}  // namespace tako::api
