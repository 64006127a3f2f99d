// DataFolder: a role's state on disk. It remembers whose it is, and one process at a time has it.
#pragma once

#include <memory>
#include <string>

#include "runtime/files.h"

namespace tako::roles {

// Makes it if it is not there, locks it, and checks (or notes) its owner, e.g. "node n1".
// kConflict: another process has it, or it is somebody else's. No error is kInvalid (wrong usage): what is on a disk
// may change without the command line, as when it is mounted late.
Result<std::unique_ptr<runtime::DiskFiles>> open_data_folder(const std::string& path, const std::string& owner);

// True if a node's database was ever made in this folder.
bool has_database(const std::string& path);
std::string database_path(const std::string& folder);

// Where a cluster in one process keeps what belongs to whom, below its own folder. The only place where an id becomes a
// path: any id has a folder of its own, within `data`. Usually that is DIR/<id> and DIR/coordinator-<id>; where such a
// name is taken, or is none (`.`, `cluster`, 260 bytes), it is one that no id can be: with a blank in it. Asks the disk
// whose the usual one is.
std::string node_folder(const std::string& data, const std::string& id);
std::string coordinator_folder(const std::string& data, const std::string& id);
std::string feed_folder(const std::string& data);  // of the configurations that all follow

}  // namespace tako::roles
