#include "wire/cluster/codec.h"

#include <doctest/doctest.h>

#include "base/random.h"

namespace tako::wire {
namespace {

TEST_CASE("fixed integers are little-endian") {
  Writer out;
  out.u8(0x01);
  out.u16(0x0203);
  out.u32(0x04050607);
  out.u64(0x08090a0b0c0d0e0f);
  CHECK(out.view() == std::string_view("\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08", 15));

  Reader in(out.view());
  CHECK(in.u8() == 0x01);
  CHECK(in.u16() == 0x0203);
  CHECK(in.u32() == 0x04050607);
  CHECK(in.u64() == 0x08090a0b0c0d0e0f);
  CHECK(in.finish("test").ok());
}

TEST_CASE("a varint comes back, and its encoding is the only one") {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random.next() >> random.below(64);
    Writer out;
    out.varint(value);
    REQUIRE(out.size() <= kVarintBytesMax);
    Reader in(out.view());
    REQUIRE(in.varint() == value);
    REQUIRE(in.finish("test").ok());
  }
  for (const std::string_view bad : {std::string_view("\x80\x00", 2), std::string_view("\xff\x80\x00", 3)}) {
    Reader in(bad);
    in.varint();
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("a varint of more than 64 bits is refused") {
  Reader fits(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
  CHECK(fits.varint() == ~0ull);
  CHECK(fits.ok());
  Reader over(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  over.varint();
  CHECK_FALSE(over.ok());
  Reader longer(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11));
  longer.varint();
  CHECK_FALSE(longer.ok());
}

TEST_CASE("a varint over the limit that the reader was told is refused") {
  Writer out;
  out.varint(101);
  Reader in(out.view());
  CHECK(in.varint(100) == 0);
  CHECK_FALSE(in.ok());
}

TEST_CASE("nothing is read past the end, and the first error sticks") {
  Reader in(std::string_view("\x07\x01", 2));
  CHECK(in.u32() == 0);
  CHECK_FALSE(in.ok());
  CHECK(in.u8() == 0);
  CHECK(in.text(10).empty());
  CHECK(in.raw(1).empty());
  CHECK(in.remaining() == 0);
  in.fail("another problem");
  CHECK(in.finish("test").error().message == "malformed test at byte 0 of 2: it ends too early");
}

TEST_CASE("a text's length is checked before anything is set aside for it") {
  Writer out;
  out.varint(1ull << 60);
  Reader far(out.view());
  CHECK(far.text(~std::size_t{0}).empty());
  CHECK_FALSE(far.ok());

  Writer four;
  four.text("four");
  Reader over(four.view());
  CHECK(over.text(3).empty());
  CHECK_FALSE(over.ok());
  Reader fits(four.view());
  CHECK(fits.text(4) == "four");
}

TEST_CASE("a count is bounded by the bytes that are there") {
  Writer out;
  out.varint(3);
  out.raw("12345");
  Reader two_bytes_each(out.view());
  CHECK(two_bytes_each.count(10, 2) == 0);
  CHECK_FALSE(two_bytes_each.ok());
  Reader one_byte_each(out.view());
  CHECK(one_byte_each.count(10, 1) == 3);
  Reader over(out.view());
  CHECK(over.count(2, 1) == 0);
  CHECK_FALSE(over.ok());
}

TEST_CASE("a flag is 0 or 1") {
  Reader in(std::string_view("\x00\x01\x02", 3));
  CHECK_FALSE(in.flag());
  CHECK(in.flag());
  in.flag();
  CHECK_FALSE(in.ok());
}

TEST_CASE("bytes are a slice of a shared source and a copy of a borrowed one") {
  const Bytes source(std::string("head, and a value that is long enough to live on the heap"));
  Reader sharing(source);
  sharing.raw(6);
  CHECK(sharing.bytes(10).view().data() == source.view().data() + 6);

  Reader copying(source.view());
  copying.raw(6);
  const Bytes copy = copying.bytes(10);
  CHECK(copy.view() == source.view().substr(6, 10));
  CHECK(copy.view().data() != source.view().data() + 6);
}

TEST_CASE("bytes left over are an error") {
  Reader in(std::string_view("ab"));
  in.u8();
  CHECK_FALSE(in.finish("test").ok());
}

}  // namespace
}  // namespace tako::wire
