// The rows of the database: order of the keys, and slots there and back.
#include <doctest/doctest.h>

#include "base/hash.h"
#include "base/random.h"
#include "store/slot_codec.h"

namespace tako::test {

using namespace store;

TEST_CASE("slot keys sort by position, then by key, and parse") {
  CHECK(slot_key(1, "z") < slot_key(2, "a"));
  CHECK(slot_key(255, "") < slot_key(256, ""));
  CHECK(slot_key(7, "a") < slot_key(7, "ab"));
  CHECK(slot_key(0x7fffffffffffffff, "a") < slot_key(0x8000000000000000, "a"));

  const auto parsed = parse_slot_key(slot_key(0x0123456789abcdef, "key"));
  REQUIRE(parsed);
  CHECK(parsed->position == 0x0123456789abcdef);
  CHECK(parsed->key == "key");
  CHECK_FALSE(parse_slot_key("short"));
  CHECK_FALSE(parse_slot_key(std::string(8 + 1025, 'x')));
}

TEST_CASE("a piece belongs to one key and one name") {
  const model::UploadId one{1, 1};
  const model::UploadId two{1, 2};
  CHECK(piece_key(5, "a", one, 0) != piece_key(5, "a", two, 0));
  CHECK(piece_key(5, "a", one, 0) < piece_key(5, "a", one, 1));
  CHECK(piece_key(5, "a", one, 255) < piece_key(5, "a", one, 256));
  // The key's length stands before it: what is behind one key is never within another.
  CHECK(piece_key(5, "a", one, 0).substr(0, 10) != piece_key(5, std::string("a\0", 2), one, 0).substr(0, 10));
}

TEST_CASE("a slot is decoded to what was encoded") {
  StoredSlot empty;
  empty.slot.promise = {9, 4};
  auto decoded = decode_slot(encode_slot(empty));
  REQUIRE(decoded.ok());
  CHECK(decoded->slot.promise == model::Ballot{9, 4});
  CHECK_FALSE(decoded->slot.record);

  StoredSlot full;
  full.slot.record = model::make_value({10, 1}, Bytes(std::string("value")), "text/plain");
  full.slot.record->ballot = {11, 2};
  full.slot.record->flags = 7;
  full.slot.record->expires_at = 99;
  decoded = decode_slot(encode_slot(full));
  REQUIRE(decoded.ok());
  CHECK(decoded->slot.promise.none());
  CHECK(decoded->slot.record->value->view() == "value");
  CHECK(decoded->slot.record->ballot == model::Ballot{11, 2});
  CHECK(decoded->slot.record->version == model::Version{10, 1});
  CHECK(decoded->slot.record->content_type == "text/plain");
  CHECK(decoded->slot.record->flags == 7);
  CHECK(decoded->slot.record->expires_at == 99);

  StoredSlot pieces;
  const std::size_t size = 2 * model::kPieceBytes + 100;
  pieces.slot.record = model::make_value({10, 1}, Bytes(std::string(size, 'x'))).without_value();
  pieces.pieces = 3;
  pieces.pieces_id = {7, 8};
  decoded = decode_slot(encode_slot(pieces));
  REQUIRE(decoded.ok());
  CHECK(decoded->pieces == 3);
  CHECK(decoded->pieces_id == model::UploadId{7, 8});
  CHECK(decoded->slot.record->size == size);
  CHECK_FALSE(decoded->slot.record->value);

  StoredSlot tombstone;
  tombstone.slot.record = model::make_tombstone({12, 1});
  decoded = decode_slot(encode_slot(tombstone));
  REQUIRE(decoded.ok());
  CHECK(decoded->slot.record->tombstone());
}

TEST_CASE("a slot whose pieces are not as many as its value has is corrupt") {
  StoredSlot pieces;
  pieces.slot.record = model::make_value({10, 1}, Bytes(std::string(model::kPieceBytes + 1, 'x'))).without_value();
  pieces.pieces = 2;
  CHECK(decode_slot(encode_slot(pieces)).ok());
  pieces.pieces = 3;
  CHECK(decode_slot(encode_slot(pieces)).code() == ErrorCode::kCorrupt);
}

TEST_CASE("a piece's row has its checksum in front of it") {
  const auto piece = decode_piece(encode_piece(0x0102030405060708, "piece"));
  REQUIRE(piece);
  CHECK(piece->checksum == 0x0102030405060708);
  CHECK(piece->bytes.view() == "piece");
  CHECK_FALSE(decode_piece("1234567"));
}

TEST_CASE("a row of what is staged names the key and the pieces") {
  for (const std::string key : {"", "key", "with/slashes//", "staged0"}) {
    const std::string row_key = staged_key(9, key, {3, 4});
    CHECK(row_key >= staged_begin());
    CHECK(row_key < staged_end());
    const auto parsed = parse_staged_key(row_key);
    REQUIRE(parsed);
    CHECK(parsed->key == key);
    CHECK(parsed->local == model::UploadId{3, 4});
    CHECK_FALSE(parse_staged_key(row_key + "x"));
    CHECK_FALSE(parse_staged_key(row_key.substr(1)));
    CHECK_FALSE(parse_staged_key(row_key.substr(0, row_key.size() - 1)));
  }
}

TEST_CASE("what is not a slot is corrupt, whatever it is") {
  StoredSlot full;
  full.slot.promise = {9, 4};
  full.slot.record = model::make_value({10, 1}, Bytes(std::string("value")));
  const std::string good = encode_slot(full);

  CHECK(decode_slot("").code() == ErrorCode::kCorrupt);
  CHECK(decode_slot(good + "x").code() == ErrorCode::kCorrupt);
  for (std::size_t i = 0; i < good.size(); ++i) CHECK(decode_slot(good.substr(0, i)).code() == ErrorCode::kCorrupt);

  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (int changes = 0; changes < 3; ++changes) bad[random.below(bad.size())] = static_cast<char>(random.next());
    const auto decoded = decode_slot(bad);
    if (!decoded.ok()) CHECK(decoded.code() == ErrorCode::kCorrupt);
  }
}

}  // namespace tako::test
