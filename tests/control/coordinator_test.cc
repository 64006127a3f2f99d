#include "control/coordinator.h"

#include "control/config_feed.h"
#include "control/world.h"

namespace tako::control_test {
namespace {

using control::ConfigFeed;
using control::Coordinator;

// A coordinator process, listening at "<id>:1".
struct Server {
  Server(World& w, Network& n, runtime::Files& files, const std::string& server_id,
         std::optional<model::Configuration> file = std::nullopt)
      : network(n), id(server_id), machine(w), transport(n, machine),
        coordinator(machine.loop_, w.workers_, files, transport, options_of(server_id, std::move(file))) {
    started = machine.run(coordinator.start());
    network.listen(id + ":1", "coordinator:" + id, &coordinator, &machine);
  }
  ~Server() {
    network.cut(id + ":1");
    machine.stop();
  }

  static Coordinator::Options options_of(const std::string& id, std::optional<model::Configuration> file) {
    Coordinator::Options options;
    options.id = id;
    options.file = std::move(file);
    return options;
  }

  template <class Body>
  Task<wire::Reply> ask(Body body, TimePoint deadline) {
    wire::Request request;
    request.body = std::move(body);
    co_return co_await coordinator.handle(std::move(request), deadline);
  }
  template <class Body>
  Result<wire::ConfigReply> call(Body body) {
    return net::expect<wire::ConfigReply>(machine.run(ask(std::move(body), machine.loop_.now() + minutes(1))));
  }

  Result<wire::ConfigReply> push(int port, std::uint64_t expected = 0, const std::string& master = "c1") {
    wire::PushConfig body;
    body.expected_counter = expected;
    body.text = text_of(port, "", master);
    return call(std::move(body));
  }
  Result<wire::ConfigReply> fetch(std::uint64_t counter, std::uint64_t hash) {
    wire::FetchConfig body;
    body.have.counter = counter;
    body.have.hash = hash;
    return call(body);
  }
  std::uint64_t counter() const { return coordinator.current() ? coordinator.current()->counter : 0; }
  int port() const { return coordinator.current() ? port_of(*coordinator.current()) : 0; }

  Network& network;
  std::string id;
  Machine machine;
  FakeTransport transport;
  Coordinator coordinator;
  Status started;
};

// A follower's process.
struct Client {
  Client(World& world, Network& network, runtime::Files& files, const std::string& host)
      : machine(world), transport(network, machine),
        feed(machine.loop_, world.workers_, files, transport, options_of(host), [](ConfigFeed::Placed) {}),
        started(machine.begin(feed.start())) {
    world.settle();
  }
  ~Client() { machine.stop(); }

  static ConfigFeed::Options options_of(const std::string& host) {
    ConfigFeed::Options options;
    options.seeds.push_back(contact(host));
    return options;
  }

  Machine machine;
  FakeTransport transport;
  ConfigFeed feed;
  std::shared_ptr<std::optional<Result<ConfigFeed::Placed>>> started;
};

struct Fixture {
  World world;
  Network network{world};
  BrittleFiles files;
  BrittleFiles files_of_c2;
  BrittleFiles files_of_client;
};

TEST_CASE_FIXTURE(Fixture, "an empty coordinator says so, and takes a first configuration that makes it the master") {
  Server c1(world, network, files, "c1");
  CHECK(c1.fetch(0, 0).code() == ErrorCode::kNotFound);

  CHECK(c1.push(1, 0, "c2").code() == ErrorCode::kConflict);
  REQUIRE(c1.push(1).ok());

  CHECK(c1.fetch(0, 0)->stamp.counter == 1);
}

TEST_CASE_FIXTURE(Fixture, "a file becomes a version once, and again when it has changed") {
  {
    Server c1(world, network, files, "c1", parsed(text_of(1)));
    CHECK(c1.counter() == 1);
    CHECK(c1.push(2)->stamp.counter == 2);
  }
  {
    Server c1(world, network, files, "c1", parsed(text_of(1)));  // the old file: the change that was pushed stands
    CHECK(c1.counter() == 2);
    CHECK(c1.port() == 2);
  }
  {
    Server c1(world, network, files, "c1", parsed(text_of(3)));
    CHECK(c1.counter() == 3);
    CHECK(c1.port() == 3);
  }
  {
    Server c1(world, network, files, "c1", parsed(text_of(1)));  // back to the first one: changed again
    CHECK(c1.counter() == 4);
    CHECK(c1.port() == 1);
  }
  {
    Server c1(world, network, files, "c1");
    CHECK(c1.counter() == 4);
    REQUIRE(c1.push(5).ok());
  }
  Server c1(world, network, files, "c1", parsed(text_of(5)));  // the file follows what was pushed: nothing new
  CHECK(c1.counter() == 5);
}

TEST_CASE_FIXTURE(Fixture, "a file that states a version continues from it") {
  Server c1(world, network, files, "c1", version_of(7, 1));

  CHECK(c1.counter() == 7);
}

TEST_CASE_FIXTURE(Fixture, "a push is a compare-and-set, and what it states as its version is ignored") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));

  CHECK(c1.push(2, 1)->stamp.counter == 2);
  const auto late = c1.push(3, 1);
  REQUIRE_FALSE(late.ok());
  CHECK(late.code() == ErrorCode::kConflict);
  CHECK(late.error().message.find("version 2") != std::string::npos);
  CHECK(c1.port() == 2);

  wire::PushConfig body;
  body.text = text_of(4, "version: 99\n");
  CHECK(c1.call(std::move(body))->stamp.counter == 3);
  CHECK(c1.push(4)->stamp.counter == 3);  // the same again: an answer that was lost
}

TEST_CASE_FIXTURE(Fixture, "a push of something that is no configuration is refused with the reason") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  wire::PushConfig body;
  body.text = "active_deployment: nowhere\n";

  const auto pushed = c1.call(std::move(body));

  CHECK(pushed.code() == ErrorCode::kInvalid);
  CHECK(c1.counter() == 1);
}

TEST_CASE_FIXTURE(Fixture, "what could not be stored is not in force, and nobody hears of it") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  files.full_ = true;

  CHECK(c1.push(2).code() == ErrorCode::kNoSpace);
  CHECK(c1.port() == 1);

  files.full_ = false;
  CHECK(c1.push(3)->stamp.counter == 2);
}

TEST_CASE_FIXTURE(Fixture, "a request for something newer is held until there is something, or its time is over") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  wire::FetchConfig body;
  body.have = wire::stamp_of(*c1.coordinator.current());
  body.wait_ms = 20'000;
  const TimePoint far = c1.machine.loop_.now() + minutes(1);

  auto answer = c1.machine.begin(c1.ask(body, far));
  world.advance(seconds(19));
  CHECK_FALSE(answer->has_value());
  world.advance(seconds(2));
  REQUIRE(answer->has_value());
  CHECK(std::get<wire::ConfigReply>((*answer)->body).text.empty());

  answer = c1.machine.begin(c1.ask(body, far));
  world.advance(seconds(1));
  REQUIRE(c1.push(2).ok());
  REQUIRE(answer->has_value());
  CHECK(std::get<wire::ConfigReply>((*answer)->body).stamp.counter == 2);

  body.have = wire::stamp_of(*c1.coordinator.current());
  answer = c1.machine.begin(c1.ask(body, c1.machine.loop_.now() + seconds(2)));
  world.advance(seconds(2));
  CHECK(answer->has_value());  // in time for the caller's deadline, though it would have waited longer
}

TEST_CASE_FIXTURE(Fixture, "those who wait are answered when a coordinator is about to close") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  wire::FetchConfig body;
  body.have = wire::stamp_of(*c1.coordinator.current());
  body.wait_ms = 20'000;
  auto answer = c1.machine.begin(c1.ask(body, c1.machine.loop_.now() + minutes(1)));
  world.settle();
  CHECK_FALSE(answer->has_value());

  c1.coordinator.dismiss();
  world.settle();

  REQUIRE(answer->has_value());
  CHECK(std::get<wire::ConfigReply>((*answer)->body).text.empty());
  CHECK(c1.call(body)->text.empty());  // nor does anybody wait from now on
}

TEST_CASE_FIXTURE(Fixture, "whoever holds another of the same version, or one given by hand, is answered at once") {
  Server c1(world, network, files, "c1", version_of(5, 1));

  CHECK_FALSE(c1.fetch(0, 0)->text.empty());
  CHECK_FALSE(c1.fetch(0, c1.coordinator.current()->hash)->text.empty());
  CHECK_FALSE(c1.fetch(4, 1)->text.empty());
  CHECK_FALSE(c1.fetch(5, 1)->text.empty());
  CHECK(c1.fetch(5, c1.coordinator.current()->hash)->text.empty());
  CHECK(c1.fetch(6, 1)->text.empty());
}

TEST_CASE_FIXTURE(Fixture, "a change reaches followers without any delay") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  Client client(world, network, files_of_client, "c1");
  REQUIRE(client.started->has_value());
  CHECK(client.feed.stamp().counter == 1);
  world.advance(seconds(7));

  REQUIRE(c1.push(2).ok());
  world.settle();

  CHECK(client.feed.stamp().counter == 2);
}

TEST_CASE_FIXTURE(Fixture, "a follower survives its coordinator, and hears it again within a second") {
  Client client(world, network, files_of_client, "c1");
  {
    Server c1(world, network, files, "c1", parsed(text_of(1)));
    world.advance(seconds(1));
    CHECK(client.feed.stamp().counter == 1);
  }
  world.advance(minutes(10));
  CHECK(client.feed.stamp().counter == 1);

  Server c1(world, network, files, "c1", parsed(text_of(2)));
  world.advance(seconds(1));

  CHECK(client.feed.stamp().counter == 2);
}

TEST_CASE_FIXTURE(Fixture, "a coordinator that comes back without its disk takes no follower back") {
  Client client(world, network, files_of_client, "c1");
  {
    Server c1(world, network, files, "c1", parsed(text_of(1)));
    for (int port = 2; port < 6; ++port) REQUIRE(c1.push(port).ok());
    world.advance(seconds(1));
    CHECK(client.feed.stamp().counter == 5);
  }

  BrittleFiles empty;
  SUBCASE("empty") {
    Server c1(world, network, empty, "c1");
    world.advance(seconds(30));
    CHECK(client.feed.stamp().counter == 5);
  }
  SUBCASE("with an old file: the next change is above what the followers have") {
    Server c1(world, network, empty, "c1", parsed(text_of(1)));
    world.advance(seconds(30));
    CHECK(client.feed.stamp().counter == 5);
    CHECK(c1.counter() == 1);

    CHECK(c1.push(7)->stamp.counter == 6);
    world.settle();
    CHECK(client.feed.stamp().counter == 6);
  }
  SUBCASE("with the file of what is in force: it goes on from there") {
    Server c1(world, network, empty, "c1", parsed(text_of(5)));
    world.advance(seconds(30));
    CHECK(c1.counter() == 5);
    CHECK(client.feed.stamp().counter == 5);
  }
}

TEST_CASE_FIXTURE(Fixture, "a counter out of all proportion uses up no numbers") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));

  REQUIRE(c1.fetch(control::kCounterMax + 1, 1).ok());

  CHECK(c1.push(2)->stamp.counter == 2);
}

TEST_CASE_FIXTURE(Fixture, "the others mirror the master, refuse pushes, and name it") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  Server c2(world, network, files_of_c2, "c2", parsed(text_of(9)));
  world.advance(seconds(1));
  CHECK(c2.counter() == 1);
  CHECK(*c2.coordinator.current() == *c1.coordinator.current());

  REQUIRE(c1.push(2).ok());
  world.settle();
  CHECK(c2.counter() == 2);

  const auto refused = c2.push(3);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.code() == ErrorCode::kConflict);
  CHECK(refused.error().message.find("c1 at c1:1") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a mirror serves alone, and gives a master back what its disk lost") {
  std::optional<Server> c1;
  c1.emplace(world, network, files, "c1", parsed(text_of(1)));
  Server c2(world, network, files_of_c2, "c2", parsed(text_of(1)));
  REQUIRE(c1->push(2).ok());
  REQUIRE(c1->push(3).ok());
  world.advance(seconds(1));
  c1.reset();

  Client client(world, network, files_of_client, "c2");
  world.settle();
  CHECK(client.feed.stamp().counter == 3);

  BrittleFiles empty;
  c1.emplace(world, network, empty, "c1", parsed(text_of(1)));
  world.advance(seconds(1));
  CHECK(c1->counter() == 3);
  CHECK(c1->push(4)->stamp.counter == 4);
}

TEST_CASE_FIXTURE(Fixture, "the master hands over by a push") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));
  Server c2(world, network, files_of_c2, "c2", parsed(text_of(1)));
  world.advance(seconds(1));

  REQUIRE(c1.push(2, 0, "c2").ok());
  world.settle();

  CHECK(c1.push(3, 0, "c2").code() == ErrorCode::kConflict);
  CHECK(c2.push(3, 0, "c2")->stamp.counter == 3);
  world.settle();
  CHECK(c1.counter() == 3);
}

TEST_CASE_FIXTURE(Fixture, "a lost master is replaced by a file that names the new one") {
  {
    Server c1(world, network, files, "c1", parsed(text_of(1)));
    Server c2(world, network, files_of_c2, "c2", parsed(text_of(1)));
    REQUIRE(c1.push(2).ok());
    world.advance(seconds(1));
    CHECK(c2.counter() == 2);
  }

  Server c2(world, network, files_of_c2, "c2", parsed(text_of(2, "", "c2")));

  CHECK(c2.counter() == 3);
  CHECK(c2.push(4, 3, "c2")->stamp.counter == 4);
}

TEST_CASE_FIXTURE(Fixture, "a request that is no business of a coordinator's is refused") {
  Server c1(world, network, files, "c1", parsed(text_of(1)));

  CHECK(c1.call(wire::Read()).code() == ErrorCode::kInvalid);
}

}  // namespace
}  // namespace tako::control_test
