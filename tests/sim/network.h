// Network: the simulated one. Messages are encoded, delayed, lost, duplicated and reordered by the seed, and decoded
// where they arrive; every one goes into the trace, whose hash is the history's fingerprint.
//
// A Host is one machine on it: a name, whether it lives, its loop, and who serves there. A machine that died and came
// back is another Host: what was on its way to or from the old one is gone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/random.h"
#include "net/transport.h"
#include "runtime/sync.h"

namespace tako::sim {

using runtime::Task;

struct Host {
  Host(std::string n, runtime::Loop& l) : name(std::move(n)), loop(l), serving(l) {}
  const std::string name;
  runtime::Loop& loop;
  net::Service* service = nullptr;  // null: it serves nobody
  bool alive = true;
  runtime::Gate serving;  // requests under way there
};

struct NetworkFaults {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  Duration delay_min = microseconds(50);
  Duration delay_max = milliseconds(5);
  std::uint32_t straggler_ppm = 0;  // of messages, late by up to straggler_max
  Duration straggler_max = seconds(3);
};

class Network {
 public:
  // `wire` is the loop on which messages travel.
  Network(runtime::Loop& wire, std::uint64_t seed) : wire_(wire), random_(seed) {}

  void join(std::shared_ptr<Host> host) { hosts_[host->name] = std::move(host); }
  std::shared_ptr<Host> find(std::string_view name) const;

  // Both directions between two groups that share no member of `isolated` are open.
  void isolate(std::set<std::string> names) { isolated_ = std::move(names); }
  NetworkFaults faults;

  using Answer = std::function<void(Result<wire::Reply>)>;
  void send(const std::shared_ptr<Host>& from, std::string_view to, const wire::Request& request, TimePoint deadline,
            Answer answer);

  std::uint64_t fingerprint() const { return fingerprint_; }
  std::uint64_t messages() const { return messages_; }
  std::uint64_t lost() const { return lost_; }

 private:
  void trace(char kind, std::string_view from, std::string_view to, std::string_view bytes);
  bool dropped(const std::string& a, const std::string& b);
  Duration delay();
  void deliver(std::shared_ptr<Host> from, std::string to, std::string bytes, TimePoint deadline, Answer answer);
  Task<> serve(std::shared_ptr<Host> from, std::shared_ptr<Host> at, std::string bytes, TimePoint deadline,
               Answer answer);

  runtime::Loop& wire_;
  Random random_;
  std::map<std::string, std::shared_ptr<Host>, std::less<>> hosts_;
  std::set<std::string> isolated_;
  std::uint64_t fingerprint_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t lost_ = 0;
};

class SimTransport final : public net::Transport {
 public:
  SimTransport(Network& network, std::shared_ptr<Host> host) : network_(network), host_(std::move(host)) {}
  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint deadline) override;
  bool reachable(const net::Peer& peer) const override;

 private:
  Network& network_;
  const std::shared_ptr<Host> host_;
};

}  // namespace tako::sim
