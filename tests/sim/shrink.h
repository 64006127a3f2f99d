// Shrinking: a smaller scenario that fails too: first without each of its faults, then with less of everything.
#pragma once

#include "sim/simulation.h"

namespace tako::sim {

// REQUIRES: `result` is the scenario's, and has problems. Leaves there what came of the one returned.
Scenario shrink(Scenario scenario, Plant plant, SimulationResult& result);

}  // namespace tako::sim
