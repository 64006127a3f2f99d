// get, put, rm, stat: single values through a ClusterClient. Each returns the exit code; 1 where there is no such key.
//
// Values pass in pieces, of any size in constant memory. A file that get writes is there whole or not at all; what
// there is of one that was interrupted stays beside it (FILE.part), and the next get goes on from there if the value is
// still the same. What arrives, at either end, is held against the value's checksum.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/cluster_client.h"
#include "ctl/console.h"

namespace tako::ctl {

struct GetOptions {
  std::string key;
  std::string file;  // -o; empty or "-": the output
};

struct PutOptions {
  std::string key;
  std::string file;           // empty or "-": the input
  std::string content_type;   // empty: none
  std::string if_match;       // only if this is the value's ETag, or "*": only if there is one
  std::string if_none_match;  // only if it is not, or "*": only if there is none
  std::uint64_t ttl_s = 0;    // expires after so many seconds; 0: never
};

struct KeyOptions {
  std::string key;
};

// REQUIRES: console and client outlive the task
Task<int> get_value(Console& console, ClusterClient& client, GetOptions options);
Task<int> put_value(Console& console, ClusterClient& client, PutOptions options);
// Yes also if there was no value, as DELETE.
Task<int> remove_value(Console& console, ClusterClient& client, KeyOptions options);
Task<int> stat_value(Console& console, ClusterClient& client, KeyOptions options);

}  // namespace tako::ctl
