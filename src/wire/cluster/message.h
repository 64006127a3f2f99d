// The messages of Tako's one binary protocol, as values. Encoding: message.cc; frames: frame.h.
//
// The seam of the whole program is here: Transport::call(peer, Request, deadline) -> Reply. In one process a Request
// is handed over as it is; over TCP it is encoded. Everything that a peer sends is checked while it is decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/record.h"

namespace tako::model {
struct Configuration;
class Placement;
}  // namespace tako::model

namespace tako::wire {

constexpr std::uint16_t kProtocolVersion = 1;

// A variant whose copies, moves and end are compiled once, in message.cc: of sixteen kinds of body they are long, and
// every file that calls a peer would have them.
template <class Bodies>
struct Body : Bodies {
  Body();
  template <class T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, Body> && std::is_constructible_v<Bodies, T>)
  Body(T&& body) : Bodies(std::forward<T>(body)) {}  // NOLINT: implicit by design
  Body(const Body& other);
  Body(Body&& other) noexcept;
  Body& operator=(const Body& other);
  Body& operator=(Body&& other) noexcept;
  ~Body();
};

// Which configuration the sender goes by. One linear history: the same counter with another hash is a conflict.
// Counter 0: a file given by hand, outside any history; it is not compared.
struct ConfigStamp {
  std::uint64_t counter = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const ConfigStamp&, const ConfigStamp&) = default;
};
ConfigStamp stamp_of(const model::Configuration& configuration);
ConfigStamp stamp_of(const model::Placement& placement);

// Partitions, first and last.
using PartitionRun = std::pair<model::Partition, model::Partition>;

// --- data -----------------------------------------------------------------------------------------------------

struct Read {
  std::string key;
  bool want_value = true;  // false: the version is enough
  bool verify = false;     // all of the value is read, and kCorrupt is answered where it is damaged
};

struct Write {
  // A proposal is counted towards its author's success; a copy (read repair, background repair, hand-off) acks nobody
  // and passes a partition's fence.
  enum class Source : std::uint8_t { kProposal = 1, kCopy = 2 };
  std::string key;
  // With its value where that is at most a piece long. Where the pieces of a larger one are to be found is said below;
  // without a word about it the replica is expected to hold them, of an earlier ballot of this version.
  model::Record record;
  Source source = Source::kProposal;
  std::optional<model::UploadId> upload;  // staged at this replica, by this name
  std::string value_from;                 // else at this node, stored or staged by that name; empty: nowhere
  model::Ballot promise{};                // promised too, if the record is stored (rule 14); none: nothing
};

// Asks the replica to refuse everything below the ballot, and what it holds (rules 2 and 11 to 13).
struct Prepare {
  std::string key;
  model::Ballot ballot;
  bool want_value = false;
};

// --- pieces of large values -----------------------------------------------------------------------------------
// A value is staged piece by piece, in any order, and becomes visible by the Write that names the upload. Sending a
// piece again changes nothing. No vote and no promise is in any of this, so the configuration is not compared.

struct WritePiece {
  std::string key;
  model::UploadId upload;
  std::uint32_t index = 0;
  Bytes piece;  // kPieceBytes, the last one perhaps less, none is empty
  std::uint64_t checksum = 0;
};

// The upload will not be finished.
struct Discard {
  std::string key;
  model::UploadId upload;
};

// Of exactly this ballot. Errors: kConflict: it holds another one now; kCorrupt: its copy is damaged; kNotFound: there
// is no such piece.
struct ReadPiece {
  std::string key;
  model::Ballot ballot;
  std::uint32_t index = 0;
  std::optional<model::UploadId> staged{};  // of what is staged under that name, in the place of what is stored
};

// Keys and ballots of a range in storage order, for repair. Only partitions whose replicas include both the asker and
// the asked are listed.
struct List {
  std::string asker;           // node id
  std::uint64_t position = 0;  // begin: the first key at or after (position, key)
  std::string key;
  std::uint64_t position_last = ~0ull;  // and with a position not above this
  std::uint32_t entries_max = 1000;
  bool values = false;  // with the records that stand in their rows; the page ends where they are too many
};

// --- digests --------------------------------------------------------------------------------------------------
// Sums over the partitions that both own (store/digests.h), in a tree over all partitions: one root, 256 groups, 4,096
// branches, and the partitions, its leaves. Compared under one configuration only.

struct DigestSum {
  bool known = true;  // false: a partition below is being counted
  std::uint64_t sum = 0;
};

struct DigestQuery {
  enum class Level : std::uint8_t { kRoot = 1, kGroup = 2, kBranch = 3, kLeaf = 4 };
  std::string asker;
  Level level = Level::kRoot;
  DigestSum root;                    // kRoot: the asker's own
  std::vector<std::uint16_t> nodes;  // whose sums are wanted; kRoot: none
};

// --- collection of tombstones (rule 20; node/gc/collector.h) -------------------------------------------------------
// How far the asked is with partitions that both own. Compared under one configuration only.

struct CollectQuery {
  std::string asker;
  Timestamp fence = 0;  // the asker's, for which it waits; 0: it only asks
  std::vector<PartitionRun> partitions;
};

// --- membership -----------------------------------------------------------------------------------------------

// A node tells a peer who it is now, before it reads from it (rule 21), and how far its disk has come: the peer
// remembers it, and knows a disk that went back in time (node/membership/peer_memory.h).
struct Announce {
  std::string node;
  std::uint64_t incarnation = 0;
  bool blank = false;                // it stores nothing and never voted
  std::uint64_t boot = 0;            // its disk's starts are counted
  std::uint64_t nonce = 0;           // drawn at this start
  std::uint64_t previous_nonce = 0;  // at the start before, by its disk
  std::uint64_t sequence = 0;        // of its disk's writes (store/engine/engine.h), now
  std::uint64_t start_sequence = 0;  // ... and before the first one of this start
};

struct StatusQuery {};

// --- configuration --------------------------------------------------------------------------------------------

// Answered at once if the asked has something newer than `have`, else held for up to `wait_ms`.
struct FetchConfig {
  ConfigStamp have;
  std::uint32_t wait_ms = 0;
};

struct PushConfig {
  std::uint64_t expected_counter = 0;  // compare-and-set; 0: whatever is in force
  std::string text;
  bool force = false;  // also if it is no step from the one in force, or comes before the data has arrived
};

// To a node, in a reconfiguration: how much of what it owns in the target is there?
struct ArrivalQuery {
  bool durably = false;  // the answer is to hold after a crash: what it rests on is written down before
};

// To a node, from the operator: compare all that is shared with all peers, key by key, now.
struct RepairQuery {
  enum class Action : std::uint8_t {
    kProgress = 1,  // of the cycle that was asked for last
    kRepair = 2,
    kDryRun = 3,  // count what differs, and copy nothing
  };
  Action action = Action::kProgress;
};

struct Ping {};

using RequestBodies =
    std::variant<Ping, Read, Write, List, Announce, StatusQuery, FetchConfig, PushConfig, WritePiece, Discard,
                 ReadPiece, Prepare, ArrivalQuery, DigestQuery, RepairQuery, CollectQuery>;

struct Request {
  ConfigStamp config;
  Body<RequestBodies> body;
};

// --- replies --------------------------------------------------------------------------------------------------

struct Pong {};

// A node, and in which of its lives it is: it grows with each loss of what the disk held.
struct Incarnation {
  std::string node;
  std::uint64_t incarnation = 0;
};

// Who answers: beside every reply about a key.
struct Voter {
  // Its answer counts for a majority. False: it may have forgotten, or goes by another configuration than the asker and
  // owns the key in the target alone (node/membership/standing.h).
  bool votes = false;
  // Its "nothing" alone means that there is nothing. An owner in the target alone may vote before it is informed.
  bool informed = false;
  std::uint64_t incarnation = 0;
  // Of the key's other replicas, as the answering one heard of them within the last operation lifetime (rule 4): what
  // one of them said in an older incarnation is dropped by the proposer.
  std::vector<Incarnation> renewed;
  // Without vote: those that have told the answering one themselves, in the incarnation that it has now, in which they
  // are. With these its "stored" makes up `two` (D5; model/verdict.h).
  std::vector<Incarnation> met{};
};

// A value of more than a piece is left out: ReadPiece brings it.
struct ReadReply {
  model::Slot slot;
  Voter voter;
};

struct WriteReply {
  enum class Outcome : std::uint8_t {
    kStored = 1,   // exactly this ballot is in the write-ahead log (also when it was there before)
    kRefused = 2,  // something newer is stored or promised; see below
  };
  Outcome outcome = Outcome::kRefused;
  model::Ballot stored;  // what the replica holds now
  model::Ballot promise;
  model::Version version;  // the version of what it holds
  Voter voter;
};

struct PromiseReply {
  bool promised = false;  // else the slot says what is in the way
  model::Slot slot;
  Voter voter;
};

struct PieceStored {};
struct Discarded {};

struct PieceReply {
  Bytes piece;
  std::uint64_t checksum = 0;
};

struct ListReply {
  struct Entry {
    std::string key;
    model::Ballot ballot;
    model::Ballot promise;
    Timestamp ends = model::kNeverEnds;   // of what is held (model::ends_at)
    std::optional<model::Record> record;  // if it was asked for, with its value
  };
  struct Floor {
    PartitionRun run;
    Timestamp floor = 0;
  };
  std::vector<Entry> entries;  // in storage order: (position, key)
  // The page covers everything from the begin asked for up to (next_position, next_key), exclusive; `complete`: up to
  // the end asked for.
  bool complete = true;
  std::uint64_t next_position = 0;
  std::string next_key;
  // Partitions within the page, first and last, in which the asked does not vote.
  std::vector<PartitionRun> not_voting;
  std::uint64_t incarnation = 0;
  Timestamp fence = 0;
  std::vector<Floor> floors;  // of partitions within the page that have one, from before it was read
};

// Of those asked for in which the asked votes.
struct CollectReply {
  struct Entry {
    PartitionRun run;
    Timestamp synced = 0;  // it has compared itself with every other owner since all were fenced at that time; 0: no
    Timestamp floor = 0;
  };
  std::uint64_t incarnation = 0;
  Timestamp fence = 0;
  Timestamp clock = 0;  // how far it would raise its fence by its own clock
  std::vector<Entry> entries;
};

struct DigestReply {
  bool equal = false;           // kRoot: the sums are
  bool busy = false;            // the asked reads the asker's partitions anyway: compare later
  std::vector<DigestSum> sums;  // of the nodes asked for, in their order; kRoot: of all groups, unless equal
};

struct AnnounceReply {
  std::uint64_t known_incarnation = 0;  // the highest the asked knows of the announcer, before this one
  std::uint64_t incarnation = 0;        // the asked's own
  bool blank = false;                   // the asked is blank too
  std::uint64_t session = 0;            // the asked's process: another one than last time means that it restarted
  bool rolled_back = false;             // the announcer's disk is older than what it announced to the asked before
  std::uint64_t gains = 0;              // grows when the asked becomes a voter somewhere; since its start
  // As the asked names them beside its votes: the announcer takes them over before it reads anything (D5b).
  std::vector<Incarnation> renewed{};
};

struct StatusReply {
  std::string json;
};

struct ConfigReply {
  ConfigStamp stamp;
  std::string text;  // empty: nothing newer than what the asker has
};

// Of exactly this configuration: under another one a node begins anew.
struct ArrivalReply {
  ConfigStamp adopted;
  bool durable = false;       // the node refuses older ones from now on, also after a crash
  std::uint32_t owned = 0;    // partitions, in the target
  std::uint32_t arrived = 0;  // of these: informed, by rule 27
  std::uint64_t read = 0;     // partitions, once for each peer, that were read for it
  std::uint64_t to_read = 0;  // of so many; less may be enough
};

// How far the cycle is that an operator asked for.
struct RepairReply {
  std::uint64_t cycle = 0;  // its number since this process began; 0: nobody asked for one
  bool dry_run = false;
  std::uint64_t peers = 0;
  std::uint64_t peers_done = 0;
  std::uint64_t peers_away = 0;       // not done, and they do not answer
  std::uint64_t partitions = 0;       // once for each peer
  std::uint64_t partitions_left = 0;  // ... to be compared
  std::uint64_t keys_compared = 0;
  std::uint64_t keys_differing = 0;
  std::uint64_t keys_pulled = 0;
  std::uint64_t keys_pushed = 0;
  std::uint64_t bytes_pulled = 0;
  std::uint64_t bytes_pushed = 0;
  std::uint64_t failures = 0;  // copies that were not made; they are tried again
};

using ReplyBodies =
    std::variant<Pong, Error, ReadReply, WriteReply, ListReply, AnnounceReply, StatusReply, ConfigReply, PieceStored,
                 Discarded, PieceReply, PromiseReply, ArrivalReply, DigestReply, RepairReply, CollectReply>;

struct Reply {
  ConfigStamp config;
  Body<ReplyBodies> body;
};

// The kind of reply that a kind of request has, unless it is an Error.
template <class RequestBody>
struct ReplyOf;
template <> struct ReplyOf<Ping> { using Type = Pong; };
template <> struct ReplyOf<Read> { using Type = ReadReply; };
template <> struct ReplyOf<Write> { using Type = WriteReply; };
template <> struct ReplyOf<Prepare> { using Type = PromiseReply; };
template <> struct ReplyOf<WritePiece> { using Type = PieceStored; };
template <> struct ReplyOf<Discard> { using Type = Discarded; };
template <> struct ReplyOf<ReadPiece> { using Type = PieceReply; };
template <> struct ReplyOf<List> { using Type = ListReply; };
template <> struct ReplyOf<DigestQuery> { using Type = DigestReply; };
template <> struct ReplyOf<CollectQuery> { using Type = CollectReply; };
template <> struct ReplyOf<Announce> { using Type = AnnounceReply; };
template <> struct ReplyOf<StatusQuery> { using Type = StatusReply; };
template <> struct ReplyOf<FetchConfig> { using Type = ConfigReply; };
template <> struct ReplyOf<PushConfig> { using Type = ConfigReply; };
template <> struct ReplyOf<ArrivalQuery> { using Type = ArrivalReply; };
template <> struct ReplyOf<RepairQuery> { using Type = RepairReply; };
template <class RequestBody>
using ReplyTo = typename ReplyOf<RequestBody>::Type;

extern template struct Body<RequestBodies>;
extern template struct Body<ReplyBodies>;

// Bytes <-> values. Decoding believes nothing: lengths, ranges and enums are checked, and trailing bytes are an error.
// Values are taken as slices of `bytes`, without a copy.
std::string encode(const Request& request);
std::string encode(const Reply& reply);
Result<Request> decode_request(const Bytes& bytes);
Result<Reply> decode_reply(const Bytes& bytes);

}  // namespace tako::wire
