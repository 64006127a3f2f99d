#include "roles/coordinator_host.h"

#include "roles/data_folder.h"

namespace tako::roles {

CoordinatorHost::CoordinatorHost(Machine& machine, Options options) : machine_(machine), options_(std::move(options)) {}

CoordinatorHost::~CoordinatorHost() = default;

Task<Result<std::string>> CoordinatorHost::open() {
  auto files = open_data_folder(options_.folder, "coordinator " + options_.id);
  if (!files) co_return files.error();
  files_ = std::move(*files);
  control::Coordinator::Options state{options_.id, options_.file};
  coordinator_ = std::make_unique<control::Coordinator>(machine_.first(), machine_.workers(), *files_,
                                                        machine_.transport(0), std::move(state));
  const Status started = co_await coordinator_->start();
  if (!started) co_return started.error();
  const std::string name = "coordinator:" + options_.id;
  shards_ = std::make_unique<net::Shards>(std::vector<net::Shard>{{&machine_.first(), coordinator_.get()}});
  machine_.switchboard().add(name, *shards_);

  // One that mirrors a master it has not heard yet holds nothing, but its file says where it listens.
  const auto current = coordinator_->current();
  const model::Configuration* known = coordinator_->known();
  const model::CoordinatorSpec* self = known ? known->find_coordinator(options_.id) : nullptr;
  if (!self) {
    co_return Error(ErrorCode::kInvalid, "the configuration names no coordinator " + options_.id +
                                             "; add it under `coordinators`, or check -i");
  }
  auto address = co_await address_to_bind(machine_, self->address.host, options_.listen);
  if (!address) co_return address.error();
  wire::Hello hello;
  hello.role = "coordinator";
  hello.id = name;
  server_ = std::make_unique<net::TcpServer>(machine_.first(), machine_.all_loops(), *shards_, std::move(hello));
  const Status opened = server_->open(*address, self->address.port);
  if (!opened) co_return opened.error();
  const std::string version = current ? "version " + std::to_string(current->counter) : "nothing yet";
  co_return "coordinator " + options_.id + " serves " + version + " on " +
      net::text_of(*address, self->address.port);
}

Task<> CoordinatorHost::close_ports() {
  if (coordinator_) coordinator_->dismiss();
  if (server_) co_await server_->stop();
}

Task<> CoordinatorHost::stop() {
  if (coordinator_) co_await coordinator_->drained();
}

}  // namespace tako::roles
