// tako cluster: coordinators, nodes and proxies in one process, from the same parts, with every port of the
// configuration open, as separate processes would have them.
#include <algorithm>
#include <set>

#include "roles/coordinator_host.h"
#include "roles/data_folder.h"
#include "roles/node_host.h"
#include "roles/proxy_host.h"
#include "roles/roles.h"
#include "roles/serve.h"

namespace tako::roles {
namespace {

constexpr char kLoopback[] = "127.0.0.1";

std::set<std::string> node_ids(const model::Configuration& configuration) {
  std::set<std::string> ids;
  for (const model::Deployment* deployment : {&configuration.active_deployment(), configuration.target_deployment()}) {
    if (!deployment) continue;
    for (const auto& bucket : deployment->buckets) {
      for (const auto& node : bucket.nodes) ids.insert(node.id);
    }
  }
  return ids;
}

// The nodes' buffers of pieces add up here, and each keeps what it has gathered while others are written.
store::RocksLimits limits_of_many() {
  store::RocksLimits limits;
  limits.pieces_buffer_bytes = 4 << 20;
  return limits;
}

class ClusterServer final : public Server {
 public:
  ClusterServer(Machine& machine, ServerOptions options, model::Configuration file)
      : machine_(machine), options_(std::move(options)), file_(std::move(file)), resources_(limits_of_many()) {
    if (options_.listen.empty()) options_.listen = kLoopback;
    for (std::size_t i = 0; i < options_.ports.size(); ++i) {
      proxies_.push_back(std::make_unique<ProxyHost>(machine_, "p" + std::to_string(i + 1)));
    }
  }

  Task<Result<std::string>> build() override {
    Status step = co_await start_coordinators();
    if (step) step = co_await start_feed();
    if (step) step = co_await start_nodes();
    if (!step) co_return step.error();
    std::string where;
    for (std::size_t i = 0; i < proxies_.size(); ++i) {
      const Status opened = proxies_[i]->listen(options_.listen, options_.ports[i]);
      if (!opened) co_return opened.error();
      where += (i ? ", " : "") + options_.listen + ":" + std::to_string(proxies_[i]->port());
    }
    if (options_.memcached) {
      ProxyHost& proxy = *proxies_.front();
      const Status opened = proxy.listen_memcached(options_.listen, *options_.memcached);
      if (!opened) co_return opened.error();
      where += ", memcached on " + options_.listen + ":" + std::to_string(proxy.memcached_port());
    }
    co_return "cluster of " + std::to_string(nodes_.size()) + " nodes serves HTTP on " + where + "; data in " +
        options_.data + "; Ctrl-C ends it";
  }

  Task<> close_ports() override {
    for (auto& proxy : proxies_) co_await proxy->close_ports();
    for (auto& node : nodes_) co_await node->close_ports();
    for (auto& coordinator : coordinators_) co_await coordinator->close_ports();
  }

  Task<> stop() override {
    if (feed_) co_await feed_->drained();
    for (auto& proxy : proxies_) co_await proxy->stop();
    for (auto& node : nodes_) co_await node->stop();
    for (auto& coordinator : coordinators_) co_await coordinator->stop();
  }

 private:
  Task<Status> start_coordinators() {
    for (const auto& coordinator : file_.coordinators) {
      CoordinatorHost::Options options{coordinator.id, options_.data + "/coordinator-" + coordinator.id, file_,
                                       options_.listen};
      coordinators_.push_back(std::make_unique<CoordinatorHost>(machine_, std::move(options)));
      const auto opened = co_await coordinators_.back()->open();
      if (!opened) co_return opened.error();
    }
    co_return ok_status();
  }

  Task<Status> start_feed() {
    auto files = open_data_folder(options_.data + "/cluster", "cluster");
    if (!files) co_return files.error();
    files_ = std::move(*files);
    control::ConfigFeed::Options following{file_, {}};
    auto publish = [this](control::ConfigFeed::Placed placement) {
      for (auto& proxy : proxies_) proxy->adopt(placement);
      for (NodeHost* node : serving_) node->adopt(placement);
    };
    feed_ = std::make_unique<control::ConfigFeed>(machine_.first(), machine_.workers(), *files_, machine_.transport(0),
                                                  std::move(following), publish);
    const auto first = co_await feed_->start();
    if (!first) co_return first.error();
    co_return ok_status();
  }

  Task<Status> start_nodes() {
    const control::ConfigFeed::Placed placement = feed_->current();
    const auto& known = placement->nodes();
    // A cluster of which no folder was ever used has forgotten nothing, also what --skip leaves out.
    const bool newborn =
        std::none_of(known.begin(), known.end(), [this](const auto& node) { return has_database(folder_of(node.id)); });
    for (const auto& node : known) {
      if (std::count(options_.skip.begin(), options_.skip.end(), node.id)) continue;
      const std::string folder = folder_of(node.id);
      auto files = open_data_folder(folder, "node " + node.id);
      if (!files) co_return files.error();
      node_files_.push_back(std::move(*files));
      NodeHost::Options options{node.id, folder, placement->config().sync, newborn};
      nodes_.push_back(std::make_unique<NodeHost>(machine_, resources_, std::move(options)));
      const Status opened = co_await nodes_.back()->open();
      if (!opened) co_return opened;
    }
    for (auto& node : nodes_) {
      serving_.push_back(node.get());
      const control::ConfigFeed::Placed current = feed_->current();
      node->adopt(current);
      if (!current->find(node->id())) continue;
      const Status listening = co_await node->listen(current, options_.listen);
      if (!listening) co_return listening;
    }
    co_return ok_status();
  }

  std::string folder_of(const std::string& id) const { return options_.data + "/" + id; }

  Machine& machine_;
  ServerOptions options_;
  const model::Configuration file_;
  store::RocksResources resources_;
  std::unique_ptr<runtime::DiskFiles> files_;
  std::vector<std::unique_ptr<runtime::DiskFiles>> node_files_;
  std::vector<std::unique_ptr<CoordinatorHost>> coordinators_;
  std::unique_ptr<control::ConfigFeed> feed_;
  std::vector<std::unique_ptr<NodeHost>> nodes_;
  std::vector<NodeHost*> serving_;  // those that can take a configuration
  std::vector<std::unique_ptr<ProxyHost>> proxies_;
};

}  // namespace

int run_cluster(int argc, char** argv) {
  Parsed parsed = parse_server_options(Role::kCluster, argc, argv);
  if (!parsed.options) return parsed.exit_code;
  auto file = load_config(parsed.options->config_file);
  if (!file) {
    complain("cluster", file.error());
    return 2;
  }
  const std::set<std::string> known = node_ids(**file);
  for (const std::string& id : parsed.options->skip) {
    if (known.count(id)) continue;
    complain("cluster",
             {ErrorCode::kInvalid, "--skip " + id + ": there is no such node in " + parsed.options->config_file});
    return 2;
  }
  wire::Hello self;
  self.role = "proxy";
  self.id = "p1";
  Machine machine(parsed.options->threads, std::move(self));
  ClusterServer server(machine, std::move(*parsed.options), std::move(**file));
  return serve("cluster", machine, server);
}

}  // namespace tako::roles
