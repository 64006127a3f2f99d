#include "ctl/deploy_verbs.h"

#include <cmath>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "ctl/config_verbs.h"
#include "ctl/json_fields.h"
#include "ctl/table.h"
#include "model/plan.h"

namespace tako::ctl {
namespace {

using model::Configuration;
using nlohmann::json;

// What is in one partition of one node, on average.
struct Content {
  double keys = 0;
  double bytes = 0;
};

std::optional<Content> content_in(const json& status) {
  const auto nodes = status.find("nodes");
  if (nodes == status.end() || !nodes->is_array()) return std::nullopt;
  double keys = 0, bytes = 0, partitions = 0;
  for (const json& node : *nodes) {
    if (!node.is_object() || number_in(node, "owned_partitions").value_or(0) == 0) continue;
    keys += static_cast<double>(number_in(node, "items").value_or(0));
    bytes += static_cast<double>(number_in(node, "bytes").value_or(0));
    partitions += static_cast<double>(number_in(node, "owned_partitions").value_or(0));
  }
  if (partitions == 0) return std::nullopt;
  return Content{keys / partitions, bytes / partitions};
}

std::uint64_t times(double each, std::uint64_t count) {
  return static_cast<std::uint64_t>(std::llround(each * static_cast<double>(count)));
}

json plan_json(const Configuration& next, const model::Plan& plan, const std::optional<Content>& content) {
  json out = {{"active", next.active}, {"target", *next.target}};
  out["partitions_moving"] = plan.moving;
  out["copies"] = plan.copies;
  out["keys"] = nullptr;
  out["bytes"] = nullptr;
  if (content) {
    out["keys"] = times(content->keys, plan.copies);
    out["bytes"] = times(content->bytes, plan.copies);
  }
  out["replicas_min"] = {{"before", plan.replicas_before}, {"after", plan.replicas_after}};
  out["dangers"] = plan.dangers;
  out["nodes"] = json::array();
  for (const auto& node : plan.nodes) {
    json entry = {{"id", node.id}, {"before", node.before}, {"after", node.after}};
    entry["gains"] = node.gains;
    entry["loses"] = node.loses;
    out["nodes"].push_back(std::move(entry));
  }
  return out;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%",
                whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0);
  return text;
}

std::string plan_text(const Configuration& next, const model::Plan& plan, const std::optional<Content>& content,
                      bool colour) {
  Table table({"NODE", "PARTITIONS NOW", "THEN", "GAINS", "LOSES", "KEYS TO COPY", "BYTES"});
  for (std::size_t column = 1; column < 7; ++column) table.align(column, Align::kRight);
  for (const auto& node : plan.nodes) {
    const std::string keys = content ? "~" + std::to_string(times(content->keys, node.gains)) : "-";
    const std::string bytes = content ? "~" + bytes_of(times(content->bytes, node.gains)) : "-";
    table.add({printable(node.id), std::to_string(node.before), std::to_string(node.after), std::to_string(node.gains),
               std::to_string(node.loses), keys, bytes});
  }
  std::string out = "from " + printable(next.active) + " to " + printable(*next.target) + ": " +
                    std::to_string(plan.moving) + " of " + std::to_string(model::kPartitions) +
                    " partitions change owners (" + percent(plan.moving, model::kPartitions) + "), " +
                    std::to_string(plan.copies) + " copies of a partition";
  if (content) {
    out += ", about " + std::to_string(times(content->keys, plan.copies)) + " keys and " +
           bytes_of(times(content->bytes, plan.copies));
  }
  out += "\n\n" + table.text(colour);
  if (!plan.dangers.empty()) out += "\n";
  for (const std::string& danger : plan.dangers) out += coloured("careful: " + danger, Tone::kDoubtful, colour) + "\n";
  return out;
}

Task<Result<wire::ConfigReply>> push(Coordinators coordinators, Configuration next, std::uint64_t made_from) {
  wire::PushConfig change;
  change.expected_counter = made_from;
  change.text = model::to_yaml(next);
  Result<wire::ConfigReply> pushed = co_await push_change(std::move(coordinators), std::move(change));
  co_return pushed;
}

struct Progress {
  std::uint64_t version = 0;
  std::string active, target, phase, reason;
  std::uint64_t owned = 0, arrived = 0, read = 0, to_read = 0;
  std::optional<std::uint64_t> seconds_left;
  json whole;
};

Task<Result<Progress>> progress_of(Coordinators coordinators) {
  const Result<Configuration> in_force = co_await fetch_config(coordinators);
  if (!in_force) co_return in_force.error();
  const Result<std::string> text = co_await fetch_progress(coordinators, *in_force);
  if (!text) co_return text.error();
  Progress progress;
  progress.whole = parse_json(*text);
  if (!progress.whole.is_object()) co_return Error(ErrorCode::kInternal, "the coordinator's answer is no JSON object");
  progress.version = number_in(progress.whole, "version").value_or(0);
  progress.active = text_in(progress.whole, "active", "");
  progress.target = text_in(progress.whole, "target", "");
  progress.phase = text_in(progress.whole, "phase", "");
  progress.reason = text_in(progress.whole, "reason", "");
  progress.owned = number_in(progress.whole, "owned").value_or(0);
  progress.arrived = number_in(progress.whole, "arrived").value_or(0);
  progress.read = number_in(progress.whole, "read").value_or(0);
  progress.to_read = number_in(progress.whole, "to_read").value_or(0);
  progress.seconds_left = number_in(progress.whole, "seconds_left");
  co_return progress;
}

std::string how_far(const Progress& progress) {
  std::string line = progress.target + ": " + std::to_string(progress.arrived) + " of " +
                     std::to_string(progress.owned) + " partitions have arrived, " +
                     percent(progress.read, progress.to_read) + " read";
  if (progress.seconds_left) {
    const std::uint64_t left = *progress.seconds_left;
    char text[64];
    std::snprintf(text, sizeof text, ", about %llu:%02llu:%02llu left", static_cast<unsigned long long>(left / 3600),
                  static_cast<unsigned long long>(left / 60 % 60), static_cast<unsigned long long>(left % 60));
    line += text;
  }
  return line;
}

// Asks for the promotion until it is granted, or cannot be any more. REQUIRES: `moving` has a target
Task<int> promote_when_arrived(Console& console, Coordinators coordinators, Configuration moving) {
  const Result<Configuration> next = promoted(moving);
  if (!next) co_return fail(console, next.error());
  runtime::Loop& loop = coordinators.loop;
  const TimePoint end = loop.now() + kArrivalTimeMax;
  TimePoint heard = loop.now();
  Error problem(ErrorCode::kTimeout, "it took too long");
  while (loop.now() < end && loop.now() < heard + kSilenceMax && !loop.stopping()) {
    const Result<Progress> progress = co_await progress_of(coordinators);
    if (!progress) problem = progress.error();
    if (progress) heard = loop.now();
    if (progress && progress->version > moving.counter) {
      redraw(console, "");
      const bool done = progress->target.empty() && progress->active == next->active;
      if (!done)
        co_return fail(console, kExitNo, "the configuration was changed meanwhile: see tako ctl deploy status");
      console.out << printable(next->active) << " is active\n";
      co_return finish(console, kExitYes);
    }
    if (progress) redraw(console, how_far(*progress));
    if (progress && progress->phase == "arrived") {
      const auto pushed = co_await push(coordinators, *next, moving.counter);
      if (pushed) {
        redraw(console, "");
        if (console.json) co_return finish_json(console, {{"version", pushed->stamp.counter}}, kExitYes);
        console.out << "version " << pushed->stamp.counter << " is in force: " << printable(next->active)
                    << " is active\n";
        co_return finish(console, kExitYes);
      }
      problem = pushed.error();
    }
    co_await loop.sleep(kArrivalPause);
  }
  redraw(console, "");
  co_return fail(console, kExitNo, "not promoted: " + problem.message);
}

}  // namespace

Task<int> plan_deploy(Console& console, Coordinators coordinators, ClusterClient* client,
                      std::optional<Configuration> known, Shape shape) {
  Result<Configuration> in_force = Error(ErrorCode::kInvalid, "there is no coordinator and no configuration");
  if (!coordinators.contacts.empty())
    in_force = co_await fetch_config(coordinators);
  else if (known)
    in_force = *known;
  if (!in_force) co_return fail(console, in_force.error());
  auto target = shape(*in_force);
  if (!target) co_return fail(console, target.error());
  if (in_force->target == target->name) in_force->target.reset();  // what is under way can be looked at again
  const Result<Configuration> next = begun(*in_force, std::move(*target));
  if (!next) co_return fail(console, next.error());

  std::optional<Content> content;
  if (client) {
    const auto status = co_await fetch_text(*client, "/status", "application/json");
    if (status) {
      const json parsed = parse_json(*status);
      if (parsed.is_object()) content = content_in(parsed);
    }
  }
  const auto placement = model::Placement::make(*next);
  const model::Plan plan = model::plan_of(*placement);
  if (console.json) co_return finish_json(console, plan_json(*next, plan, content), kExitYes);
  console.out << plan_text(*next, plan, content, console.colour);
  co_return finish(console, kExitYes);
}

Task<int> apply_deploy(Console& console, Coordinators coordinators, Shape shape, DeployOptions options) {
  const Result<Configuration> in_force = co_await fetch_config(coordinators);
  if (!in_force) co_return fail(console, in_force.error());
  auto target = shape(*in_force);
  if (!target) co_return fail(console, target.error());
  Result<Configuration> next = begun(*in_force, std::move(*target));
  if (!next) co_return fail(console, next.error());
  const auto placement = model::Placement::make(*next);
  const model::Plan plan = model::plan_of(*placement);
  if (options.dry_run) {
    if (console.json) co_return finish_json(console, plan_json(*next, plan, std::nullopt), kExitYes);
    console.out << plan_text(*next, plan, std::nullopt, console.colour);
    co_return finish(console, kExitYes);
  }
  const auto pushed = co_await push(coordinators, *next, in_force->counter);
  if (!pushed) co_return fail(console, pushed.error());
  next->counter = pushed->stamp.counter;
  if (!console.json) {
    console.out << "version " << next->counter << " is in force: moving from " << printable(next->active) << " to "
                << printable(*next->target) << ", " << plan.copies << " copies of a partition\n";
    for (const std::string& danger : plan.dangers) {
      console.out << coloured("careful: " + danger, Tone::kDoubtful, console.colour) << '\n';
    }
    if (!options.wait) console.out << "then: tako ctl deploy promote --wait\n";
  } else if (!options.wait) {
    json out = plan_json(*next, plan, std::nullopt);
    out["version"] = next->counter;
    co_return finish_json(console, out, kExitYes);
  }
  if (!options.wait) co_return finish(console, kExitYes);
  console.out.flush();
  co_return co_await promote_when_arrived(console, std::move(coordinators), std::move(*next));
}

Task<int> show_deploy(Console& console, Coordinators coordinators) {
  const Result<Progress> progress = co_await progress_of(std::move(coordinators));
  if (!progress) co_return fail(console, progress.error());
  const int exit_code = progress->phase == "moving" ? kExitNo : kExitYes;
  if (console.json) co_return finish_json(console, progress->whole, exit_code);
  if (progress->target.empty()) {
    console.out << "version " << progress->version << ": " << printable(progress->active) << ", nothing is moving\n";
    co_return finish(console, exit_code);
  }
  console.out << "version " << progress->version << ": from " << printable(progress->active) << " to "
              << how_far(*progress) << '\n';
  const json missing = progress->whole.value("missing", json::array());
  for (const json& line : missing) {
    if (line.is_string()) console.out << "  " << printable(line.get<std::string>()) << '\n';
  }
  if (progress->phase == "arrived")
    console.out << "everything has arrived: tako ctl deploy promote\n";
  else if (missing.empty())
    console.out << printable(progress->reason) << '\n';
  co_return finish(console, exit_code);
}

Task<int> promote_deploy(Console& console, Coordinators coordinators, DeployOptions options) {
  Result<Configuration> in_force = co_await fetch_config(coordinators);
  if (!in_force) co_return fail(console, in_force.error());
  const Result<Configuration> next = promoted(*in_force);
  if (!next) co_return fail(console, next.error());
  if (options.wait) {
    co_return co_await promote_when_arrived(console, std::move(coordinators), std::move(*in_force));
  }
  const auto pushed = co_await push(coordinators, *next, in_force->counter);
  if (!pushed) co_return fail(console, pushed.error());
  if (console.json) co_return finish_json(console, {{"version", pushed->stamp.counter}}, kExitYes);
  console.out << "version " << pushed->stamp.counter << " is in force: " << printable(next->active) << " is active\n";
  co_return finish(console, kExitYes);
}

Task<int> abort_deploy(Console& console, Coordinators coordinators) {
  const Result<Configuration> in_force = co_await fetch_config(coordinators);
  if (!in_force) co_return fail(console, in_force.error());
  const Result<Configuration> next = aborted(*in_force);
  if (!next) co_return fail(console, next.error());
  const auto pushed = co_await push(coordinators, *next, in_force->counter);
  if (!pushed) co_return fail(console, pushed.error());
  if (console.json) co_return finish_json(console, {{"version", pushed->stamp.counter}}, kExitYes);
  console.out << "version " << pushed->stamp.counter << " is in force: " << printable(next->active)
              << " stays, and nothing is moving\n";
  co_return finish(console, kExitYes);
}

}  // namespace tako::ctl
