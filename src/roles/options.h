// What the command line and the environment say, for every role.
//
// Each option can be given as TAKO_<OPTION>. Wrong usage is one line on stderr and exit code 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/address.h"

namespace tako::roles {

struct ServerOptions {
  std::string id;
  std::string config_file;
  std::vector<model::Address> coordinators;
  std::string data = "var/tako";
  std::vector<std::uint16_t> ports;
  std::optional<std::uint16_t> memcached;  // no port of it where none is given
  std::string listen;  // numeric; empty: what the configuration says, loopback for `cluster`
  std::vector<std::string> skip;
  unsigned threads = 0;  // 0: the cores
  std::string log_level = "info";
  std::string log_file;
};

enum class Role : unsigned char { kNode, kProxy, kCoordinator, kCluster };

// The value of a parse that ended the program: --help (0) or wrong usage (2).
struct Parsed {
  std::optional<ServerOptions> options;
  int exit_code = 0;
};

Parsed parse_server_options(Role role, int argc, char** argv);

}  // namespace tako::roles
