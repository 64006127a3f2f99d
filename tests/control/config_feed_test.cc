#include "control/config_feed.h"

#include "control/world.h"

namespace tako::control_test {
namespace {

using control::ConfigFeed;

// A process with a feed; its disk outlives it.
struct Process {
  Process(World& world, Network& network, runtime::Files& files, ConfigFeed::Options options)
      : machine(world),
        transport(network, machine),
        feed(machine.loop_, world.workers_, files, transport, std::move(options),
             [this](ConfigFeed::Placed placed) { published.push_back(std::move(placed)); }),
        started(machine.begin(feed.start())) {
    world.settle();
  }
  ~Process() { machine.stop(); }

  std::vector<std::uint64_t> counters() const {
    std::vector<std::uint64_t> all;
    for (const auto& placed : published) all.push_back(placed->config().counter);
    return all;
  }

  Machine machine;
  FakeTransport transport;
  std::vector<ConfigFeed::Placed> published;
  ConfigFeed feed;
  std::shared_ptr<std::optional<Result<ConfigFeed::Placed>>> started;
};

using Counters = std::vector<std::uint64_t>;

ConfigFeed::Options seeded(const std::string& host) {
  ConfigFeed::Options options;
  options.seeds.push_back(contact(host));
  return options;
}

ConfigFeed::Options given(model::Configuration file) {
  ConfigFeed::Options options;
  options.file = std::move(file);
  return options;
}

struct Fixture {
  World world;
  Network network{world};
  BrittleFiles files;
};

TEST_CASE_FIXTURE(Fixture, "a file given is in force at once, though no coordinator answers") {
  Process process(world, network, files, given(parsed(text_of(1))));

  REQUIRE(process.started->has_value());
  CHECK((*process.started)->ok());
  CHECK(process.counters() == Counters{0});
  CHECK(files.list("config").empty());
}

TEST_CASE_FIXTURE(Fixture, "without a configuration and anybody to ask, start is an error that says what to give") {
  Process process(world, network, files, ConfigFeed::Options());

  REQUIRE(process.started->has_value());
  REQUIRE_FALSE((*process.started)->ok());
  CHECK((*process.started)->error().message.find("-c HOST:PORT") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a process waits for its coordinator, and hears it within a second of its coming") {
  Process process(world, network, files, seeded("c9"));
  world.advance(minutes(5));
  CHECK_FALSE(process.started->has_value());

  network.answer_with("c9:1", [](const wire::Request&) { return reply_of(version_of(3, 1)); });
  world.advance(seconds(1));

  REQUIRE(process.started->has_value());
  CHECK(process.counters() == Counters{3});
  CHECK(files.list("config").size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a process that stops while it waits says so") {
  Process process(world, network, files, seeded("c9"));

  process.machine.stop();

  REQUIRE(process.started->has_value());
  CHECK((*process.started)->code() == ErrorCode::kStopping);
}

TEST_CASE_FIXTURE(Fixture, "the higher counter of file and disk is what a process starts with, and the file if equal") {
  control::ConfigCache cache(files, world.workers_);
  Machine writer(world);
  REQUIRE(writer.run(cache.save(version_of(5, 1))).ok());

  SUBCASE("a file given by hand is older than anything in the history") {
    Process process(world, network, files, given(parsed(text_of(2))));
    CHECK(process.counters() == Counters{5});
  }
  SUBCASE("an older file") {
    Process process(world, network, files, given(version_of(4, 2)));
    CHECK(process.counters() == Counters{5});
  }
  SUBCASE("a newer file") {
    Process process(world, network, files, given(version_of(6, 2)));
    CHECK(process.counters() == Counters{6});
  }
  SUBCASE("the same counter") {
    Process process(world, network, files, given(version_of(5, 2)));
    REQUIRE(process.counters() == Counters{5});
    CHECK(port_of(process.published[0]->config()) == 2);
  }
  SUBCASE("no file and no coordinator") {
    Process process(world, network, files, seeded("c9"));
    CHECK(process.counters() == Counters{5});
  }
}

TEST_CASE_FIXTURE(Fixture, "an older configuration, or another of the same version, is never adopted") {
  Process process(world, network, files, given(version_of(5, 1)));

  SUBCASE("older") {
    network.answer_with("c1:1", [](const wire::Request&) { return reply_of(version_of(4, 2)); });
  }
  SUBCASE("given by hand") {
    network.answer_with("c1:1", [](const wire::Request&) { return reply_of(parsed(text_of(2))); });
  }
  SUBCASE("the same counter with another content") {
    network.answer_with("c1:1", [](const wire::Request&) { return reply_of(version_of(5, 2)); });
  }
  SUBCASE("out of range") {
    network.answer_with("c1:1", [](const wire::Request&) { return reply_of(version_of(control::kCounterMax + 1, 2)); });
  }
  world.advance(seconds(30));

  CHECK(process.counters() == Counters{5});
  CHECK(network.calls_to("c1:1") > 20);
  CHECK(network.calls_to("c1:1") < 80);  // not without pauses
}

TEST_CASE_FIXTURE(Fixture, "nonsense disturbs nothing, and what is said after it is heard") {
  Process process(world, network, files, given(version_of(5, 1)));

  SUBCASE("no configuration at all") {
    network.answer_with("c1:1", [](const wire::Request&) {
      wire::Reply reply = reply_of(version_of(6, 2));
      std::get<wire::ConfigReply>(reply.body).text = "{[ nonsense";
      return reply;
    });
  }
  SUBCASE("not the one that its stamp says") {
    network.answer_with("c1:1", [](const wire::Request&) {
      wire::Reply reply = reply_of(version_of(6, 2));
      std::get<wire::ConfigReply>(reply.body).stamp.counter = 7;
      return reply;
    });
  }
  SUBCASE("not the content that its stamp says") {
    network.answer_with("c1:1", [](const wire::Request&) {
      wire::Reply reply = reply_of(version_of(6, 2));
      std::get<wire::ConfigReply>(reply.body).stamp.hash ^= 1;
      return reply;
    });
  }
  SUBCASE("another kind of message") {
    network.answer_with("c1:1", [](const wire::Request&) { return wire::Reply(); });
  }
  SUBCASE("nothing, at once, every time") {
    network.answer_with("c1:1", [](const wire::Request&) {
      wire::Reply reply;
      reply.body = wire::ConfigReply();
      return reply;
    });
  }
  world.advance(seconds(30));
  CHECK(process.counters() == Counters{5});
  CHECK(network.calls_to("c1:1") < 80);

  network.answer_with("c1:1", [](const wire::Request&) { return reply_of(version_of(8, 3)); });
  world.advance(seconds(1));

  CHECK(process.counters() == Counters{5, 8});
}

TEST_CASE_FIXTURE(Fixture, "the coordinators that a configuration names are followed, and the given ones for ever") {
  Process process(world, network, files, seeded("c9"));
  network.answer_with("c9:1", [](const wire::Request&) { return reply_of(version_of(3, 1)); });
  world.advance(seconds(2));
  CHECK(process.counters() == Counters{3});

  network.answer_with("c2:1", [](const wire::Request&) {
    const std::string moved =
        "active_deployment: d\ncoordinators: {c3: [c3, 1]}\nversion: 4\n"
        "deployments: {d: {buckets: {b: {n1: [localhost, 1]}}}}\n";
    return reply_of(parsed(moved));
  });
  world.advance(seconds(2));
  CHECK(process.counters() == Counters{3, 4});

  world.advance(seconds(2));
  const int calls_before = network.calls_to("c1:1") + network.calls_to("c2:1");
  network.answer_with("c3:1", [](const wire::Request&) { return reply_of(version_of(5, 1)); });
  world.advance(seconds(2));
  CHECK(process.counters() == Counters{3, 4, 5});
  network.answer_with("c9:1", [](const wire::Request&) { return reply_of(version_of(6, 1)); });
  world.advance(seconds(2));
  CHECK(process.counters() == Counters{3, 4, 5, 6});
  CHECK(calls_before > 0);
}

TEST_CASE_FIXTURE(Fixture, "a configuration that leaves this process's nodes out is adopted all the same") {
  Process process(world, network, files, given(version_of(5, 1)));
  network.answer_with("c1:1", [](const wire::Request&) {
    return reply_of(
        parsed("active_deployment: e\nversion: 6\ndeployments: {e: {buckets: {b: {n2: [localhost, 1]}}}}\n"));
  });

  world.advance(seconds(1));

  CHECK(process.counters() == Counters{5, 6});
  CHECK_FALSE(process.feed.current()->find("n1").has_value());
}

TEST_CASE_FIXTURE(Fixture, "a process that is restarted goes on with what it adopted last") {
  {
    Process process(world, network, files, given(parsed(text_of(1))));
    network.answer_with("c1:1", [](const wire::Request&) { return reply_of(version_of(6, 2)); });
    world.advance(seconds(1));
    CHECK(process.counters() == Counters{0, 6});
  }
  network.cut("c1:1");

  Process process(world, network, files, given(parsed(text_of(1))));

  CHECK(process.counters() == Counters{6});
}

TEST_CASE_FIXTURE(Fixture, "a full disk does not keep a new configuration from being adopted") {
  files.full_ = true;
  Process process(world, network, files, given(parsed(text_of(1))));
  network.answer_with("c1:1", [](const wire::Request&) { return reply_of(version_of(6, 2)); });

  world.advance(seconds(1));

  CHECK(process.counters() == Counters{0, 6});
}

}  // namespace
}  // namespace tako::control_test
