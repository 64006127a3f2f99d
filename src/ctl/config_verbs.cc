#include "ctl/config_verbs.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/files.h"
#include "wire/limits.h"

namespace tako::ctl {
namespace {

using control::Contact;
using nlohmann::json;

std::string count(std::size_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string size_of(const model::Deployment& deployment) {
  std::size_t nodes = 0;
  for (const auto& bucket : deployment.buckets) nodes += bucket.nodes.size();
  return count(nodes, "node") + " in " + count(deployment.buckets.size(), "bucket");
}

// Who may make versions after `configuration`; none: whoever is asked.
std::optional<Contact> master_of(const model::Configuration& configuration) {
  for (const auto& coordinator : configuration.coordinators) {
    if (!control::is_master(configuration, coordinator.id)) continue;
    Contact master;
    master.id = "coordinator:" + coordinator.id;
    master.host = coordinator.address.host;
    master.port = coordinator.address.port;
    return master;
  }
  return std::nullopt;
}

bool unreachable(const Error& error) {
  return error.code == ErrorCode::kUnsent || error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout;
}

Task<Result<wire::ConfigReply>> ask(net::Transport& transport, runtime::Loop& loop, Contact coordinator,
                                    wire::Request request) {
  const TimePoint deadline = loop.now() + kCoordinatorTimeMax;
  Result<wire::Reply> reply = co_await transport.call(coordinator.peer(), std::move(request), deadline);
  Result<wire::ConfigReply> answer = net::expect<wire::ConfigReply>(std::move(reply));
  if (!answer) co_return Error(answer.code(), "coordinator at " + coordinator.text() + ": " + answer.error().message);
  co_return answer;
}

// To the master, if it can be reached by its own address; else to those that were given: one of them may be it. What is
// sent twice is made a version once.
Task<Result<wire::ConfigReply>> push(net::Transport& transport, runtime::Loop& loop, wire::PushConfig change,
                                     std::vector<Contact> coordinators) {
  const Result<model::Configuration> in_force = co_await fetch_config(transport, loop, coordinators);
  if (!in_force && in_force.code() != ErrorCode::kNotFound) co_return in_force.error();
  std::optional<Contact> master = in_force ? master_of(*in_force) : std::nullopt;
  if (master) {
    std::erase(coordinators, *master);
    coordinators.insert(coordinators.begin(), *master);
  }

  Result<wire::ConfigReply> answer = Error(ErrorCode::kUnavailable, "there is no coordinator to push to");
  std::optional<Error> refusal;
  for (const Contact& coordinator : coordinators) {
    wire::Request request;
    request.body = change;
    answer = co_await ask(transport, loop, coordinator, std::move(request));
    if (answer) co_return answer;
    if (master && !unreachable(answer.error())) co_return answer;
    if (!unreachable(answer.error())) refusal = answer.error();
    master.reset();
  }
  if (refusal) co_return *refusal;
  co_return answer;
}

}  // namespace

Result<model::Configuration> read_config_file(const std::string& file) {
  const Result<std::string> text = runtime::read_whole_file(file, wire::kConfigBytesMax);
  if (!text) return text.error();
  return model::parse_config(*text, file);
}

Task<Result<model::Configuration>> fetch_config(Door& door) {
  const Result<std::string> text = co_await fetch_text(door, "/config", "application/yaml");
  if (!text) co_return text.error();
  co_return model::parse_config(*text, "the configuration of the proxy");
}

Task<Result<model::Configuration>> fetch_config(net::Transport& transport, runtime::Loop& loop,
                                                std::vector<Contact> coordinators) {
  Result<model::Configuration> newest =
      Error(ErrorCode::kInvalid, "there is no coordinator to ask; give one with -c HOST:PORT");
  for (const Contact& coordinator : coordinators) {
    wire::Request request;
    request.body = wire::FetchConfig();
    const Result<wire::ConfigReply> answer = co_await ask(transport, loop, coordinator, std::move(request));
    if (answer) {
      const std::string source = "the configuration of " + coordinator.text();
      Result<model::Configuration> found = model::parse_config(answer->text, source);
      if (!newest || (found && found->counter > newest->counter)) newest = std::move(found);
    } else if (!newest && newest.code() != ErrorCode::kNotFound) {
      newest = answer.error();
    }
  }
  co_return newest;
}

int show_config(Console& console, const model::Configuration& configuration) {
  if (console.json) {
    const std::string text = model::to_json(configuration);
    console.out << text << (text.ends_with('\n') ? "" : "\n");
  } else {
    console.out << "# " << (configuration.counter == 0 ? "a file given by hand" : "tako configuration") << ", version "
                << control::to_text(control::stamp_of(configuration)) << '\n'
                << model::to_yaml(configuration);
  }
  return finish(console, kExitYes);
}

int validate_config(Console& console, const std::string& file) {
  const Result<model::Configuration> parsed = read_config_file(file);
  if (!parsed) return fail(console, kExitUsage, parsed.error().message);
  const model::Deployment* target = parsed->target_deployment();
  if (console.json) {
    const json out = {{"file", file}, {"ok", true}, {"version", parsed->counter}};
    console.out << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    console.out << file << ": ok, " << size_of(parsed->active_deployment());
    if (target) console.out << " (moving to " << target->name << ": " << size_of(*target) << ")";
    console.out << ", version " << parsed->counter << '\n';
  }
  return finish(console, kExitYes);
}

Task<int> push_config(Console& console, net::Transport& transport, runtime::Loop& loop, PushOptions options) {
  const Result<std::string> text = runtime::read_whole_file(options.file, wire::kConfigBytesMax);
  if (!text) co_return fail(console, kExitUsage, text.error().message);
  const Result<model::Configuration> parsed = model::parse_config(*text, options.file);
  if (!parsed) co_return fail(console, kExitUsage, parsed.error().message);
  std::vector<Contact> coordinators = std::move(options.coordinators);
  if (coordinators.empty()) coordinators = control::coordinators_of(*parsed, "");
  if (coordinators.empty()) {
    const std::string problem = options.file + " names no coordinators; say which one to push to (-c HOST:PORT)";
    co_return fail(console, kExitUsage, problem);
  }

  wire::PushConfig change;
  change.expected_counter = options.expected_counter;
  change.text = *text;
  const Result<wire::ConfigReply> pushed = co_await push(transport, loop, std::move(change), std::move(coordinators));
  if (!pushed) co_return fail(console, kExitNo, pushed.error().message);
  if (console.json) {
    console.out << json{{"version", pushed->stamp.counter}}.dump(2) << '\n';
  } else {
    console.out << "version " << pushed->stamp.counter << " is in force\n";
  }
  co_return finish(console, kExitYes);
}

}  // namespace tako::ctl
