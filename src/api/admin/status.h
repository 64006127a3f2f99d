// StatusBoard: what a proxy can say of its cluster, as JSON: itself, the configuration, and every node, asked now.
// The counters are the process's, of all its loops.
// One per loop. At most kNodesAtOnce questions are under way, and one gathering at a time waits for another's.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "net/transport.h"
#include "replication/replicators.h"
#include "runtime/sync.h"

namespace tako::api {

using runtime::Task;

nlohmann::json stat_json(const std::string& key, const replication::StatAnswer& answer);

class StatusBoard {
 public:
  // REQUIRES: all outlive it
  StatusBoard(std::string proxy_id, runtime::Loop& loop, net::Transport& transport,
              replication::Replicators& replicators, std::size_t index);

  Task<Result<nlohmann::json>> gather();

 private:
  static constexpr std::size_t kNodesAtOnce = 64;
  static constexpr Duration kNodeDeadline = seconds(2);
  static constexpr Duration kTurnDeadline = seconds(10);

  struct Gathering;
  Task<> ask(std::shared_ptr<Gathering> gathering, std::size_t node);

  const std::string proxy_id_;
  runtime::Loop& loop_;
  net::Transport& transport_;
  replication::Replicators& replicators_;
  const replication::Replicator& replicator_;  // of this loop
  runtime::Slots turn_;
  runtime::Slots questions_;
};

}  // namespace tako::api
