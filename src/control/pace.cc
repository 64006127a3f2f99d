#include "control/pace.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace tako::control {
namespace {

constexpr std::size_t kNamedMax = 1000;  // so that the answer fits into a message

std::vector<std::string> first_of(const std::vector<std::string>& names) {
  return {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamedMax))};
}

}  // namespace

std::optional<Duration> Pace::left(TimePoint now, std::uint64_t read, std::uint64_t to_read) const {
  if (!first_ || read <= first_->read || now <= first_->at) return std::nullopt;
  const auto spent = static_cast<double>((now - first_->at).count());
  const auto done = static_cast<double>(read - first_->read);
  const auto open = static_cast<double>(to_read > read ? to_read - read : 0);
  return Duration(static_cast<Duration::rep>(spent * open / done));
}

std::string progress_json(const model::Placement& placement, const std::optional<Arrival>& arrival, const Pace& pace,
                          TimePoint now) {
  const model::Configuration& config = placement.config();
  nlohmann::json out = {{"version", config.counter}, {"active", config.active}, {"target", nullptr}};
  out["phase"] = "settled";
  if (config.target && arrival) {
    const Status ready = may_promote(placement, *arrival);
    out["target"] = *config.target;
    out["phase"] = ready ? "arrived" : "moving";
    out["owned"] = arrival->owned;
    out["arrived"] = arrival->arrived;
    out["read"] = arrival->read;
    out["to_read"] = arrival->to_read;
    out["missing"] = first_of(arrival->missing);
    out["missing_nodes"] = arrival->missing.size();
    out["unfenced"] = arrival->unfenced;
    out["behind"] = first_of(arrival->behind);
    out["reason"] = nullptr;
    out["seconds_left"] = nullptr;
    if (!ready) out["reason"] = ready.error().message;
    const auto left = pace.left(now, arrival->read, arrival->to_read);
    if (!ready && left) out["seconds_left"] = std::chrono::duration_cast<seconds>(*left).count();
  }
  return json_text(out);
}

}  // namespace tako::control
