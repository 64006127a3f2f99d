#include "store/engine/sync_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/hash.h"
#include "wire/cluster/codec.h"

namespace tako::store {
namespace {

constexpr std::size_t kMarkBytes = 16;

std::string encode(std::uint64_t number) {
  wire::Writer out(kMarkBytes);
  out.u64(number);
  out.u64(xxh3_64(out.view()));
  return out.take();
}

}  // namespace

std::uint64_t SyncMark::read() const {
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::string mark(kMarkBytes, '\0');
  const ssize_t n = ::pread(fd, mark.data(), mark.size(), 0);
  ::close(fd);
  if (n != static_cast<ssize_t>(mark.size())) return 0;
  wire::Reader in{std::string_view(mark)};
  const std::uint64_t number = in.u64();
  return encode(number) == mark ? number : 0;
}

void SyncMark::write(std::uint64_t number) const {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const std::string mark = encode(number);
  (void)!::pwrite(fd, mark.data(), mark.size(), 0);
  ::close(fd);
}

}  // namespace tako::store
