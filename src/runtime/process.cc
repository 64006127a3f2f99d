#include "runtime/process.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>

#include "base/log.h"
#include "runtime/files.h"
#include "runtime/run_on.h"
#include "runtime/signals.h"

namespace tako::runtime {
namespace {

constexpr unsigned kWorkersPerLoop = 2;
constexpr unsigned kWorkersMin = 4;

}  // namespace

Process::Process(unsigned loops) : workers_(std::max(kWorkersMin, loops * kWorkersPerLoop)) {
  ASSERT(loops > 0);
  for (unsigned i = 0; i < loops; ++i) {
    Thread thread;
    thread.io = std::make_unique<asio::io_context>(1);
    thread.loop = std::make_unique<Loop>(*thread.io, clock_, entropy());
    loops_.push_back(std::move(thread));
  }
  stop_ = std::make_unique<Signal>(loop(0));
}

Process::~Process() {
  if (signals_) signals_->release();  // it stays open: a signal may come to the very end
  workers_.join();
}

void Process::obey_signals() {
  signals_ = std::make_unique<Descriptor>(*loops_[0].io, watch_signals());
  hear_signals();
}

void Process::hear_signals() {
  auto hear = [this](const asio::error_code& error) {
    if (error) return;
    std::array<unsigned char, 64> numbers;
    const ssize_t count = ::read(signals_->native_handle(), numbers.data(), numbers.size());
    for (ssize_t i = 0; i < count; ++i) {
      if (numbers[static_cast<std::size_t>(i)] == SIGHUP) {
        log::reopen();
      } else {
        stop_asked_ = true;
        stop_->notify();
      }
    }
    hear_signals();
  };
  signals_->async_wait(Descriptor::wait_read, hear);
}

int Process::run(std::function<Task<int>()> main) {
  int exit_code = 1;
  std::vector<asio::executor_work_guard<Executor>> guards;
  for (auto& thread : loops_) guards.emplace_back(thread.io->get_executor());
  asio::co_spawn(*loops_[0].io, main(), [&](std::exception_ptr exception, int code) {
    if (exception) {
      try {
        std::rethrow_exception(exception);
      } catch (const std::exception& e) {
        log::tell(std::string("tako: ") + e.what());
      }
    }
    exit_code = code;
    for (auto& thread : loops_) thread.io->stop();
  });
  for (std::size_t i = 1; i < loops_.size(); ++i) {
    loops_[i].thread = std::thread([&thread = loops_[i]] {
      thread.loop->adopt_this_thread();
      thread.io->run();
    });
  }
  loops_[0].loop->adopt_this_thread();
  loops_[0].io->run();
  for (std::size_t i = 1; i < loops_.size(); ++i) loops_[i].thread.join();
  return exit_code;
}

Task<> Process::until_stopped() {
  while (!stop_asked_ && !loop(0).stopping()) co_await stop_->wait(TimePoint::max());
}

Task<> Process::stop_loops() {
  for (auto& thread : loops_) {
    auto stop = [](Loop& loop) -> Task<> {
      loop.stop();
      co_return;
    };
    co_await run_on(*thread.loop, stop(*thread.loop));
  }
}

void notify_service_manager(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || std::strlen(path) >= sizeof(sockaddr_un::sun_path)) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  (void)::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
  ::close(fd);
}

std::string kernel_boot_id() {
  const auto text = read_whole_file("/proc/sys/kernel/random/boot_id", 64);
  return text ? *text : "";
}

}  // namespace tako::runtime
