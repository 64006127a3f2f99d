// `tako ctl repair`: one full cycle of background repair now, on all nodes or one, and what it found.
//
// Each node is told to compare all that it shares with all its peers, key by key (node/repair/repair_cycle.cc), and is
// asked how far it is until it is done. Interrupted here, it goes on there. Peers that are down are left out and named
// by the exit code. On the loop of the program.
#pragma once

#include <string>
#include <vector>

#include "ctl/console.h"
#include "model/config.h"
#include "net/transport.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace tako::ctl {

using runtime::Task;

constexpr Duration kRepairPause = milliseconds(500);   // between two questions to a node
constexpr Duration kRepairCallMax = seconds(5);        // one of them
constexpr Duration kRepairSilenceMax = minutes(1);     // a node that does not answer for so long is given up
constexpr Duration kRepairTimeMax = hours(24 * 7);     // for the whole
constexpr Duration kRepairAwayPatience = seconds(15);  // only peers that are away are left: it waits for them so long

struct RepairOptions {
  std::string node;      // this one only; empty: all
  bool dry_run = false;  // count what differs, and copy nothing
};

// Exit code 1 where a node or a peer of it could not be compared to the end, and of a dry run where anything differs.
// REQUIRES: console, transport and loop outlive the task
Task<int> repair_now(Console& console, net::Transport& transport, runtime::Loop& loop,
                     model::Configuration configuration, RepairOptions options);

}  // namespace tako::ctl
