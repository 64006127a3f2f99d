#include "wire/cluster/codec.h"

namespace tako::wire {

Status Reader::status(std::string_view what) const {
  if (ok()) return ok_status();
  return {ErrorCode::kInvalid, "malformed " + std::string(what) + " at byte " + std::to_string(at_) + " of " +
                                   std::to_string(view_.size()) + ": " + problem_};
}

Status Reader::finish(std::string_view what) {
  if (remaining() > 0) fail("bytes after its end");
  return status(what);
}

}  // namespace tako::wire
