// DescriptorBuf: a descriptor as the buffer of a stream, the input or the output of a tool. Unlike the standard
// streams it tells an error from the end, and waits where a parent left the descriptor non-blocking.
//
// A failed read or write makes the stream bad; error() is the system's number for it. Calls block. One thread at a
// time.
#pragma once

#include <array>
#include <streambuf>

namespace tako::runtime {

class DescriptorBuf final : public std::streambuf {
 public:
  // REQUIRES: the descriptor stays open meanwhile
  explicit DescriptorBuf(int fd);
  ~DescriptorBuf() override { (void)write_out(); }

  // Of the last read or write that failed; 0: none has.
  int error() const { return error_; }

 protected:
  int_type underflow() override;
  int_type overflow(int_type byte) override;
  int sync() override { return write_out() ? 0 : -1; }

 private:
  static constexpr std::size_t kBufferBytes = 64 << 10;

  bool write_out();

  const int fd_;
  int error_ = 0;
  std::array<char, kBufferBytes> in_;
  std::array<char, kBufferBytes> out_;
};

}  // namespace tako::runtime
