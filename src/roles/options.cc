#include "roles/options.h"

#include "base/log.h"
#include "model/config.h"
#include "roles/command_line.h"

namespace tako::roles {
namespace {

struct Raw {
  std::vector<std::string> coordinators;
  std::vector<unsigned> ports;
};

const char* name_of_role(Role role) {
  switch (role) {
    case Role::kNode: return "node";
    case Role::kProxy: return "proxy";
    case Role::kCoordinator: return "coordinator";
    case Role::kCluster: return "cluster";
  }
  return "";
}

const char* description(Role role) {
  switch (role) {
    case Role::kNode: return "Stores keys: one replica of the buckets it is in.";
    case Role::kProxy: return "Serves users: HTTP and memcached in front, the nodes behind.";
    case Role::kCoordinator: return "Keeps the configuration and hands it out.";
    case Role::kCluster: return "A whole cluster in one process: coordinators, nodes and proxies.";
  }
  return "";
}

const char* example(Role role) {
  switch (role) {
    case Role::kNode: return "Example: tako node -i n1 -c c1.example:4710 -d /var/lib/tako";
    case Role::kProxy: return "Example: tako proxy -i p1 -c c1.example:4710 -p 8080 --memcached 11211";
    case Role::kCoordinator: return "Example: tako coordinator -i c1 -f conf/cluster.yaml -d /var/lib/tako-coordinator";
    case Role::kCluster: return "Example: tako cluster conf/local_cluster.yaml -p 8080";
  }
  return "";
}

void add_options(Command app, Role role, ServerOptions& options, Raw& raw) {
  const bool cluster = role == Role::kCluster;
  const bool serves_http = role == Role::kProxy || cluster;
  if (cluster) {
    app.option("config,-f,--config", options.config_file, "the cluster configuration (YAML or JSON)")
        .env("TAKO_CONFIG")
        .required()
        .type("FILE");
    app.option("--skip", options.skip, "leave this node out; repeatable")
        .env("TAKO_SKIP")
        .type("ID")
        .repeatable();
  } else {
    app.option("-i,--id", options.id, "its id in the configuration")
        .env("TAKO_ID")
        .required(role != Role::kProxy)
        .type("ID");
    app.option("-f,--config", options.config_file, "the cluster configuration (YAML or JSON)")
        .env("TAKO_CONFIG")
        .type("FILE");
  }
  if (role == Role::kNode || role == Role::kProxy) {
    app.option("-c,--coordinator", raw.coordinators, "fetch the configuration there; repeatable")
        .env("TAKO_COORDINATOR")
        .type("HOST:PORT")
        .repeatable()
        .separated_by(',');
  }
  app.option("-d,--data", options.data, "the folder for its state")
      .env("TAKO_DATA")
      .shows_default()
      .type("DIR");
  if (serves_http) {
    app.option("-p,--port", raw.ports,
                   cluster ? "HTTP, one proxy for each; repeatable (default 8080)" : "HTTP (default 8080)")
        .env("TAKO_PORT")
        .type("PORT")
        .between(0, 65535)
        .repeatable()
        .separated_by(',');
    app.option("--memcached", options.memcached,
                   cluster ? "the memcached protocol, at the first proxy" : "the memcached protocol")
        .env("TAKO_MEMCACHED")
        .type("PORT")
        .between(0, 65535);
  }
  app.option("--listen", options.listen,
                 "the address to bind; default: the configuration's, for `cluster` where it is loopback")
      .env("TAKO_LISTEN")
      .type("ADDR");
  app.option("--threads", options.threads, "event-loop threads; default: the cores")
      .env("TAKO_THREADS")
      .type("N")
      .between(1, 256);
  app.option("-v,--log-level", options.log_level, "how much is logged")
      .env("TAKO_LOG_LEVEL")
      .shows_default()
      .type("LEVEL")
      .one_of({"debug", "info", "warn", "error", "off"});
  app.option("--log-file", options.log_file, "log there instead of stderr; SIGHUP reopens it")
      .env("TAKO_LOG_FILE")
      .type("FILE");
  app.footer(example(role));
}

Status finish(Role role, ServerOptions& options, const Raw& raw) {
  for (const std::string& text : raw.coordinators) {
    auto address = model::parse_address(text);
    if (!address) return {ErrorCode::kInvalid, "-c " + text + ": " + address.error().message};
    options.coordinators.push_back(std::move(*address));
  }
  for (const unsigned port : raw.ports) options.ports.push_back(static_cast<std::uint16_t>(port));
  const bool serves_http = role == Role::kProxy || role == Role::kCluster;
  if (serves_http && options.ports.empty()) options.ports.push_back(8080);
  if (role == Role::kProxy && options.ports.size() > 1) {
    return {ErrorCode::kInvalid, "-p: one port for a proxy; start one process for each, or use `tako cluster`"};
  }
  if (role == Role::kProxy && options.id.empty()) options.id = "p1";
  const bool follows = role == Role::kNode || role == Role::kProxy;
  if (follows && options.config_file.empty() && options.coordinators.empty()) {
    return {ErrorCode::kInvalid, "give a configuration (-f FILE) or a coordinator (-c HOST:PORT)"};
  }
  if (role != Role::kCluster) {
    const Status id = model::check_id(options.id);
    if (!id) return {ErrorCode::kInvalid, "-i " + id.error().message};
  }
  if (!options.listen.empty()) {
    auto address = model::parse_bind_address(options.listen);
    if (!address) return {ErrorCode::kInvalid, "--listen " + options.listen + ": " + address.error().message};
    options.listen = std::move(*address);
  }
  if (options.data.empty()) return {ErrorCode::kInvalid, "-d: expected a folder"};
  return log::open(options.log_level, options.log_file);
}

}  // namespace

Parsed parse_server_options(Role role, int argc, char** argv) {
  ServerOptions options;
  Raw raw;
  CommandLine app(description(role), std::string("tako ") + name_of_role(role));
  add_options(app, role, options, raw);
  if (const auto ended = app.parse(argc, argv)) return {std::nullopt, *ended};
  const Status finished = finish(role, options, raw);
  if (!finished) {
    log::tell(std::string("tako ") + name_of_role(role) + ": " + finished.error().message);
    return {std::nullopt, 2};
  }
  return {std::move(options), 0};
}

}  // namespace tako::roles
