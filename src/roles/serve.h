// What the server roles share: reading the configuration file, and the life of a process from "serving" to its end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/config_feed.h"
#include "model/config.h"
#include "roles/machine.h"
#include "roles/options.h"

namespace tako::roles {

// What a supervisor goes by: it does not start anew what ended with kExitUsage.
inline constexpr int kExitStopped = 0;
inline constexpr int kExitFailed = 1;  // may be better next time
inline constexpr int kExitUsage = 2;   // a wrong option or configuration: it has to be mended first

inline constexpr std::size_t kConfigBytesMax = 4 << 20;

// None if no file was given.
Result<std::optional<model::Configuration>> load_config(const std::string& file);

// One line on stderr: `tako node: ...`.
void complain(const std::string& program, const Error& error);

std::vector<control::Contact> contacts_of(const std::vector<model::Address>& coordinators);

// A server is built on loop 0, serves, and is torn down there, in whatever state building left it.
class Server {
 public:
  virtual ~Server() = default;
  // Up to open ports. kInvalid: an option or the configuration is wrong.
  // RETURNS what to say of it: "node n1 serves on 127.0.0.1:4711".
  virtual Task<Result<std::string>> build() = 0;
  virtual Task<> close_ports() = 0;
  // The loops are stopping.
  virtual Task<> stop() = 0;
};

// Until a signal. The exit code.
int serve(const std::string& program, Machine& machine, Server& server);

}  // namespace tako::roles
