// tako cluster: coordinators, nodes and proxies in one process, from the same parts, with every port of the
// configuration open, as separate processes would have them.
#include <algorithm>
#include <map>

#include "roles/coordinator_host.h"
#include "roles/data_folder.h"
#include "roles/node_host.h"
#include "roles/proxy_host.h"
#include "roles/roles.h"
#include "roles/serve.h"

namespace tako::roles {
namespace {

constexpr char kLoopback[] = "127.0.0.1";

// All that run, by id.
std::map<std::string, model::NodeSpec> nodes_of(const model::Configuration& configuration) {
  std::map<std::string, model::NodeSpec> nodes;
  for (const model::Deployment* deployment : {&configuration.active_deployment(), configuration.target_deployment()}) {
    if (!deployment) continue;
    for (const auto& bucket : deployment->buckets) {
      for (const auto& node : bucket.nodes) {
        model::NodeSpec& known = nodes.emplace(node.id, node).first->second;
        if (known.http_port == 0) known.http_port = node.http_port;
      }
    }
  }
  return nodes;
}

bool is_skipped(const ServerOptions& options, const std::string& id) {
  return std::count(options.skip.begin(), options.skip.end(), id) > 0;
}

// What stands in the configuration if it is loopback. Other machines' addresses are all 127.0.0.1 here.
std::string address_of(const ServerOptions& options, const std::string& host) {
  if (!options.listen.empty()) return options.listen;
  return model::loopback_of(host).value_or(kLoopback);
}

// Those of the proxies.
std::string front_address(const ServerOptions& options) { return options.listen.empty() ? kLoopback : options.listen; }

// Who opens which port, each once. kInvalid: two want the same.
class Ports {
 public:
  void claim(const std::string& address, std::uint16_t port, const std::string& owner) {
    if (port == 0 || !clash_) return;
    const std::string where = net::text_of(address, port);
    const auto [first, fresh] = owners_.try_emplace(where, owner);
    if (fresh) return;
    clash_ = Error(ErrorCode::kInvalid, owner + " and " + first->second + " would both listen on " + where +
                                            "; give one of them another port, or a loopback address of its own " +
                                            "(all others stand for 127.0.0.1 here)");
  }
  const Status& clash() const { return clash_; }

 private:
  std::map<std::string, std::string> owners_;
  Status clash_ = ok_status();
};

Status check_ports(const ServerOptions& options, const model::Configuration& configuration) {
  Ports ports;
  for (const auto& [id, node] : nodes_of(configuration)) {
    if (is_skipped(options, id)) continue;
    const std::string address = address_of(options, node.host);
    ports.claim(address, node.port, "node " + id);
    ports.claim(address, node.http_port, "the HTTP of node " + id);
  }
  for (const auto& coordinator : configuration.coordinators) {
    const std::string address = address_of(options, coordinator.address.host);
    ports.claim(address, coordinator.address.port, "coordinator " + coordinator.id);
  }
  const std::string front = front_address(options);
  for (std::size_t i = 0; i < options.ports.size(); ++i) {
    ports.claim(front, options.ports[i], "proxy p" + std::to_string(i + 1) + " (-p)");
  }
  if (options.memcached) ports.claim(front, *options.memcached, "--memcached");
  return ports.clash();
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
    for (std::size_t i = 0; i < options_.ports.size(); ++i) {
      proxies_.push_back(std::make_unique<ProxyHost>(machine_, "p" + std::to_string(i + 1)));
    }
  }

  Task<Result<std::string>> build() override {
    Status step = co_await start_coordinators();
    if (step) step = co_await start_feed();
    if (step) step = co_await start_nodes();
    if (!step) co_return step.error();
    const std::string front = front_address(options_);
    std::string where;
    for (std::size_t i = 0; i < proxies_.size(); ++i) {
      const Status opened = proxies_[i]->listen(front, options_.ports[i]);
      if (!opened) co_return opened.error();
      where += (i ? ", " : "") + net::text_of(front, proxies_[i]->port());
    }
    if (options_.memcached) {
      ProxyHost& proxy = *proxies_.front();
      const Status opened = proxy.listen_memcached(front, *options_.memcached);
      if (!opened) co_return opened.error();
      where += ", memcached on " + net::text_of(front, proxy.memcached_port());
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
      CoordinatorHost::Options options{coordinator.id, coordinator_folder(options_.data, coordinator.id), file_,
                                       address_of(options_, coordinator.address.host)};
      coordinators_.push_back(std::make_unique<CoordinatorHost>(machine_, std::move(options)));
      const auto opened = co_await coordinators_.back()->open();
      if (!opened) co_return opened.error();
    }
    co_return ok_status();
  }

  Task<Status> start_feed() {
    auto files = open_data_folder(feed_folder(options_.data), "cluster");
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
    // It may be a later one than the file's.
    const Status apart = check_ports(options_, placement->config());
    if (!apart) co_return apart;
    const auto& known = placement->nodes();
    // A cluster of which no folder was ever used has forgotten nothing, also what --skip leaves out.
    const bool newborn =
        std::none_of(known.begin(), known.end(), [this](const auto& node) {
          return has_database(node_folder(options_.data, node.id));
        });
    for (const auto& node : known) {
      if (is_skipped(options_, node.id)) continue;
      const std::string folder = node_folder(options_.data, node.id);
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
      const auto index = current->find(node->id());
      if (!index) continue;
      const std::string address = address_of(options_, current->nodes()[*index].host);
      const Status listening = co_await node->listen(current, address);
      if (!listening) co_return listening;
    }
    co_return ok_status();
  }

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
    return kExitUsage;
  }
  Status right = check_ports(*parsed.options, **file);
  const auto known = nodes_of(**file);
  for (const std::string& id : parsed.options->skip) {
    if (known.count(id)) continue;
    right = Error(ErrorCode::kInvalid, "--skip " + id + ": there is no such node in " + parsed.options->config_file);
  }
  if (!right) {
    complain("cluster", right.error());
    return kExitUsage;
  }
  wire::Hello self;
  self.role = "proxy";
  self.id = "p1";
  Machine machine(parsed.options->threads, std::move(self));
  ClusterServer server(machine, std::move(*parsed.options), std::move(**file));
  return serve("cluster", machine, server);
}

}  // namespace tako::roles
