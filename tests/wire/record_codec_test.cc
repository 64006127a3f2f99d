#include "wire/cluster/record_codec.h"

#include <doctest/doctest.h>

#include "random_messages.h"

namespace tako::wire {
namespace {

using model::Record;
using testing::random_record;
using testing::same;

TEST_CASE("every record comes back from its stored form") {
  Random random(2);
  for (int i = 0; i < 5'000; ++i) {
    const Record record = random_record(random, false);
    const std::string bytes = encode_record(record);
    const Result<Record> back = decode_record(Bytes::copy_of(bytes));
    REQUIRE(back.ok());
    REQUIRE(same(record, *back));
  }
}

TEST_CASE("an empty value is a value, and no value is none") {
  Record empty = model::make_value({1, 2}, Bytes());
  REQUIRE(empty.value.has_value());
  CHECK(decode_record(Bytes(encode_record(empty)))->value.has_value());
  CHECK_FALSE(decode_record(Bytes(encode_record(empty.without_value())))->value.has_value());
}

TEST_CASE("a stored record that was cut short anywhere is not taken") {
  Random random(3);
  for (int i = 0; i < 50; ++i) {
    const Bytes bytes(encode_record(random_record(random, true)));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      REQUIRE_FALSE(decode_record(bytes.slice(0, size)).ok());
    }
  }
}

TEST_CASE("what a record decodes from is what it encodes to: there is one encoding") {
  Random random(4);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = encode_record(random_record(random, false));
    bytes[random.below(std::min<std::size_t>(bytes.size(), 90))] ^= static_cast<char>(1 << random.below(8));
    const Result<Record> record = decode_record(Bytes::copy_of(bytes));
    if (record.ok()) REQUIRE(encode_record(*record) == bytes);
  }
}

TEST_CASE("a common record is stored with little beside its value") {
  const Record record = model::make_value({1'700'000'000'000'000, 77}, Bytes(std::string(100, 'x')));
  CHECK(encode_record(record).size() == 100 + 2 + 16 + 1 + 8);
}

TEST_CASE("a record of another format is refused by name") {
  std::string bytes = encode_record(model::make_tombstone({1, 2}));
  bytes[0] = 2;
  const auto record = decode_record(Bytes(bytes));
  REQUIRE_FALSE(record.ok());
  CHECK(record.error().message.find("format") != std::string::npos);
}

TEST_CASE("a record over the model's limits is refused") {
  Record typed = model::make_value({1, 2}, Bytes::copy_of("v"));
  typed.content_type = std::string(model::kContentTypeBytesMax, 't');
  CHECK(decode_record(Bytes(encode_record(typed))).ok());
  typed.content_type += 't';
  CHECK_FALSE(decode_record(Bytes(encode_record(typed))).ok());

  Record head;
  head.size = model::kValueBytesMax;
  CHECK(decode_record(Bytes(encode_record(head))).ok());
  ++head.size;
  CHECK_FALSE(decode_record(Bytes(encode_record(head))).ok());
}

TEST_CASE("a decoded value shares the buffer it came in") {
  const Bytes bytes(encode_record(model::make_value({1, 2}, Bytes(std::string(1000, 'v')))));
  const auto record = decode_record(bytes);
  REQUIRE(record.ok());
  CHECK(record->value->view().data() == bytes.view().data() + bytes.size() - 1000);
}

}  // namespace
}  // namespace tako::wire
