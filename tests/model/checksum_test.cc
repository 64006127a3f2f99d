// Checksums of values (src/model/checksum.h). The numbers are for ever: they are stored.
#include <doctest/doctest.h>

#include "base/random.h"
#include "model/checksum.h"
#include "model/record.h"

namespace tako::model {
namespace {

std::string random_bytes(std::uint64_t seed, std::size_t size) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

std::uint64_t in_pieces(std::string_view value) {
  ValueChecksum sum;
  for (std::uint32_t i = 0; i < pieces_of(value.size()); ++i) {
    sum.add(piece_checksum(value.substr(std::size_t{i} * kPieceBytes, piece_size(value.size(), i))));
  }
  return sum.value();
}

TEST_CASE("a value of up to a piece has the plain checksum") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPieceBytes - 1, kPieceBytes}) {
    const std::string value = random_bytes(1, size);
    CHECK(checksum_of(value) == xxh3_64(value));
    CHECK(in_pieces(value) == xxh3_64(value));
  }
  CHECK(make_value({1, 2}, Bytes::copy_of("tako")).checksum == xxh3_64("tako"));
}

TEST_CASE("a larger value's checksum is that of its pieces' checksums, big-endian") {
  for (const std::size_t size : {kPieceBytes + 1, 2 * kPieceBytes, 3 * kPieceBytes + 7}) {
    CAPTURE(size);
    const std::string value = random_bytes(2, size);
    std::string sums;
    for (std::size_t from = 0; from < size; from += kPieceBytes) {
      const std::uint64_t sum = xxh3_64(std::string_view(value).substr(from, kPieceBytes));
      for (int shift = 56; shift >= 0; shift -= 8) sums.push_back(static_cast<char>(sum >> shift));
    }
    CHECK(checksum_of(value) == xxh3_64(sums));
    CHECK(in_pieces(value) == checksum_of(value));
    CHECK(make_value({1, 2}, Bytes(value)).checksum == checksum_of(value));
  }
  CHECK(checksum_of(std::string(kPieceBytes + 1, 'x')) == 13'975'627'509'404'861'795ull);
}

TEST_CASE("pieces that change places change the checksum") {
  const std::string a = random_bytes(3, kPieceBytes);
  const std::string b = random_bytes(4, kPieceBytes);
  CHECK(checksum_of(a + b) != checksum_of(b + a));
}

TEST_CASE("a value is cut into whole pieces and what is left") {
  CHECK(pieces_of(0) == 0);
  CHECK(pieces_of(1) == 1);
  CHECK(pieces_of(kPieceBytes) == 1);
  CHECK(pieces_of(kPieceBytes + 1) == 2);
  CHECK(pieces_of(kValueBytesMax) == kPiecesMax);
  CHECK(piece_size(kPieceBytes + 1, 0) == kPieceBytes);
  CHECK(piece_size(kPieceBytes + 1, 1) == 1);
  CHECK(piece_size(2 * kPieceBytes, 1) == kPieceBytes);
}

}  // namespace
}  // namespace tako::model
