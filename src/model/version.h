// Version and Ballot: the two ordered numbers of a record. See CASPaxos (Rystsov, 2018).
//
// A version is what users see (X-Timestamp, ETag) and orders writes: the later one wins everywhere and for good. A
// ballot is what replicas compare. It equals the version until somebody finishes an unfinished write for its author
// under a new ballot; the version, and so the ETag, then stays. Two fields from the first day, because one field
// makes an If-Match fail though nobody wrote.
//
// A (timestamp, writer) pair is never issued twice: the writer is drawn at process start (VersionClock).
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/time.h"

namespace tako::model {

struct Version {
  Timestamp timestamp = 0;
  std::uint64_t writer = 0;

  bool none() const { return timestamp == 0; }  // below every version that was ever issued
  friend auto operator<=>(const Version&, const Version&) = default;
};

using Ballot = Version;

// `0123456789abcdef-0123456789abcdef`: the strong ETag's content, and the form in logs.
std::string to_string(const Version& version);

}  // namespace tako::model
