// Arrival: what the nodes say about the reconfiguration under way, and whether the target may be promoted (rule 28).
//
// The argument. {A,B} -> {B} is right if whatever was decided by {A} or {A,B} is seen by every majority of B, now and
// later. Let every node of B say, of exactly this {A,B}, that all its partitions have arrived: then it has read a
// majority of A, and all but one of A, after each of those had this configuration and refused older ones (rule 27,
// node/membership/standing.h). So it has what {A} decided before, and what was answered at `two`; and what {A,B}
// decides is stored by a majority of B itself. What {A} alone could still decide is shut out by the second condition:
// in each partition a majority of A refuses older configurations for good, also after a crash. Nodes of B need not have
// adopted {B}.
//  - Who says so: the node, of itself, asked now. Nothing is remembered here from one question to the next: a node that
//    said so and lost its disk since says so no more. One that loses it after it has answered and before {B} is known
//    is a member of B that lost its disk, as on any other day: the others of B have arrived, and it reads them.
//  - A stale answer names another configuration, and is none. So is silence, and an error.
//  - Of A a majority is enough, partition by partition: a node of A may be dead, which is why it is being replaced.
//    Of B all have to have arrived, where a majority would do for quorums: w=two counts in B, and one that is missing
//    there would be missing from the start.
//  - A coordinator that restarts, or another one that is made the master, asks anew.
// Pure, but for ask_nodes(). On the coordinator's loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/placement.h"
#include "net/transport.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "wire/cluster/message.h"

namespace tako::control {

using Answers = std::vector<Result<wire::ArrivalReply>>;  // by node of the placement

// Asks all nodes at once, so many at a time; who has not answered at `deadline` is an error.
// REQUIRES: loop and transport outlive the task
runtime::Task<Answers> ask_nodes(runtime::Loop& loop, net::Transport& transport,
                                 std::shared_ptr<const model::Placement> placement, wire::ArrivalQuery query,
                                 TimePoint deadline);

// What the answers come to. REQUIRES: an answer for each node
struct Arrival {
  std::uint64_t owned = 0;    // partitions of the target, once for each owner
  std::uint64_t arrived = 0;  // ... that are there
  std::uint64_t read = 0;     // see wire::ArrivalReply
  std::uint64_t to_read = 0;
  std::vector<std::string> missing;  // nodes of the target that lack something, and what: "n5 has 12 of 40 partitions"
  std::uint32_t unfenced = 0;        // partitions of which too few active owners refuse older configurations
  std::vector<std::string> behind;   // the nodes of A that do not yet
};
Arrival arrival_of(const model::Placement& placement, const Answers& answers);

// ok, or kConflict with what is missing, and what to do.
Status may_promote(const model::Placement& placement, const Arrival& arrival);

}  // namespace tako::control
