// Files: the few small files beside the database (identity, configuration). The disk's second seam, after the engine.
//
// Calls block; from a loop, go through Workers. write() is atomic and durable: a temporary file, fsync, rename, fsync
// of the folder. Paths are relative to the root the object was made with.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tako::runtime {

class Files {
 public:
  virtual ~Files() = default;
  // kNotFound if there is none; kTooLarge over `bytes_max`.
  virtual Result<std::string> read(const std::string& path, std::size_t bytes_max) = 0;
  virtual Status write(const std::string& path, const std::string& content) = 0;
  virtual Status remove(const std::string& path) = 0;
  // File names in a folder, sorted; none if the folder does not exist.
  virtual std::vector<std::string> list(const std::string& folder) = 0;
};

// The folder is made if it does not exist, with its parents.
class DiskFiles final : public Files {
 public:
  static Result<std::unique_ptr<DiskFiles>> open(const std::string& root);
  ~DiskFiles() override;

  const std::string& root() const { return root_; }
  // Holds an advisory lock until this object goes. kConflict: another process holds it.
  Status lock(const std::string& name);

  Result<std::string> read(const std::string& path, std::size_t bytes_max) override;
  Status write(const std::string& path, const std::string& content) override;
  Status remove(const std::string& path) override;
  std::vector<std::string> list(const std::string& folder) override;

 private:
  explicit DiskFiles(std::string root) : root_(std::move(root)) {}
  std::string root_;
  int lock_fd_ = -1;
};

// In memory, for tests and the simulator.
class MemoryFiles final : public Files {
 public:
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override;
  Status write(const std::string& path, const std::string& content) override;
  Status remove(const std::string& path) override;
  std::vector<std::string> list(const std::string& folder) override;

 private:
  std::map<std::string, std::string> files_;
};

// A file of the operator's, by its own path (a configuration, a value to put). Start-up and ctl only.
Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max);

}  // namespace tako::runtime
