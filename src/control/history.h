// The one history of configurations: which of two is newer, and why nobody ever goes back.
//
// The argument. Strict operations are safe because two configurations that are in use at once share a majority
// (rules 26 to 30 of the replication protocol). That holds for neighbours in one line of versions, and for nothing
// else: with two lines, or a step back, a node could count a majority that another one knows nothing of. Hence:
// 1. A version is a counter and the hash of the content. Only the master mints counters, each above all it has stored
//    and all it has heard of, and stores a version before anybody is told of it: so one counter means one content.
// 2. Everybody else takes a version only if its counter is higher than that of the one in force. Nothing is ever lost
//    by a refusal, since the newer one contains whatever the older one decided.
// 3. The same counter with another hash means that two masters minted: nobody can tell which is right, so nobody
//    changes sides; it is refused and logged, and a person mints a version above both.
// 4. Counter 0 is a file given by hand: it stands outside the history, is older than anything in it, and is never
//    taken from the network.
// What is taken is stored before it is used, so a restart does not go back either.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "net/transport.h"
#include "wire/cluster/message.h"

namespace tako::control {

enum class Judgement : unsigned char { kNewer, kSame, kOlder, kConflict };

// What `theirs` is to whoever holds `ours`. Of two files given by hand neither is newer: kSame.
Judgement judge(const wire::ConfigStamp& ours, const wire::ConfigStamp& theirs);

// Counters above this are nonsense: one false word must not use up the numbers.
constexpr std::uint64_t kCounterMax = std::uint64_t{1} << 48;

// For the log: "17-0123456789abcdef".
std::string to_text(const wire::ConfigStamp& stamp);

// Where a coordinator listens. The id is the transport's: "coordinator:c1", or "coordinator:*" where only the address
// is known (-c HOST:PORT): a coordinator's server takes that for itself, whatever its id.
struct Contact {
  std::string id;
  std::string host;
  std::uint16_t port = 0;

  net::Peer peer() const { return net::Peer{id, host, port}; }
  std::string text() const;
  friend bool operator==(const Contact&, const Contact&) = default;
};

constexpr const char* kAnyCoordinator = "coordinator:*";

// The coordinators that a configuration names, except `without` (an id, or nothing).
std::vector<Contact> coordinators_of(const model::Configuration& configuration, const std::string& without);

// True if `id` may mint versions after `configuration`: it is its master, or, where none is stated, its first
// coordinator, or runs though there is none.
bool is_master(const model::Configuration& configuration, const std::string& id);

}  // namespace tako::control
