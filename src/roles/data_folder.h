// DataFolder: a role's state on disk. It remembers whose it is, and one process at a time has it.
#pragma once

#include <memory>
#include <string>

#include "runtime/files.h"

namespace tako::roles {

// Makes it if it is not there, locks it, and checks (or notes) its owner, e.g. "node n1".
// kConflict: another process has it, or it is somebody else's.
Result<std::unique_ptr<runtime::DiskFiles>> open_data_folder(const std::string& path, const std::string& owner);

// True if a node's database was ever made in this folder.
bool has_database(const std::string& path);
std::string database_path(const std::string& folder);

}  // namespace tako::roles
