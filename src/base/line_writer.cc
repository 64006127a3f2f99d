#include "base/line_writer.h"

#include <cerrno>
#include <cstring>

#include <poll.h>
#include <unistd.h>

namespace tako {
namespace {

constexpr std::string_view kCut = "...\n";

}  // namespace

LineWriter::~LineWriter() {
  if (whose_ == Descriptor::kOwned) ::close(fd_);
}

bool LineWriter::write(std::string_view line) {
  if (torn_) {
    if (!put("\n")) return false;
    torn_ = false;
  }
  if (line.size() <= kLineBytesMax) return put(line);
  return put(std::string(line.substr(0, kLineBytesMax - kCut.size())).append(kCut));
}

bool LineWriter::put(std::string_view bytes) {
  const std::size_t whole = bytes.size();
  while (!bytes.empty()) {
    pollfd room{fd_, POLLOUT, 0};
    const int ready = ::poll(&room, 1, stuck_ ? 0 : kPatienceMs);
    if (ready < 0 && errno == EINTR) continue;
    // poll says that there is room for a page at least, which is more than a line.
    const ssize_t count = ready == 0 ? -1 : ::write(fd_, bytes.data(), bytes.size());
    if (count < 0 && ready != 0 && errno == EINTR) continue;
    stuck_ = ready == 0 || (count < 0 && errno == EAGAIN);
    if (count < 0) {
      torn_ = torn_ || bytes.size() < whole;
      return drop(stuck_ ? "nobody reads it" : std::strerror(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool LineWriter::drop(std::string reason) {
  ++lost_;
  reason_ = std::move(reason);
  return false;
}

}  // namespace tako
