// Process: N loops on N threads, the worker threads, signals, and an orderly end. Production only.
//
// A role gives run() one task for loop 0: it builds up, says that it serves, waits with until_stopped(), tears down
// and returns the exit code. In a server SIGTERM and SIGINT end the wait; SIGHUP reopens the log file (signals.h).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asio/posix/basic_stream_descriptor.hpp>

#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/sync.h"
#include "runtime/workers.h"

namespace tako::runtime {

class Process {
 public:
  // Worker threads block on the disk, so there are more of them than loops.
  explicit Process(unsigned loops);
  ~Process();

  std::size_t size() const { return loops_.size(); }
  Loop& loop(std::size_t index) { return *loops_[index].loop; }
  Workers& workers() { return workers_; }
  const Clock& clock() const { return clock_; }

  // Before run(), in a server.
  void obey_signals();
  // A signal has asked the process to end. On loop 0.
  bool stop_asked() const { return stop_asked_; }

  // Runs until `main` returns, then ends and joins the threads. `main` has stopped and drained what it made.
  int run(std::function<Task<int>()> main);

  // On loop 0: returns when a signal asked the process to end, or the loops stop. REQUIRES: one waits at a time.
  Task<> until_stopped();

  // On loop 0: stops every loop: all waits return at once, and new ones too. Gates can be drained then.
  Task<> stop_loops();

 private:
  struct Thread {
    std::unique_ptr<asio::io_context> io;
    std::unique_ptr<Loop> loop;
    std::thread thread;
  };

  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

  void hear_signals();

  SystemClock clock_;
  Workers workers_;
  std::vector<Thread> loops_;
  std::unique_ptr<Signal> stop_;
  std::unique_ptr<Descriptor> signals_;  // none in a tool
  bool stop_asked_ = false;
};

// Tells systemd (sd_notify protocol) through NOTIFY_SOCKET, if there is one: "READY=1", "STOPPING=1".
void notify_service_manager(const std::string& state);

// Changes when the machine's kernel starts anew; empty where the system has none.
std::string kernel_boot_id();

}  // namespace tako::runtime
