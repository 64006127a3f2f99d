#include "roles/serve.h"

#include "base/log.h"
#include "runtime/files.h"

namespace tako::roles {

Result<std::optional<model::Configuration>> load_config(const std::string& file) {
  if (file.empty()) return std::optional<model::Configuration>();
  const auto text = runtime::read_whole_file(file, kConfigBytesMax);
  if (!text) return text.error();
  auto configuration = model::parse_config(*text, file);
  if (!configuration) return configuration.error();
  return std::optional<model::Configuration>(std::move(*configuration));
}

void complain(const std::string& program, const Error& error) {
  log::tell("tako " + program + ": " + error.message);
}

std::vector<control::Contact> contacts_of(const std::vector<model::Address>& coordinators) {
  std::vector<control::Contact> contacts;
  for (const model::Address& at : coordinators) contacts.push_back({control::kAnyCoordinator, at.host, at.port});
  return contacts;
}

namespace {

// A signal while it is being built (it may wait for a coordinator for ever) stops the loops, and so the wait.
Task<> stop_while_building(Machine& machine, const bool& building) {
  co_await machine.process().until_stopped();
  if (building) co_await machine.process().stop_loops();
}

// Once a signal has asked for the end, whatever goes wrong with what was under way is no failure, however it is called.
Task<int> live(const std::string& program, Machine& machine, Server& server) {
  runtime::Gate signals(machine.first());
  bool building = true;
  machine.first().spawn(signals, stop_while_building(machine, building));
  const Result<std::string> built = co_await server.build();
  building = false;
  int code = kExitStopped;
  if (built && !machine.process().stop_asked()) {
    // To people on the terminal whatever the log level and wherever the log goes.
    log::tell("tako: " + *built);
    runtime::notify_service_manager("READY=1\nSTATUS=" + *built);
    co_await signals.drained();
    log::info("stopping", {{"program", program}});
    runtime::notify_service_manager("STOPPING=1");
  } else if (!built && !machine.process().stop_asked()) {
    complain(program, built.error());
    code = built.code() == ErrorCode::kInvalid ? kExitUsage : kExitFailed;
  }
  co_await server.close_ports();
  co_await machine.process().stop_loops();
  co_await signals.drained();
  co_await server.stop();
  co_await machine.stop();
  co_return code;
}

}  // namespace

int serve(const std::string& program, Machine& machine, Server& server) {
  machine.process().obey_signals();
  return machine.process().run([&] { return live(program, machine, server); });
}

}  // namespace tako::roles
