// tako proxy: HTTP and memcached in front, the nodes behind.
#include "roles/data_folder.h"
#include "roles/proxy_host.h"
#include "roles/roles.h"
#include "roles/serve.h"

namespace tako::roles {
namespace {

constexpr char kListenDefault[] = "0.0.0.0";

class ProxyServer final : public Server {
 public:
  ProxyServer(Machine& machine, ServerOptions options, std::optional<model::Configuration> file)
      : machine_(machine), options_(std::move(options)), file_(std::move(file)), host_(machine, options_.id) {}

  Task<Result<std::string>> build() override {
    auto files = open_data_folder(options_.data, "proxy " + options_.id);
    if (!files) co_return files.error();
    files_ = std::move(*files);
    // The port first: whoever asks before there is a configuration is told so.
    const std::string address = options_.listen.empty() ? kListenDefault : options_.listen;
    const Status opened = host_.listen(address, options_.ports.front());
    if (!opened) co_return opened.error();
    if (options_.memcached) {
      const Status other = host_.listen_memcached(address, *options_.memcached);
      if (!other) co_return other.error();
    }

    control::ConfigFeed::Options following{file_, contacts_of(options_.coordinators)};
    auto publish = [this](control::ConfigFeed::Placed placement) { host_.adopt(std::move(placement)); };
    feed_ = std::make_unique<control::ConfigFeed>(machine_.first(), machine_.workers(), *files_, machine_.transport(0),
                                                  std::move(following), publish);
    auto first = co_await feed_->start();
    if (!first) co_return first.error();
    std::string serves = "proxy " + options_.id + " serves HTTP on " + net::text_of(address, host_.port());
    if (options_.memcached) serves += ", memcached on " + net::text_of(address, host_.memcached_port());
    co_return serves;
  }

  Task<> close_ports() override { co_await host_.close_ports(); }

  Task<> stop() override {
    if (feed_) co_await feed_->drained();
    co_await host_.stop();
  }

 private:
  Machine& machine_;
  const ServerOptions options_;
  const std::optional<model::Configuration> file_;
  ProxyHost host_;
  std::unique_ptr<runtime::DiskFiles> files_;
  std::unique_ptr<control::ConfigFeed> feed_;
};

}  // namespace

int run_proxy(int argc, char** argv) {
  Parsed parsed = parse_server_options(Role::kProxy, argc, argv);
  if (!parsed.options) return parsed.exit_code;
  auto file = load_config(parsed.options->config_file);
  if (!file) {
    complain("proxy", file.error());
    return kExitUsage;
  }
  wire::Hello self;
  self.role = "proxy";
  self.id = parsed.options->id;
  Machine machine(parsed.options->threads, std::move(self));
  ProxyServer server(machine, std::move(*parsed.options), std::move(*file));
  return serve("proxy", machine, server);
}

}  // namespace tako::roles
