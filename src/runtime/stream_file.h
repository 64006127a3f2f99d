// Files of the operator's that are too large to be read or written at once: what `tako ctl put` sends, and what `get
// -o` receives. `tako ctl` only. Calls block; from a loop that has other work, go through Workers.
//
// A PartFile is what there is of a file that is still coming, in FILE.part, with a note beside it (FILE.part.etag) of
// what it is a part of: so a later run can go on where this one was ended, if it is still the same. The file itself is
// there, or replaced, only when all of it is on the disk. Errors are one line for the operator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tako::runtime {

// Closed by whoever holds it last.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenFile();

  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

class ReadFile {
 public:
  static Result<ReadFile> open(const std::string& path);

  // Of a regular file, as it was when it was opened.
  std::optional<std::uint64_t> size() const { return size_; }
  // The next bytes; fewer than asked for only at the end.
  Result<std::string> read(std::size_t bytes);

 private:
  std::string path_;
  OpenFile file_;
  std::optional<std::uint64_t> size_;
};

class PartFile {
 public:
  // With what an earlier run has left; nothing is made before begin(), so a run that is ended before it has anything
  // leaves nothing. kConflict (of begin() too): another process is at it; kInvalid, kNotFound: nothing can be written
  // there. A path that is no regular file (a pipe, a device) is written to directly.
  static Result<PartFile> open(const std::string& path);
  PartFile(PartFile&&) = default;
  PartFile& operator=(PartFile&&) = delete;
  // What is empty is not left behind.
  ~PartFile();

  std::uint64_t size() const { return size_; }
  const std::string& note() const { return note_; }

  // From its beginning, a part of what `note` names.
  Status begin(const std::string& note);
  Status append(std::string_view bytes);
  Result<std::string> read(std::uint64_t from, std::size_t bytes) const;
  bool readable() const { return !direct_; }
  // It is whole: to the disk, and into its place.
  Status finish();
  // It is worth nothing.
  void forget();

 private:
  PartFile() = default;
  Status take_part(int how);
  std::string part() const { return path_ + ".part"; }
  std::string note_file() const { return path_ + ".part.etag"; }

  std::string path_;
  OpenFile file_;
  bool direct_ = false;
  std::uint64_t size_ = 0;
  std::string note_;
};

}  // namespace tako::runtime
