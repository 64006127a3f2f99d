// Staging: the uploads at one store that are not committed yet: which pieces of each are there, and since when.
//
// Only the book of it; the rows are Store's. An upload's rows bear a name of the store's own (`local`), drawn when its
// first piece comes: so a piece that comes late, or twice, never ends among those of a value that was committed
// meanwhile. Owned by a Store, on its loop. Bounded in uploads and in pieces (kOverloaded). Times are the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/record.h"

namespace tako::store {

class Staging {
 public:
  static constexpr std::size_t kUploadsMax = 1024;
  static constexpr std::size_t kPiecesMax = 2 << 20;  // of all uploads: checksums of half a TiB, in 16 MiB
  static constexpr std::size_t kEndedMax = 1024;      // names of uploads that are over, kept against latecomers

  using Name = std::pair<std::string, model::UploadId>;  // key, upload

  struct Upload {
    model::UploadId local;
    std::vector<std::uint64_t> checksums;  // by index, as far as pieces came
    std::vector<bool> stored;              // their rows are in the log
    std::uint32_t short_index = 0;         // the piece that is shorter than others, which has to be the last
    std::size_t short_bytes = 0;           // 0: none so far
    bool marked = false;                   // its row in the system family is there
    TimePoint touched{};

    bool has(std::uint32_t index) const { return index < stored.size() && stored[index]; }
    // Is it all of that record's value? kNotFound: not yet. kInvalid: it never will be.
    Status complete(const model::Record& record) const;
  };
  struct Piece {
    std::uint32_t index = 0;
    std::size_t bytes = 0;
    std::uint64_t checksum = 0;
  };

  Upload* find(const std::string& key, const model::UploadId& id);
  // Begins the upload, under `local`, if it is new. kConflict: it is over, or that piece was another one.
  Result<Upload*> note(const Name& name, const Piece& piece, const model::UploadId& local, TimePoint now);
  // Nothing of it is taken any more, also where nothing of it has come yet.
  void end(const std::string& key, const model::UploadId& id);

  std::vector<model::UploadId> of_key(const std::string& key) const;
  // Without a piece since then.
  std::vector<Name> idle_since(TimePoint then) const;
  bool knows_local(const std::string& key, const model::UploadId& local) const;
  std::size_t uploads() const { return uploads_.size(); }

 private:
  bool is_over(const Name& name) const;

  std::map<Name, Upload> uploads_;
  std::size_t pieces_ = 0;
  std::deque<Name> ended_;
};

}  // namespace tako::store
