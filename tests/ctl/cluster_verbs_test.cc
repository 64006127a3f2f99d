#include <algorithm>
#include <functional>
#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "ctl/config_verbs.h"
#include "ctl/fake_cluster_client.h"
#include "ctl/locate.h"
#include "ctl/status_verb.h"
#include "runtime/files.h"

namespace tako::ctl_test {
namespace {

using nlohmann::json;

constexpr const char* kConfig = R"(active_deployment: d1
target_deployment: d2
master_coordinator: c1
coordinators: {c1: [c1, 1], c2: [c2, 1]}
version: 7
deployments:
  d1: {hash: {buckets_per_key: 1}, buckets: {b1: {n1: [h1, 4711], n2: [h2, 4711]}}}
  d2: {hash: {buckets_per_key: 1}, buckets: {b2: {n3: [h3, 4711]}}}
)";

model::Configuration parsed(const std::string& text) {
  auto configuration = model::parse_config(text, "test");
  REQUIRE_MESSAGE(configuration.ok(), text);
  return *configuration;
}

// Three buckets of one node each, every key in all of them.
model::Configuration three_nodes() {
  return parsed("active_deployment: d\nversion: 3\n"
                "deployments: {d: {buckets: {b1: {n1: [h1, 1]}, b2: {n2: [h2, 1]}, b3: {n3: [h3, 1]}}}}\n");
}

TEST_CASE_FIXTURE(Desk, "locate names buckets and nodes in both deployments") {
  CHECK(ctl::locate(console, parsed(kConfig), "k") == 0);

  CHECK(out.str() == "key        k\n"
                     "partition  " + std::to_string(model::partition_of("k")) + " of 65536\n"
                     "\n"
                     "DEPLOYMENT   BUCKET  NODE  ADDRESS\n"
                     "d1 (active)  b1      n1    h1:4711\n"
                     "d1 (active)  b1      n2    h2:4711\n"
                     "d2 (target)  b2      n3    h3:4711\n");
}

TEST_CASE_FIXTURE(Desk, "locate as JSON, also of a key that is no text") {
  console.json = true;

  CHECK(ctl::locate(console, parsed(kConfig), "\xff") == 0);

  const json found = json::parse(out.str());
  CHECK(found["version"] == 7);
  CHECK(found["partition"] == model::partition_of("\xff"));
  CHECK(found["deployments"][0]["role"] == "active");
  CHECK(found["deployments"][0]["buckets"][0]["nodes"][1]["address"] == "h2:4711");
  CHECK(found["deployments"][1]["buckets"][0]["id"] == "b2");
  CHECK(ctl::locate(console, parsed(kConfig), "") == 2);
}

TEST_CASE_FIXTURE(Desk, "config show prints what parses to the same configuration") {
  const model::Configuration configuration = parsed(kConfig);
  SUBCASE("as YAML") {
    CHECK(ctl::show_config(console, configuration) == 0);
    CHECK(contains(out.str(), "version 7-"));
  }
  SUBCASE("as JSON") {
    console.json = true;
    CHECK(ctl::show_config(console, configuration) == 0);
    CHECK(json::parse(out.str())["version"] == 7);
  }
  CHECK(parsed(out.str()) == configuration);
}

TEST_CASE_FIXTURE(Desk, "config validate says what the file is, or the one line that is wrong with it") {
  const Folder made;
  const std::string& folder = made.path;
  REQUIRE(made.files->write("good.yaml", kConfig).ok());
  REQUIRE(made.files->write("bad.yaml", "active_deployment: x\ndeployments: {}\n").ok());

  CHECK(ctl::validate_config(console, folder + "/good.yaml") == 0);
  CHECK(out.str() == folder + "/good.yaml: ok, 2 nodes in 1 bucket (moving to d2: 1 node in 1 bucket), version 7\n");
  CHECK(ctl::validate_config(console, folder + "/bad.yaml") == 2);
  CHECK(contains(err.str(), "tako ctl: " + folder + "/bad.yaml:"));
  CHECK(ctl::validate_config(console, folder + "/none.yaml") == 2);
}

json node_status(const std::string& id, const std::string& state) {
  return {{"id", id},       {"address", id + ":1"}, {"state", state},          {"items", 12},
          {"bytes", 3'400}, {"disk", "ok"},         {"voting_partitions", 10}, {"owned_partitions", 10},
          {"config_version", 3}, {"repair", {{"seconds_since_agreement", 3}}}};
}

json cluster_status() {
  json status = {{"proxy", {{"id", "p1"}, {"version", "0.1.0"}}},
                 {"configuration", {{"version", 3}, {"active", "d"}, {"target", nullptr}}}};
  for (const char* id : {"n1", "n2", "n3"}) status["nodes"].push_back(node_status(id, "up"));
  return status;
}

struct Status : Desk {
  int show(const json& status) {
    client.answer(200, status.dump());
    client.answer(200, model::to_yaml(three_nodes()));
    return run([&]() { return ctl::show_status(console, client); });
  }
};

TEST_CASE_FIXTURE(Status, "status of a healthy cluster says how many nodes it can lose") {
  CHECK(show(cluster_status()) == 0);

  CHECK(out.str() == "proxy             p1, tako 0.1.0\n"
                     "configuration     version 3, d\n"
                     "nodes             3 of 3 up\n"
                     "reads and writes  any one node can be lost\n"
                     "strict ones       any one node can be lost\n"
                     "\n"
                     "NODE  ADDRESS  STATE  ITEMS   BYTES  CATCHING UP  AGREED   CONFIG  DISK\n"
                     "n1    n1:1     up        12  3.4 kB  no           3 s ago  3       ok\n"
                     "n2    n2:1     up        12  3.4 kB  no           3 s ago  3       ok\n"
                     "n3    n3:1     up        12  3.4 kB  no           3 s ago  3       ok\n");
}

TEST_CASE_FIXTURE(Status, "status is a no when a node is down, or its disk fails, or keys are out of reach") {
  json status = cluster_status();
  SUBCASE("down") {
    status["nodes"][1] = {{"id", "n2"}, {"address", "n2:1"}, {"state", "down"}, {"problem", "refused"}};
    CHECK(show(status) == 1);
    CHECK(contains(out.str(), "n2    n2:1     down       -       -  -            -        -       -\n"));
    CHECK(contains(out.str(), "nodes             2 of 3 up\n"));
    CHECK(contains(out.str(), "reads and writes  no further node can be lost\n"));
  }
  SUBCASE("disk") {
    status["nodes"][1]["disk"] = "full";
    CHECK(show(status) == 1);
  }
  SUBCASE("two have forgotten") {
    status["nodes"][1]["voting_partitions"] = 4;
    status["nodes"][2]["voting_partitions"] = 0;
    CHECK(show(status) == 1);
    CHECK(contains(out.str(), "6 of 10"));
    CHECK(contains(out.str(), "strict ones       some keys are out of reach\n"));
  }
}

TEST_CASE_FIXTURE(Status, "status as JSON carries the verdict") {
  console.json = true;
  console.colour = true;

  CHECK(show(cluster_status()) == 0);

  const json printed = json::parse(out.str());
  CHECK(printed["healthy"] == true);
  CHECK(printed["can_lose"]["plain"] == 1);
  CHECK(printed["nodes"].size() == 3);
}

TEST_CASE_FIXTURE(Status, "status survives any answer") {
  for (const char* body : {"", "17", "{}", R"({"nodes": 3})"}) {
    client.answer(200, body);
    CHECK(run([&]() { return ctl::show_status(console, client); }) == 1);
  }
  client.answer(503, "no configuration yet\n");
  CHECK(run([&]() { return ctl::show_status(console, client); }) == 1);
  CHECK(contains(err.str(), "no configuration yet"));
  client.answer(200, R"({"nodes": [1, {"id": 3, "state": [], "items": -1, "bytes": "x"}], "proxy": 5})");
  CHECK(run([&]() { return ctl::show_status(console, client); }) == 1);
}

TEST_CASE_FIXTURE(Status, "check says in one line whether all is well, and why not") {
  json status = cluster_status();
  const auto check = [&]() {
    client.answer(200, status.dump());
    client.answer(200, model::to_yaml(three_nodes()));
    return run([&]() { return ctl::check_cluster(console, client); });
  };
  CHECK(check() == 0);
  CHECK(out.str() ==
        "healthy; reads and writes: any one node can be lost; strict ones: any one node can be lost\n");

  out.str("");
  status["nodes"][1] = node_status("n2", "down");
  CHECK(check() == 1);
  CHECK(contains(out.str(), "unhealthy: node n2 is down; reads and writes: no further node can be lost"));
  const std::string said = out.str();
  CHECK(std::count(said.begin(), said.end(), '\n') == 1);
}

TEST_CASE("the reserve counts every deployment by itself") {
  const auto placement = model::Placement::make(parsed(kConfig));

  CHECK(ctl::reserve_of(*placement, {"n1", "n2", "n3"}, {"n1", "n2", "n3"}).plain == 0);
  CHECK(ctl::reserve_of(*placement, {"n1", "n2"}, {"n1", "n2"}).plain == -1);
  CHECK(ctl::reserve_of(*placement, {"n1", "n2", "n3"}, {"n1", "n3"}).strict == -1);
  const auto alone = model::Placement::make(three_nodes());
  CHECK(ctl::reserve_of(*alone, {"n1", "n2", "n3"}, {"n1", "n2"}).strict == 0);
}

// Coordinators in memory: what each host answers.
class FakeCoordinators final : public net::Transport {
 public:
  using Answer = std::function<Result<wire::Reply>(const wire::Request&)>;

  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint) override {
    if (std::holds_alternative<wire::PushConfig>(request.body)) pushed_to_ += std::string(to.host) + " ";
    const auto found = answers_.find(std::string(to.host));
    if (found == answers_.end()) co_return Error(ErrorCode::kUnsent, "cannot connect");
    co_return found->second(request);
  }
  bool reachable(const net::Peer&) const override { return true; }

  static Result<wire::Reply> held(const model::Configuration& configuration) {
    wire::ConfigReply body;
    body.stamp = wire::stamp_of(configuration);
    body.text = model::to_yaml(configuration);
    wire::Reply reply;
    reply.body = body;
    return reply;
  }

  std::map<std::string, Answer> answers_;
  std::string pushed_to_;
};

struct Push : Desk {
  Push() { REQUIRE(folder.files->write("config.yaml", kConfig).ok()); }

  int push(std::vector<control::Contact> given = {}) {
    ctl::PushOptions options;
    options.file = folder.path + "/config.yaml";
    options.expected_counter = 6;
    ctl::Coordinators way(coordinators, world.loop(), std::move(given));
    return run([&]() { return ctl::push_config(console, way, options); });
  }
  static control::Contact at(const std::string& host) {
    control::Contact contact;
    contact.id = control::kAnyCoordinator;
    contact.host = host;
    contact.port = 1;
    return contact;
  }
  // Holds version 6; takes a push as version 7.
  static Result<wire::Reply> master(const wire::Request& request) {
    const auto* change = std::get_if<wire::PushConfig>(&request.body);
    if (!change) {
      model::Configuration held = parsed(kConfig);
      held.counter = 6;
      return FakeCoordinators::held(held);
    }
    wire::ConfigReply body;
    body.stamp.counter = change->expected_counter + 1;
    wire::Reply reply;
    reply.body = body;
    return reply;
  }
  static Result<wire::Reply> mirror(const wire::Request& request) {
    if (std::holds_alternative<wire::FetchConfig>(request.body)) return master(request);
    wire::Reply reply;
    reply.body = Error(ErrorCode::kConflict, "coordinator c2 is not the master; push to c1 at c1:1");
    return reply;
  }

  Folder folder;
  FakeCoordinators coordinators;
};

TEST_CASE_FIXTURE(Push, "config push goes to the master, though another coordinator was given") {
  coordinators.answers_["c1"] = master;
  coordinators.answers_["c2"] = mirror;

  CHECK(push({at("c2")}) == 0);

  CHECK(out.str() == "version 7 is in force\n");
  CHECK(coordinators.pushed_to_ == "c1 ");
}

TEST_CASE_FIXTURE(Push, "config push without -c asks the coordinators that the file names") {
  coordinators.answers_["c1"] = master;

  CHECK(push() == 0);
  CHECK(coordinators.pushed_to_ == "c1 ");
}

TEST_CASE_FIXTURE(Push, "config push tries the address that was given where the master's own is out of reach") {
  coordinators.answers_["tunnel"] = master;

  CHECK(push({at("tunnel")}) == 0);
  CHECK(coordinators.pushed_to_ == "c1 tunnel ");
}

TEST_CASE_FIXTURE(Push, "config push that is refused gives the reason, and asks nobody else") {
  coordinators.answers_["c2"] = mirror;
  coordinators.answers_["c1"] = [](const wire::Request& request) -> Result<wire::Reply> {
    if (std::holds_alternative<wire::FetchConfig>(request.body)) return master(request);
    wire::Reply reply;
    reply.body = Error(ErrorCode::kConflict, "the configuration in force is version 9, not 6");
    return reply;
  };

  CHECK(push({at("c2")}) == 1);
  CHECK(contains(err.str(), "version 9, not 6"));
  CHECK(coordinators.pushed_to_ == "c1 ");
}

TEST_CASE_FIXTURE(Push, "config push with nobody in reach is a no") {
  CHECK(push() == 1);
  CHECK(contains(err.str(), "cannot connect"));
}

TEST_CASE_FIXTURE(Push, "the newest configuration of all coordinators is the one that is shown") {
  coordinators.answers_["c1"] = master;
  coordinators.answers_["c3"] = [](const wire::Request&) { return FakeCoordinators::held(parsed(kConfig)); };
  std::vector<control::Contact> all{at("c1"), at("c2"), at("c3")};

  ctl::Coordinators way(coordinators, world.loop(), all);
  const auto found = world.run([&]() { return ctl::fetch_config(way); });

  REQUIRE(found.ok());
  CHECK(found->counter == 7);
}

}  // namespace
}  // namespace tako::ctl_test
