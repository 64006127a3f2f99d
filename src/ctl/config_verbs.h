// config show, validate, push: and how a configuration is fetched, from a proxy or from the coordinators.
//
// A push goes to the master of the configuration in force, wherever the coordinators that were given say that it is.
// On the loop of the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/history.h"
#include "ctl/console.h"
#include "ctl/door.h"
#include "model/config.h"
#include "net/transport.h"

namespace tako::ctl {

constexpr Duration kCoordinatorTimeMax = seconds(5);  // one request to one coordinator

// A file of the operator's. Errors: one line with the file, the line, and what is expected.
Result<model::Configuration> read_config_file(const std::string& file);

// A proxy's: GET /config.
Task<Result<model::Configuration>> fetch_config(Door& door);

// The newest that any of them has. An error: none of them has one (kNotFound), or none answers.
// REQUIRES: transport and loop outlive the task
Task<Result<model::Configuration>> fetch_config(net::Transport& transport, runtime::Loop& loop,
                                                std::vector<control::Contact> coordinators);

int show_config(Console& console, const model::Configuration& configuration);

// "FILE: ok, 10 nodes in 5 buckets, version 7"; a file that is not valid is a wrong question: kExitUsage.
int validate_config(Console& console, const std::string& file);

struct PushOptions {
  std::string file;
  std::uint64_t expected_counter = 0;           // the version that the change was made to; 0: whatever is in force
  std::vector<control::Contact> coordinators;   // -c; none: those that the file names
};

// REQUIRES: all references outlive the task
Task<int> push_config(Console& console, net::Transport& transport, runtime::Loop& loop, PushOptions options);

}  // namespace tako::ctl
