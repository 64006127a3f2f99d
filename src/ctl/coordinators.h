// What `tako ctl` says to coordinators: what is in force, a change of it, how far a reconfiguration is.
//
// A change goes to the master of the configuration in force, wherever the coordinators that were given say that it is.
// On the loop of the program; every request has a deadline.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "control/history.h"
#include "model/config.h"
#include "net/transport.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace tako::ctl {

using runtime::Task;

constexpr Duration kCoordinatorTimeMax = seconds(5);  // one request to one coordinator

// How a verb reaches them. REQUIRES: transport and loop outlive the tasks that use it
struct Coordinators {
  Coordinators(net::Transport& net, runtime::Loop& on, std::vector<control::Contact> known)
      : transport(net), loop(on), contacts(std::move(known)) {}

  net::Transport& transport;
  runtime::Loop& loop;
  std::vector<control::Contact> contacts;
};

// The newest that any of them has. An error: none of them has one (kNotFound), or none answers.
Task<Result<model::Configuration>> fetch_config(Coordinators coordinators);

// To the master, if it can be reached by its own address; else to those that were given: one of them may be it. What is
// sent twice is made a version once.
Task<Result<wire::ConfigReply>> push_change(Coordinators coordinators, wire::PushConfig change);

// The coordinator's own JSON (control/pace.h), of the master if it answers.
Task<Result<std::string>> fetch_progress(Coordinators coordinators, model::Configuration in_force);

}  // namespace tako::ctl
