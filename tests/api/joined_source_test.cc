#include "api/common/joined_source.h"

#include <doctest/doctest.h>

#include "support/run_loop.h"

namespace tako::api {
namespace {

using runtime::Task;

constexpr std::size_t kPiece = model::kPieceBytes;

class BrokenSource final : public net::ByteSource {
 public:
  Task<Result<Bytes>> next() override { co_return Error(ErrorCode::kConflict, "overwritten"); }
};

struct Read {
  std::string bytes;
  std::vector<std::size_t> sizes;
  std::string error;
};

Read read_all(std::vector<net::ByteSource*> parts) {
  test::VirtualLoop world;
  JoinedSource joined(std::move(parts));
  Read read;
  world.run([&]() -> Task<bool> {
    while (true) {
      const Result<Bytes> piece = co_await joined.next();
      if (!piece) {
        read.error = piece.error().message;
        co_return false;
      }
      if (piece->empty()) co_return true;
      read.sizes.push_back(piece->size());
      read.bytes += piece->view();
    }
  });
  return read;
}

TEST_CASE("parts of any size become whole pieces, and the rest") {
  const std::string first(kPiece + 5, 'a'), second(2 * kPiece - 7, 'b');
  net::BytesSource a{Bytes(std::string(first))}, none{Bytes()}, b{Bytes(std::string(second))};

  const Read read = read_all({&a, &none, &b});

  CHECK(read.bytes == first + second);
  CHECK(read.sizes == std::vector<std::size_t>{kPiece, kPiece, kPiece - 2});
}

TEST_CASE("what fills its last piece ends with it") {
  net::BytesSource a{Bytes(std::string(10, 'a'))}, b{Bytes(std::string(kPiece - 10, 'b'))};

  CHECK(read_all({&a, &b}).sizes == std::vector<std::size_t>{kPiece});
}

TEST_CASE("nothing is empty") {
  net::BytesSource none{Bytes()};

  CHECK(read_all({&none}).sizes.empty());
  CHECK(read_all({}).error.empty());
}

TEST_CASE("a part that breaks breaks the whole") {
  net::BytesSource a{Bytes(std::string(10, 'a'))};
  BrokenSource b;

  CHECK(read_all({&a, &b}).error == "overwritten");
}

}  // namespace
}  // namespace tako::api
