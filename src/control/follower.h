// Follower: hears of newer configurations from coordinators, and believes only what continues the history (history.h).
//
// One task an address, on loop 0: a request that the coordinator holds until it has something newer (no polling
// delay), asked again at once when it was answered, and after a pause when it failed. A coordinator that is slow, dead,
// behind, or talks nonsense costs its own task time and changes nothing. Owned by the feed or the coordinator.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/history.h"
#include "net/transport.h"
#include "runtime/loop.h"
#include "runtime/sync.h"
#include "runtime/workers.h"

namespace tako::control {

class Follower {
 public:
  static constexpr std::uint32_t kWaitMs = 20'000;          // how long a coordinator may hold a request
  static constexpr Duration kAnswerTimeMax = seconds(25);   // that, and time to answer
  static constexpr Duration kPauseFirst = milliseconds(100);
  // Pauses double up to this, with jitter: a coordinator that came back is heard within a second.
  static constexpr Duration kPauseMax = seconds(1);
  static constexpr std::size_t kConflictsKnownMax = 64;
  static constexpr std::size_t kFollowedMax = 64;

  // The version that the owner has, or is about to adopt.
  using Have = std::function<wire::ConfigStamp()>;
  // A newer one: parsed, whole, and what its stamp says. Called on the loop, returns at once.
  using Take = std::function<void(model::Configuration)>;
  // model::parse_config, or what says the same. On a worker.
  using Parse = std::function<Result<model::Configuration>(std::string_view text, std::string_view name)>;

  // REQUIRES: all outlive it
  Follower(runtime::Loop& loop, runtime::Workers& workers, net::Transport& transport, Have have, Take take,
           Parse parse);

  // From now on these and no others. A task of one that is no longer followed ends with its request.
  void follow(const std::vector<Contact>& contacts);

  // REQUIRES: the loop is stopping. Returns when no task is left.
  runtime::Task<> drained();

 private:
  struct Followed {
    Contact contact;
    bool wanted = true;
    unsigned failures = 0;  // in a row
    std::string complaint;  // the last one logged
  };

  runtime::Task<> run(std::shared_ptr<Followed> one);
  runtime::Task<Status> ask(std::shared_ptr<Followed> one);
  runtime::Task<Status> consider(std::shared_ptr<Followed> one, wire::ConfigStamp asked_with, wire::ConfigReply reply);
  void note_failure(Followed& one, const Error& error);
  void note_conflict(const Followed& one, const wire::ConfigStamp& theirs);
  Duration pause_after(unsigned failures);

  runtime::Loop& loop_;
  runtime::Workers& workers_;
  net::Transport& transport_;
  const Have have_;
  const Take take_;
  const Parse parse_;
  std::map<std::string, std::shared_ptr<Followed>> followed_;
  std::set<std::uint64_t> conflicts_;
  runtime::Gate gate_;
};

}  // namespace tako::control
