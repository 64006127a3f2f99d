// Simulation: one scenario from beginning to end. A cluster is born; clients work while everything of the scenario
// fails (safety); then a part of it is healed and has to serve (liveness, first half); then all of it, and it has to
// become equal (second half). What each phase is held to: history.h, disks.h, and simulation.cc.
#pragma once

#include <string>
#include <vector>

#include "base/plant.h"
#include "base/time.h"
#include "sim/scenario.h"
#include "sim/tally.h"

namespace tako::sim {

struct SimulationResult {
  std::vector<std::string> problems;  // none: all promises were kept
  std::string history;                // of the key of the first problem
  std::uint64_t fingerprint = 0;      // of every message; the same for the same scenario
  std::uint64_t messages = 0;
  std::size_t answered = 0;  // writes
  Duration simulated = Duration::zero();
  Tally tally;
};

SimulationResult simulate(const Scenario& scenario, Plant plant = Plant::kNone);

}  // namespace tako::sim
