// CallContext: what the parts of a Replicator call replicas with. References only: the Replicator outlives them, and
// all that is spawned through the gate. One loop.
#pragma once

#include "net/transport.h"
#include "replication/piece_budget.h"
#include "runtime/sync.h"

namespace tako::replication {

struct CallContext {
  runtime::Loop& loop;
  net::Transport& transport;
  runtime::Gate& gate;
  PieceBudget& places;
};

}  // namespace tako::replication
