// The themes of disks: nodes that forget, values that are damaged, disks that go back in time.
// And the crowd, from which most themes begin.
#pragma once

#include "base/random.h"
#include "sim/scenario.h"

namespace tako::sim {

// Three replicas, a link that loses much, and everybody looks at a majority.
void crowd(Scenario& s, Random& random);

// Nodes forget while others are away. Keys that are seldom written: what was missed stays missed.
void forget(Scenario& s, Random random);
// A node forgets what it has answered to a writer who is not done yet.
void hold(Scenario& s, Random random);
// The same with two nodes, one after the other, and writes that wait for so long.
void wipe(Scenario& s, Random random);
// Large values that one node alone was told, and that are damaged there.
void lone(Scenario& s, Random random);
// Five owners of each key, of which two lose their disks at once, and listings that fail half-way.
void pair(Scenario& s, Random random);
// A newer value on one disk, while the other replicas have promised something to a proxy that hears nothing of it.
void outrun(Scenario& s, Random random);
// Disks that fail in every way, under values of several pieces.
void decay(Scenario& s, Random random);
// Nodes restart, are known to their peers after it, and their disks go back to before it.
void relapse(Scenario& s, Random random);

}  // namespace tako::sim
