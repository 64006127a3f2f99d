#include "roles/data_folder.h"

#include <string_view>

#include "base/digest.h"

namespace tako::roles {
namespace {

constexpr char kOwnerFile[] = "owner";
constexpr char kLockFile[] = "lock";
constexpr std::size_t kOwnerBytesMax = 1024;
constexpr std::size_t kNameBytesMax = 255;  // of a file
constexpr char kFeedFolder[] = "cluster";
constexpr std::string_view kCoordinatorPrefix = "coordinator-";

std::string owner_of(const std::string& folder) {
  const auto known = runtime::read_whole_file(folder + "/" + kOwnerFile, kOwnerBytesMax);
  return known ? known->substr(0, known->find('\n')) : "";
}

// No id holds a blank, so this is nobody's usual name.
std::string special_name(const std::string& kind, const std::string& id) {
  std::string name = kind + " " + id;
  if (name.size() <= kNameBytesMax) return name;
  Digest digest(Digest::Kind::kSha256);
  digest.add(id);
  name = kind + " ";
  for (const char c : digest.value()) {
    constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name;
}

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

std::string node_folder(const std::string& data, const std::string& id) {
  const std::string usual = data + "/" + id;
  const bool none = id == "." || id == ".." || id == kFeedFolder;
  const bool like_a_coordinator = id.starts_with(kCoordinatorPrefix) && owner_of(usual) != "node " + id;
  return none || like_a_coordinator ? data + "/" + special_name("node", id) : usual;
}

std::string coordinator_folder(const std::string& data, const std::string& id) {
  const std::string name = std::string(kCoordinatorPrefix) + id;
  const std::string usual = data + "/" + name;
  const bool taken = name.size() <= kNameBytesMax && owner_of(usual).starts_with("node ");
  return name.size() > kNameBytesMax || taken ? data + "/" + special_name("coordinator", id) : usual;
}

std::string feed_folder(const std::string& data) { return data + "/" + kFeedFolder; }

std::string database_path(const std::string& folder) { return folder + "/db"; }

bool has_database(const std::string& path) {
  return runtime::read_whole_file(database_path(path) + "/CURRENT", 4096).ok();
}

}  // namespace tako::roles
