// The themes of moves: what goes wrong while a cluster goes from one deployment to another.
#pragma once

#include "base/random.h"
#include "sim/scenario.h"

namespace tako::sim {

// One reconfiguration after the other.
void move(Scenario& s, Random random);
// From three machines to three others, with cuts between the two and between the proxies and each.
void leap(Scenario& s, Random random);
// From many replicas to few of them and back, while most of them miss most writes: what is left of a key's owners may
// be those who know least of it.
void narrow(Scenario& s, Random random);
// From one machine to another and back, on disks that take long: a configuration comes while a node writes what it was
// told under the one before, lists, or still drops what it owns again.
void waver(Scenario& s, Random random);
// From five replicas of a key, of which a write may be on two, to one or two others that have not heard of it.
void wide(Scenario& s, Random random);
// Away before a move is over, and to others again: copies stay where they do not belong while the machines that are
// moved to cannot read those that are left.
void stray(Scenario& s, Random random);
// Likewise, and what is deleted is collected meanwhile: an owner that has not read all may have a floor.
void stray_bury(Scenario& s, Random random);
// Likewise, and what is begun is undone and begun again with the same machines: a pass that is slow goes on through all
// of that, and what it had read is handed off meanwhile.
void linger(Scenario& s, Random random);

}  // namespace tako::sim
