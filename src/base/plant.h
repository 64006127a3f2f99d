// Plants and rare branches: switches of the simulator's build (TAKO_SIMULATED); in every other build they are constants
// and cost nothing.
//
// A plant is a known mistake, about one condition left out. `scripts/simulate --planted` switches on one after the
// other and counts the seeds until a checker sees it; one that is never found is a hole in a checker. Each that removes
// a rule of the protocol names that rule: src/protocol.md says what goes wrong without it.
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

// name, rule of the protocol or "-", what is broken
#define TAKO_PLANTS(X)                                                                                               \
  /* verdict */                                                                                                      \
  X(kRefusedIsAck, "9", "a replica that holds something newer counts as having stored")                              \
  X(kForgetfulStores, "6", "\"stored\" of a node that has forgotten counts for a quorum")                              \
  X(kForgetfulAbsent, "6", "\"nothing\" of a node that has forgotten counts for a quorum")                             \
  X(kUnionMajority, "8", "a majority of both deployments' union is enough")                                          \
  X(kTwoInUnion, "30", "w=two is counted over both deployments together")                                            \
  X(kLostAckCounts, "D5a", "'stored' from before a loss makes up w=two")                                             \
  X(kVotelessMakesTwo, "D5b", "'stored' of a node that has forgotten makes up w=two, whomever it has met")           \
  X(kPromiseSupersedes, "9", "a plain write counts as lost by a promise alone: its winner may be on one disk")        \
  X(kNamesNewest, "9", "a plain write that lost names the newest version, though too few disks hold it")             \
  X(kSmallQuorum, "8", "half of the replicas is a quorum")                                                           \
  X(kTwiceCounted, "8", "the first reply counts twice")                                                              \
  X(kUnknownIsUnsent, "10", "a write that was perhaps carried out is issued anew")                                   \
  X(kLatestHasty, "D6", "absent at `latest` before every replica has answered")                                      \
  /* proxy */                                                                                                        \
  X(kNoSettle, "15", "a quorum read answers what it found without completing it")                                    \
  X(kRetryAfterRefusal, "10", "a plain write that one replica refused is issued anew")                               \
  X(kOldIncarnationVotes, "8", "a vote of before a loss is counted with one of after")                               \
  X(kNoLearning, "7", "the version clock never learns of versions above its own")                                    \
  X(kVersionReused, "7", "two writes with one client timestamp get one version")                                     \
  X(kValueOfAnother, "16", "a value is answered with another record's version")                                      \
  X(kReadRepairSkips, "-", "read repair forgets one replica")                                                        \
  X(kSettlesBelow, "18", "a key is settled under a ballot below the promise that is in its way")                      \
  X(kBuildsOnHigher, "12", "an update is decided on a record above the ballot that it prepared")                     \
  X(kDirtyRefusal, "12", "a condition fails on what may never have been written")                                    \
  X(kAppliedTwice, "13", "a conditional write that was partly stored is decided anew without looking")               \
  X(kPromiseTwice, "14", "one promise given ahead serves two writes")                                                \
  X(kPrepareMinority, "12", "one promise fewer than a majority is enough")                                           \
  X(kExpiryByClock, "17", "what has expired is answered as absent without writing that down")                        \
  X(kStaleIgnored, "30", "a request told \"stale\" is given up, not begun anew")                                       \
  X(kFlushFirstNode, "-", "flush_all asks one node for its keys")                                                    \
  X(kFlushMayLose, "-", "a delete of flush_all is no newer than what it was to delete")                              \
  /* loops */                                                                                                        \
  X(kFirstShardReads, "-", "a value is read through the first shard, whosever key it is")                            \
  X(kAdoptsOnFirst, "5", "a new configuration reaches the node's first loop only")                                   \
  X(kDigestMissesLoop, "-", "a digest leaves out what the last loop holds")                                          \
  X(kMarkPerLoop, "7", "each loop of a proxy has a version mark of its own")                                         \
  /* store */                                                                                                        \
  X(kAcceptsOlder, "1", "a replica stores what is not above its stored ballot")                                      \
  X(kCopiesBlind, "1", "copies that are taken over in one batch replace whatever is stored")                         \
  X(kPromiseNotKept, "2", "a promise is not written down")                                                           \
  X(kPromiseIgnored, "1", "a copy is stored below what was promised")                                                \
  X(kNoKeyLock, "1", "two writes of one key compare with the same stored version")                                   \
  X(kPiecesLeak, "-", "the pieces of a replaced value stay on the disk")                                             \
  X(kPiecesByKey, "-", "the pieces of all versions of a key have one name")                                          \
  X(kVisibleEarly, "-", "an upload is committed before all its pieces are there")                                    \
  X(kPieceUnchecked, "-", "a piece that does not match its checksum is returned")                                    \
  X(kStagedForever, "-", "uploads that nobody finishes are never swept")                                             \
  X(kChecksumUnseen, "-", "a value that does not match its checksum is returned")                                    \
  X(kListSkips, "-", "the listing leaves out the last key of a page")                                                \
  X(kTombstoneUnlisted, "-", "tombstones are not listed for repair")                                                 \
  X(kNeverMends, "-", "a damaged value is not rewritten by a good copy")                                             \
  X(kTailLost, "1", "the last batch of a group commit is lost")                                                      \
  X(kAckBeforeWrite, "1", "a write is answered before it is in the log")                                             \
  X(kErrorIsSuccess, "-", "a group commit that failed is answered as done")                                          \
  X(kDigestDropKept, "-", "a digest still counts a copy that was dropped")                                           \
  X(kDigestErasedStays, "-", "a digest still counts a damaged record that was erased")                               \
  X(kDigestUnsure, "-", "a write whose outcome is unknown leaves the digest as it was")                              \
  X(kDigestCountsTwice, "-", "what is written while its partition is counted may be counted twice")                  \
  X(kFloorUnfenced, "20", "a proposal below the fence is taken")                                                     \
  X(kFloorDropsPromise, "20", "a promise above the floor goes with the tombstone")                                   \
  X(kDigestsStale, "-", "digests saved at a clean stop are used after an unclean one")                               \
  /* node */                                                                                                         \
  X(kWipedVotes, "6", "a node with an empty disk votes at once")                                                     \
  X(kOneSource, "22", "one source is enough to vote again")                                                          \
  X(kIncarnationForgotten, "21", "peers keep a new incarnation in memory only")                                      \
  X(kLivesNotTaken, "D5b", "a node does not take over which incarnations its sources know")                          \
  X(kCrashForgiven, "21", "a crashed machine with sync at an interval keeps its votes")                              \
  X(kRollbackUnseen, "21", "a disk that went back in time is not noticed")                                           \
  X(kCorruptIsAbsent, "6", "an unreadable row is answered as \"nothing\", with a vote")                                \
  X(kStaleServed, "5", "requests by an older configuration are served")                                              \
  X(kReadBeforeFenced, "27", "a source is read before it has our configuration")                                     \
  X(kListedBeforeFenced, "27", "a listing begun before the source had our configuration, and ended after it, counts") \
  X(kLateVotes, "5", "a write counts that was stored when a newer configuration had come")                           \
  X(kArrivedAtOnce, "27", "a target owner votes without having read anything")                                       \
  X(kMajorityArrives, "27", "a target owner has arrived when it has read a majority, which may lack what w=two says") \
  X(kStayerArrives, "27", "an owner in both deployments has arrived without having read the other active ones")      \
  X(kVotesKept, "6", "a node keeps its vote in partitions that it did not own meanwhile")                            \
  X(kRefusedIsRead, "23", "what our own promise refuses to take over counts as read")                                \
  X(kPassHalf, "18", "a repair pass ends after its first page")                                                      \
  X(kPassForgives, "22", "a partition counts as read though a copy failed")                                          \
  X(kUnknownIsEqual, "18", "a partition that is being counted is called equal")                                      \
  X(kDigestHalf, "18", "only the first half of the groups is compared")                                              \
  X(kFloorUnsynced, "20", "a floor is raised without a comparison")                                                  \
  X(kFloorSyncEarly, "20", "a comparison begun before all owners were fenced counts")                                \
  X(kFloorMajority, "20", "a floor is raised when a majority of the owners has synced")                              \
  X(kFloorAfterLoss, "20", "a floor is raised though a copy was taken away since it was found to be right")          \
  X(kFloorAfterListing, "20", "a pass believes a floor of ours that came after it had listed what is here")          \
  X(kTombstoneByClock, "20", "tombstones are dropped when they are old, without asking anybody")                     \
  X(kPassOneWay, "18", "repair pulls nothing, and pushes nothing to a node that is newer")                           \
  X(kHandoffBlind, "19", "a copy that belongs elsewhere is dropped without asking")                                  \
  X(kHandoffOne, "19", "one owner's word is enough to drop a copy")                                                  \
  X(kTargetKnows, "-", "a sole active owner forgets a damaged value because a target owner has not read it")         \
  X(kHandoffUnverified, "19", "an owner's copy is not read before the last other one is dropped")                    \
  X(kScrubsNothing, "-", "values that nobody asks for are never read")                                               \
  X(kHandoffActive, "19", "owners in the target deployment are not asked before a drop")                             \
  X(kDropUnderWay, "19", "a pass lists a copy whose drop, of another configuration, is still under way")             \
  X(kDropsOwned, "19", "a copy is dropped though it is ours again")                                                  \
  X(kHandoffForgetful, "19", "a floor lets a copy go on the word of an owner that is not informed")                  \
  /* configuration */                                                                                                \
  X(kConfigBack, "-", "an older configuration replaces a newer one")                                                 \
  X(kConfigUnstored, "5", "a configuration is used before it is on the disk")                                        \
  X(kCounterReused, "-", "a coordinator mints one version number twice")                                             \
  X(kMirrorMints, "-", "a coordinator that is not the master takes a push")                                          \
  X(kPushBlind, "-", "a push is taken whatever version it was made from")                                            \
  X(kArrivalStale, "28", "what a node said under another configuration counts as arrived")                           \
  X(kPromotedEarly, "28", "the target is promoted before the data has arrived")

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
