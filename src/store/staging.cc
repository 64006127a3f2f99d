#include "store/staging.h"

#include <algorithm>

#include "model/checksum.h"

namespace tako::store {

using model::Record;
using model::UploadId;

namespace {

Status fits(const Staging::Upload& upload, const Staging::Piece& piece) {
  const bool is_short = piece.bytes < model::kPieceBytes;
  if (upload.has(piece.index) && upload.checksums[piece.index] != piece.checksum) {
    return {ErrorCode::kConflict, "another piece was sent in its place"};
  }
  if (is_short && upload.short_bytes > 0 && upload.short_index != piece.index) {
    return {ErrorCode::kInvalid, "only the last piece of a value may be shorter"};
  }
  return ok_status();
}

}  // namespace

Status Staging::Upload::complete(const Record& record) const {
  const std::uint32_t pieces = model::pieces_of(record.size);
  const std::size_t tail = model::piece_size(record.size, pieces - 1);
  const bool short_fits = short_bytes == 0 || (short_index == pieces - 1 && short_bytes == tail);
  if (checksums.size() > pieces || !short_fits) {
    return {ErrorCode::kInvalid, "the pieces that were sent are not those of the value; send it again"};
  }
  const bool all = stored.size() == pieces && std::find(stored.begin(), stored.end(), false) == stored.end();
  if (!all) return {ErrorCode::kNotFound, "pieces of the value are missing here"};
  if (short_bytes == 0 && tail != model::kPieceBytes) {
    return {ErrorCode::kInvalid, "the value's last piece is too long; send it again"};
  }
  model::ValueChecksum sum;
  for (const std::uint64_t checksum : checksums) sum.add(checksum);
  if (sum.value() != record.checksum) {
    return {ErrorCode::kInvalid, "the value does not match its checksum; send it again"};
  }
  return ok_status();
}

Staging::Upload* Staging::find(const std::string& key, const UploadId& id) {
  const auto found = uploads_.find(Name(key, id));
  return found == uploads_.end() ? nullptr : &found->second;
}

Result<Staging::Upload*> Staging::note(const Name& name, const Piece& piece, const UploadId& local, TimePoint now) {
  auto found = uploads_.find(name);
  if (found == uploads_.end()) {
    if (is_over(name)) return {ErrorCode::kConflict, "the upload is over"};
    if (uploads_.size() >= kUploadsMax) return {ErrorCode::kOverloaded, "too many uploads at once; try again later"};
    found = uploads_.emplace(name, Upload()).first;
    found->second.local = local;
    found->second.touched = now;
  }
  Upload& upload = found->second;
  const Status fitting = fits(upload, piece);
  if (!fitting) return fitting.error();
  if (piece.index >= upload.checksums.size()) {
    const std::size_t more = piece.index + 1 - upload.checksums.size();
    if (pieces_ + more > kPiecesMax) return {ErrorCode::kOverloaded, "too many pieces at once; try again later"};
    pieces_ += more;
    upload.checksums.resize(piece.index + 1);
    upload.stored.resize(piece.index + 1);
  }
  upload.checksums[piece.index] = piece.checksum;
  if (piece.bytes < model::kPieceBytes) {
    upload.short_index = piece.index;
    upload.short_bytes = piece.bytes;
  }
  upload.touched = now;
  return &upload;
}

void Staging::end(const std::string& key, const UploadId& id) {
  const auto found = uploads_.find(Name(key, id));
  if (found != uploads_.end()) {
    pieces_ -= found->second.checksums.size();
    uploads_.erase(found);
  }
  if (is_over(Name(key, id))) return;
  if (ended_.size() >= kEndedMax) ended_.pop_front();
  ended_.emplace_back(key, id);
}

bool Staging::is_over(const Name& name) const { return std::find(ended_.begin(), ended_.end(), name) != ended_.end(); }

std::vector<UploadId> Staging::of_key(const std::string& key) const {
  std::vector<UploadId> ids;
  for (auto at = uploads_.lower_bound(Name(key, UploadId())); at != uploads_.end() && at->first.first == key; ++at) {
    ids.push_back(at->first.second);
  }
  return ids;
}

std::vector<Staging::Name> Staging::idle_since(TimePoint then) const {
  std::vector<Name> idle;
  for (const auto& [name, upload] : uploads_) {
    if (upload.touched <= then) idle.push_back(name);
  }
  return idle;
}

bool Staging::knows_local(const std::string& key, const UploadId& local) const {
  for (auto at = uploads_.lower_bound(Name(key, UploadId())); at != uploads_.end() && at->first.first == key; ++at) {
    if (at->second.local == local) return true;
  }
  return false;
}

}  // namespace tako::store
