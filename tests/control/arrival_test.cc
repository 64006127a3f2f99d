// When a promotion is taken (src/control/arrival.h), by a coordinator that asks nodes of the test's own making.
#include "control/arrival.h"

#include "control/coordinator.h"
#include "control/world.h"

namespace tako::control_test {
namespace {

using control::Coordinator;

// Deployment a has n1, n2 and n3, t has n3 and n4, z others; all at localhost, by their numbers.
std::string shape_text(const std::string& active, const std::string& target = "") {
  std::string text = "active_deployment: " + active + "\n";
  if (!target.empty()) text += "target_deployment: " + target + "\n";
  return text +
         "master_coordinator: c1\ncoordinators: {c1: [c1, 1]}\ndeployments:\n"
         "  a: {buckets: {b: {n1: [localhost, 1], n2: [localhost, 2], n3: [localhost, 3]}}}\n"
         "  t: {buckets: {b: {n3: [localhost, 3], n4: [localhost, 4]}}}\n"
         "  z: {buckets: {b: {n5: [localhost, 5]}}}\n";
}

struct Fixture {
  Fixture() : machine(world), transport(network, machine), coordinator(make()) {
    REQUIRE(machine.run(coordinator->start()).ok());
    for (int n = 1; n <= 4; ++n) listen(n);
  }
  ~Fixture() { machine.stop(); }

  std::unique_ptr<Coordinator> make() {
    Coordinator::Options options;
    options.id = "c1";
    options.file = parsed(shape_text("a", "t"));
    return std::make_unique<Coordinator>(machine.loop_, world.workers_, files, transport, std::move(options));
  }
  void listen(int n) {
    network.answer_with("localhost:" + std::to_string(n), [this, n](const wire::Request& request) {
      wire::Reply reply;
      const auto* query = std::get_if<wire::ArrivalQuery>(&request.body);
      wire::ArrivalReply said = saying[n];
      if (said.adopted.counter == 0) said.adopted = wire::stamp_of(*coordinator->current());
      said.durable = said.durable && query && query->durably;
      reply.body = said;
      return reply;
    });
  }
  Result<wire::ConfigReply> push(const std::string& active, const std::string& target = "", bool force = false) {
    wire::PushConfig body;
    body.text = shape_text(active, target);
    body.force = force;
    wire::Request request;
    request.body = std::move(body);
    auto asking = [](Coordinator* to, wire::Request what, TimePoint until) -> Task<wire::Reply> {
      wire::Reply reply = co_await to->handle(std::move(what), until);
      co_return reply;
    };
    auto task = asking(coordinator.get(), std::move(request), machine.loop_.now() + seconds(10));
    return net::expect<wire::ConfigReply>(machine.run(std::move(task), seconds(10)));
  }
  std::string reason(const Result<wire::ConfigReply>& answer) {
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.code() == ErrorCode::kConflict);
    return answer.error().message;
  }

  World world;
  Network network{world};
  BrittleFiles files;
  Machine machine;
  FakeTransport transport;
  std::unique_ptr<Coordinator> coordinator;
  // What each node says; as a whole it says that all is there, of the configuration in force.
  std::map<int, wire::ArrivalReply> saying{{1, {{}, true, 0, 0, 0, 0}},
                                           {2, {{}, true, 0, 0, 0, 0}},
                                           {3, {{}, true, 65536, 65536, 0, 0}},
                                           {4, {{}, true, 65536, 65536, 0, 0}}};
};

bool contains(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

TEST_CASE_FIXTURE(Fixture, "a promotion is taken when every node of the target says that everything has arrived") {
  saying[4].arrived = 65535;
  CHECK(contains(reason(push("t")), "n4 has 65535 of 65536 partitions"));
  CHECK(coordinator->current()->active == "a");

  saying[4].arrived = 65536;
  CHECK(push("t").ok());
  CHECK(coordinator->current()->active == "t");
}

TEST_CASE_FIXTURE(Fixture, "silence, and what was said under another configuration, is no arrival") {
  SUBCASE("silence") {
    network.cut("localhost:4");
    CHECK(contains(reason(push("t")), "n4 does not answer"));
  }
  SUBCASE("an older configuration") {
    saying[4].adopted = {7, 1};
    CHECK(contains(reason(push("t")), "n4 has configuration 7"));
  }
  SUBCASE("another one of the same number") {
    saying[4].adopted = {coordinator->current()->counter, 1};
    CHECK(contains(reason(push("t")), "n4 has configuration"));
  }
  SUBCASE("nothing that holds after a crash") {
    saying[4].durable = false;
    CHECK(contains(reason(push("t")), "n4 cannot write"));
  }
  CHECK(coordinator->current()->active == "a");
}

TEST_CASE_FIXTURE(Fixture, "of the active nodes a majority has to refuse older configurations, and is enough") {
  network.cut("localhost:1");
  SUBCASE("one is dead") {
    CHECK(push("t").ok());
    CHECK(coordinator->current()->active == "t");
  }
  SUBCASE("one is dead, and one would go back after a crash") {
    saying[2].durable = false;
    CHECK(contains(reason(push("t")), "n1, n2"));
    CHECK(coordinator->current()->active == "a");
  }
}

TEST_CASE("a single partition in which too few active nodes refuse older configurations is one too many") {
  const auto placement = model::Placement::make(parsed(shape_text("a", "t")));
  control::Arrival arrival;
  CHECK(control::may_promote(*placement, arrival).ok());
  arrival.unfenced = 1;
  arrival.behind = {"n1"};
  const Status refused = control::may_promote(*placement, arrival);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.code() == ErrorCode::kConflict);
  CHECK(contains(refused.error().message, "in 1 partitions"));
}

TEST_CASE_FIXTURE(Fixture, "what is begun is undone without asking anybody, and begun again") {
  for (int n = 1; n <= 4; ++n) network.cut("localhost:" + std::to_string(n));
  CHECK(push("a").ok());
  CHECK(push("a", "z").ok());
  CHECK(push("a", "z").ok());  // the same once more
}

TEST_CASE_FIXTURE(Fixture, "a jump is refused, and taken with force") {
  CHECK(contains(reason(push("a", "z")), "the cluster is moving to t"));
  CHECK(contains(reason(push("z")), "one step at a time"));
  CHECK(contains(reason(push("t", "z")), "one step at a time"));
  CHECK(push("a").ok());
  CHECK(contains(reason(push("z")), "in one step"));
  CHECK(push("z", "", true).ok());
  CHECK(coordinator->current()->active == "z");
}

TEST_CASE_FIXTURE(Fixture, "force promotes what has not arrived") {
  saying[4].arrived = 0;
  CHECK(push("t", "", true).ok());
  CHECK(coordinator->current()->active == "t");
}

}  // namespace
}  // namespace tako::control_test
