#include "roles/node_host.h"

#include "base/log.h"
#include "roles/data_folder.h"

namespace tako::roles {

NodeHost::NodeHost(Machine& machine, store::RocksResources& resources, Options options)
    : machine_(machine), resources_(resources), options_(std::move(options)), tending_(machine.first()) {}

NodeHost::~NodeHost() = default;

Task<Status> NodeHost::open() {
  store::SyncPolicy sync;
  sync.always = options_.sync.always;
  sync.interval = options_.sync.interval;
  auto opening = [this, sync] { return store::RocksDatabase::open(database_path(options_.folder), resources_, sync); };
  auto database = co_await machine_.workers().run(std::move(opening));
  if (!database) co_return database.error();
  database_ = std::move(*database);

  node::Node::Parts parts;
  parts.id = options_.id;
  parts.transport = &machine_.transport(0);
  parts.boot_id = runtime::kernel_boot_id();
  parts.sync_always = sync.always;
  parts.newborn_cluster = options_.newborn_cluster;
  for (std::size_t i = 0; i < machine_.loops(); ++i) {
    engines_.push_back(std::make_unique<store::RocksEngine>(machine_.loop(i), machine_.workers(), *database_));
    parts.loops.push_back({&machine_.loop(i), engines_.back().get()});
  }
  agreeing_ = std::make_unique<replication::Replicator>(machine_.first(), machine_.transport(0),
                                                        machine_.process().clock(), machine_.version_mark());
  parts.agreement = [this](std::string key, std::optional<model::Record> rescued, model::Ballot promise,
                           TimePoint deadline) {
    return agreeing_->agree(std::move(key), std::move(rescued), promise, deadline);
  };
  machine_.first().spawn(tending_, database_->tend(machine_.first(), machine_.workers()));
  node_ = std::make_unique<node::Node>(std::move(parts));
  shards_ = std::make_unique<net::Shards>(node_->shards());
  Status started = co_await node_->start();
  if (!started) co_return started;
  machine_.switchboard().add(options_.id, *shards_);
  co_return ok_status();
}

void NodeHost::adopt(std::shared_ptr<const model::Placement> placement) {
  agreeing_->adopt(placement);
  node_->adopt(placement);
  if (http_) http_->adopt(placement);
}

Task<Status> NodeHost::listen(std::shared_ptr<const model::Placement> placement, std::string listen) {
  const auto index = placement->find(options_.id);
  ASSERT(index);
  const auto& self = placement->nodes()[*index];
  auto address = co_await address_to_bind(machine_, self.host, listen);
  if (!address) co_return address.error();
  if (!server_) {
    wire::Hello hello;
    hello.role = "node";
    hello.id = options_.id;
    auto server = std::make_unique<net::TcpServer>(machine_.first(), machine_.all_loops(), *shards_, std::move(hello));
    const Status opened = server->open(*address, self.port);
    if (!opened) co_return opened;
    server_ = std::move(server);
  }
  if (!http_ && self.http_port != 0) {
    auto http = std::make_unique<ProxyHost>(machine_, options_.id);
    http->adopt(placement);
    const Status opened = http->listen(*address, self.http_port);
    if (!opened) co_return opened;
    http_ = std::move(http);
  }
  co_return ok_status();
}

Task<> NodeHost::close_ports() {
  if (http_) co_await http_->close_ports();
  if (server_) co_await server_->stop();
}

Task<> NodeHost::stop() {
  if (http_) co_await http_->stop();
  if (node_) co_await node_->stop();
  if (agreeing_) co_await agreeing_->stop();
  co_await tending_.drained();
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    co_await runtime::run_on(machine_.loop(i), engines_[i]->close());
  }
}

}  // namespace tako::roles
