// A Store on either world, with the few things that its tests say often.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/checksum.h"
#include "store/slot_codec.h"
#include "store/staging.h"
#include "store/store.h"
#include "store/worlds.h"

namespace tako::test {

using model::Ballot;
using model::Record;
using model::Slot;
using store::Accepted;
using store::Listing;
using store::Store;
using store::StoredSlot;

inline Record value_of(std::uint64_t timestamp, std::string value, std::uint64_t writer = 1) {
  return model::make_value({timestamp, writer}, Bytes(std::move(value)));
}

// A value that no two ballots share.
inline std::string pattern(std::uint64_t timestamp, std::size_t bytes) {
  std::string value(bytes, '\0');
  Random random(timestamp);
  for (char& c : value) c = static_cast<char>('a' + random.below(26));
  return value;
}

inline Bytes piece_of(const std::string& value, std::uint32_t index) {
  return Bytes(value.substr(std::size_t{index} * model::kPieceBytes, model::kPieceBytes));
}

template <class World>
struct StoreWorld {
  World world;
  std::unique_ptr<Store> owned = std::make_unique<Store>(world.loop(), world.engine());
  std::uint64_t uploads = 1'000'000;  // far from those that tests name

  // Another process on the same disk.
  void restart() {
    owned.reset();
    world.reopen();
    owned = std::make_unique<Store>(world.loop(), world.engine());
  }

  // As a proxy writes it: a value of more than a piece is staged first.
  Task<Result<Accepted>> write(std::string key, Record record) {
    const bool large = record.value && record.in_pieces();
    if (!large) co_return co_await owned->accept(std::move(key), std::move(record));
    const model::UploadId upload{++uploads, record.ballot.timestamp};
    const std::string value(record.value->view());
    for (std::uint32_t i = 0; i < model::pieces_of(value.size()); ++i) {
      const Bytes piece = piece_of(value, i);
      const std::uint64_t checksum = model::piece_checksum(piece.view());
      const Status staged = co_await owned->stage(key, upload, i, piece, checksum);
      if (!staged) co_return staged.error();
    }
    record.value.reset();
    auto accepted = co_await owned->accept(key, std::move(record), upload);
    const Status discarded = co_await owned->discard(key, upload);
    if (!discarded) co_return discarded.error();
    co_return accepted;
  }
  Result<Accepted> accept(std::string key, Record record) {
    return world.run([&]() -> Task<Result<Accepted>> { co_return co_await write(key, record); });
  }
  Result<Accepted> commit(std::string key, Record record, model::UploadId upload) {
    record.value.reset();
    return world.run([&]() -> Task<Result<Accepted>> { co_return co_await owned->accept(key, record, upload); });
  }
  // A piece of the value, as a proxy would send it.
  Status stage(std::string key, model::UploadId upload, const std::string& value, std::uint32_t index) {
    const Bytes piece = piece_of(value, index);
    const std::uint64_t checksum = model::piece_checksum(piece.view());
    return world.run([&]() -> Task<Status> { co_return co_await owned->stage(key, upload, index, piece, checksum); });
  }
  Status stage_all(std::string key, model::UploadId upload, const std::string& value) {
    for (std::uint32_t i = 0; i < model::pieces_of(value.size()); ++i) {
      const Status staged = stage(key, upload, value, i);
      if (!staged) return staged;
    }
    return ok_status();
  }
  Status discard(std::string key, model::UploadId upload) {
    return world.run([&]() -> Task<Status> { co_return co_await owned->discard(key, upload); });
  }
  void sweep() {
    world.run([&]() -> Task<> { co_await owned->sweep(); });
  }
  Result<store::StoredPiece> read_piece(std::string key, Ballot ballot, std::uint32_t index) {
    using Found = Result<store::StoredPiece>;
    return world.run([&]() -> Task<Found> { co_return co_await owned->read_piece(key, ballot, index); });
  }
  // Read piece by piece; an error's name in the place of the value.
  std::string by_pieces(std::string key, Ballot ballot, std::size_t size) {
    std::string value;
    for (std::uint32_t i = 0; i < model::pieces_of(size); ++i) {
      const auto piece = read_piece(key, ballot, i);
      if (!piece) return name_of(piece.code());
      value += piece->bytes.view();
    }
    return value;
  }
  Status verify(std::string key, Ballot ballot) {
    return world.run([&]() -> Task<Status> { co_return co_await owned->verify(key, ballot); });
  }
  std::string staged() { return keys(world, Family::kSystem); }
  Result<Slot> read(std::string key, bool want_value = true) {
    return world.run([&]() -> Task<Result<Slot>> { co_return co_await owned->read(key, want_value); });
  }
  Result<bool> drop(std::string key, Ballot ballot) {
    return world.run([&]() -> Task<Result<bool>> { co_return co_await owned->drop(key, ballot); });
  }
  Result<Listing> list(std::uint64_t position, std::string key, std::uint64_t last, std::size_t entries_max) {
    return world.run(
        [&]() -> Task<Result<Listing>> { co_return co_await owned->list(position, key, last, entries_max); });
  }
  // With its value, whatever its size.
  Task<Result<Slot>> read_all(std::string key) {
    for (;;) {
      auto slot = co_await owned->read(key, true);
      const bool in_pieces = slot.ok() && slot->record && slot->record->in_pieces();
      if (!in_pieces) co_return slot;
      std::string value;
      bool changed = false;
      for (std::uint32_t i = 0; i < model::pieces_of(slot->record->size) && !changed; ++i) {
        const auto piece = co_await owned->read_piece(key, slot->ballot(), i);
        changed = !piece.ok() && (piece.code() == ErrorCode::kConflict || piece.code() == ErrorCode::kNotFound);
        if (!changed && !piece.ok()) co_return Result<Slot>(piece.error());
        if (!changed) value += piece->bytes.view();
      }
      if (changed) continue;
      slot->record->value = Bytes(std::move(value));
      co_return slot;
    }
  }
  // "-" for no record, "x" for a tombstone.
  std::string value(std::string key) {
    const auto slot = world.run([&]() -> Task<Result<Slot>> { co_return co_await read_all(key); });
    if (!slot.ok()) return name_of(slot.code());
    if (!slot->record) return "-";
    return slot->record->tombstone() ? "x" : std::string(slot->record->value->view());
  }
  void plant(std::string key, StoredSlot stored) {
    REQUIRE(put(world, Family::kMeta, store::slot_key(model::position_of(key), key), store::encode_slot(stored)).ok());
  }
  // Of the pieces in the database, those of the key, in order.
  std::vector<std::string> piece_rows(std::string key) {
    const std::uint64_t position = model::position_of(key);
    Range range{store::pieces_begin(position, key), store::pieces_end(position, key)};
    std::vector<std::string> rows;
    ScanLimits all;
    all.entries_max = all.bytes_max = 1 << 30;
    for (const auto& [row_key, row] : scan(world, Family::kChunks, range, all).entries) rows.push_back(row_key);
    return rows;
  }
  std::size_t pieces() {
    ScanLimits all;
    all.entries_max = all.bytes_max = 1 << 30;
    return scan(world, Family::kChunks, {}, all).entries.size();
  }
};

inline std::size_t rows_of(std::size_t bytes) {
  return bytes <= Store::kInlineBytesMax ? 0 : (bytes + Store::kPieceBytes - 1) / Store::kPieceBytes;
}

inline constexpr std::size_t kLarge = 3 * Store::kPieceBytes + 5;

}  // namespace tako::test
