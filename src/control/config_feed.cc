#include "control/config_feed.h"

#include <utility>

#include "base/log.h"
#include "base/plant.h"

namespace tako::control {

ConfigFeed::ConfigFeed(runtime::Loop& loop, runtime::Workers& workers, runtime::Files& files, net::Transport& transport,
                       Options options, Publish publish)
    : loop_(loop),
      workers_(workers),
      options_(std::move(options)),
      publish_(std::move(publish)),
      cache_(files, workers),
      taken_(loop),
      first_(loop),
      follower_(loop, workers, transport, [this] { return have(); },
                [this](model::Configuration configuration) { take(std::move(configuration)); }, options_.parse),
      gate_(loop) {}

runtime::Task<Result<ConfigFeed::Placed>> ConfigFeed::start() {
  loop_.check_here();
  const runtime::GatePass pass(gate_);
  co_await start_from_disk();
  if (loop_.stopping()) co_return Error(ErrorCode::kStopping, "the process is stopping");
  if (!current_ && options_.seeds.empty()) {
    co_return Error(ErrorCode::kInvalid,
                    "there is no configuration: give a file (-f FILE) or a coordinator (-c HOST:PORT)");
  }

  follow();
  loop_.spawn(gate_, adopt_newer());
  while (!current_ && !loop_.stopping()) {
    log::warn("waiting for a configuration from " + waiting_for());
    co_await first_.wait(loop_.now() + kReminder);
  }
  if (!current_) co_return Error(ErrorCode::kStopping, "the process stopped before it had a configuration");
  co_return current_;
}

runtime::Task<> ConfigFeed::drained() {
  co_await follower_.drained();
  co_await gate_.drained();
}

// The file given or the newest stored one: the higher counter, or the file.
runtime::Task<> ConfigFeed::start_from_disk() {
  std::optional<model::Configuration> first = co_await cache_.newest();
  const std::optional<model::Configuration>& file = options_.file;
  if (first && file && first->counter > file->counter && !planted(Plant::kConfigBack)) {
    log::warn("config_file_given_not_used", {{"stored", to_text(wire::stamp_of(*first))},
                                             {"given", to_text(wire::stamp_of(*file))},
                                             {"reason", "a newer version is in the data folder"}});
  } else if (file) {
    first = file;
  }
  if (first) co_await adopt(std::move(*first));
}

runtime::Task<> ConfigFeed::adopt(model::Configuration configuration) {
  auto place = [this, &configuration, before = current_] { return options_.place(configuration, before.get()); };
  Placed placed = co_await workers_.run(std::move(place));
  const bool forgetful = current_ && planted(Plant::kConfigUnstored);  // keeps its first one only
  if (configuration.counter > 0 && !forgetful) {
    const Status saved = co_await cache_.save(configuration);
    if (!saved) {
      const std::string version = to_text(wire::stamp_of(configuration));
      log::error("config_not_stored", {{"version", version}, {"error", saved.error().message}});
    }
  }
  if (loop_.stopping()) co_return;
  current_ = std::move(placed);
  log::info("config_adopted", {{"version", to_text(stamp())}, {"active", configuration.active}});
  publish_(current_);
}

// One at a time, so they are published in order; of several that came meanwhile only the newest.
runtime::Task<> ConfigFeed::adopt_newer() {
  while (!loop_.stopping()) {
    if (!newer_) {
      co_await taken_.wait(loop_.now() + hours(1));
      continue;
    }
    model::Configuration next = std::move(*newer_);
    newer_.reset();
    newest_ = wire::stamp_of(next);
    if (buggify(loop_.random(), "feed/slow")) co_await loop_.sleep(milliseconds(loop_.random().below(2000)));
    co_await adopt(std::move(next));
    if (loop_.stopping()) break;
    follow();
    first_.notify();
  }
}

// The version in force, or the one that is about to be.
wire::ConfigStamp ConfigFeed::have() const {
  if (newer_) return wire::stamp_of(*newer_);
  return judge(stamp(), newest_) == Judgement::kNewer ? newest_ : stamp();
}

void ConfigFeed::take(model::Configuration configuration) {
  newer_ = std::move(configuration);
  taken_.notify();
}

void ConfigFeed::follow() {
  std::vector<Contact> contacts = options_.seeds;
  if (current_) {
    for (Contact& named : coordinators_of(current_->config(), "")) {
      bool known = false;
      for (const Contact& seed : options_.seeds) known = known || seed.text() == named.text();
      if (!known) contacts.push_back(std::move(named));
    }
  }
  follower_.follow(contacts);
}

wire::ConfigStamp ConfigFeed::stamp() const {
  return current_ ? wire::stamp_of(current_->config()) : wire::ConfigStamp();
}

std::string ConfigFeed::waiting_for() const {
  std::string all;
  for (const Contact& seed : options_.seeds) all += (all.empty() ? "" : ", ") + seed.text();
  return all;
}

}  // namespace tako::control
