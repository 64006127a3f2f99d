#include "ctl/reshape.h"

#include <doctest/doctest.h>

namespace tako::ctl {
namespace {

model::Configuration in_force(const std::string& more = "") {
  auto parsed = model::parse_config(more +
                                        "version: 5\nactive_deployment: d\ncoordinators: {c1: [c1, 1]}\ndeployments:\n"
                                        "  d: {buckets: {b1: {n1: {host: h, port: 1, zone: z}, n2: [h, 2]}, "
                                        "b2: {n3: [h, 3]}}}\n"
                                        "  other: {buckets: {x: {n9: [h, 9]}}}\n",
                                    "test");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  return *parsed;
}

model::NodeSpec node(const std::string& id, std::uint16_t port) {
  model::NodeSpec made;
  made.id = id;
  made.host = "h";
  made.port = port;
  return made;
}

template <class T>
bool says(const Result<T>& result, const std::string& words) {
  return !result && result.error().message.find(words) != std::string::npos;
}

TEST_CASE("a node is added to its bucket, once") {
  const auto shape = add_node(in_force(), "b2", node("n4", 4));
  REQUIRE(shape.ok());
  CHECK(shape->buckets[1].nodes.size() == 2);
  CHECK(shape->buckets[1].nodes[1].id == "n4");
  CHECK(says(add_node(in_force(), "b2", node("n1", 1)), "n1 is in bucket b1 already"));
  CHECK(says(add_node(in_force(), "b7", node("n4", 4)),
             "there is no bucket b7 in the active deployment d; it has b1, b2"));
}

TEST_CASE("a node is removed, unless it is all of its bucket") {
  const auto shape = remove_node(in_force(), "n1");
  REQUIRE(shape.ok());
  CHECK(shape->buckets[0].nodes.size() == 1);
  CHECK(says(remove_node(in_force(), "n3"), "tako ctl bucket remove b2"));
  CHECK(says(remove_node(in_force(), "n9"), "there is no node n9"));
}

TEST_CASE("a node is replaced in its place, and the new one stands in the old one's zone") {
  const auto shape = replace_node(in_force(), "n1", node("n7", 7));
  REQUIRE(shape.ok());
  CHECK(shape->buckets[0].nodes[0].id == "n7");
  CHECK(shape->buckets[0].nodes[0].zone == "z");
  CHECK(shape->buckets[0].id == "b1");
  CHECK(says(replace_node(in_force(), "n1", node("n2", 7)), "an id of its own"));
}

TEST_CASE("buckets come and go, but not the last one") {
  model::BucketSpec bucket;
  bucket.id = "b3";
  bucket.weight = 240;
  bucket.nodes = {node("n5", 5)};
  const auto grown = add_bucket(in_force(), bucket);
  REQUIRE(grown.ok());
  CHECK(grown->buckets.back() == bucket);
  bucket.nodes = {node("n1", 1)};
  CHECK(says(add_bucket(in_force(), bucket), "n1 is in bucket b1 already"));
  bucket.id = "b1";
  CHECK(says(add_bucket(in_force(), bucket), "there is a bucket b1 already"));

  CHECK(remove_bucket(in_force(), "b2")->buckets.size() == 1);
  model::Configuration small = in_force();
  small.deployments[0].buckets.pop_back();
  CHECK(says(remove_bucket(small, "b1"), "the only one"));
}

TEST_CASE("a reconfiguration is begun, promoted or undone, each one step, and leaves nothing behind") {
  const auto moving = begun(in_force(), *remove_node(in_force(), "n2"));
  REQUIRE(moving.ok());
  CHECK(moving->active == "d");
  CHECK(moving->target == "d-2");
  CHECK(says(begun(*moving, *remove_node(in_force(), "n1")), "the cluster is moving to d-2"));

  const auto undone = aborted(*moving);
  REQUIRE(undone.ok());
  CHECK(*undone == in_force());
  CHECK(says(aborted(*undone), "nothing is moving"));
  CHECK(says(promoted(*undone), "nothing is moving"));

  const auto done = promoted(*moving);
  REQUIRE(done.ok());
  CHECK(done->active == "d-2");
  CHECK_FALSE(done->target);
  const auto again = begun(*done, *add_node(*done, "b2", node("n4", 4)));
  REQUIRE(again.ok());
  CHECK(again->target == "d-3");
  const auto last = begun(*promoted(*again), *remove_node(*promoted(*again), "n4"));
  REQUIRE(last.ok());
  CHECK(last->target == "d-4");
  CHECK_FALSE(last->find_deployment("d-2"));  // it was made on the way
  CHECK(last->find_deployment("d"));          // somebody named these
  CHECK(last->find_deployment("other"));
}

TEST_CASE("a deployment is meant by its name, or by a file") {
  CHECK(deployment_meant(in_force(), "other")->name == "other");
  CHECK(says(deployment_meant(in_force(), "d"), "d is the active deployment"));
  CHECK(says(deployment_meant(in_force(), "/nowhere/x.yaml"), "neither a file nor a deployment"));
}

TEST_CASE("nodes are given as ID=HOST:PORT") {
  CHECK(*parse_node("n5=h:5") == node("n5", 5));
  CHECK(parse_node("n5=[::1]:5")->host == "::1");
  for (const char* wrong : {"", "n5", "n5=h", "h:5", "=h:5", "n5=:5", "n5=h:", "n5=h:0", "n5=h:70000", "n5=h:5x"}) {
    CAPTURE(wrong);
    CHECK(says(parse_node(wrong), "expected ID=HOST:PORT"));
  }
}

}  // namespace
}  // namespace tako::ctl
