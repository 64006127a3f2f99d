// Step: what one configuration does to the one before it. Of all that can be changed at once, four changes are safe.
//
// The argument. At any moment some processes go by a configuration and others by the one before. What was decided by
// the quorums of one must be seen by the quorums of the other, and it is if they share a majority of one set of
// replicas:
//   settings   {A} -> {A}, {A,B} -> {A,B}: the same quorums;
//   begin      {A} -> {A,B}: every quorum of {A,B} has a majority of A (rule 26 of the replication protocol);
//   abort      {A,B} -> {A}: the same backwards (29);
//   promote    {A,B} -> {B}: they share a majority of B. But {A}, which may still be in use somewhere, does not: so a
//              majority of A must refuse it for good, and B must have what A decided before (28). That is no matter of
//              the two configurations: control/arrival.h asks the nodes.
// Anything else is a jump: a majority of the one and a majority of the other need not have a node in common.
// Who owns what is what counts, not names: sets of node ids, partition by partition. The order of buckets, addresses,
// and weights that move nothing are settings. Pure; reads both tables, a few milliseconds on a worker.
#pragma once

#include "model/placement.h"

namespace tako::model {

enum class Step : unsigned char { kSettings, kBegin, kAbort, kPromote, kJump };

Step step_between(const Placement& from, const Placement& to);

// For a jump: why it is one, and what to do instead.
std::string jump_reason(const Placement& from, const Placement& to);

}  // namespace tako::model
