#include "runtime/stream_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/files.h"

namespace tako::runtime {
namespace {

constexpr std::size_t kNoteBytesMax = 4096;

Error failure(const std::string& what, const std::string& path) {
  const int reason = errno;
  ErrorCode code = ErrorCode::kIo;
  if (reason == ENOSPC || reason == EDQUOT) code = ErrorCode::kNoSpace;
  if (reason == ENOENT) code = ErrorCode::kNotFound;
  constexpr int kWrongPath[] = {EISDIR, ENOTDIR, EACCES, EPERM, EROFS, ENAMETOOLONG, ELOOP, ENXIO, ETXTBSY};
  if (std::find(std::begin(kWrongPath), std::end(kWrongPath), reason) != std::end(kWrongPath)) {
    code = ErrorCode::kInvalid;
  }
  return {code, what + " " + path + ": " + std::strerror(reason)};
}

std::string folder_of(const std::string& path) {
  const std::filesystem::path given(path);
  return given.has_parent_path() ? given.parent_path().string() : ".";
}

bool is_regular_or_nothing(const std::string& path) {
  struct stat facts;
  return ::stat(path.c_str(), &facts) != 0 || S_ISREG(facts.st_mode);
}

}  // namespace

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<ReadFile> ReadFile::open(const std::string& path) {
  ReadFile file;
  file.path_ = path;
  file.file_ = OpenFile(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts;
  if (file.file_.fd() < 0 || ::fstat(file.file_.fd(), &facts) != 0) return failure("cannot open", path);
  if (S_ISDIR(facts.st_mode)) return {ErrorCode::kInvalid, path + " is a folder; give a file"};
  if (S_ISREG(facts.st_mode)) file.size_ = static_cast<std::uint64_t>(facts.st_size);
  return file;
}

Result<std::string> ReadFile::read(std::size_t bytes) {
  std::string content(bytes, '\0');
  std::size_t filled = 0;
  while (filled < bytes) {
    const ssize_t n = ::read(file_.fd(), content.data() + filled, bytes - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("cannot read", path_);
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  content.resize(filled);
  return content;
}

Result<PartFile> PartFile::open(const std::string& path) {
  PartFile file;
  file.path_ = path;
  file.direct_ = !is_regular_or_nothing(path);
  if (file.direct_) {
    file.file_ = OpenFile(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.file_.fd() < 0) return failure("cannot open", path);
    return file;
  }
  const Status there = file.take_part(O_RDWR | O_CLOEXEC);
  if (!there && there.code() != ErrorCode::kNotFound) return there.error();
  if (!there) {
    if (::access(folder_of(path).c_str(), W_OK | X_OK) != 0) return failure("cannot write into the folder of", path);
    return file;
  }
  struct stat facts;
  if (::fstat(file.file_.fd(), &facts) != 0) return failure("cannot read", file.part());
  auto note = read_whole_file(file.note_file(), kNoteBytesMax);
  if (note) file.note_ = std::move(*note);
  if (!file.note_.empty()) file.size_ = static_cast<std::uint64_t>(facts.st_size);
  return file;
}

Status PartFile::take_part(int how) {
  OpenFile found(::open(part().c_str(), how, 0644));
  if (found.fd() < 0) return failure("cannot open", part());
  if (::flock(found.fd(), LOCK_EX | LOCK_NB) != 0) {
    return {ErrorCode::kConflict, part() + " is being written by another process; wait for it, or write elsewhere"};
  }
  file_ = std::move(found);
  return ok_status();
}

PartFile::~PartFile() {
  if (file_.fd() >= 0 && !direct_ && size_ == 0) forget();
}

Status PartFile::begin(const std::string& note) {
  size_ = 0;
  note_ = note;
  if (direct_) return ok_status();
  if (file_.fd() < 0) {
    const Status taken = take_part(O_RDWR | O_CREAT | O_CLOEXEC);
    if (!taken) return taken;
  }
  ::unlink(note_file().c_str());
  if (::ftruncate(file_.fd(), 0) != 0) return failure("cannot write", part());
  if (note.empty()) return ok_status();
  auto files = DiskFiles::open(folder_of(path_));
  if (!files) return files.error();
  return (*files)->write(std::filesystem::path(note_file()).filename().string(), note);
}

Status PartFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = direct_ ? ::write(file_.fd(), bytes.data(), bytes.size())
                              : ::pwrite(file_.fd(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("cannot write", direct_ ? path_ : part());
    bytes.remove_prefix(static_cast<std::size_t>(n));
    size_ += static_cast<std::uint64_t>(n);
  }
  return ok_status();
}

Result<std::string> PartFile::read(std::uint64_t from, std::size_t bytes) const {
  std::string content(bytes, '\0');
  std::size_t filled = 0;
  while (filled < bytes) {
    const ssize_t n = ::pread(file_.fd(), content.data() + filled, bytes - filled, static_cast<off_t>(from + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("cannot read", part());
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  content.resize(filled);
  return content;
}

Status PartFile::finish() {
  if (direct_) return ok_status();
  if (::fsync(file_.fd()) != 0) return failure("cannot sync", part());
  if (::rename(part().c_str(), path_.c_str()) != 0) return failure("cannot replace", path_);
  ::unlink(note_file().c_str());
  file_ = OpenFile();
  const OpenFile folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() < 0 || ::fsync(folder.fd()) != 0) return failure("cannot sync the folder of", path_);
  return ok_status();
}

void PartFile::forget() {
  if (direct_ || file_.fd() < 0) return;
  ::unlink(note_file().c_str());
  ::unlink(part().c_str());
  file_ = OpenFile();
}

}  // namespace tako::runtime
