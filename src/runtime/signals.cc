#include "runtime/signals.h"

#include <atomic>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"

namespace tako::runtime {
namespace {

// Where the handler leaves a signal's number; none yet while it is negative.
std::atomic<int> told{-1};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void tell_server(int number) {
  const int kept = errno;
  const int pipe = told.load();
  if (pipe >= 0) {
    const auto byte = static_cast<unsigned char>(number);
    (void)!::write(pipe, &byte, 1);  // a full pipe has told enough
  } else if (number != SIGHUP) {
    ::_exit(0);
  }
  errno = kept;
}

// As if there were no handler, so that the parent sees what ended it. The first process of a container is not ended by
// a signal that it leaves to the system: it ends itself, with the exit code of a shell.
extern "C" void end_tool(int number) {
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  ::sigaction(number, &plain, nullptr);
  ::raise(number);
  ::_exit(128 + number);
}

using Handler = void (*)(int);

void set(int number, Handler handler, int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(number, &action, nullptr);
}

bool is_ignored(int number) {
  struct sigaction known{};
  return ::sigaction(number, nullptr, &known) == 0 && known.sa_handler == SIG_IGN;
}

// Handlers do not survive an exec, an ignored signal does. What nobody names here gets the system's disposition.
void settle_server() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) set(number, tell_server, SA_RESTART);
  // A write that fails says so itself: to a pipe nobody reads, or past the limit of a file's size. And a background
  // job that writes to its terminal is not stopped for it.
  for (const int number : {SIGPIPE, SIGXFSZ, SIGTTOU}) set(number, SIG_IGN, 0);
  // They mean nothing here; another server's habits (a log rotation by SIGUSR1) must not end this one.
  for (const int number : {SIGUSR1, SIGUSR2, SIGALRM}) set(number, SIG_IGN, 0);
}

// SA_NODEFER: the handler's own raise() takes effect within it.
void settle_tool() {
  set(SIGTERM, end_tool, SA_NODEFER);
  for (const int number : {SIGINT, SIGHUP}) {
    if (!is_ignored(number)) set(number, end_tool, SA_NODEFER);
  }
  // `tako ctl ... | head` ends quietly; `ulimit -f` is an error of the write.
  set(SIGPIPE, SIG_DFL, 0);
  set(SIGXFSZ, SIG_IGN, 0);
}

// A tool leaves ignored what nohup ignores, and a shell without job control for what it runs in the background.
bool stays_ignored(Life life, int number) {
  return life == Life::kTool && (number == SIGINT || number == SIGHUP || number == SIGQUIT);
}

}  // namespace

void settle_descriptors() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is the one that is wanted. A folder can be neither read nor written either.
    const int mode = wanted == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    const int fd = ::open("/dev/null", mode);
    if (fd < 0) (void)::open("/", O_RDONLY | O_DIRECTORY);
  }
}

void settle_signals(Life life) {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (!stays_ignored(life, number) && is_ignored(number)) set(number, SIG_DFL, 0);
  }
  if (life == Life::kServer) settle_server();
  else settle_tool();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int watch_signals() {
  ASSERT(told.load() < 0);
  int ends[2];
  const bool made = ::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0;
  ASSERT(made);
  told = ends[1];
  return ends[0];
}

}  // namespace tako::runtime
