// ConfigFeed: the configuration that this process goes by, and every newer one as it comes. One per process, on loop 0.
//
// It starts from the file given (-f) or the newest on disk, whichever has the higher counter (the file, if equal), and
// serves from it without waiting for anybody; with neither it waits for a coordinator. It follows the coordinators it
// was started with (-c) for ever, and those named in the configuration in force. Which one is newer: history.h. A
// configuration that leaves this very node out is adopted like any other: a node drains itself by the newest truth.
// What is adopted is stored first; a disk that fails is logged and holds nothing up. Each is published as a Placement,
// made on a worker since it takes up to 100 ms, in the order of the counters.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/config_cache.h"
#include "control/follower.h"
#include "model/placement.h"

namespace tako::control {

class ConfigFeed {
 public:
  static constexpr Duration kReminder = seconds(10);  // while it waits for a first configuration

  using Placed = std::shared_ptr<const model::Placement>;
  // Called on loop 0, also from within start(), for the first configuration and every later one.
  using Publish = std::function<void(Placed)>;

  struct Options {
    std::optional<model::Configuration> file;  // -f, parsed
    std::vector<Contact> seeds;                // -c, with kAnyCoordinator as id
    // Many feeds in one process may share what they make.
    std::function<Placed(const model::Configuration&, const model::Placement* like)> place = model::Placement::make;
    Follower::Parse parse = model::parse_config;  // of what coordinators answer
  };

  // REQUIRES: all outlive it
  ConfigFeed(runtime::Loop& loop, runtime::Workers& workers, runtime::Files& files, net::Transport& transport,
             Options options, Publish publish);

  // Returns the first configuration, already published, and goes on following. kInvalid: there is none and nobody to
  // ask; kStopping: the loop stopped first.
  runtime::Task<Result<Placed>> start();

  // Null before the first.
  const Placed& current() const { return current_; }
  wire::ConfigStamp stamp() const;

  // REQUIRES: the loop is stopping. Returns when nothing of it is left on the loop.
  runtime::Task<> drained();

 private:
  runtime::Task<> start_from_disk();
  runtime::Task<> adopt(model::Configuration configuration);
  runtime::Task<> adopt_newer();
  wire::ConfigStamp have() const;
  void take(model::Configuration configuration);
  void follow();
  std::string waiting_for() const;

  runtime::Loop& loop_;
  runtime::Workers& workers_;
  const Options options_;
  const Publish publish_;
  ConfigCache cache_;
  Placed current_;
  std::optional<model::Configuration> newer_;  // taken, and its turn has not come
  wire::ConfigStamp newest_;                   // the one whose turn it is, or was
  runtime::Signal taken_;
  runtime::Signal first_;
  Follower follower_;
  runtime::Gate gate_;
};

}  // namespace tako::control
