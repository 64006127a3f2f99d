// LogLimit: at most one line per key and interval, so that a peer cannot fill the log. One loop's.
//
// The table is bounded: when it is full of recent keys, further ones are not logged.
#pragma once

#include <map>
#include <string>

#include "base/time.h"

namespace tako::net {

class LogLimit {
 public:
  explicit LogLimit(Duration every, std::size_t keys_max = 1'000) : every_(every), keys_max_(keys_max) {}

  bool allow(const std::string& key, TimePoint now) {
    if (const auto found = last_.find(key); found != last_.end()) {
      if (now - found->second < every_) return false;
      found->second = now;
      return true;
    }
    const auto old = [&](const auto& entry) { return now - entry.second >= every_; };
    if (last_.size() >= keys_max_) std::erase_if(last_, old);
    if (last_.size() >= keys_max_) return false;
    last_.emplace(key, now);
    return true;
  }

 private:
  const Duration every_;
  const std::size_t keys_max_;
  std::map<std::string, TimePoint> last_;
};

}  // namespace tako::net
