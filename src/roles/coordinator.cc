// tako coordinator: keeps the configuration and hands it out.
#include "roles/coordinator_host.h"
#include "roles/roles.h"
#include "roles/serve.h"

namespace tako::roles {
namespace {

class CoordinatorServer final : public Server {
 public:
  CoordinatorServer(Machine& machine, CoordinatorHost::Options options) : host_(machine, std::move(options)) {}
  Task<Result<std::string>> build() override { co_return co_await host_.open(); }
  Task<> close_ports() override { co_await host_.close_ports(); }
  Task<> stop() override { co_await host_.stop(); }

 private:
  CoordinatorHost host_;
};

}  // namespace

int run_coordinator(int argc, char** argv) {
  Parsed parsed = parse_server_options(Role::kCoordinator, argc, argv);
  if (!parsed.options) return parsed.exit_code;
  auto file = load_config(parsed.options->config_file);
  if (!file) {
    complain("coordinator", file.error());
    return kExitUsage;
  }
  const std::string id = parsed.options->id;
  if (*file && !(*file)->find_coordinator(id)) {
    complain("coordinator", {ErrorCode::kInvalid, parsed.options->config_file + ": no coordinator " + id +
                                                      " under `coordinators`; add it, or check -i"});
    return kExitUsage;
  }
  wire::Hello self;
  self.role = "coordinator";
  self.id = "coordinator:" + id;
  const unsigned threads = parsed.options->threads > 0 ? parsed.options->threads : 1;  // it has little to do
  Machine machine(threads, std::move(self));
  CoordinatorServer server(machine, {id, parsed.options->data, std::move(*file), parsed.options->listen});
  return serve("coordinator", machine, server);
}

}  // namespace tako::roles
