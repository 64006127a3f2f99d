// NodeHost: a node in a process: its data folder, database and engines, the Node, its port, and its HTTP where the
// configuration gives it one. Made on the first loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/tcp_server.h"
#include "node/node.h"
#include "replication/replicator.h"
#include "roles/machine.h"
#include "roles/proxy_host.h"
#include "store/engine/rocks_database.h"
#include "store/engine/rocks_engine.h"

namespace tako::roles {

class NodeHost {
 public:
  struct Options {
    std::string id;
    std::string folder;  // locked, and known to be its own (data_folder.h)
    model::SyncPolicy sync;
    bool newborn_cluster = false;
  };

  // REQUIRES: machine and resources outlive it
  NodeHost(Machine& machine, store::RocksResources& resources, Options options);
  ~NodeHost();

  // Opens the disk and joins the switchboard. Serves nobody yet.
  Task<Status> open();
  void adopt(std::shared_ptr<const model::Placement> placement);
  // Opens the ports that the placement names for it.
  Task<Status> listen(std::shared_ptr<const model::Placement> placement, std::string listen);

  // Before the loops stop, and after.
  Task<> close_ports();
  Task<> stop();

  const std::string& id() const { return options_.id; }

 private:
  Machine& machine_;
  store::RocksResources& resources_;
  const Options options_;
  std::unique_ptr<store::RocksDatabase> database_;
  std::vector<std::unique_ptr<store::RocksEngine>> engines_;
  runtime::Gate tending_;
  std::unique_ptr<replication::Replicator> agreeing_;  // for the node's settler, on the first loop
  std::unique_ptr<node::Node> node_;
  std::unique_ptr<net::Shards> shards_;
  std::unique_ptr<net::TcpServer> server_;
  std::unique_ptr<ProxyHost> http_;
};

}  // namespace tako::roles
