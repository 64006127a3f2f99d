// Tally: how often what happened: faults, operations, outcomes. A fault that never occurs is not simulated.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tako::sim {

class Tally {
 public:
  void add(std::string_view what, std::uint64_t times = 1) {
    const auto found = counts_.find(what);
    if (found != counts_.end()) {
      found->second += times;
    } else {
      counts_.emplace(what, times);
    }
  }
  const std::map<std::string, std::uint64_t, std::less<>>& counts() const { return counts_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace tako::sim
