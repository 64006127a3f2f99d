// MemcachedStats: what the memcached ports of this process did, under memcached's names where they mean the same.
//
// One per process, shared by the faces of all loops: relaxed counters. What memcached says of its memory and its slabs
// has no counterpart here, and is left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "api/memcached/handler.h"

namespace tako::api {

class MemcachedStats {
 public:
  using Counter = std::atomic<std::uint64_t>;

  struct About {
    std::int64_t process = 0;
    std::size_t threads = 1;
    std::size_t connections_max = 0;
  };

  // `now`: when the process began to serve.
  MemcachedStats(About about, TimePoint now) : about_(about), started_(now) {}

  MemcachedTraffic& traffic() { return traffic_; }

  Counter cmd_get = 0;  // keys
  Counter cmd_set = 0;
  Counter cmd_flush = 0;
  Counter cmd_touch = 0;
  Counter cmd_meta = 0;
  Counter get_hits = 0;
  Counter get_misses = 0;
  Counter delete_hits = 0;
  Counter delete_misses = 0;
  Counter incr_hits = 0;
  Counter incr_misses = 0;
  Counter decr_hits = 0;
  Counter decr_misses = 0;
  Counter cas_hits = 0;
  Counter cas_misses = 0;
  Counter cas_badval = 0;
  Counter touch_hits = 0;
  Counter touch_misses = 0;
  Counter store_too_large = 0;
  Counter server_errors = 0;  // SERVER_ERROR: too few replicas, out of time, ...

  struct Now {
    TimePoint time;
    Timestamp wall = 0;
    std::uint64_t value_bytes_max = 0;
  };
  // The answer to `stats ARGUMENT`.
  std::string text(const std::string& argument, const Now& now);

 private:
  std::string general(const Now& now) const;
  std::string settings(const Now& now) const;
  void reset();

  const About about_;
  MemcachedTraffic traffic_;
  const TimePoint started_;
};

}  // namespace tako::api
