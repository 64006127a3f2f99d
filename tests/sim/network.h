// Network: the simulated one. Messages are encoded, delayed, lost, duplicated and reordered by the seed, and decoded
// where they arrive; every one goes into the trace, whose hash is the history's fingerprint.
//
// A Host is one process on it: a name, whether it lives, its loops, and who serves there. A process that died and came
// back is another Host: what was on its way back to the old one is gone. Each of its loops calls by connections of its
// own (SimTransport). Each connection ends on some loop of the other host, which hands the request on to the loop that
// serves it, as net/tcp_server and net/switchboard do. One that is paused takes nothing: what arrives waits for it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/switchboard.h"
#include "net/transport.h"
#include "runtime/sync.h"
#include "sim/tally.h"
#include "support/scheduler.h"

namespace tako::sim {

using runtime::Task;

struct Host {
  // `salt`: by it connections are spread over the loops.
  Host(std::string name, std::vector<test::SimLoop*> loops, std::uint64_t salt);

  // Runs it on that loop, if the host lives then.
  void arrive(std::size_t loop, std::function<void()> message);
  // The loop on which a connection from there ends.
  std::size_t loop_for(const std::string& name, std::size_t loop) const;
  std::size_t requests_inside() const;
  void pause() { hold(true); }
  void resume() { hold(false); }
  bool paused() const { return paused_; }
  void hold(bool held);

  const std::string name;
  const std::vector<test::SimLoop*> loops;
  const std::uint64_t salt;
  std::optional<net::Shards> service;  // none: it serves nobody
  bool alive = true;
  std::vector<std::unique_ptr<runtime::Gate>> serving;  // requests under way there, by the loop they arrived on

 private:
  bool paused_ = false;
};

struct NetworkFaults {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  Duration delay_min = microseconds(50);
  Duration delay_max = milliseconds(5);
  std::uint32_t straggler_ppm = 0;  // of messages, late by up to straggler_max
  Duration straggler_max = seconds(3);
  std::size_t capacity = 0;     // messages under way on one link, more are lost; 0: no limit
  std::uint32_t reset_ppm = 0;  // of requests: the connection breaks, before or after it was delivered
  // Each link between a proxy and a node is up or down by turns, each direction by itself: so an operation meets one
  // set of replicas, and the next one another.
  std::uint32_t flicker_ppm = 0;  // of the time down
  Duration flicker_turn = milliseconds(500);
  Duration config_lag_max = Duration::zero();  // a newer configuration is on its way for so long
};

class Network {
 public:
  // `wire` is the loop on which messages travel.
  Network(runtime::Loop& wire, std::uint64_t seed, Tally& tally)
      : wire_(wire), random_(seed), flicker_seed_(seed), tally_(tally) {}

  void join(std::shared_ptr<Host> host) { hosts_[host->name] = std::move(host); }
  std::shared_ptr<Host> find(std::string_view name) const;

  // Nothing passes between the group and the others; an empty one: everything passes.
  void isolate(std::set<std::string> names);
  // One way.
  void cut(const std::string& from, const std::string& to) { cuts_.insert({from, to}); }
  void heal_cuts() { cuts_.clear(); }
  // Whatever is sent that way arrives after `until`.
  void clog(const std::string& from, const std::string& to, TimePoint until) { clogs_[{from, to}] = until; }
  void heal_clogs() { clogs_.clear(); }
  NetworkFaults faults;

  using Answer = std::function<void(Result<wire::Reply>)>;
  // `loop`: of the caller, on which it is answered.
  void send(const std::shared_ptr<Host>& from, std::size_t loop, std::string_view to, const wire::Request& request,
            TimePoint deadline, Answer answer);

  bool passes(const std::string& from, const std::string& to) const;
  std::uint64_t fingerprint() const { return fingerprint_; }
  std::uint64_t messages() const { return messages_; }
  std::size_t under_way() const { return under_way_; }

 private:
  using Link = std::pair<std::string, std::string>;
  struct Parcel {  // a request, on its way
    std::shared_ptr<Host> from;
    std::size_t loop = 0;  // of the caller
    std::string to;
    std::string bytes;
    TimePoint deadline;
    Answer answer;
    bool only_copy = true;
    bool delivered = false;  // one copy of it
    bool in_hand = false;    // that one is being carried out
  };

  void trace(char kind, std::string_view from, std::string_view to, std::string_view bytes);
  bool dropped(const std::string& from, const std::string& to);
  bool flickers(const std::string& from, const std::string& to) const;
  Duration delay(const std::string& from, const std::string& to);
  // False: the link is full.
  bool travel(const std::string& from, const std::string& to, std::function<void()> arrive,
              Duration more = Duration::zero());
  void reset(const std::shared_ptr<Parcel>& parcel);
  void deliver(std::shared_ptr<Parcel> parcel);
  Task<> serve(std::shared_ptr<Parcel> parcel, std::shared_ptr<Host> at, std::size_t loop, bool first_copy);

  runtime::Loop& wire_;
  Random random_;
  const std::uint64_t flicker_seed_;
  Tally& tally_;
  std::map<std::string, std::shared_ptr<Host>, std::less<>> hosts_;
  std::set<std::string> isolated_;
  std::set<Link> cuts_;
  std::map<Link, TimePoint> clogs_;
  std::map<Link, std::size_t> load_;
  std::uint64_t fingerprint_ = 0;
  std::uint64_t messages_ = 0;
  std::size_t under_way_ = 0;
};

// Of one loop of a host.
class SimTransport final : public net::Transport {
 public:
  SimTransport(Network& network, std::shared_ptr<Host> host, std::size_t loop)
      : network_(network), host_(std::move(host)), loop_(loop) {}
  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint deadline) override;
  bool reachable(const net::Peer& peer) const override;

 private:
  Network& network_;
  const std::shared_ptr<Host> host_;
  const std::size_t loop_;
};

}  // namespace tako::sim
