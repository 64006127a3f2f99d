// Coordinator: keeps the history of configurations (history.h) and hands it out. A net::Service, on loop 0.
//
// The master mints versions: of a file (-f) whose content is not the one it took from a file last, and of what is
// pushed to it. So a pushed change survives restarts with the old file, and an edited file is taken once. All other
// coordinators mirror: each follows all the others, so a master that lost its disk gets the history back from a mirror.
// Everything is on disk before anybody hears of it. A request for something newer is held until there is something,
// so that a change reaches everybody at once; those that wait are counted and bounded.
// What is pushed has to be one step from the configuration in force (model/step.h), and a promotion is taken only when
// the nodes say that everything has arrived (arrival.h); `force` passes over both. A file is the operator's own hand:
// it is taken as it is, with a warning. The states of a reconfiguration (moving, arrived, promoted) are those of the
// configuration and of the nodes, so there is nothing to remember, and nothing to forget by a restart.
// Of what others say only two things are used: whole configurations that are newer, and how high their counters are.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/arrival.h"
#include "control/config_cache.h"
#include "control/follower.h"
#include "control/pace.h"
#include "model/step.h"
#include "net/transport.h"

namespace tako::control {

class Coordinator final : public net::Service {
 public:
  static constexpr std::size_t kWaitingMax = 20'000;
  static constexpr Duration kHoldMax = seconds(30);
  static constexpr Duration kAnswerMargin = milliseconds(200);  // kept of a request's deadline, to answer in time

  static constexpr Duration kNodesTimeMax = seconds(3);  // for all nodes to answer

  using Placed = std::shared_ptr<const model::Placement>;
  struct Options {
    std::string id;
    std::optional<model::Configuration> file;  // -f, parsed
    std::function<Placed(const model::Configuration&, const model::Placement* like)> place = model::Placement::make;
    Follower::Parse parse = model::parse_config;
  };

  // REQUIRES: all outlive it
  Coordinator(runtime::Loop& loop, runtime::Workers& workers, runtime::Files& files, net::Transport& transport,
              Options options);
  ~Coordinator() override;

  // Loads, takes the file if it is due, and begins to mirror. Serve after it. An error: the state cannot be stored.
  runtime::Task<Status> start();

  // Ping, FetchConfig, PushConfig and StatusQuery. kNotFound: it holds no configuration; kConflict: another version
  // than expected, no step from it, not arrived, or this one is not the master.
  runtime::Task<wire::Reply> handle(wire::Request request, TimePoint deadline) override;

  // Null while it holds nothing.
  std::shared_ptr<const model::Configuration> current() const { return current_; }

  // The one in force, or the file given while there is none: where this coordinator and the others listen. Null if
  // there is neither.
  const model::Configuration* known() const {
    if (current_) return current_.get();
    return options_.file ? &*options_.file : nullptr;
  }

  // Answers those who wait for a newer version, and from now on nobody waits: before its ports close, or the close
  // would wait for them.
  void dismiss();

  // REQUIRES: the loop is stopping. Returns when nothing of it is left on the loop.
  runtime::Task<> drained();

 private:
  runtime::Task<Status> import_file();
  runtime::Task<Result<wire::ConfigReply>> fetch(wire::FetchConfig request, TimePoint deadline);
  runtime::Task<Result<wire::ConfigReply>> push(wire::PushConfig request, TimePoint deadline);
  runtime::Task<model::Step> step_to(model::Configuration next, std::string* jump);
  runtime::Task<Status> judge_step(model::Configuration next, TimePoint deadline);
  runtime::Task<Result<Arrival>> ask_nodes_about(Placed placement, wire::ArrivalQuery query, TimePoint deadline);
  runtime::Task<Result<wire::StatusReply>> status(TimePoint deadline);
  runtime::Task<Placed> placed();
  runtime::Task<Status> install(model::Configuration configuration);
  runtime::Task<> mirror();
  Status may_push(const model::Configuration& pushed, std::uint64_t expected_counter) const;
  bool newer_than(const wire::ConfigStamp& have) const;
  void hear(const wire::ConfigStamp& have);
  void take(model::Configuration configuration);
  void hold(model::Configuration configuration);
  wire::ConfigStamp stamp() const;
  std::uint64_t next_counter() const;

  runtime::Loop& loop_;
  runtime::Workers& workers_;
  runtime::Files& files_;
  net::Transport& transport_;
  const Options options_;
  ConfigCache cache_;
  std::shared_ptr<const model::Configuration> current_;
  std::shared_ptr<const std::string> text_;  // of current_
  Placed placed_;                            // of current_, once it was needed
  Pace pace_;
  std::uint64_t counter_heard_ = 0;
  bool behind_said_ = false;
  bool storing_ = false;                       // one version at a time is on its way to the disk
  std::optional<model::Configuration> newer_;  // mirrored, and not installed yet
  runtime::Signal taken_;
  std::map<std::uint64_t, runtime::Signal*> waiting_;  // in the order they came
  std::uint64_t waiting_sequence_ = 0;
  bool dismissed_ = false;
  Follower follower_;
  runtime::Gate gate_;
};

}  // namespace tako::control
