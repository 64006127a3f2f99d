#include "runtime/descriptor_buf.h"

#include <cerrno>
#include <ios>

#include <poll.h>
#include <unistd.h>

namespace tako::runtime {
namespace {

// True: it is worth another try.
bool wait_for(int fd, short what) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN) return false;
  pollfd entry{fd, what, 0};
  (void)::poll(&entry, 1, -1);
  return true;
}

}  // namespace

DescriptorBuf::DescriptorBuf(int fd) : fd_(fd) {
  setg(in_.data(), in_.data(), in_.data());
  setp(out_.data(), out_.data() + out_.size());
}

DescriptorBuf::int_type DescriptorBuf::underflow() {
  ssize_t count = 0;
  do {
    count = ::read(fd_, in_.data(), in_.size());
  } while (count < 0 && wait_for(fd_, POLLIN));
  if (count < 0) {
    error_ = errno;
    throw std::ios_base::failure("cannot read");  // what makes an istream bad
  }
  setg(in_.data(), in_.data(), in_.data() + count);
  return count == 0 ? traits_type::eof() : traits_type::to_int_type(in_[0]);
}

DescriptorBuf::int_type DescriptorBuf::overflow(int_type byte) {
  if (!write_out()) return traits_type::eof();
  if (!traits_type::eq_int_type(byte, traits_type::eof())) sputc(traits_type::to_char_type(byte));
  return traits_type::not_eof(byte);
}

// What could not be written is dropped: the stream is bad then.
bool DescriptorBuf::write_out() {
  const char* at = pbase();
  const char* const end = pptr();
  setp(out_.data(), out_.data() + out_.size());
  while (at < end) {
    const ssize_t count = ::write(fd_, at, static_cast<std::size_t>(end - at));
    if (count < 0 && wait_for(fd_, POLLOUT)) continue;
    if (count < 0) error_ = errno;
    if (count < 0) return false;
    at += count;
  }
  return true;
}

}  // namespace tako::runtime
