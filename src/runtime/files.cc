#include "runtime/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tako::runtime {
namespace {

std::string why(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + std::strerror(errno);
}

ErrorCode code_of_errno() {
  if (errno == ENOSPC || errno == EDQUOT) return ErrorCode::kNoSpace;
  if (errno == ENOENT) return ErrorCode::kNotFound;
  return ErrorCode::kIo;
}

Status write_all(int fd, const std::string& content, const std::string& path) {
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t n = ::write(fd, content.data() + written, content.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {code_of_errno(), why("cannot write", path)};
    written += static_cast<std::size_t>(n);
  }
  if (::fsync(fd) != 0) return {code_of_errno(), why("cannot sync", path)};
  return ok_status();
}

Status sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return {ErrorCode::kIo, why("cannot open folder", folder)};
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!synced) return {ErrorCode::kIo, why("cannot sync folder", folder)};
  return ok_status();
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {code_of_errno(), why("cannot open", path)};
  std::string content;
  char buffer[64 * 1024];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || content.size() + static_cast<std::size_t>(n) > bytes_max) break;
    content.append(buffer, static_cast<std::size_t>(n));
  }
  const std::string failure = n < 0 ? why("cannot read", path) : "";
  ::close(fd);
  if (n < 0) return {ErrorCode::kIo, failure};
  if (n > 0) return {ErrorCode::kTooLarge, path + ": larger than " + std::to_string(bytes_max) + " bytes"};
  return content;
}

Result<std::unique_ptr<DiskFiles>> DiskFiles::open(const std::string& root) {
  std::error_code failure;
  std::filesystem::create_directories(root, failure);
  if (!failure && !std::filesystem::is_directory(root, failure)) failure = {ENOTDIR, std::generic_category()};
  if (failure) return {ErrorCode::kIo, "cannot make folder " + root + ": " + failure.message()};
  return std::unique_ptr<DiskFiles>(new DiskFiles(root));
}

DiskFiles::~DiskFiles() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Status DiskFiles::lock(const std::string& name) {
  const std::string path = root_ + "/" + name;
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return {ErrorCode::kIo, why("cannot open", path)};
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return {ErrorCode::kConflict,
            "data folder " + root_ + " is in use by another process; stop it, or use another folder (-d)"};
  }
  return ok_status();
}

Result<std::string> DiskFiles::read(const std::string& path, std::size_t bytes_max) {
  return read_whole_file(root_ + "/" + path, bytes_max);
}

Status DiskFiles::write(const std::string& path, const std::string& content) {
  const std::filesystem::path target = std::filesystem::path(root_) / path;
  std::error_code failure;
  std::filesystem::create_directories(target.parent_path(), failure);
  if (failure)
    return {ErrorCode::kIo, "cannot make folder " + target.parent_path().string() + ": " + failure.message()};

  const std::string temporary = target.string() + ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return {code_of_errno(), why("cannot create", temporary)};
  Status written = write_all(fd, content, temporary);
  ::close(fd);
  if (!written) return written;
  if (::rename(temporary.c_str(), target.c_str()) != 0)
    return {ErrorCode::kIo, why("cannot rename to", target.string())};
  return sync_folder(target.parent_path().string());
}

Status DiskFiles::remove(const std::string& path) {
  const std::string target = root_ + "/" + path;
  if (::unlink(target.c_str()) != 0) return {code_of_errno(), why("cannot remove", target)};
  return ok_status();
}

std::vector<std::string> DiskFiles::list(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(root_) / folder, failure)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> MemoryFiles::read(const std::string& path, std::size_t bytes_max) {
  const auto found = files_.find(path);
  if (found == files_.end()) return {ErrorCode::kNotFound, path + ": no such file"};
  if (found->second.size() > bytes_max) return {ErrorCode::kTooLarge, path + ": too large"};
  return found->second;
}

Status MemoryFiles::write(const std::string& path, const std::string& content) {
  files_[path] = content;
  return ok_status();
}

Status MemoryFiles::remove(const std::string& path) {
  files_.erase(path);
  return ok_status();
}

std::vector<std::string> MemoryFiles::list(const std::string& folder) {
  std::vector<std::string> names;
  const std::string prefix = folder + "/";
  for (const auto& [path, content] : files_) {
    if (path.starts_with(prefix)) names.push_back(path.substr(prefix.size()));
  }
  return names;
}

}  // namespace tako::runtime
