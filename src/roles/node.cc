// tako node: one node, its folder, its port.
#include "base/log.h"
#include "roles/data_folder.h"
#include "roles/node_host.h"
#include "roles/roles.h"
#include "roles/serve.h"

namespace tako::roles {
namespace {

constexpr Duration kOpenRetry = seconds(1);

class NodeServer final : public Server {
 public:
  NodeServer(Machine& machine, ServerOptions options, std::optional<model::Configuration> file)
      : machine_(machine),
        options_(std::move(options)),
        file_(std::move(file)),
        resources_(store::RocksLimits{}),
        named_(machine.first()),
        opening_(machine.first()) {}

  Task<Result<std::string>> build() override {
    auto files = open_data_folder(options_.data, "node " + options_.id);
    if (!files) co_return files.error();
    files_ = std::move(*files);

    control::ConfigFeed::Options following{file_, contacts_of(options_.coordinators)};
    auto publish = [this](control::ConfigFeed::Placed placement) {
      if (host_) host_->adopt(std::move(placement));
      named_.notify();
    };
    feed_ = std::make_unique<control::ConfigFeed>(machine_.first(), machine_.workers(), *files_, machine_.transport(0),
                                                  std::move(following), publish);
    auto first = co_await feed_->start();
    if (!first) co_return first.error();
    if (!(*first)->find(options_.id) && !has_database(options_.data)) {
      // A coordinator may name it yet: who is started before it is added is to be started anew.
      const ErrorCode code = options_.coordinators.empty() ? ErrorCode::kInvalid : ErrorCode::kNotFound;
      co_return Error(code, "node " + options_.id + " is in no live deployment of the configuration (" +
                                (*first)->config().active + "); check -i");
    }

    NodeHost::Options node;
    node.id = options_.id;
    node.folder = options_.data;
    node.sync = (*first)->config().sync;
    auto host = std::make_unique<NodeHost>(machine_, resources_, std::move(node));
    opened_ = std::move(host);
    Status opened = co_await opened_->open();
    if (!opened) co_return opened.error();
    host_ = opened_.get();
    const control::ConfigFeed::Placed placement = feed_->current();
    host_->adopt(placement);
    if (!placement->find(options_.id)) {
      machine_.first().spawn(opening_, open_port_when_named());
      co_return "node " + options_.id + " is in no live deployment: it hands off what it has";
    }
    opened = co_await host_->listen(placement, options_.listen);
    if (!opened) co_return opened.error();
    co_return serves_on(*placement);
  }

  Task<> close_ports() override {
    closing_ = true;
    named_.notify();
    co_await opening_.drained();
    if (opened_) co_await opened_->close_ports();
  }

  Task<> stop() override {
    if (feed_) co_await feed_->drained();
    if (opened_) co_await opened_->stop();
  }

 private:
  // REQUIRES: the configuration names this node
  std::string serves_on(const model::Placement& placement) const {
    const auto& self = placement.nodes()[*placement.find(options_.id)];
    return "node " + options_.id + " serves on " + net::text_of(self.host, self.port);
  }

  // A later configuration may give a node that was started outside all deployments a place: then it has to be reached.
  Task<> open_port_when_named() {
    while (!closing_) {
      const auto placement = feed_->current();
      Duration pause = hours(1);
      if (placement->find(options_.id)) {
        const Status opened = co_await host_->listen(placement, options_.listen);
        if (opened) {
          log::info("named_again", {{"node", options_.id}, {"state", serves_on(*placement)}});
          co_return;
        }
        log::error("port_not_opened", {{"node", options_.id}, {"error", opened.error().message}});
        pause = kOpenRetry;
      }
      co_await named_.wait(machine_.first().now() + pause);
    }
  }

  Machine& machine_;
  const ServerOptions options_;
  const std::optional<model::Configuration> file_;
  store::RocksResources resources_;
  std::unique_ptr<runtime::DiskFiles> files_;
  std::unique_ptr<control::ConfigFeed> feed_;
  std::unique_ptr<NodeHost> opened_;
  NodeHost* host_ = nullptr;  // once it can take a configuration
  runtime::Signal named_;     // another configuration was adopted, or the end has come
  runtime::Gate opening_;
  bool closing_ = false;
};

}  // namespace

int run_node(int argc, char** argv) {
  Parsed parsed = parse_server_options(Role::kNode, argc, argv);
  if (!parsed.options) return parsed.exit_code;
  auto file = load_config(parsed.options->config_file);
  if (!file) {
    complain("node", file.error());
    return kExitUsage;
  }
  wire::Hello self;
  self.role = "node";
  self.id = parsed.options->id;
  Machine machine(parsed.options->threads, std::move(self));
  NodeServer server(machine, std::move(*parsed.options), std::move(*file));
  return serve("node", machine, server);
}

}  // namespace tako::roles
