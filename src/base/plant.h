// Plants and rare branches: switches of the simulator's build (TAKO_SIMULATED); in every other build they are constants
// and cost nothing.
//
// A plant is a known mistake, about one condition left out. `scripts/simulate --planted` switches on one after the
// other and counts the seeds until a checker sees it; one that is never found is a hole in a checker. Each that removes
// a rule of the replication protocol names that rule's counterexample (B, G, R, W) in its list.
//   if (accepted.ballot >= record.ballot && !planted(Plant::kAcceptsOlder)) refuse;
// buggify() makes a branch that is rare in life common: a full queue, a page of one entry, a time-out; FoundationDB's
// BUGGIFY. A site is on in a part of the seeds, and then fires at some of its visits:
//   const std::size_t page = buggify(loop.random(), "pass/page") ? 2 : kPageEntries;
//
// Files that use these are compiled a second time, for tests/sim; keep them out of headers, where the two would meet.
#pragma once

#include <cstdint>

namespace tako {

class Random;

// name, counterexample of the protocol or "-", what is broken
#define TAKO_PLANTS(X)                                                                                               \
  /* verdict */                                                                                                      \
  X(kRefusedIsAck, "B2", "a replica that holds something newer counts as having stored")                             \
  X(kForgetfulStores, "B22", "«stored» of a node that has forgotten counts for a quorum")                            \
  X(kForgetfulAbsent, "B17", "«nothing» of a node that has forgotten counts for a quorum")                           \
  X(kUnionMajority, "R7", "a majority of both deployments' union is enough")                                         \
  X(kTwoInUnion, "-", "w=two is counted over both deployments together")                                             \
  X(kLostAckCounts, "D5a", "'stored' from before a loss makes up w=two")                                             \
  X(kVotelessMakesTwo, "D5b", "'stored' of a node that has forgotten makes up w=two, whomever it has met")           \
  X(kSmallQuorum, "-", "half of the replicas is a quorum")                                                           \
  X(kTwiceCounted, "-", "the first reply counts twice")                                                              \
  X(kUnknownIsUnsent, "-", "a write that was perhaps carried out is issued anew")                                    \
  X(kLatestHasty, "-", "absent at `latest` before every replica has answered")                                       \
  /* proxy */                                                                                                        \
  X(kNoSettle, "B4", "a quorum read answers what it found without completing it")                                    \
  X(kRetryAfterRefusal, "B11", "a plain write that one replica refused is issued anew")                              \
  X(kOldIncarnationVotes, "B21", "a vote of before a loss is counted with one of after")                             \
  X(kNoLearning, "-", "the version clock never learns of versions above its own")                                    \
  X(kVersionReused, "-", "two writes with one client timestamp get one version")                                     \
  X(kValueOfAnother, "-", "a value is answered with another record's version")                                       \
  X(kReadRepairSkips, "-", "read repair forgets one replica")                                                        \
  X(kDirtyRefusal, "B5", "a condition fails on what may never have been written")                                    \
  X(kAppliedTwice, "B13", "a conditional write that was partly stored is decided anew without looking")              \
  X(kPromiseTwice, "B14", "one promise given ahead serves two writes")                                               \
  X(kPrepareMinority, "-", "one promise fewer than a majority is enough")                                            \
  X(kExpiryByClock, "R17", "what has expired is answered as absent without writing that down")                       \
  X(kStaleIgnored, "-", "a request told «stale» is given up, not begun anew")                                        \
  X(kFlushFirstNode, "-", "flush_all asks one node for its keys")                                                    \
  X(kFlushMayLose, "-", "a delete of flush_all is no newer than what it was to delete")                              \
  /* loops */                                                                                                        \
  X(kFirstShardReads, "-", "a value is read through the first shard, whosever key it is")                            \
  X(kAdoptsOnFirst, "-", "a new configuration reaches the node's first loop only")                                   \
  X(kDigestMissesLoop, "-", "a digest leaves out what the last loop holds")                                          \
  X(kMarkPerLoop, "-", "each loop of a proxy has a version mark of its own")                                         \
  /* store */                                                                                                        \
  X(kAcceptsOlder, "B3", "a replica stores what is not above its stored ballot")                                     \
  X(kCopiesBlind, "B3", "copies that are taken over in one batch replace whatever is stored")                        \
  X(kPromiseNotKept, "B1", "a promise is not written down")                                                          \
  X(kPromiseIgnored, "B1", "a copy is stored below what was promised")                                               \
  X(kNoKeyLock, "-", "two writes of one key compare with the same stored version")                                   \
  X(kPiecesLeak, "-", "the pieces of a replaced value stay on the disk")                                             \
  X(kPiecesByKey, "-", "the pieces of all versions of a key have one name")                                          \
  X(kVisibleEarly, "-", "an upload is committed before all its pieces are there")                                    \
  X(kPieceUnchecked, "-", "a piece that does not match its checksum is returned")                                    \
  X(kStagedForever, "-", "uploads that nobody finishes are never swept")                                             \
  X(kChecksumUnseen, "-", "a value that does not match its checksum is returned")                                    \
  X(kListSkips, "-", "the listing leaves out the last key of a page")                                                \
  X(kTombstoneUnlisted, "-", "tombstones are not listed for repair")                                                 \
  X(kNeverMends, "-", "a damaged value is not rewritten by a good copy")                                             \
  X(kTailLost, "-", "the last batch of a group commit is lost")                                                      \
  X(kAckBeforeWrite, "-", "a write is answered before it is in the log")                                             \
  X(kErrorIsSuccess, "-", "a group commit that failed is answered as done")                                          \
  X(kDigestDropKept, "-", "a digest still counts a copy that was dropped")                                           \
  X(kDigestErasedStays, "-", "a digest counts a damaged record that was erased once more")                           \
  X(kDigestUnsure, "-", "a write whose outcome is unknown leaves the digest as it was")                              \
  X(kDigestCountsTwice, "-", "what is written while its partition is counted may be counted twice")                  \
  X(kFloorUnfenced, "G5", "a proposal below the fence is taken")                                                     \
  X(kFloorDropsPromise, "G3", "a promise above the floor goes with the tombstone")                                   \
  X(kDigestsStale, "-", "digests saved at a clean stop are used after an unclean one")                               \
  /* node */                                                                                                         \
  X(kWipedVotes, "B17", "a node with an empty disk votes at once")                                                   \
  X(kOneSource, "B18", "one source is enough to vote again")                                                         \
  X(kIncarnationForgotten, "B21", "peers keep a new incarnation in memory only")                                     \
  X(kLivesNotTaken, "D5b", "a node does not take over which incarnations its sources know")                          \
  X(kCrashForgiven, "-", "a crashed machine with sync at an interval keeps its votes")                               \
  X(kRollbackUnseen, "-", "a disk that went back in time is not noticed")                                            \
  X(kCorruptIsAbsent, "-", "an unreadable row is answered as «nothing», with a vote")                                \
  X(kStaleServed, "R3", "requests by an older configuration are served")                                             \
  X(kReadBeforeFenced, "R4", "a source is read before it has our configuration")                                     \
  X(kListedBeforeFenced, "R4", "a listing begun before the source had our configuration, and ended after it, counts") \
  X(kLateVotes, "R3", "a write counts that was stored when a newer configuration had come")                          \
  X(kArrivedAtOnce, "R2", "a target owner votes without having read anything")                                       \
  X(kMajorityArrives, "-", "a target owner has arrived when it has read a majority, which may lack what w=two says") \
  X(kStayerArrives, "R2", "an owner in both deployments has arrived without having read the other active ones")        \
  X(kVotesKept, "-", "a node keeps its vote in partitions that it did not own meanwhile")                            \
  X(kRefusedIsRead, "R23", "what our own promise refuses to take over counts as read")                              \
  X(kPassHalf, "-", "a repair pass ends after its first page")                                                       \
  X(kPassForgives, "-", "a partition counts as read though a copy failed")                                           \
  X(kUnknownIsEqual, "-", "a partition that is being counted is called equal")                                       \
  X(kDigestHalf, "-", "only the first half of the groups is compared")                                               \
  X(kFloorUnsynced, "G6", "a floor is raised without a comparison")                                                  \
  X(kFloorSyncEarly, "G7", "a comparison begun before all owners were fenced counts")                                \
  X(kFloorMajority, "G8", "a floor is raised when a majority of the owners has synced")                              \
  X(kTombstoneByClock, "G1", "tombstones are dropped when they are old, without asking anybody")                     \
  X(kPassOneWay, "-", "repair pulls nothing, and pushes nothing to a node that is newer")                            \
  X(kHandoffBlind, "-", "a copy that belongs elsewhere is dropped without asking")                                   \
  X(kHandoffOne, "-", "one owner's word is enough to drop a copy")                                                   \
  X(kTargetKnows, "-", "a sole active owner forgets a damaged value because a target owner has not read it")         \
  X(kHandoffUnverified, "-", "an owner's copy is not read before the last other one is dropped")                      \
  X(kScrubsNothing, "-", "values that nobody asks for are never read")                                               \
  X(kHandoffActive, "-", "owners in the target deployment are not asked before a drop")                              \
  X(kHandoffForgetful, "-", "a floor lets a copy go on the word of an owner that is not informed")                   \
  X(kDropUnderWay, "-", "a pass lists a copy whose drop, of another configuration, is still under way")              \
  X(kDropsOwned, "-", "a copy is dropped though it is ours again")                                                   \
  /* configuration */                                                                                                \
  X(kConfigBack, "-", "an older configuration replaces a newer one")                                                 \
  X(kConfigUnstored, "R3", "a configuration is used before it is on the disk")                                       \
  X(kCounterReused, "-", "a coordinator mints one version number twice")                                             \
  X(kMirrorMints, "-", "a coordinator that is not the master takes a push")                                          \
  X(kPushBlind, "-", "a push is taken whatever version it was made from")                                            \
  X(kArrivalStale, "R1", "what a node said under another configuration counts as arrived")                           \
  X(kPromotedEarly, "R1", "the target is promoted before the data has arrived")

enum class Plant : std::uint8_t {
  kNone,
#define TAKO_PLANT_NAME(name, rule, text) name,
  TAKO_PLANTS(TAKO_PLANT_NAME)
#undef TAKO_PLANT_NAME
};

#ifdef TAKO_SIMULATED
bool planted(Plant plant);
bool buggify(Random& random, const char* site);
#else
constexpr bool planted(Plant) { return false; }
constexpr bool buggify(Random&, const char*) { return false; }
#endif

}  // namespace tako
