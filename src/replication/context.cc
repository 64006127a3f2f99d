#include "replication/context.h"

namespace tako::replication {

Counters& Counters::operator+=(const Counters& other) {
  reads += other.reads;
  writes += other.writes;
  writes_lost += other.writes_lost;
  writes_again += other.writes_again;
  updates += other.updates;
  updates_ahead += other.updates_ahead;
  contended += other.contended;
  unavailable += other.unavailable;
  timeouts += other.timeouts;
  repairs += other.repairs;
  completed += other.completed;
  repairs_skipped += other.repairs_skipped;
  return *this;
}

}  // namespace tako::replication
