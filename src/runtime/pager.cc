#include "runtime/pager.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tako::runtime {
namespace {

constexpr std::size_t kWidthUnknown = 80;
// As git runs it: text of one screen is shown without waiting for a key, bold stays bold, and the screen is kept.
constexpr char kLessOptions[] = "FRX";
constexpr char kLessIfThere[] = "command -v less >/dev/null 2>&1 && exec less; exec cat";

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Terminal output_terminal() {
  if (::isatty(STDOUT_FILENO) != 1) return {};
  Terminal terminal{kWidthUnknown, true};
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
  const char* kind = std::getenv("TERM");
  terminal.bold = kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
  return terminal;
}

void become_pager(const std::string& text) {
  const char* pager = std::getenv("PAGER");
  if (pager != nullptr && *pager == '\0') return;
  std::fflush(stdout);
  // A file without a name, not a pipe: a pipe takes only so much while nobody reads.
  const int fd = ::memfd_create("page", 0);
  if (fd < 0) return;
  const bool ready = write_all(fd, text) && ::lseek(fd, 0, SEEK_SET) == 0 && ::dup2(fd, STDIN_FILENO) >= 0;
  ::close(fd);
  if (!ready) return;
  ::setenv("LESS", kLessOptions, 0);
  ::execl("/bin/sh", "sh", "-c", pager != nullptr ? pager : kLessIfThere, nullptr);
}

}  // namespace tako::runtime
