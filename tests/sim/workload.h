// Workload: clients that read and write at random through the proxies of a World, and machines that fail meanwhile.
//
// Everything is drawn from the world's Random, so a seed is a history. Problems are collected as text; none means that
// every promise that is checked here held.
#pragma once

#include <string>
#include <vector>

#include "sim/history.h"
#include "sim/world.h"

namespace tako::sim {

struct WorkloadOptions {
  int operations = 1000;
  int keys = 100;
  Duration duration = seconds(60);
  std::uint32_t fault_ppm = 300'000;  // of each second: that something fails, or comes back
  std::size_t down_max = 2;
  bool wipe_one = false;  // one machine loses its disk, once
  bool machine_crashes = true;
};

class Workload {
 public:
  Workload(World& world, WorkloadOptions options) : world_(world), options_(options) {}

  // Operations and faults, for the duration.
  void run();
  // No more faults, everybody up: waits until all replicas are equal, and checks what is left.
  void heal_and_check(Duration limit = seconds(300));

  const std::vector<std::string>& problems() const { return problems_; }
  const History& history() const { return history_; }
  int crashes() const { return crashes_; }

 private:
  Task<> write(ProxyMachine& proxy, std::string key, int number);
  Task<> read(ProxyMachine& proxy, std::string key);
  Task<> check_all(ProxyMachine& proxy, bool* equal, bool* done, bool report);
  void start_operation(int number);
  void maybe_fail();

  World& world_;
  const WorkloadOptions options_;
  History history_;
  std::vector<std::string> problems_;
  int crashes_ = 0;
  bool wiped_ = false;
};

}  // namespace tako::sim
