#include "store/engine/rocks_errors.h"

namespace tako::store {

ErrorCode code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) return ErrorCode::kNoSpace;
  if (status.IsCorruption()) return ErrorCode::kCorrupt;
  if (status.IsShutdownInProgress()) return ErrorCode::kStopping;
  const bool busy = status.IsIncomplete() || status.IsBusy() || status.IsTimedOut() || status.IsTryAgain();
  if (busy) return ErrorCode::kOverloaded;
  return ErrorCode::kIo;
}

// What a client can be told; the details are in the log.
std::string text_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNoSpace: return "the node's disk is full; free some space on it, writes go on by themselves then";
    case ErrorCode::kCorrupt: return "the node's database is damaged; see its log";
    case ErrorCode::kOverloaded: return "the node's database is busy; try again later";
    case ErrorCode::kStopping: return "the database is closing; try another node";
    default: return "the node's disk fails; see its log";
  }
}

Error error_of(const rocksdb::Status& status) {
  const ErrorCode code = code_of(status);
  return Error(code, text_of(code) + " (" + status.ToString() + ")");
}

Error damaged_error(const std::string& path, const std::string& how) {
  return Error(ErrorCode::kCorrupt, "database " + path + " is damaged: " + how +
                                        "; move it away, and the replicas fill a new one");
}

Error open_error(const std::string& path, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  const auto says = [&text](const char* words) { return text.find(words) != std::string::npos; };
  const std::string name = "database " + path;
  if (status.IsIOError() && (says("While lock file") || says("lock hold by current process"))) {
    return Error(ErrorCode::kConflict, name + " is in use by another process; stop it, or use another folder");
  }
  if (code_of(status) == ErrorCode::kCorrupt) return damaged_error(path, text);
  if (code_of(status) == ErrorCode::kNoSpace) {
    return Error(ErrorCode::kNoSpace, "no space to open " + name + ": free some");
  }
  return Error(ErrorCode::kIo, "cannot open " + name + ": " + text);
}

}  // namespace tako::store
