// status, check: the cluster at a glance, and how many nodes it can lose.
//
// What each node says comes from a proxy (GET /status), who keeps what from the configuration (GET /config). The exit
// code is 1 if a node is down, has a disk that fails, or if some keys cannot be read or written.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "ctl/cluster_client.h"
#include "ctl/console.h"
#include "model/placement.h"

namespace tako::ctl {

// How many nodes, whichever they are, may go before some key is out of reach. Negative: some already are.
struct Reserve {
  int plain = 0;   // reads and writes as by default: two replicas in each deployment, one where there is only one
  int strict = 0;  // quorum and conditional ones: a majority of voters in each deployment
};

// `up`: node ids that answer; `voting`: those of them that have forgotten nothing.
Reserve reserve_of(const model::Placement& placement, const std::set<std::string>& up,
                   const std::set<std::string>& voting);

// REQUIRES, here and below: console and client outlive the task
Task<int> show_status(Console& console, ClusterClient& client);
// The same in one line, for scripts: healthy or not, why not, and how many nodes can be lost.
Task<int> check_cluster(Console& console, ClusterClient& client);

}  // namespace tako::ctl
