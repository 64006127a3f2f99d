// Rows of the database: slots (meta family), the pieces of large values (chunks family), and the names of those that
// are staged (system family). Grammar: slot_codec.cc.
//
// Keys are big-endian, so that their order is the ring's: a partition is one contiguous range. A piece's key has the
// name that the slot calls its pieces by, so that one version's pieces are never taken for another's. Pure.
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
  model::UploadId pieces_id;  // what their rows are called by; this store's own
};

struct StoredPiece {
  std::uint64_t checksum = 0;
  Bytes bytes;
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

std::string piece_key(std::uint64_t position, std::string_view key, const model::UploadId& id, std::uint32_t index);

// All pieces of the key, of whatever name.
std::string pieces_begin(std::uint64_t position, std::string_view key);
std::string pieces_end(std::uint64_t position, std::string_view key);

// REQUIRES: a record with pieces is without its value
std::string encode_slot(const StoredSlot& stored);
// The record's value, if it is there, shares the row's buffer. kCorrupt: it is not a slot.
Result<StoredSlot> decode_slot(std::string row);

std::string encode_piece(std::uint64_t checksum, std::string_view piece);
// Nothing: it is too short. Whether the checksum is right is for the caller.
std::optional<StoredPiece> decode_piece(std::string row);

// The row in the system family that says that pieces under a name are staged. Its value is empty.
std::string staged_key(std::uint64_t position, std::string_view key, const model::UploadId& local);
std::string staged_begin();  // of all such rows
std::string staged_end();
struct StagedKey {
  std::string key;
  model::UploadId local;
};
std::optional<StagedKey> parse_staged_key(std::string_view row_key);

}  // namespace tako::store
