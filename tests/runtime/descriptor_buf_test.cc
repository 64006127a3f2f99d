// The input and the output of a tool: what fails is told from what ends.
#include "runtime/descriptor_buf.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <istream>
#include <ostream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "runtime/signals.h"

namespace tako::runtime {
namespace {

struct Fd {
  explicit Fd(int open) : number(open) { REQUIRE(open >= 0); }
  ~Fd() { ::close(number); }
  const int number;
};

TEST_CASE("the end of an input is no error, and an input that fails is no end") {
  const Fd nothing(::open("/dev/null", O_RDONLY));
  DescriptorBuf ends(nothing.number);
  std::istream in(&ends);
  char byte = 0;
  in.read(&byte, 1);
  CHECK(in.eof());
  CHECK_FALSE(in.bad());

  const Fd folder(::open("/", O_RDONLY | O_DIRECTORY));
  DescriptorBuf fails(folder.number);
  std::istream bad(&fails);
  bad.read(&byte, 1);
  CHECK(bad.bad());
  CHECK(fails.error() == EISDIR);
}

TEST_CASE("an output that is full makes the stream bad when it is flushed") {
  const Fd full(::open("/dev/full", O_WRONLY));
  DescriptorBuf buffer(full.number);
  std::ostream out(&buffer);
  out << "words" << std::flush;
  CHECK(out.bad());
  CHECK(buffer.error() == ENOSPC);
}

TEST_CASE("more than the buffer holds goes through in order") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd from(ends[0]);
  const Fd to(ends[1]);
  ::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  std::string sent;
  for (int i = 0; i < 20'000; ++i) sent += std::to_string(i) + ' ';
  DescriptorBuf out(to.number);
  DescriptorBuf in(from.number);
  std::ostream(&out) << sent.substr(0, 5) << sent.substr(5) << std::flush;
  std::string got(sent.size(), '\0');
  std::istream(&in).read(got.data(), static_cast<std::streamsize>(got.size()));
  CHECK(got == sent);
}

TEST_CASE("a descriptor that was closed at start is opened such that using it fails") {
  const int kept = ::dup(STDIN_FILENO);
  ::close(STDIN_FILENO);
  settle_descriptors();
  char byte = 0;
  CHECK(::fcntl(STDIN_FILENO, F_GETFD) >= 0);
  CHECK(::read(STDIN_FILENO, &byte, 1) == -1);
  const Fd next(::open("/dev/null", O_RDONLY));
  CHECK(next.number > STDERR_FILENO);
  if (kept >= 0) ::dup2(kept, STDIN_FILENO);
  if (kept >= 0) ::close(kept);
}

}  // namespace
}  // namespace tako::runtime
