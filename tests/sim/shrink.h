// Shrinking: a smaller scenario that fails in the same way: first the same history up to an earlier end, then without
// each of its faults and with less of everything, and then with other seeds too, where a smaller world needs another
// accident.
#pragma once

#include "sim/simulation.h"

namespace tako::sim {

// REQUIRES: `result` is the scenario's, and has problems. Leaves there what came of the one returned.
Scenario shrink(Scenario scenario, Plant plant, SimulationResult& result);

}  // namespace tako::sim
