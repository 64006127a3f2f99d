// config show, validate, push: and how a configuration is fetched from a proxy (from coordinators: coordinators.h).
//
// On the loop of the program.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/cluster_client.h"
#include "ctl/console.h"
#include "ctl/coordinators.h"
#include "model/config.h"

namespace tako::ctl {

// A file of the operator's. Errors: one line with the file, the line, and what is expected.
Result<model::Configuration> read_config_file(const std::string& file);

// A proxy's: GET /config.
Task<Result<model::Configuration>> fetch_config(ClusterClient& client);

int show_config(Console& console, const model::Configuration& configuration);

// "FILE: ok, 10 nodes in 5 buckets, version 7"; a file that is not valid is a wrong question: kExitUsage.
int validate_config(Console& console, const std::string& file);

struct PushOptions {
  std::string file;
  std::uint64_t expected_counter = 0;  // the version that the change was made to; 0: whatever is in force
  bool force = false;                  // also what the master would refuse as no step, or as too early
};

// Without contacts: to those that the file names. REQUIRES: console outlives the task
Task<int> push_config(Console& console, Coordinators coordinators, PushOptions options);

}  // namespace tako::ctl
