// History: what clients were told, by key, and what follows from it.
//
// A key's history is the writes that were begun (their values are unique), the versions that were answered, and what
// was read. Checked: everything that was answered is there at the end, or something newer; nothing was ever read that
// nobody wrote; and what an operation at `quorum` has shown or stored, no later `quorum` read goes behind.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "model/version.h"

namespace tako::sim {

class History {
 public:
  void begun(const std::string& key, const std::string& value) { keys_[key].begun.insert(value); }
  void answered(const std::string& key, const model::Version& winner) {
    auto& newest = keys_[key].answered;
    newest = std::max(newest, winner);
    ++answers_;
  }
  // Empty text: all is well.
  std::string check_read(const std::string& key, const std::optional<std::string>& value) const {
    const auto found = keys_.find(key);
    if (!value || (found != keys_.end() && found->second.begun.count(*value))) return "";
    return key + ": read '" + *value + "', which nobody wrote";
  }
  std::string check_final(const std::string& key, const model::Version& version) const {
    const auto& newest = keys_.at(key).answered;
    if (version >= newest) return "";
    return key + ": " + to_string(newest) + " was answered, " + to_string(version) + " is what is left";
  }
  // What a `quorum` read that begins now must not be older than.
  model::Version strict_floor(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? model::Version{} : found->second.strict;
  }
  void strict_seen(const std::string& key, const model::Version& version) {
    auto& floor = keys_[key].strict;
    floor = std::max(floor, version);
  }
  const auto& keys() const { return keys_; }
  std::size_t answers() const { return answers_; }

 private:
  struct Key {
    std::set<std::string> begun;
    model::Version answered;  // the newest version that a write was told
    model::Version strict;    // the newest that an operation at `quorum` ended with
  };
  std::map<std::string, Key> keys_;
  std::size_t answers_ = 0;
};

}  // namespace tako::sim
