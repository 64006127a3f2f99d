#include "model/plan.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "model/step.h"

using namespace tako;
using namespace tako::model;

namespace {

std::string nodes_text(const std::string& name, const std::string& buckets, unsigned per_key) {
  return "  " + name + ": {hash: {buckets_per_key: " + std::to_string(per_key) + "}, buckets: {" + buckets + "}}\n";
}

const std::string kTwo = "b1: {n1: [h, 1], n2: [h, 2]}, b2: {n3: [h, 3], n4: [h, 4]}";
const std::string kThree = kTwo + ", b3: {n5: [h, 5], n6: [h, 6]}";
const std::string kOther = "x: {n7: [h, 7], n8: [h, 8]}";

// Deployments: a two buckets, b three, c others, d one per key, e as b but in another order and by another name.
std::shared_ptr<const Placement> placed(const std::string& active, const std::string& target = "") {
  std::string text = "active_deployment: " + active + "\n";
  if (!target.empty()) text += "target_deployment: " + target + "\n";
  text +=
      "deployments:\n" + nodes_text("a", kTwo, 2) + nodes_text("b", kThree, 2) + nodes_text("c", kOther, 1) +
      nodes_text("d", kTwo, 1) +
      nodes_text("e", "b3: {n5: [h, 5], n6: [h, 6]}, b2: {n4: [h, 4], n3: [h, 3]}, b1: {n1: [h, 1], n2: [h, 2]}", 2) +
      nodes_text("one", "b1: {n1: [h, 1]}, b2: {n3: [h, 3]}", 1) +
      nodes_text("zones",
                 "b1: {n1: {host: h, port: 1, zone: x}}, b2: {n3: {host: h, port: 3, zone: x}}, " +
                     std::string("b3: {n5: {host: h, port: 5, zone: y}}, b4: {n6: {host: h, port: 6, zone: y}}"),
                 3) +
      nodes_text("split",
                 "b1: {n1: {host: h, port: 1, zone: x}, n3: {host: h, port: 3, zone: x}}, " +
                     std::string("b2: {n5: {host: h, port: 5, zone: y}, n6: {host: h, port: 6, zone: y}}"),
                 1);
  Result<Configuration> parsed = parse_config(text, "test");
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().message);
  return Placement::make(*parsed);
}

Step step(const std::shared_ptr<const Placement>& from, const std::shared_ptr<const Placement>& to) {
  return step_between(*from, *to);
}

bool warned(const Plan& plan, const std::string& words) {
  return std::any_of(plan.dangers.begin(), plan.dangers.end(),
                     [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("one step leads to a target, back from it, or to its promotion, and nothing else does") {
  CHECK(step(placed("a"), placed("a")) == Step::kSettings);
  CHECK(step(placed("a"), placed("a", "b")) == Step::kBegin);
  CHECK(step(placed("a", "b"), placed("a", "b")) == Step::kSettings);
  CHECK(step(placed("a", "b"), placed("a")) == Step::kAbort);
  CHECK(step(placed("a", "b"), placed("b")) == Step::kPromote);

  CHECK(step(placed("a"), placed("b")) == Step::kJump);
  CHECK(step(placed("a"), placed("b", "a")) == Step::kJump);
  CHECK(step(placed("a", "b"), placed("c")) == Step::kJump);
  CHECK(step(placed("a", "b"), placed("a", "c")) == Step::kJump);
  CHECK(step(placed("a", "b"), placed("b", "c")) == Step::kJump);
  CHECK(step(placed("a", "b"), placed("b", "a")) == Step::kJump);
  CHECK(step(placed("a"), placed("d")) == Step::kJump);
}

TEST_CASE("who owns what makes a step, not what deployments are called or how they are written") {
  CHECK(step(placed("b"), placed("e")) == Step::kSettings);
  CHECK(step(placed("a", "b"), placed("e")) == Step::kPromote);
  CHECK(step(placed("a", "b"), placed("a", "e")) == Step::kSettings);
}

TEST_CASE("a jump says what to do instead") {
  CHECK(jump_reason(*placed("a"), *placed("b")).find("deploy apply") != std::string::npos);
  CHECK(jump_reason(*placed("a", "b"), *placed("a", "c")).find("deploy abort") != std::string::npos);
  CHECK(jump_reason(*placed("a", "b"), *placed("c")).find("one step at a time") != std::string::npos);
}

TEST_CASE("a plan counts what each node gains and loses") {
  const Plan plan = plan_of(*placed("a", "b"));
  REQUIRE(plan.nodes.size() == 6);
  std::uint64_t gains = 0;
  for (const auto& node : plan.nodes) {
    CAPTURE(node.id);
    CHECK(node.after == node.before + node.gains - node.loses);
    gains += node.gains;
  }
  CHECK(plan.nodes[0].before == kPartitions);
  CHECK(plan.nodes[0].gains == 0);
  CHECK(plan.nodes[4].before == 0);
  CHECK(plan.nodes[4].gains == plan.nodes[4].after);
  CHECK(plan.copies == gains);
  // The third bucket has two thirds of all partitions, of each of which one of the others had to go.
  CHECK(plan.moving == plan.nodes[4].gains);
  CHECK(plan.moving > kPartitions * 2 / 3 * 95 / 100);
  CHECK(plan.moving < kPartitions * 2 / 3 * 105 / 100);
  CHECK(plan.replicas_before == 4);
  CHECK(plan.replicas_after == 4);
  CHECK(plan.dangers.empty());
}

TEST_CASE("nothing moves where the owners stay") {
  const Plan plan = plan_of(*placed("b", "e"));
  CHECK(plan.moving == 0);
  CHECK(plan.copies == 0);
}

TEST_CASE("a plan warns of fewer replicas, of lonely ones, of strangers and of zones") {
  CHECK(warned(plan_of(*placed("a", "d")), "2 replicas at least, where they had 4"));
  CHECK(warned(plan_of(*placed("a", "one")), "65536 partitions have one replica only"));
  CHECK(warned(plan_of(*placed("a", "c")), "65536 partitions get other replicas altogether"));
  CHECK(warned(plan_of(*placed("a", "zones")), "2 zones for 3 buckets per key"));
  CHECK(warned(plan_of(*placed("a", "split")), "65536 partitions have all replicas in one zone of 2"));
  CHECK_FALSE(warned(plan_of(*placed("a", "b")), "zone"));
}
