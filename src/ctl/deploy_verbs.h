// deploy plan, apply, status, promote, abort: a reconfiguration, step by step; the verbs node and bucket begin one too.
//
// Nothing is remembered here: each verb fetches the configuration in force, makes the next one of it (reshape.h), and
// pushes that with its version, so that two operators never overwrite each other. Whether a step may be taken is the
// master's to say (control/arrival.h). Exit codes: 1 where it is refused, and of `status` while data is on its way.
// On the loop of the program.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ctl/cluster_client.h"
#include "ctl/console.h"
#include "ctl/coordinators.h"
#include "ctl/reshape.h"

namespace tako::ctl {

constexpr Duration kArrivalPause = milliseconds(500);  // between two questions while it waits
constexpr Duration kArrivalTimeMax = hours(24 * 14);   // as long as it waits altogether
constexpr Duration kSilenceMax = minutes(5);           // with no coordinator answering

struct DeployOptions {
  bool wait = false;     // until everything has arrived, and promote then
  bool dry_run = false;  // say what would be done
};

using Shape = std::function<Result<model::Deployment>(const model::Configuration& in_force)>;

// What it would move, and what it could break. `client`: for how much is in the nodes; null, or without an answer: only
// partitions are counted. Asks the coordinators; where there are none, of `known` (a file's). REQUIRES, here and below:
// console and client outlive the task
Task<int> plan_deploy(Console& console, Coordinators coordinators, ClusterClient* client,
                      std::optional<model::Configuration> known, Shape shape);
Task<int> apply_deploy(Console& console, Coordinators coordinators, Shape shape, DeployOptions options);
Task<int> show_deploy(Console& console, Coordinators coordinators);
Task<int> promote_deploy(Console& console, Coordinators coordinators, DeployOptions options);
Task<int> abort_deploy(Console& console, Coordinators coordinators);

}  // namespace tako::ctl
