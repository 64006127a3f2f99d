// A few machines in virtual time for the tests of src/control: loops of one scheduler, one clock, and a
// network in memory whose addresses can be cut, or answered by anybody.
//
// The test's thread drives all: settle() runs what is ready, advance() moves the clock from timer to timer. A machine
// that is stopped returns all its waits; whatever stood in it is destroyed after that.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/log.h"
#include "control/history.h"
#include "net/transport.h"
#include "runtime/files.h"
#include "runtime/loop.h"
#include "runtime/run_on.h"
#include "runtime/sync.h"
#include "runtime/workers.h"
#include "support/scheduler.h"

namespace tako::control_test {

using runtime::Task;

class World {
 public:
  World() { REQUIRE(log::open("off", "").ok()); }

  void settle() { scheduler_.drain(); }

  void advance(Duration duration) {
    const TimePoint end = clock_.now() + duration;
    while (scheduler_.step(end)) {
    }
    settle();
  }

  test::VirtualClock clock_;
  test::Scheduler scheduler_{clock_, 1};
  runtime::Workers workers_{0};
  std::uint64_t machines_ = 0;
};

// One process's loop.
class Machine {
 public:
  explicit Machine(World& world)
      : world_(world), loop_(world.scheduler_, world.clock_, ++world.machines_), gate_(loop_) {}
  ~Machine() { stop(); }

  void stop() {
    if (loop_.stopping()) return;
    loop_.stop();
    world_.settle();
  }

  // Runs the task in virtual time until it is done, at most for `limit`.
  template <class T>
  T run(Task<T> task, Duration limit = Duration::zero()) {
    auto result = begin(std::move(task));
    world_.settle();
    for (Duration spent{}; !*result && spent < limit; spent += milliseconds(10)) world_.advance(milliseconds(10));
    REQUIRE(result->has_value());
    return std::move(**result);
  }

  // Runs it beside; the result comes in time.
  template <class T>
  std::shared_ptr<std::optional<T>> begin(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    loop_.spawn(gate_, into(std::move(task), result));
    return result;
  }

  World& world_;
  test::SimLoop loop_;
  runtime::Gate gate_;

 private:
  template <class T>
  static Task<> into(Task<T> task, std::shared_ptr<std::optional<T>> result) {
    T value = co_await std::move(task);
    *result = std::move(value);
  }
};

class Network {
 public:
  using Answer = std::function<wire::Reply(const wire::Request&)>;

  explicit Network(World& world) : home_(world) {}
  ~Network() {
    for (auto& [address, party] : parties_) cut(address);
  }

  // At "host:port"; null: nobody listens any more, and calls under way break.
  // `at`: where the service lives.
  void listen(const std::string& address, const std::string& id, net::Service* service, Machine* at) {
    cut(address);
    parties_[address].service = service;
    parties_[address].at = at;
    parties_[address].id = id;
  }
  void answer_with(const std::string& address, Answer answer) {
    listen(address, "coordinator:*", nullptr, nullptr);
    parties_[address].answer = std::move(answer);
  }
  void cut(const std::string& address) {
    Party& party = parties_[address];
    party.service = nullptr;
    party.answer = nullptr;
    for (const auto& call : std::exchange(party.calls, {})) {
      if (!call->done) call->changed.notify();
      call->done = true;
    }
    home_.world_.settle();
  }
  int calls_to(const std::string& address) { return parties_[address].count; }

 private:
  friend class FakeTransport;
  struct Call {
    explicit Call(runtime::Loop& caller) : loop(caller), changed(caller) {}
    runtime::Loop& loop;
    runtime::Signal changed;
    bool done = false;
    std::optional<wire::Reply> reply;
  };
  struct Party {
    std::string id;
    net::Service* service = nullptr;
    Machine* at = nullptr;
    Answer answer;
    int count = 0;
    std::vector<std::shared_ptr<Call>> calls;
  };

  static Task<> carry_out(net::Service* service, runtime::Loop* at, std::shared_ptr<Call> call, wire::Request request,
                          TimePoint deadline) {
    auto handling = service->handle(std::move(request), deadline);
    wire::Reply reply = co_await runtime::run_on(*at, std::move(handling));
    if (call->done) co_return;
    call->loop.post([call, reply = std::move(reply)]() mutable {
      if (call->done) return;
      call->reply = std::move(reply);
      call->done = true;
      call->changed.notify();
    });
  }

  std::map<std::string, Party> parties_;
  Machine home_;
};

class FakeTransport final : public net::Transport {
 public:
  FakeTransport(Network& network, Machine& machine) : network_(network), machine_(machine) {}

  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint deadline) override {
    Network::Party& party = network_.parties_[std::string(to.host) + ":" + std::to_string(to.port)];
    ++party.count;
    if (party.answer) co_return party.answer(request);
    if (!party.service) co_return Error(ErrorCode::kUnavailable, "nobody listens");
    if (to.id != control::kAnyCoordinator && to.id != party.id) co_return Error(ErrorCode::kInvalid, "another process");
    auto call = std::make_shared<Network::Call>(machine_.loop_);
    std::erase_if(party.calls, [](const auto& other) { return other->done; });
    party.calls.push_back(call);
    auto& home = network_.home_;
    auto carried = Network::carry_out(party.service, &party.at->loop_, call, std::move(request), deadline);
    home.loop_.spawn(home.gate_, std::move(carried));
    while (!call->done) {
      const bool woken = co_await call->changed.wait(deadline);
      if (!woken) break;
    }
    call->done = true;
    if (call->reply) co_return std::move(*call->reply);
    co_return Error(ErrorCode::kUnavailable, "the call broke");
  }
  bool reachable(const net::Peer&) const override { return true; }

 private:
  Network& network_;
  Machine& machine_;
};

// A disk that can be told to be full.
class BrittleFiles final : public runtime::Files {
 public:
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override {
    return files_.read(path, bytes_max);
  }
  Status write(const std::string& path, const std::string& content) override {
    if (full_) return {ErrorCode::kNoSpace, "the disk is full"};
    return files_.write(path, content);
  }
  Status remove(const std::string& path) override { return files_.remove(path); }
  std::vector<std::string> list(const std::string& folder) override { return files_.list(folder); }

  bool full_ = false;
  runtime::MemoryFiles files_;
};

// A configuration with coordinators c1 (master) and c2 at c1:1 and c2:1; `port` is what tells one from another.
inline std::string text_of(int port, const std::string& more = "", const std::string& master = "c1") {
  return more + "active_deployment: d\nmaster_coordinator: " + master +
         "\ncoordinators: {c1: [c1, 1], c2: [c2, 1]}\ndeployments: {d: {buckets: {b: {n1: [localhost, " +
         std::to_string(port) + "]}}}}\n";
}

inline model::Configuration parsed(const std::string& text) {
  Result<model::Configuration> configuration = model::parse_config(text, "test");
  if (!configuration) FAIL(configuration.error().message);
  return *configuration;
}

inline model::Configuration version_of(std::uint64_t counter, int port) {
  return parsed(text_of(port, "version: " + std::to_string(counter) + "\n"));
}

inline wire::Reply reply_of(const model::Configuration& configuration) {
  wire::ConfigReply body;
  body.stamp = wire::stamp_of(configuration);
  body.text = model::to_yaml(configuration);
  wire::Reply reply;
  reply.body = body;
  return reply;
}

inline control::Contact contact(const std::string& host) {
  control::Contact made;
  made.id = control::kAnyCoordinator;
  made.host = host;
  made.port = 1;
  return made;
}

inline int port_of(const model::Configuration& configuration) {
  return configuration.deployments[0].buckets[0].nodes[0].port;
}

}  // namespace tako::control_test
