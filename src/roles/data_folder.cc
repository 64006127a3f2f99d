#include "roles/data_folder.h"

namespace tako::roles {
namespace {

constexpr char kOwnerFile[] = "owner";
constexpr char kLockFile[] = "lock";
constexpr std::size_t kOwnerBytesMax = 1024;

}  // namespace

Result<std::unique_ptr<runtime::DiskFiles>> open_data_folder(const std::string& path, const std::string& owner) {
  auto files = runtime::DiskFiles::open(path);
  if (!files) return files.error();
  const Status locked = (*files)->lock(kLockFile);
  if (!locked) return locked.error();
  const auto known = (*files)->read(kOwnerFile, kOwnerBytesMax);
  if (!known && known.code() != ErrorCode::kNotFound) return known.error();
  if (known && *known != owner + "\n") {
    const std::string name = known->substr(0, known->find('\n'));
    return {ErrorCode::kConflict,
            "data folder " + path + " belongs to " + name + ", not to " + owner + "; use another folder (-d)"};
  }
  if (!known) {
    const Status noted = (*files)->write(kOwnerFile, owner + "\n");
    if (!noted) return noted.error();
  }
  return files;
}

std::string database_path(const std::string& folder) { return folder + "/db"; }

bool has_database(const std::string& path) {
  return runtime::read_whole_file(database_path(path) + "/CURRENT", 4096).ok();
}

}  // namespace tako::roles
