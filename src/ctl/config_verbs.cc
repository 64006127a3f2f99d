#include "ctl/config_verbs.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "ctl/json_fields.h"
#include "runtime/files.h"
#include "wire/cluster/limits.h"

namespace tako::ctl {
namespace {

std::string count(std::size_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string size_of(const model::Deployment& deployment) {
  std::size_t nodes = 0;
  for (const auto& bucket : deployment.buckets) nodes += bucket.nodes.size();
  return count(nodes, "node") + " in " + count(deployment.buckets.size(), "bucket");
}

}  // namespace

Result<model::Configuration> read_config_file(const std::string& file) {
  const Result<std::string> text = runtime::read_whole_file(file, wire::kConfigBytesMax);
  if (!text && text.code() == ErrorCode::kNotFound) return text.error();
  if (!text) return {ErrorCode::kInvalid, text.error().message};  // a folder, a file of others, one that is too large
  return model::parse_config(*text, file);
}

Task<Result<model::Configuration>> fetch_config(ClusterClient& client) {
  const Result<std::string> text = co_await fetch_text(client, "/config", "application/yaml");
  if (!text) co_return text.error();
  co_return model::parse_config(*text, "the configuration of the proxy");
}

int show_config(Console& console, const model::Configuration& configuration) {
  if (console.json) {
    const std::string text = model::to_json(configuration);
    console.out << text << (text.ends_with('\n') ? "" : "\n");
  } else {
    console.out << "# " << (configuration.counter == 0 ? "a file given by hand" : "tako configuration") << ", version "
                << control::to_text(wire::stamp_of(configuration)) << '\n'
                << model::to_yaml(configuration);
  }
  return finish(console, kExitYes);
}

int validate_config(Console& console, const std::string& file) {
  const Result<model::Configuration> parsed = read_config_file(file);
  if (!parsed) return fail(console, kExitUsage, parsed.error().message);
  const model::Deployment* target = parsed->target_deployment();
  if (console.json) {
    return finish_json(console, {{"file", file}, {"ok", true}, {"version", parsed->counter}}, kExitYes);
  }
  console.out << file << ": ok, " << size_of(parsed->active_deployment());
  if (target) console.out << " (moving to " << target->name << ": " << size_of(*target) << ")";
  console.out << ", version " << parsed->counter << '\n';
  return finish(console, kExitYes);
}

Task<int> push_config(Console& console, Coordinators coordinators, PushOptions options) {
  const Result<std::string> text = runtime::read_whole_file(options.file, wire::kConfigBytesMax);
  if (!text) co_return fail(console, kExitUsage, text.error().message);
  const Result<model::Configuration> parsed = model::parse_config(*text, options.file);
  if (!parsed) co_return fail(console, kExitUsage, parsed.error().message);
  if (coordinators.contacts.empty()) coordinators.contacts = control::coordinators_of(*parsed, "");
  if (coordinators.contacts.empty()) {
    const std::string problem = options.file + " names no coordinators; say which one to push to (-c HOST:PORT)";
    co_return fail(console, kExitUsage, problem);
  }

  wire::PushConfig change;
  change.expected_counter = options.expected_counter;
  change.text = *text;
  change.force = options.force;
  const Result<wire::ConfigReply> pushed = co_await push_change(std::move(coordinators), std::move(change));
  if (!pushed) co_return fail(console, kExitNo, pushed.error().message);
  if (console.json) co_return finish_json(console, {{"version", pushed->stamp.counter}}, kExitYes);
  console.out << "version " << pushed->stamp.counter << " is in force\n";
  co_return finish(console, kExitYes);
}

}  // namespace tako::ctl
