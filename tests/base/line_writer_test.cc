// What becomes of log lines when their reader is slow, gone, or out of room.
#include "base/line_writer.h"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace tako {
namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    ::close(ends[1]);
    close_reader();
  }
  void close_reader() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }
  // All that is in it now.
  std::string drain() {
    std::string all;
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<size_t>(n));
    return all;
  }
  int ends[2];
};

TEST_CASE("lines arrive, and one that is too long is cut and stays one line") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], LineWriter::Descriptor::kBorrowed);
  CHECK(writer.write("one\n"));
  CHECK(writer.write(std::string(10'000, 'x') + "\n"));
  const std::string all = pipe.drain();
  CHECK(all.size() == 4 + LineWriter::kLineBytesMax);
  CHECK(all.starts_with("one\nxxx"));
  CHECK(all.ends_with("x...\n"));
  CHECK(writer.lost() == 0);
}

TEST_CASE("a pipe that nobody reads holds nobody up: its lines are lost and counted, and later ones arrive") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], LineWriter::Descriptor::kBorrowed);
  std::size_t sent = 0;
  while (writer.write("a line of the log\n")) REQUIRE(++sent < 100'000);
  CHECK_FALSE(writer.write("another\n"));
  CHECK(writer.lost() == 2);
  CHECK(writer.reason() == "nobody reads it");
  CHECK(pipe.drain().size() == sent * 18);
  CHECK(writer.write("later\n"));
  writer.told();
  CHECK(writer.lost() == 0);
  CHECK(pipe.drain() == "later\n");
}

TEST_CASE("a reader that went away, and a full disk, lose the line and say why") {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  LineWriter writer(pipe.ends[1], LineWriter::Descriptor::kBorrowed);
  pipe.close_reader();
  CHECK_FALSE(writer.write("line\n"));
  CHECK(writer.reason() == "Broken pipe");

  LineWriter full(::open("/dev/full", O_WRONLY | O_CLOEXEC), LineWriter::Descriptor::kOwned);
  CHECK_FALSE(full.write("line\n"));
  CHECK_FALSE(full.write("line\n"));
  CHECK(full.lost() == 2);
  CHECK(full.reason() == "No space left on device");
}

TEST_CASE("a line of which the disk took a part is ended before the next") {
  std::signal(SIGXFSZ, SIG_IGN);
  std::string name = "/tmp/tako-line-writer-XXXXXX";
  const int fd = ::mkstemp(name.data());
  REQUIRE(fd >= 0);
  ::unlink(name.c_str());
  LineWriter writer(fd, LineWriter::Descriptor::kOwned);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{10, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  CHECK(writer.write("12345\n"));
  CHECK_FALSE(writer.write("6789abc\n"));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(writer.write("next\n"));
  char all[64];
  const ssize_t size = ::pread(fd, all, sizeof all, 0);
  CHECK(std::string(all, static_cast<std::size_t>(size)) == "12345\n6789\nnext\n");
}

}  // namespace
}  // namespace tako
