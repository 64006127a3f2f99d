// Rows of the database: slots (meta family) and the pieces of large values (chunks family). Grammar: slot_codec.cc.
//
// Keys are big-endian, so that their order is the ring's: a partition is one contiguous range. A piece's key names
// the ballot that it belongs to, so that one version's pieces are never taken for another's. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/record.h"

namespace tako::store {

// A slot as it is stored: a value in pieces is not in the row.
struct StoredSlot {
  model::Slot slot;
  std::uint32_t pieces = 0;
};

std::string slot_key(std::uint64_t position, std::string_view key);

struct SlotKey {
  std::uint64_t position = 0;
  std::string key;
};
// Nothing: no slot has such a key.
std::optional<SlotKey> parse_slot_key(std::string_view row_key);
// The first place at or after `row_key`, which need not be a slot's.
SlotKey slot_key_at(std::string_view row_key);

std::string piece_key(std::uint64_t position, std::string_view key, const model::Ballot& ballot, std::uint32_t index);

// All pieces of the key, of whatever ballot.
std::string pieces_begin(std::uint64_t position, std::string_view key);
std::string pieces_end(std::uint64_t position, std::string_view key);

// REQUIRES: a record with pieces is without its value
std::string encode_slot(const StoredSlot& stored);
// The record's value, if it is there, shares the row's buffer. kCorrupt: it is not a slot.
Result<StoredSlot> decode_slot(std::string row);

}  // namespace tako::store
