// LineWriter: whole lines to a descriptor whose other end may be slow, stuck, full or gone. It never waits for long and
// never fails: what cannot be written is dropped and counted, and the reason kept until the caller has told it.
//
// For the log, under its lock. Lines are cut at what a pipe takes at once, so those of several processes do not mix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tako {

class LineWriter {
 public:
  static constexpr std::size_t kLineBytesMax = 4096;  // PIPE_BUF
  static constexpr int kPatienceMs = 100;             // once; while nobody reads, the lines after it do not wait

  // `owned`: closed at its end.
  enum class Descriptor : unsigned char { kOwned, kBorrowed };
  LineWriter(int fd, Descriptor whose) : fd_(fd), whose_(whose) {}
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` ends with a line break. False: it is dropped, or a part of it.
  bool write(std::string_view line);

  // Since they were last told of.
  std::uint64_t lost() const { return lost_; }
  const std::string& reason() const { return reason_; }
  void told() { lost_ = 0; }

 private:
  bool put(std::string_view bytes);
  bool drop(std::string reason);

  const int fd_;
  const Descriptor whose_;
  bool stuck_ = false;  // it had no room when it was last asked
  bool torn_ = false;   // the last line has no end
  std::uint64_t lost_ = 0;
  std::string reason_;
};

}  // namespace tako
