// Values in pieces: how they are staged, read, and freed.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/plant.h"
#include "model/checksum.h"
#include "store/store_state.h"

namespace tako::store {

using model::Ballot;
using model::Record;
using model::Slot;
using model::UploadId;

namespace {

constexpr int kReadAttempts = 3;
constexpr std::size_t kLeftoversPage = 256;
constexpr Duration kLatePiece = milliseconds(50);

Status check_piece(const std::string& key, const Staging::Piece& about, const Bytes& piece) {
  if (key.size() > model::kKeyBytesMax) return {ErrorCode::kInvalid, "the key is too long"};
  if (about.index >= model::kPiecesMax) return {ErrorCode::kTooLarge, "the value is too large"};
  if (piece.empty() || piece.size() > model::kPieceBytes) {
    return {ErrorCode::kInvalid, "a piece of a size that no piece has"};
  }
  if (model::piece_checksum(piece.view()) != about.checksum) {
    return {ErrorCode::kCorrupt, "the piece does not match its checksum; send it again"};
  }
  return ok_status();
}

bool sound(const StoredPiece& piece) { return model::piece_checksum(piece.bytes.view()) == piece.checksum; }

// Is it all of a small value?
bool matches(const StoredPiece& piece, const Record& record) {
  if (planted(Plant::kChecksumUnseen)) return true;
  return sound(piece) && piece.bytes.size() == record.size && piece.checksum == record.checksum;
}

class Turn {
 public:
  explicit Turn(runtime::Slots& slots) : slots_(slots) {}
  ~Turn() { slots_.release(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  runtime::Slots& slots_;
};

}  // namespace

Error damaged_error() {
  return Error(ErrorCode::kCorrupt, "the stored value does not match its checksum; a replica's copy will mend it");
}

// One name for all: the pieces of one version would be taken for another's.
UploadId Store::State::draw_id() {
  if (planted(Plant::kPiecesByKey)) return UploadId{1, 1};
  const std::uint64_t high = loop.random().next();
  return UploadId{high, loop.random().next()};
}

// --- reading ----------------------------------------------------------------------------------------------------

// The value of a record that is stored as one piece.
Task<Result<Bytes>> Store::State::load_piece(std::string key, StoredSlot stored) {
  const std::uint64_t position = model::position_of(key);
  const Record& record = *stored.slot.record;
  std::string row_key = piece_key(position, key, stored.pieces_id, 0);
  if (buggify(loop.random(), "store/late_piece")) co_await loop.sleep(kLatePiece);
  auto row = co_await engine.get(Family::kChunks, std::move(row_key));
  if (!row) co_return Result<Bytes>(row.error());
  if (!*row) co_return Result<Bytes>(ErrorCode::kNotFound, "the piece is gone");
  auto piece = decode_piece(std::move(**row));
  if (!piece || !matches(*piece, record)) co_return Result<Bytes>(damaged_error());
  co_return Result<Bytes>(std::move(piece->bytes));
}

Task<std::optional<Record>> Store::State::whole_record(std::string key, StoredSlot stored) {
  Record& record = *stored.slot.record;
  if (record.tombstone() || record.value) co_return std::move(record);
  if (stored.pieces != 1) co_return std::nullopt;
  auto value = co_await load_piece(std::move(key), stored);
  if (!value) co_return std::nullopt;
  record.value = std::move(*value);
  co_return std::move(record);
}

Task<Result<Slot>> Store::State::load_value(std::string key, StoredSlot stored) {
  auto value = co_await load_piece(key, stored);
  KeyLock lock(locks, key);
  if (!value && value.code() == ErrorCode::kNotFound) {
    // Replaced meanwhile, most likely: once more, and nobody may write.
    const Status locked = co_await lock.acquire();
    if (!locked) co_return Result<Slot>(locked.error());
    auto again = co_await load(key);
    if (!again) co_return Result<Slot>(again.error());
    stored = std::move(*again);
    if (stored.pieces != 1) co_return Result<Slot>(std::move(stored.slot));
    value = co_await load_piece(key, stored);
  }
  const bool lost = !value && (value.code() == ErrorCode::kNotFound || value.code() == ErrorCode::kCorrupt);
  if (!value && !lost) co_return Result<Slot>(value.error());
  if (lost) {
    note_damaged(key, stored.slot.ballot());
    co_return Result<Slot>(damaged_error());
  }
  stored.slot.record->value = std::move(*value);
  co_return Result<Slot>(std::move(stored.slot));
}

Task<Result<StoredPiece>> Store::read_piece(std::string key, Ballot ballot, std::uint32_t index) {
  using Found = Result<StoredPiece>;
  state_->check_here(key);
  const std::uint64_t position = model::position_of(key);
  auto loaded = co_await state_->load(key);
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (!loaded) co_return Found(loaded.error());
    const StoredSlot stored = *loaded;
    const auto& record = stored.slot.record;
    if (!record) co_return Found(ErrorCode::kNotFound, "nothing is stored here under this key");
    if (record->ballot != ballot) co_return Found(ErrorCode::kConflict, "another version is stored here now");
    const std::uint32_t pieces = model::pieces_of(record->size);
    if (record->tombstone() || index >= pieces) co_return Found(ErrorCode::kNotFound, "the value has no such piece");
    const std::size_t size = model::piece_size(record->size, index);

    StoredPiece piece;
    if (stored.pieces == 0) {
      piece = StoredPiece{record->checksum, *record->value};
    } else {
      std::string row_key = piece_key(position, key, stored.pieces_id, index);
      auto row = co_await state_->engine.get(Family::kChunks, std::move(row_key));
      if (!row && row.code() != ErrorCode::kCorrupt) co_return Found(row.error());
      auto decoded = row && *row ? decode_piece(std::move(**row)) : std::nullopt;
      if (decoded) piece = std::move(*decoded);
    }
    const bool good = planted(Plant::kPieceUnchecked) || (piece.bytes.size() == size && sound(piece));
    if (good && !piece.bytes.empty()) co_return Found(std::move(piece));

    // Replaced meanwhile, or damaged.
    loaded = co_await state_->load(key);
    if (loaded && loaded->slot.ballot() == ballot && loaded->pieces_id == stored.pieces_id) {
      state_->note_damaged(key, ballot);
      break;
    }
  }
  co_return Found(damaged_error());
}

Task<Status> Store::verify(std::string key, Ballot ballot) {
  const auto head = co_await read(key, true);
  if (!head) co_return Status(head.error());
  if (head->ballot() != ballot) co_return Status(ErrorCode::kNotFound, "another version is stored here now");
  const Record& record = *head->record;
  if (!record.in_pieces()) co_return ok_status();
  model::ValueChecksum sum;
  for (std::uint32_t i = 0; i < model::pieces_of(record.size); ++i) {
    const auto piece = co_await read_piece(key, ballot, i);
    const bool gone = !piece && (piece.code() == ErrorCode::kConflict || piece.code() == ErrorCode::kNotFound);
    if (gone) co_return Status(ErrorCode::kNotFound, "another version is stored here now");
    if (!piece) co_return Status(piece.error());
    sum.add(piece->checksum);
  }
  if (sum.value() == record.checksum) co_return ok_status();
  state_->note_damaged(key, ballot);
  co_return Status(damaged_error());
}

// --- staging ----------------------------------------------------------------------------------------------------

Task<Status> Store::stage(std::string key, UploadId upload, std::uint32_t index, Bytes piece, std::uint64_t checksum) {
  state_->check_here(key);
  const Staging::Piece about{index, piece.size(), checksum};
  const Status valid = check_piece(key, about, piece);
  if (!valid) co_return valid;
  if (buggify(state_->loop.random(), "store/staging_full")) {
    co_return Status(ErrorCode::kOverloaded, "too many uploads at once; try again later");
  }
  const bool turn = co_await state_->staging_turns.acquire(TimePoint::max());
  if (!turn) co_return Status(ErrorCode::kStopping, "the node is stopping; try another one");
  const Turn taken(state_->staging_turns);
  co_return co_await state_->write_piece(std::move(key), upload, about, std::move(piece));
}

// Under sync: always the commit syncs the log, and with it all pieces before it.
Task<Status> Store::State::write_piece(std::string key, UploadId upload, Staging::Piece about, Bytes piece) {
  const Staging::Name name(key, upload);
  const auto noted = staging.note(name, about, draw_id(), loop.now());
  if (!noted) co_return Status(noted.error());
  if ((*noted)->has(about.index)) co_return ok_status();
  const std::uint64_t position = model::position_of(key);
  const UploadId local = (*noted)->local;
  Batch batch;
  batch.sync_later = true;
  if (!(*noted)->marked) batch.put(Family::kSystem, staged_key(position, key, local), "");
  batch.put(Family::kChunks, piece_key(position, key, local, about.index), encode_piece(about.checksum, piece.view()));
  piece = Bytes();
  const Status written = co_await engine.write(std::move(batch));
  if (!written) co_return written;

  Staging::Upload* now = staging.find(key, upload);
  if (!now || now->local != local) co_return Status(ErrorCode::kConflict, "the upload is over");
  now->marked = true;
  now->stored[about.index] = true;
  now->touched = loop.now();
  co_return ok_status();
}

Task<Result<StoredPiece>> Store::read_staged(std::string key, UploadId upload, std::uint32_t index) {
  using Found = Result<StoredPiece>;
  state_->check_here(key);
  Staging::Upload* staged = state_->staging.find(key, upload);
  if (!staged || !staged->has(index)) co_return Found(ErrorCode::kNotFound, "that piece is not staged here");
  staged->touched = state_->loop.now();  // it is of use
  std::string row_key = piece_key(model::position_of(key), key, staged->local, index);
  auto row = co_await state_->engine.get(Family::kChunks, std::move(row_key));
  if (!row) co_return Found(row.error());
  if (!*row) co_return Found(ErrorCode::kNotFound, "that piece is not staged here");
  auto piece = decode_piece(std::move(**row));
  if (!piece || !sound(*piece)) co_return Found(ErrorCode::kNotFound, "that piece is damaged");
  co_return Found(std::move(*piece));
}

Task<Status> Store::discard(std::string key, UploadId upload) {
  state_->check_here(key);
  KeyLock lock(state_->locks, key);
  const Status locked = co_await lock.acquire();
  if (!locked) co_return locked;
  co_return co_await state_->end_upload(key, upload);
}

// REQUIRES: the key is locked
Task<Status> Store::State::end_upload(std::string key, UploadId upload) {
  const Staging::Upload* staged = staging.find(key, upload);
  const UploadId local = staged ? staged->local : UploadId();
  const bool known = staged != nullptr;
  staging.end(key, upload);  // also of one that is not known: its pieces may be late
  if (!known) co_return ok_status();
  const Status freed = co_await free_rows(std::move(key), local);
  leftovers |= !freed.ok();
  co_return freed;
}

// A commit that failed may have been written all the same: then the rows are the value's.
Task<Status> Store::State::free_rows(std::string key, UploadId local) {
  const auto loaded = co_await load(key);
  if (!loaded && loaded.code() != ErrorCode::kCorrupt) co_return Status(loaded.error());
  const std::uint64_t position = model::position_of(key);
  const bool named = loaded && loaded->pieces > 0 && loaded->pieces_id == local;
  Batch batch;
  batch.frees_space = true;
  batch.erase(Family::kSystem, staged_key(position, key, local));
  if (!named) erase_pieces(batch, position, key, local, model::kPiecesMax);
  co_return co_await engine.write(std::move(batch));
}

// --- the sweep --------------------------------------------------------------------------------------------------

Task<> Store::sweep() {
  state_->check_here();
  if (planted(Plant::kStagedForever)) co_return;
  const Duration idle_max = buggify(state_->loop.random(), "store/sweep_soon") ? seconds(5) : kStagedIdleMax;
  const auto idle = state_->staging.idle_since(state_->loop.now() - idle_max);
  for (const Staging::Name& name : idle) {
    KeyLock lock(state_->locks, name.first);
    const Status locked = co_await lock.acquire();
    if (!locked) co_return;
    const Staging::Upload* upload = state_->staging.find(name.first, name.second);
    if (!upload || upload->touched > state_->loop.now() - idle_max) continue;
    log::info("upload_given_up", {{"key", name.first}, {"pieces", upload->checksums.size()}});
    const Status ended = co_await state_->end_upload(name.first, name.second);
    if (!ended) log::warn("upload_not_freed", {{"key", name.first}, {"reason", ended.error().message}});
  }
  if (!std::exchange(state_->leftovers, false)) co_return;
  std::string begin = staged_begin();
  while (!begin.empty() && !state_->loop.stopping()) begin = co_await state_->free_leftovers(begin);
  state_->leftovers |= !begin.empty();
}

Task<std::string> Store::State::free_leftovers(std::string begin) {
  Range range;
  range.begin = std::move(begin);
  range.end = staged_end();
  ScanLimits limits;
  limits.entries_max = kLeftoversPage;
  auto page = co_await engine.scan(Family::kSystem, std::move(range), limits);
  if (!page) {
    leftovers = true;
    co_return std::string();
  }
  for (const auto& [row_key, row] : page->entries) {
    const auto parsed = parse_staged_key(row_key);
    if (!parsed || !digests.ours(model::partition_of(parsed->key))) continue;
    KeyLock lock(locks, parsed->key);
    const Status locked = co_await lock.acquire();
    leftovers |= !locked.ok();
    if (!locked) continue;  // the next sweep's
    if (staging.knows_local(parsed->key, parsed->local)) continue;
    const Status freed = co_await free_rows(parsed->key, parsed->local);
    leftovers |= !freed.ok();
  }
  if (page->unreadable) co_return *page->unreadable + std::string(1, '\0');
  if (page->complete || page->entries.empty()) co_return std::string();
  co_return page->entries.back().first + std::string(1, '\0');
}

}  // namespace tako::store
