#include "model/config.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <doctest/doctest.h>

using namespace tako;
using namespace tako::model;

namespace {

std::map<std::string, std::string> example_files() {
  std::map<std::string, std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(TAKO_SOURCE_DIR) + "/conf")) {
    const std::string extension = entry.path().extension();
    if (extension != ".yaml" && extension != ".json") continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    texts[entry.path().filename()] = text.str();
  }
  return texts;
}

Configuration example(const std::string& name) {
  const Result<Configuration> parsed = parse_config(example_files().at(name), name);
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  return *parsed;
}

Configuration parsed(const std::string& text) {
  const Result<Configuration> result = parse_config(text, "x.yaml");
  REQUIRE_MESSAGE(result.ok(), result.error().message);
  return *result;
}

// One deployment `d` with the given buckets, and what else the top level holds.
std::string with_buckets(const std::string& buckets, const std::string& more = "") {
  return "active_deployment: d\ndeployments: {d: {buckets: " + buckets + "}}\n" + more;
}

const char* const kSmall = "active_deployment: d\ndeployments: {d: {buckets: {b1: {n1: [h, 1]}}}}\n";

}  // namespace

TEST_CASE("every example file loads, and its YAML and JSON forms are the same configuration again") {
  const auto files = example_files();
  CHECK(files.size() >= 8);
  for (const auto& [name, text] : files) {
    CAPTURE(name);
    const Result<Configuration> config = parse_config(text, name);
    REQUIRE_MESSAGE(config.ok(), config.error().message);
    CHECK(config->hash != 0);
    CHECK(config->counter == 0);
    CHECK(*parse_config(to_yaml(*config), "again") == *config);
    CHECK(*parse_config(to_json(*config), "again") == *config);
  }
}

TEST_CASE("the example cluster means what its name says") {
  const Configuration config = example("cluster.yaml");
  CHECK(config.active == "cluster");
  CHECK_FALSE(config.target);
  CHECK(config.target_deployment() == nullptr);
  CHECK(config.master == "c1");
  REQUIRE(config.coordinators.size() == 1);
  CHECK(config.coordinators[0].address == Address{"tako-coordinator-1.domain", 4710});
  const Deployment& deployment = config.active_deployment();
  CHECK(deployment.read_repair);
  CHECK(deployment.background_repair);
  CHECK(deployment.background_repair_interval == hours(24));
  CHECK(deployment.background_scrub_interval == hours(14 * 24));
  CHECK(deployment.buckets_per_key == 2);
  CHECK(deployment.points_per_bucket == 120);
  REQUIRE(deployment.buckets.size() == 5);
  CHECK(deployment.buckets[4].id == "b5");
  CHECK(deployment.buckets[4].nodes[1] == NodeSpec{"n10", "tako-node-10.domain", 4711, 0, ""});
  CHECK_FALSE(config.sync.always);
  CHECK(config.sync.interval == seconds(1));
}

TEST_CASE("the other examples: off, older names, JSON, and a target") {
  const Configuration standalone = example("standalone.yaml");
  CHECK_FALSE(standalone.active_deployment().read_repair);
  CHECK_FALSE(standalone.active_deployment().background_repair);
  CHECK(standalone.coordinators.empty());

  const Configuration healing = example("local_cluster_healing.yaml");
  const NodeSpec& node = healing.active_deployment().buckets[0].nodes[0];
  CHECK(node.port == 4711);
  CHECK(node.http_port == 5711);

  const Configuration json = example("local_cluster.json");
  CHECK(json.active_deployment().points_per_bucket == 240);

  const Configuration migration = example("migration_1.yaml");
  REQUIRE(migration.target_deployment() != nullptr);
  CHECK(migration.target_deployment()->buckets.size() == 3);
  CHECK(migration.target_deployment()->background_repair_interval == minutes(1));
  CHECK(migration.deployments.size() == 3);
  CHECK(migration.find_deployment("d3")->buckets_per_key == 1);
  CHECK(migration.find_deployment("d4") == nullptr);
}

TEST_CASE("everything that can be said survives the trip through the written form") {
  const Configuration config = parsed(R"(
version: 17
active_deployment: 'a'
target_deployment: "b"
sync: 0:05:00
coordinators: {c1: [c, 1], 2: ["::1", 2]}
master_coordinator: 2
deployments:
  a:
    read_repair: off
    background_healing: No
    background_healing_interval: 2 days, 3:04:05
    background_scrub_interval: 30d
    hash: {buckets_per_key: 7, points_per_bucket: 4000000000, weights: {yes: 240}}
    buckets:
      1: {1: [h, 10], 2: {host: h, port: 11, http: 12, zone: z1}}
      yes: {"null": {host: 10.0.0.1, port: 13}, 'o"dd\{#:é': [h, 15, 16]}
  b:
    buckets: {x: {new: [other.host, 1]}}
)");
  CHECK(config.counter == 17);
  CHECK(config.sync == SyncPolicy{false, minutes(5)});
  CHECK(config.master == "2");
  CHECK(config.coordinators[1] == CoordinatorSpec{"2", {"::1", 2}});
  const Deployment& a = config.active_deployment();
  CHECK_FALSE(a.read_repair);
  CHECK_FALSE(a.background_repair);
  CHECK(a.background_repair_interval == hours(51) + minutes(4) + seconds(5));
  CHECK(a.background_scrub_interval == hours(30 * 24));
  CHECK(a.buckets_per_key == 7);
  CHECK(a.points_per_bucket == 4'000'000'000);
  CHECK(a.buckets[0].id == "1");
  CHECK(a.buckets[0].weight == 0);
  CHECK(a.buckets[1].weight == 240);
  CHECK(a.buckets[0].nodes[1] == NodeSpec{"2", "h", 11, 12, "z1"});
  CHECK(a.buckets[1].nodes[0].id == "null");
  CHECK(a.buckets[1].nodes[1] == NodeSpec{"o\"dd\\{#:é", "h", 16, 15, ""});

  CAPTURE(to_yaml(config));
  CHECK(parsed(to_yaml(config)) == config);
  CHECK(parsed(to_json(config)) == config);
  CHECK(to_yaml(parsed(to_json(config))) == to_yaml(config));

  const Configuration always = parsed(std::string(kSmall) + "sync: always\n");
  CHECK(always.sync.always);
  CHECK(parsed(to_yaml(always)) == always);
}

TEST_CASE("limits are written as they are said, and not at all where they are the default") {
  const auto limited = [](const std::string& bytes) {
    return parsed(std::string(kSmall) + "limits: {value_bytes: " + bytes + "}\n");
  };
  CHECK(parsed(kSmall).limits.value_bytes == 16ull << 30);
  CHECK(limited("16GiB") == parsed(kSmall));
  CHECK(limited("16GiB").hash == parsed(kSmall).hash);
  CHECK(limited("1").limits.value_bytes == 1);
  CHECK(limited("100 KiB").limits.value_bytes == 100 << 10);
  CHECK(limited("64MiB").limits.value_bytes == 64 << 20);
  CHECK(limited("67108864") == limited("64MiB"));
  CHECK(limited("64MiB").hash != parsed(kSmall).hash);
  for (const char* bytes : {"1", "1025", "64MiB", "3GiB", "1536KiB"}) {
    const Configuration config = limited(bytes);
    CHECK(to_yaml(config).find(std::string("value_bytes: ") + (*bytes == '1' && bytes[1] == '\0' ? "\"1\"" : "")) !=
          std::string::npos);
    CHECK(parsed(to_yaml(config)) == config);
    CHECK(parsed(to_json(config)) == config);
  }
}

TEST_CASE("the hash is of the content, not of the form or the counter") {
  const Configuration config = parsed(kSmall);
  CHECK(config.hash == content_hash(config));
  CHECK(parsed("# by hand\n" + std::string(kSmall)).hash == config.hash);
  CHECK(parsed("version: 3\n" + std::string(kSmall)).hash == config.hash);
  CHECK(parsed(std::string(kSmall) + "sync: always\n").hash != config.hash);
  CHECK(parsed(with_buckets("{b1: {n1: [h, 2]}}")).hash != config.hash);
}

TEST_CASE("a configuration that a program changed is held to the same rules") {
  Configuration config = example("migration_1.yaml");
  config.active = "d2";
  config.target.reset();
  config.counter = 5;
  const Result<Configuration> promoted = checked(config);
  REQUIRE(promoted.ok());
  CHECK(promoted->counter == 5);
  CHECK(promoted->hash == content_hash(config));
  CHECK(promoted->hash != config.hash);

  config.target = "d2";
  const Result<Configuration> refused = checked(config);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("configuration:") == 0);
}

TEST_CASE("forms that YAML allows and people use are read") {
  const Configuration plain = parsed(kSmall);
  CHECK(parsed("\xef\xbb\xbf" + std::string(kSmall)) == plain);
  CHECK(parsed("%YAML 1.1\n---\n" + std::string(kSmall) + "...\n") == plain);
  CHECK(parsed("{\n\t\"active_deployment\": \"d\",\n\t\"deployments\": {\"d\": {\"buckets\":\n"
               "\t\t{\"b1\": {\"n1\": [\"h\",\t1]}}}}\n}\n") == plain);
  CHECK(parsed("active_deployment: d\r\ndeployments:\r\n  d:\r\n    buckets:\r\n      b1:\r\n        n1: [h, 1]\r\n") ==
        plain);
  CHECK(parsed("active_deployment: d\ndeployments:\n  d:\n    buckets:\n"
               "      b1:\n        n1:\n        - h\n        - 1\n") == plain);
  CHECK(parsed("active_deployment: 1\ndeployments: {1: {buckets: {1: {1: [localhost, 4711]}}}}").active == "1");
}

TEST_CASE("JSON's escapes mean what they mean in JSON") {
  const Configuration config = parsed(
      R"({"active_deployment": "\u0064", "deployments": {"d": {"buckets": {"\ud83d\ude00": {"\\ud83d": ["h", 1]}}}}})");
  CHECK(config.active == "d");
  CHECK(config.active_deployment().buckets[0].id == "\xf0\x9f\x98\x80");
  CHECK(config.active_deployment().buckets[0].nodes[0].id == "\\ud83d");
  CHECK(parsed(to_json(config)) == config);
}

TEST_CASE("an alias stands for what it names") {
  const Configuration config = parsed(
      "active_deployment: d\ntarget_deployment: e\ndeployments:\n  d: {buckets: &all {b: {n: [h, 1]}}}\n"
      "  e: {buckets: *all, read_repair: no}\n");
  CHECK(config.find_deployment("e")->buckets == config.find_deployment("d")->buckets);
}

TEST_CASE("an id's HTTP port may be stated in one deployment and left out in another") {
  const Configuration config =
      parsed("active_deployment: d\ndeployments: {d: {buckets: {b: {n: [h, 1]}}}, e: {buckets: {b: {n: [h, 2, 1]}}}}");
  CHECK(config.deployments.size() == 2);
}

TEST_CASE("buckets_per_key may be more than there are buckets") {
  const Configuration config =
      parsed("active_deployment: d\ndeployments: {d: {hash: {buckets_per_key: 1000}, buckets: {b: {n: [h, 1]}}}}");
  CHECK(config.active_deployment().buckets_per_key == 1000);
}

TEST_CASE("five thousand buckets of two nodes load in both deployments") {
  std::string buckets;
  for (int b = 0; b < 5000; ++b) {
    const std::string n = std::to_string(b);
    buckets += "      b" + n + ":\n";
    for (const std::string& node : {n + "a", n + "b"}) {
      buckets += "        n" + node + ": [host-" + node + ".example, 4711]\n";
    }
  }
  const Configuration config = parsed("active_deployment: d\ntarget_deployment: e\ndeployments:\n  d:\n    buckets:\n" +
                                      buckets + "  e:\n    buckets:\n" + buckets);
  CHECK(config.deployments[1].buckets.size() == 5000);
  CHECK(parsed(to_yaml(config)) == config);
}
