#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"
#include "model/config.h"

using namespace tako;
using namespace tako::model;

namespace {

struct Broken {
  std::string text;
  std::vector<std::string> expected;  // parts of the message
};

const std::string kDeployments = "deployments: {d: {buckets: {b1: {n1: [h, 1]}}}}\n";
const std::string kSmall = "active_deployment: d\n" + kDeployments;

// A deployment in block style: its lines begin with line 4.
std::string deployment(const std::string& lines) { return "active_deployment: d\ndeployments:\n  d:\n" + lines; }
const std::string kBuckets = "    buckets: {b1: {n1: [h, 1]}}\n";

// A node n1 in line 6.
std::string node(const std::string& value) {
  return deployment("    buckets:\n      b1:\n        n1: " + value + "\n");
}
const std::string kNode = "x.yaml:6: deployments.d.buckets.b1.n1: ";

std::vector<Broken> broken_documents() {
  return {
      {"", {"x.yaml:1: the file is empty", "expected active_deployment"}},
      {"# nothing\n\n", {"the file is empty"}},
      {"---\n", {"the file is empty"}},
      {"just words", {"x.yaml:1: is 'just words'; expected a mapping"}},
      {"- a\n- b\n", {"is a list; expected a mapping"}},
      {"{}", {"is empty; expected"}},
      {"active_deployment: d\ndeployments: {d: [\n", {"x.yaml:", "neither YAML nor JSON"}},
      {"a: b\n  c: d: e\n", {"x.yaml:2: neither YAML nor JSON"}},
      {"a: 'open\n\n", {"x.yaml:1: neither YAML nor JSON"}},
      {"a: *nobody\n", {"x.yaml:1: neither YAML nor JSON"}},
      {"a: &x [*x]\n", {"x.yaml:1: an alias within its own anchor"}},
      {kSmall + "---\n" + kSmall, {"x.yaml:3:", "a second document"}},
      {"active_deployment: d\ndeployments:\n\td: {buckets: {b: {n: [h, 1]}}}\n",
       {"x.yaml:3: a tab in the indentation"}},
      {"a: \x01\n", {"x.yaml:1: a control character"}},
      {"a: b\nc: \xff\n", {"x.yaml:2: not UTF-8"}},
      {std::string("a: b\0c\n", 7), {"a control character"}},
      {std::string(40, '[') + std::string(40, ']'), {"nested too deeply"}},
      {std::string(100'000, '['), {"x.yaml:1: "}},
      {std::string((4u << 20) + 1, ' '), {"larger than 4 MiB"}},
      {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
       "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e]\n",
       {"x.yaml:6: too large", "aliases"}},
  };
}

std::vector<Broken> broken_top_levels() {
  return {
      {kDeployments, {"x.yaml:1: active_deployment is missing; expected"}},
      {"active_deployment: d\n", {"x.yaml:1: deployments is missing; expected"}},
      {kSmall + "colour: red\n", {"x.yaml:3: unknown key 'colour'; expected one of active_deployment"}},
      {kSmall + "active_deployment: d\n", {"x.yaml:3: active_deployment: given twice (first in line 1)"}},
      {"active_deployment: e\n" + kDeployments,
       {"x.yaml:1: active_deployment: no deployment is called 'e'", "one of d"}},
      {"active_deployment: [d]\n" + kDeployments, {"x.yaml:1: active_deployment: the name is a list"}},
      {"active_deployment:\n" + kDeployments, {"active_deployment: the name is nothing"}},
      {kSmall + "target_deployment: e\n", {"x.yaml:3: target_deployment: no deployment is called 'e'"}},
      {kSmall + "target_deployment: d\n", {"x.yaml:3: target_deployment: is the active deployment"}},
      {"active_deployment: d\ndeployments: {}\n", {"x.yaml:2: deployments: is empty"}},
      {"active_deployment: d\ndeployments:\n", {"deployments: is nothing; expected a mapping"}},
      {"active_deployment: d\ndeployments: [d]\n", {"x.yaml:2: deployments: is a list"}},
      {kSmall + "master_coordinator: c1\n", {"x.yaml:3: master_coordinator: there are no coordinators"}},
      {kSmall + "coordinators: {c1: [h, 2]}\nmaster_coordinator: c2\n",
       {"x.yaml:4: master_coordinator: no coordinator is called 'c2'"}},
      {kSmall + "coordinators: {}\n", {"x.yaml:3: coordinators: is empty"}},
      {kSmall + "coordinators: {c1: h}\n", {"x.yaml:3: coordinators.c1: is 'h'; expected [host, port]"}},
      {kSmall + "coordinators: {c1: [h, 0]}\n", {"coordinators.c1: port 0 is out of range; expected 1 to 65535"}},
      {kSmall + "coordinators: {c1: [h, 2, 3]}\n", {"coordinators.c1: is a list; expected [host, port]"}},
      {kSmall + "coordinators: {c1: [h, 2], c2: [h, 2]}\n",
       {"coordinators.c2: address h:2 is that of coordinators.c1"}},
      {kSmall + "coordinators: {c1: [h, 1]}\n", {"address h:1 is that of deployments.d.buckets.b1.n1 (line 2)"}},
      {kSmall + "coordinators: {a/b: [h, 2]}\n", {"x.yaml:3: coordinators.a/b: the coordinator's id is 'a/b'"}},
      {kSmall + "version: -1\n", {"x.yaml:3: version: -1 is out of range"}},
      {kSmall + "version: new\n", {"x.yaml:3: version: is 'new'; expected a whole number"}},
      {kSmall + "sync: never\n", {"x.yaml:3: sync: is 'never'; expected always, or an interval up to 1h"}},
      {kSmall + "sync: 2h\n", {"sync: is '2h'; expected"}},
      {kSmall + "sync: 0s\n", {"sync: is '0s'; expected"}},
      {kSmall + "sync: [1s]\n", {"sync: is a list; expected"}},
      {kSmall + "limits: 3\n", {"x.yaml:3: limits: is '3'; expected a mapping of value_bytes"}},
      {kSmall + "limits: {values: 3}\n", {"x.yaml:3: limits: unknown key 'values'; expected one of value_bytes"}},
      {kSmall + "limits: {value_bytes: much}\n",
       {"limits.value_bytes: is 'much'; expected a number of bytes like 16GiB"}},
      {kSmall + "limits: {value_bytes: 1.5GiB}\n", {"limits.value_bytes: is '1.5GiB'; expected"}},
      {kSmall + "limits: {value_bytes: GiB}\n", {"limits.value_bytes: is 'GiB'; expected"}},
      {kSmall + "limits: {value_bytes: -1}\n", {"limits.value_bytes: is '-1'; expected"}},
      {kSmall + "limits: {value_bytes: [1]}\n", {"limits.value_bytes: is a list; expected"}},
      {kSmall + "limits: {value_bytes: 0}\n",
       {"limits.value_bytes: 0 is out of range; expected 1 to 17179869184 bytes"}},
      {kSmall + "limits: {value_bytes: 17GiB}\n", {"limits.value_bytes: 17GiB is out of range"}},
      {kSmall + "limits: {value_bytes: 99999999999999999999}\n", {"is out of range"}},
      {kSmall + "limits: {value_bytes: 17179869185GiB}\n", {"is out of range"}},
  };
}

std::vector<Broken> broken_deployments() {
  return {
      {deployment("    read_repair: yes\n"), {"x.yaml:3: deployments.d: buckets is missing"}},
      {deployment("    buckets: {}\n"), {"x.yaml:4: deployments.d.buckets: is empty"}},
      {deployment("    buckets: {b1: {}}\n"), {"x.yaml:4: deployments.d.buckets.b1: is empty; expected nodes"}},
      {deployment("    buckets: {b1: }\n"), {"deployments.d.buckets.b1: is nothing"}},
      {deployment("    buckets: {b1: [h, 1]}\n"), {"deployments.d.buckets.b1: is a list; expected a mapping of nodes"}},
      {deployment("    bucket: {}\n" + kBuckets), {"x.yaml:4: deployments.d: unknown key 'bucket'; expected one of"}},
      {deployment("    read_repair: maybe\n" + kBuckets),
       {"x.yaml:4: deployments.d.read_repair: is 'maybe'; expected yes or no"}},
      {deployment("    read_repair: 'yes'\n" + kBuckets), {"read_repair: is 'yes'; expected yes or no"}},
      {deployment("    background_repair: 1\n" + kBuckets), {"background_repair: is '1'; expected yes or no"}},
      {deployment("    background_repair: yes\n    background_healing: yes\n" + kBuckets),
       {"x.yaml:5: deployments.d.background_healing: is the older name of background_repair, given in line 4"}},
      {deployment("    background_healing_interval: 1d\n    background_repair_interval: 1d\n" + kBuckets),
       {"x.yaml:4: deployments.d.background_healing_interval: is the older name"}},
      {deployment("    background_repair_interval: 3600\n" + kBuckets),
       {"x.yaml:4: deployments.d.background_repair_interval: '3600' is not an interval; expected"}},
      {deployment("    background_repair_interval: 0s\n" + kBuckets), {"interval '0s' is zero"}},
      {deployment("    background_repair_interval: 1d x\n" + kBuckets), {"'1d x' is not an interval"}},
      {deployment("    background_repair_interval: [1d]\n" + kBuckets), {"is a list; expected an interval"}},
      {deployment("    hash: 3\n" + kBuckets), {"x.yaml:4: deployments.d.hash: is '3'; expected a mapping"}},
      {deployment("    hash: {points: 3}\n" + kBuckets), {"deployments.d.hash: unknown key 'points'"}},
      {deployment("    hash:\n      buckets_per_key: 0\n" + kBuckets),
       {"x.yaml:5: deployments.d.hash.buckets_per_key: 0 is out of range; expected 1 to 65535"}},
      {deployment("    hash: {buckets_per_key: 1.5}\n" + kBuckets), {"is '1.5'; expected a whole number"}},
      {deployment("    hash:\n      weights: {nobody: 2}\n" + kBuckets),
       {"x.yaml:5: deployments.d.hash.weights.nobody: there is no bucket 'nobody' in this deployment"}},
      {deployment("    hash: {weights: {b1: 0}}\n" + kBuckets), {"weights.b1: 0 is out of range; expected 1 to"}},
      {deployment("    hash: {weights: {}}\n" + kBuckets), {"weights: is empty; expected weights by bucket id"}},
      {deployment("    hash: {points_per_bucket: 0}\n" + kBuckets), {"points_per_bucket: 0 is out of range"}},
      {deployment("    hash: {points_per_bucket: 99999999999999999999999}\n" + kBuckets), {"is out of range"}},
      {"active_deployment: d\ndeployments:\n  d: {buckets: {b: {n: [h, 1]}}}\n  d: {buckets: {b: {n: [h, 1]}}}\n",
       {"x.yaml:4: deployments.d: given twice (first in line 3)"}},
      {"active_deployment: a b\ndeployments: {a b: {buckets: {b: {n: [h, 1]}}}}\n",
       {"x.yaml:2: deployments.a b: the deployment's name is 'a b'; expected a string without '/' or white space"}},
      {deployment("    buckets:\n      b/1: {n1: [h, 1]}\n"), {"x.yaml:5:", "the bucket's id is 'b/1'"}},
      {deployment("    buckets:\n      b1: {n1: [h, 1]}\n      b1: {n2: [h, 2]}\n"),
       {"x.yaml:6: deployments.d.buckets.b1: given twice (first in line 5)"}},
  };
}

std::vector<Broken> broken_nodes() {
  return {
      {node("[h, 70000]"), {kNode + "port 70000 is out of range; expected 1 to 65535"}},
      {node("[h, 0]"), {kNode + "port 0 is out of range"}},
      {node("[h, -1]"), {kNode + "port -1 is out of range"}},
      {node("[h, 99999999999999999999]"), {kNode + "port 99999999999999999999 is out of range"}},
      {node("[h, '1']"), {kNode + "port is '1'; expected a whole number from 1 to 65535"}},
      {node("[h, 1.0]"), {kNode + "port is '1.0'"}},
      {node("[4711, h]"), {kNode + "host is '4711'; expected a host name or address"}},
      {node("[h]"), {kNode + "is a list; expected [host, port], [host, http_port, port] or {host"}},
      {node("[h, 1, 2, 3]"), {kNode + "is a list; expected"}},
      {node("h:1"), {kNode + "is 'h:1'; expected [host, port]"}},
      {node(""), {"deployments.d.buckets.b1.n1: is nothing; expected [host, port]"}},
      {node("['', 1]"), {kNode + "host is ''; expected"}},
      {node("['a b', 1]"), {kNode + "host is 'a b'; expected"}},
      {node("[[h], 1]"), {kNode + "host is a list"}},
      {node("[h, 0, 1]"), {kNode + "http port 0 is out of range"}},
      {node("[h, 1, 1]"), {kNode + "address h:1 is that of 'n1'"}},
      {node("{host: h}"), {kNode + "port is missing; expected 1 to 65535"}},
      {node("{port: 1}"), {kNode + "host is missing"}},
      {node("{host: h, port: 1, rack: 2}"), {kNode + "unknown key 'rack'; expected one of host, port, http, zone"}},
      {node("{host: h, port: 1, http: x}"), {kNode + "http port is 'x'"}},
      {node("{host: h, port: 1, zone: a b}"), {kNode + "zone is 'a b'"}},
      {node("{host: h, port: 1, port: 2}"), {"n1.port: given twice"}},
      {node("[h, 1]\n        n1: [h, 2]"), {"x.yaml:7: deployments.d.buckets.b1.n1: given twice (first in line 6)"}},
      {node("[h, 1]\n      b2:\n        n1: [h, 1]"),
       {"x.yaml:8: deployments.d.buckets.b2.n1: node 'n1' is in bucket 'b1' too"}},
      {node("[h, 1]\n        n2: [h, 1]"),
       {"x.yaml:7: deployments.d.buckets.b1.n2: address h:1 is that of 'n1' (line 6)"}},
      {node("[h, 2, 1]\n        n2: [h, 2]"), {"x.yaml:7:", "address h:2 is that of 'n1'"}},
      {node("[h, 1]\n        n/2: [h, 2]"), {"x.yaml:7:", "the node's id is 'n/2'"}},
      {node("[h, 1]\n        '': [h, 2]"), {"x.yaml:7:", "the node's id is empty"}},
      {node("[h, 1]\n        ~: [h, 2]"), {"x.yaml:7:", "a key is nothing"}},
      {node("[h, 1]\n        [x]: [h, 2]"), {"x.yaml:7:", "a key is a list"}},
      {node("[h, 1]\n        " + std::string(256, 'n') + ": [h, 2]"),
       {"x.yaml:7:", "256 bytes long; expected at most 255"}},
      {node("[h, 1]\n  e:\n    buckets: {b: {n1: [h, 2]}}"),
       {"x.yaml:8: deployments.e.buckets.b.n1: node 'n1' has another address in deployments.d.buckets.b1.n1 (line 6)"}},
      {node("[h, 3, 1]\n  e:\n    buckets: {b: {n1: [h, 4, 1]}}"), {"x.yaml:8:", "has another address"}},
      {node("[h, 1]\n  e:\n    buckets: {b: {n2: [h, 1]}}\ntarget_deployment: e"),
       {"x.yaml:8: deployments.e.buckets.b.n2: has the address h:1 of deployments.d.buckets.b1.n1 (line 6)"}},
  };
}

void check_all(const std::vector<Broken>& table) {
  for (const Broken& broken : table) {
    CAPTURE(broken.text.substr(0, 400));
    const Result<Configuration> result = parse_config(broken.text, "x.yaml");
    REQUIRE_FALSE(result.ok());
    const std::string& message = result.error().message;
    CAPTURE(message);
    CHECK(message.find("x.yaml:") == 0);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.size() < 700);
    for (const std::string& part : broken.expected) {
      CAPTURE(part);
      CHECK(message.find(part) != std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("what is no document is refused with its line") { check_all(broken_documents()); }
TEST_CASE("what the top level may not hold is refused with its line and key") { check_all(broken_top_levels()); }
TEST_CASE("what a deployment may not hold is refused with its line and key") { check_all(broken_deployments()); }
TEST_CASE("what a node may not be is refused with its line and key") { check_all(broken_nodes()); }

TEST_CASE("more buckets per key than a ring's row can hold are refused") {
  std::string buckets;
  for (int b = 0; b < 65; ++b) {
    const std::string n = std::to_string(b);
    buckets += "      b" + n + ": {n" + n + ": [h, " + std::to_string(b + 1) + "]}\n";
  }
  const auto with = [&](const std::string& count) {
    return parse_config(deployment("    hash: {buckets_per_key: " + count + "}\n    buckets:\n" + buckets), "x.yaml");
  };
  CHECK(with("64").ok());
  REQUIRE_FALSE(with("65").ok());
  CHECK(with("65").error().message.find("expected hash.buckets_per_key of at most 64") != std::string::npos);
}

TEST_CASE("whatever bytes arrive, the answer is a configuration or one line") {
  const std::string seed = "%YAML 1.1\n---\n" + node("{host: h, port: 1, http: 2, zone: z}\n        n2: &a [g, 5, 4]") +
                           "coordinators: {c1: [h, 9]}\nmaster_coordinator: c1\nversion: 3\nsync: 1s\n";
  REQUIRE(parse_config(seed, "x.yaml").ok());
  const std::string alphabet = "{}[]:,-'\"#&*!|>?%@`\n\t ~0a\\\x01\xff";
  Random random(42);
  for (int round = 0; round < 3000; ++round) {
    std::string text = seed;
    for (std::uint64_t edits = random.between(1, 6); edits > 0; --edits) {
      const std::size_t at = random.below(text.size());
      const std::uint64_t kind = random.below(3);
      if (kind == 0) text[at] = alphabet[random.below(alphabet.size())];
      if (kind == 1) text.insert(at, 1, alphabet[random.below(alphabet.size())]);
      if (kind == 2) text.erase(at, random.between(1, 8));
    }
    const Result<Configuration> result = parse_config(text, "x.yaml");
    CAPTURE(text);
    if (result.ok()) {
      CHECK(checked(*result).ok());
    } else {
      CHECK(result.error().message.find('\n') == std::string::npos);
    }
  }
}
