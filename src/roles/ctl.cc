// tako ctl: the verbs are src/ctl's; here are their command line and the way into the cluster: a proxy by HTTP, or a
// proxy of our own in this process, made from a file (-f) or from what a coordinator says (-c).
#include <functional>
#include <iostream>
#include <memory>

#include <unistd.h>

#include "base/log.h"
#include "ctl/config_verbs.h"
#include "ctl/data_verbs.h"
#include "ctl/deploy_verbs.h"
#include "ctl/locate.h"
#include "ctl/repair_verb.h"
#include "ctl/status_verb.h"
#include "roles/command_line.h"
#include "roles/machine.h"
#include "roles/options.h"
#include "roles/proxy_host.h"
#include "roles/roles.h"
#include "roles/serve.h"
#include "runtime/descriptor_buf.h"

namespace tako::roles {
namespace {

constexpr char kProxyDefault[] = "http://127.0.0.1:8080";

struct CtlOptions {
  std::string config_file;
  std::vector<std::string> coordinators;
  std::string proxy = kProxyDefault;
  bool json = false;
  std::string key;
  std::string file;
  ctl::PutOptions put;
  std::uint64_t expected = 0;
  bool force = false;
  // node, bucket, deploy
  std::string what;  // a deployment or a file, a node's id, a bucket's
  std::string bucket;
  std::vector<std::string> nodes;  // ID=HOST:PORT
  std::string zone;
  std::uint16_t http_port = 0;
  std::uint64_t weight = 0;
  ctl::DeployOptions deploy;
  ctl::RepairOptions repair;
};

// The way in, for one verb.
class ClusterAccess {
 public:
  ClusterAccess(Machine& machine, const CtlOptions& options) : machine_(machine), options_(options) {}

  std::vector<control::Contact> contacts() const {
    std::vector<model::Address> addresses;
    for (const std::string& text : options_.coordinators) addresses.push_back(*model::parse_address(text));
    return contacts_of(addresses);
  }

  ctl::Coordinators coordinators() const { return {machine_.transport(0), machine_.first(), contacts()}; }

  Task<Result<model::Configuration>> configuration() {
    if (!options_.config_file.empty()) {
      auto known = ctl::read_config_file(options_.config_file);
      if (!known) co_return Error(ErrorCode::kInvalid, known.error().message);
      co_return known;
    }
    if (!options_.coordinators.empty()) {
      ctl::Coordinators known = coordinators();
      co_return co_await ctl::fetch_config(std::move(known));
    }
    const auto made = co_await client();
    if (!made) co_return made.error();
    co_return co_await ctl::fetch_config(**made);
  }

  // Those that were given, or that the configuration names. An error: there are none.
  Task<Result<std::vector<control::Contact>>> ruling() {
    std::vector<control::Contact> known = contacts();
    if (known.empty()) {
      const auto configured = co_await configuration();
      if (!configured) co_return configured.error();
      known = control::coordinators_of(*configured, "");
    }
    if (known.empty()) {
      co_return Error(ErrorCode::kInvalid,
                      "the configuration names no coordinators: change it in the files of all processes; "
                      "see tako help reconfiguration");
    }
    co_return known;
  }

  Task<Result<ctl::ClusterClient*>> client() {
    if (options_.config_file.empty() && options_.coordinators.empty()) {
      auto url = ctl::parse_url(options_.proxy);
      if (!url) co_return url.error();
      client_ = std::make_unique<ctl::HttpClusterClient>(machine_.first(), machine_.workers(), std::move(*url));
      co_return client_.get();
    }
    auto known = co_await configuration();
    if (!known) co_return known.error();
    proxy_ = std::make_unique<ProxyHost>(machine_, "ctl");
    proxy_->adopt(model::Placement::make(std::move(*known)));
    client_ = std::make_unique<ctl::HandlerClusterClient>(proxy_->handler());
    co_return client_.get();
  }

  Task<> stop() {
    co_await machine_.process().stop_loops();
    if (proxy_) co_await proxy_->stop();
    co_await machine_.stop();
  }

 private:
  Machine& machine_;
  const CtlOptions& options_;
  std::unique_ptr<ProxyHost> proxy_;
  std::unique_ptr<ctl::ClusterClient> client_;
};

using Verb = std::function<Task<int>(Machine&, ClusterAccess&, ctl::Console&)>;
using ClientVerb = std::function<Task<int>(ctl::Console&, ctl::ClusterClient&)>;
using ConfigVerb = std::function<int(ctl::Console&, const model::Configuration&)>;

Verb through_client(ClientVerb verb) {
  return [verb](Machine&, ClusterAccess& way, ctl::Console& console) -> Task<int> {
    const auto client = co_await way.client();
    if (!client) co_return ctl::fail(console, client.error());
    co_return co_await verb(console, **client);
  };
}

Verb with_config(ConfigVerb verb) {
  return [verb](Machine&, ClusterAccess& way, ctl::Console& console) -> Task<int> {
    const auto known = co_await way.configuration();
    if (!known) co_return ctl::fail(console, known.error());
    co_return verb(console, *known);
  };
}

using RulingVerb = std::function<Task<int>(ctl::Console&, ctl::Coordinators)>;

Verb through_coordinators(RulingVerb verb) {
  return [verb](Machine& machine, ClusterAccess& way, ctl::Console& console) -> Task<int> {
    auto contacts = co_await way.ruling();
    if (!contacts) co_return ctl::fail(console, contacts.error());
    ctl::Coordinators coordinators(machine.transport(0), machine.first(), std::move(*contacts));
    co_return co_await verb(console, std::move(coordinators));
  };
}

Command add_verb(Command app, const char* name, const char* what, const char* example, Verb& chosen, Verb verb) {
  Command sub = app.sub(name, what, std::string("Example: tako ctl ") + example);
  sub.when_chosen([&chosen, verb] { chosen = verb; });
  return sub;
}

void add_repair(Command app, CtlOptions& o, Verb& chosen) {
  Command repair = add_verb(app, "repair", "compares all replicas key by key, now, and brings them up to date",
                          "repair --dry-run", chosen,
                          [&o](Machine& machine, ClusterAccess& way, ctl::Console& console) -> Task<int> {
                            auto known = co_await way.configuration();
                            if (!known) co_return ctl::fail(console, known.error());
                            co_return co_await ctl::repair_now(console, machine.transport(0), machine.first(),
                                                               std::move(*known), o.repair);
                          });
  repair.option("--node", o.repair.node, "what this node shares with its peers").type("ID");
  repair.flag("--dry-run", o.repair.dry_run, "count what differs, and copy nothing; exit code 1 if anything does");
}

void add_data_verbs(Command app, CtlOptions& o, Verb& chosen) {
  Command get = add_verb(app, "get", "writes a value to the output, or to a file", "get users/17 -o 17.json", chosen,
                       through_client([&o](ctl::Console& c, ctl::ClusterClient& d) {
                         return ctl::get_value(c, d, {o.key, o.file});
                       }));
  get.option("key", o.key, "the key").required();
  get.option("-o,--output", o.file, "write there instead").type("FILE");

  Command put = add_verb(app, "put", "stores a file, or the input", "put users/17 17.json", chosen,
                       through_client([&o](ctl::Console& c, ctl::ClusterClient& d) {
                         ctl::PutOptions options = o.put;
                         options.key = o.key;
                         options.file = o.file;
                         return ctl::put_value(c, d, std::move(options));
                       }));
  put.option("key", o.key, "the key").required();
  put.option("file", o.file, "the value; without it, the input").type("FILE");
  put.option("--content-type", o.put.content_type, "comes back on reads").type("TYPE");
  put.option("--if-match", o.put.if_match, "only over the value with this ETag (see stat), or any: '*'")
      .type("ETAG");
  put.option("--if-none-match", o.put.if_none_match, "only if the value has another ETag; '*': if there is none")
      .type("ETAG");
  put.option("--ttl", o.put.ttl_s, "it expires after so many seconds").type("SECONDS");

  Command rm = add_verb(
      app, "rm", "removes a key", "rm users/17", chosen,
      through_client([&o](ctl::Console& c, ctl::ClusterClient& d) { return ctl::remove_value(c, d, {o.key}); }));
  rm.option("key", o.key, "the key").required();

  Command stat =
      add_verb(app, "stat", "shows timestamp, size and every replica's copy", "stat users/17", chosen,
               through_client([&o](ctl::Console& c, ctl::ClusterClient& d) { return ctl::stat_value(c, d, {o.key}); }));
  stat.option("key", o.key, "the key").required();

  Command locate = add_verb(
      app, "locate", "computes the buckets and nodes of a key", "locate users/17 -f conf/cluster.yaml", chosen,
      with_config([&o](ctl::Console& c, const model::Configuration& known) { return ctl::locate(c, known, o.key); }));
  locate.option("key", o.key, "the key").required();
  add_verb(app, "status", "the cluster at a glance, and how many machines it can lose", "status", chosen,
           through_client([](ctl::Console& c, ctl::ClusterClient& d) { return ctl::show_status(c, d); }));
  add_repair(app, o, chosen);
  add_verb(app, "check", "is all well? in one line; exit code 1 if not", "check", chosen,
           through_client([](ctl::Console& c, ctl::ClusterClient& d) { return ctl::check_cluster(c, d); }));
}

void add_config_verbs(Command app, CtlOptions& o, Verb& chosen) {
  Command config =
      app.sub("config", "the versioned configuration", "Example: tako ctl config validate conf/cluster.yaml");
  config.needs_sub();
  add_verb(config, "show", "prints the configuration in force", "config show", chosen, with_config(ctl::show_config));
  Command validate = add_verb(
      config, "validate", "checks a file", "config validate conf/cluster.yaml", chosen,
      [&o](Machine&, ClusterAccess&, ctl::Console& c) -> Task<int> { co_return ctl::validate_config(c, o.file); });
  validate.option("file", o.file, "the file").required().type("FILE");
  Command push = add_verb(config, "push", "makes a file the next version, through the master coordinator",
                        "config push conf/cluster.yaml -c c1.example:4710", chosen,
                        [&o](Machine&, ClusterAccess& way, ctl::Console& c) -> Task<int> {
                          ctl::PushOptions options{o.file, o.expected, o.force};
                          ctl::Coordinators known = way.coordinators();
                          co_return co_await ctl::push_config(c, std::move(known), std::move(options));
                        });
  push.option("file", o.file, "the file").required().type("FILE");
  push.option("--expect", o.expected, "only if this version is in force").type("VERSION");
  push.flag("--force", o.force,
                 "also if it is no step from the one in force, or comes before the data has arrived");
}

// One change of the shape, pushed as a reconfiguration.
Command add_change(Command app, CtlOptions& o, const char* name, const char* what, const char* example,
                     Verb& chosen, ctl::Shape shape) {
  Command sub = add_verb(app, name, what, example, chosen,
                           through_coordinators([&o, shape](ctl::Console& c, ctl::Coordinators known) {
                             return ctl::apply_deploy(c, std::move(known), shape, o.deploy);
                           }));
  sub.flag("--wait", o.deploy.wait, "until everything has arrived, and promote it then");
  sub.flag("--dry-run", o.deploy.dry_run, "say what it would do");
  return sub;
}

Result<model::NodeSpec> node_of(const CtlOptions& o, const std::string& text) {
  Result<model::NodeSpec> node = ctl::parse_node(text);
  if (!node) return node;
  node->zone = o.zone;
  node->http_port = o.http_port;
  return node;
}

Result<model::Deployment> with_bucket(const CtlOptions& o, const model::Configuration& in_force) {
  model::BucketSpec bucket;
  bucket.id = o.bucket;
  bucket.weight = o.weight;
  for (const std::string& text : o.nodes) {
    const auto node = node_of(o, text);
    if (!node) return node.error();
    bucket.nodes.push_back(*node);
  }
  return ctl::add_bucket(in_force, std::move(bucket));
}

void add_node_verbs(Command app, CtlOptions& o, Verb& chosen) {
  Command node = app.sub("node", "adds, removes or replaces a node",
                         "Example: tako ctl node replace n3 n11=host11:4711 --wait");
  node.needs_sub();
  const auto describe = [&o](Command sub) {
    sub.option("node", o.nodes, "the new node").required().takes(1).type("ID=HOST:PORT");
    sub.option("--zone", o.zone, "where it stands");
    sub.option("--http", o.http_port, "its own HTTP port").type("PORT");
  };
  Command add = add_change(node, o, "add", "adds a node to a bucket", "node add n11=host11:4711 --bucket b3", chosen,
                         [&o](const model::Configuration& now) -> Result<model::Deployment> {
                           const auto made = node_of(o, o.nodes.front());
                           if (!made) return made.error();
                           return ctl::add_node(now, o.bucket, *made);
                         });
  describe(add);
  add.option("--bucket", o.bucket, "the bucket whose keys it is to hold").required();
  Command remove = add_change(node, o, "remove", "removes a node from its bucket", "node remove n3 --wait", chosen,
                            [&o](const model::Configuration& now) { return ctl::remove_node(now, o.what); });
  remove.option("id", o.what, "the node").required();
  Command replace = add_change(node, o, "replace", "puts another node into the place of one",
                             "node replace n3 n11=host11:4711 --wait", chosen,
                             [&o](const model::Configuration& now) -> Result<model::Deployment> {
                               const auto made = node_of(o, o.nodes.front());
                               if (!made) return made.error();
                               return ctl::replace_node(now, o.what, *made);
                             });
  replace.option("id", o.what, "the node that goes").required();
  describe(replace);
}

void add_bucket_verbs(Command app, CtlOptions& o, Verb& chosen) {
  Command bucket = app.sub("bucket", "adds or removes a bucket",
                           "Example: tako ctl bucket add b6 n11=host11:4711 n12=host12:4711 --wait");
  bucket.needs_sub();
  Command add =
      add_change(bucket, o, "add", "adds a bucket of some nodes", "bucket add b6 n11=host11:4711 n12=host12:4711",
                 chosen, [&o](const model::Configuration& now) { return with_bucket(o, now); });
  add.option("id", o.bucket, "the bucket").required();
  add.option("nodes", o.nodes, "its nodes").required().type("ID=HOST:PORT");
  add.option("--zone", o.zone, "where they stand");
  add.option("--weight", o.weight, "its share, beside 120 of a bucket without").positive();
  Command remove = add_change(bucket, o, "remove", "removes a bucket with its nodes", "bucket remove b6 --wait", chosen,
                            [&o](const model::Configuration& now) { return ctl::remove_bucket(now, o.bucket); });
  remove.option("id", o.bucket, "the bucket").required();
}

Verb plan_verb(CtlOptions& o) {
  return [&o](Machine& machine, ClusterAccess& way, ctl::Console& console) -> Task<int> {
    auto known = co_await way.configuration();
    if (!known) co_return ctl::fail(console, known.error());
    const auto client = co_await way.client();
    ctl::ClusterClient* look = client ? *client : nullptr;
    std::vector<control::Contact> contacts = way.contacts();
    if (contacts.empty()) contacts = control::coordinators_of(*known, "");
    ctl::Coordinators coordinators(machine.transport(0), machine.first(), std::move(contacts));
    ctl::Shape shape = [&o](const model::Configuration& now) { return ctl::deployment_meant(now, o.what); };
    std::optional<model::Configuration> file(std::move(*known));
    co_return co_await ctl::plan_deploy(console, std::move(coordinators), look, std::move(file), std::move(shape));
  };
}

void add_deploy_verbs(Command app, CtlOptions& o, Verb& chosen) {
  Command deploy = app.sub("deploy", "a reconfiguration: plan it, apply it, watch it, finish or undo it",
                           "Example: tako ctl deploy apply new.yaml --wait");
  deploy.needs_sub();
  Command plan = add_verb(deploy, "plan", "what would move, and what it could break", "deploy plan new.yaml", chosen,
                        plan_verb(o));
  plan.option("what", o.what, "a file, or a deployment of the configuration in force").required().type("FILE|NAME");
  Command apply = add_change(deploy, o, "apply", "starts moving to it", "deploy apply new.yaml --wait", chosen,
                           [&o](const model::Configuration& now) { return ctl::deployment_meant(now, o.what); });
  apply.option("what", o.what, "a file, or a deployment of the configuration in force").required().type("FILE|NAME");
  add_verb(deploy, "status", "how much has arrived; exit code 1 while data is on its way", "deploy status", chosen,
           through_coordinators(
               [](ctl::Console& c, ctl::Coordinators known) { return ctl::show_deploy(c, std::move(known)); }));
  Command promote =
      add_verb(deploy, "promote", "makes the target the active one, when everything has arrived",
               "deploy promote --wait", chosen, through_coordinators([&o](ctl::Console& c, ctl::Coordinators known) {
                 return ctl::promote_deploy(c, std::move(known), o.deploy);
               }));
  promote.flag("--wait", o.deploy.wait, "until everything has arrived");
  add_verb(deploy, "abort", "undoes it: what was active stays", "deploy abort", chosen,
           through_coordinators(
               [](ctl::Console& c, ctl::Coordinators known) { return ctl::abort_deploy(c, std::move(known)); }));
}

Status check(const CtlOptions& options) {
  for (const std::string& text : options.coordinators) {
    const auto address = model::parse_address(text);
    if (!address) return {ErrorCode::kInvalid, "-c " + text + ": " + address.error().message};
  }
  if (!options.config_file.empty() && !options.coordinators.empty()) {
    return {ErrorCode::kInvalid, "-f and -c: give one of them"};
  }
  return ok_status();
}

int run(const CtlOptions& options, const Verb& verb) {
  runtime::DescriptorBuf from_input(STDIN_FILENO);
  runtime::DescriptorBuf to_output(STDOUT_FILENO);
  std::istream in(&from_input);
  std::ostream out(&to_output);
  ctl::Console console{in, out, std::cerr, isatty(STDOUT_FILENO) == 1, options.json};
  wire::Hello self;
  self.role = "ctl";
  self.id = "ctl";
  Machine machine(1, std::move(self));
  console.descriptor = &to_output;
  console.progress = isatty(STDERR_FILENO) == 1 && !options.json;
  console.clock = &machine.process().clock();
  console.workers = &machine.workers();
  ClusterAccess way(machine, options);
  return machine.process().run([&]() -> Task<int> {
    const int code = co_await verb(machine, way, console);
    co_await way.stop();
    co_return code == ctl::kExitYes ? ctl::finish(console, code) : code;
  });
}

}  // namespace

int run_ctl(int argc, char** argv) {
  CtlOptions options;
  Verb chosen;
  CommandLine app("Looks after a cluster, and gets and puts values.", "tako ctl");
  app.takes_one_sub();
  app.option("-f,--config", options.config_file, "the cluster by its configuration file").type("FILE");
  app.option("-c,--coordinator", options.coordinators, "the cluster by a coordinator; repeatable")
      .type("HOST:PORT")
      .env("TAKO_COORDINATOR")
      .repeatable()
      .separated_by(',');
  app.option("--proxy", options.proxy, "the cluster by a proxy")
      .env("TAKO_PROXY")
      .shows_default()
      .type("URL");
  app.flag("--json", options.json, "for programs");
  add_data_verbs(app, options, chosen);
  add_config_verbs(app, options, chosen);
  add_deploy_verbs(app, options, chosen);
  add_node_verbs(app, options, chosen);
  add_bucket_verbs(app, options, chosen);
  app.footer("Example: tako ctl stat users/17");
  if (const auto ended = app.parse(argc, argv)) return *ended;
  if (!chosen) {
    return app.wrong_usage(
        "what is to be done? get, put, rm, stat, locate, status, check, repair, config, deploy, node or bucket");
  }
  const Status checked = check(options);
  if (!checked) return app.wrong_usage(checked.error().message);
  if (!log::open("error", "")) return ctl::kExitNo;
  return run(options, chosen);
}

}  // namespace tako::roles
