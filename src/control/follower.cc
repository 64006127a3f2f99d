#include "control/follower.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/plant.h"

namespace tako::control {

Follower::Follower(runtime::Loop& loop, runtime::Workers& workers, net::Transport& transport, Have have, Take take,
                   Parse parse)
    : loop_(loop),
      workers_(workers),
      transport_(transport),
      have_(std::move(have)),
      take_(std::move(take)),
      parse_(std::move(parse)),
      gate_(loop) {}

void Follower::follow(const std::vector<Contact>& contacts) {
  loop_.check_here();
  for (auto& [name, one] : followed_) one->wanted = false;
  for (const Contact& contact : contacts) {
    const std::string name = contact.id + "@" + contact.text();
    auto& one = followed_[name];
    if (one) {
      one->wanted = true;
      continue;
    }
    if (followed_.size() > kFollowedMax) {
      followed_.erase(name);
      log::warn("coordinator_not_followed", {{"address", contact.text()}, {"followed_max", kFollowedMax}});
      continue;
    }
    one = std::make_shared<Followed>();
    one->contact = contact;
    loop_.spawn(gate_, run(one));
  }
}

runtime::Task<> Follower::drained() { co_await gate_.drained(); }

runtime::Task<> Follower::run(std::shared_ptr<Followed> one) {
  while (one->wanted && !loop_.stopping()) {
    const Status asked = co_await ask(one);
    if (loop_.stopping()) break;
    if (asked) {
      if (one->failures > 0) log::info("coordinator_answers", {{"address", one->contact.text()}});
      one->failures = 0;
      one->complaint.clear();
      continue;
    }
    note_failure(*one, asked.error());
    co_await loop_.sleep(pause_after(one->failures++));
  }
  followed_.erase(one->contact.id + "@" + one->contact.text());
}

// One request. An error: the pause before the next one is due.
runtime::Task<Status> Follower::ask(std::shared_ptr<Followed> one) {
  const TimePoint begun = loop_.now();
  wire::FetchConfig fetch;
  fetch.have = have_();
  fetch.wait_ms = kWaitMs;
  const wire::ConfigStamp asked_with = fetch.have;
  const net::Peer coordinator = one->contact.peer();
  Result<wire::ConfigReply> answer =
      co_await net::call(transport_, coordinator, asked_with, fetch, begun + kAnswerTimeMax);
  if (!answer) co_return answer.error();
  if (answer->text.empty()) {
    // It did not wait: do not ask again at once, or two processes keep each other busy.
    if (loop_.now() - begun < kPauseFirst) co_return Error(ErrorCode::kUnavailable, "an answer with nothing in it");
    co_return ok_status();
  }
  Status considered = co_await consider(one, asked_with, std::move(*answer));
  co_return considered;
}

runtime::Task<Status> Follower::consider(std::shared_ptr<Followed> one, wire::ConfigStamp asked_with,
                                         wire::ConfigReply reply) {
  const std::string version = to_text(reply.stamp);
  if (reply.stamp.counter > kCounterMax) co_return Error(ErrorCode::kInvalid, "a version out of range: " + version);
  const Judgement judgement = judge(have_(), reply.stamp);
  const bool back = judgement == Judgement::kOlder && planted(Plant::kConfigBack);
  switch (back ? Judgement::kNewer : judgement) {
    case Judgement::kNewer:
      break;
    case Judgement::kConflict:
      note_conflict(*one, reply.stamp);
      co_return Error(ErrorCode::kConflict, "another configuration of the same version: " + version);
    case Judgement::kSame:
    case Judgement::kOlder:
      // Another coordinator was faster.
      if (judge(asked_with, reply.stamp) == Judgement::kNewer) co_return ok_status();
      co_return Error(ErrorCode::kStale, "a configuration that is not newer: " + version);
  }

  auto parse = [this, &reply] { return parse_(reply.text, "the configuration"); };
  Result<model::Configuration> parsed = co_await workers_.run(std::move(parse));
  if (!parsed) co_return parsed.error();
  if (wire::stamp_of(*parsed) != reply.stamp) {
    const std::string actual = to_text(wire::stamp_of(*parsed));
    co_return Error(ErrorCode::kCorrupt, "a configuration " + actual + " that is said to be " + version);
  }
  // What is in force may have changed meanwhile.
  const bool newer = judge(have_(), reply.stamp) == Judgement::kNewer;
  if ((newer || back) && !loop_.stopping()) take_(std::move(*parsed));
  if (back) co_return Error(ErrorCode::kStale, "an older configuration was taken: " + version);
  co_return ok_status();
}

void Follower::note_failure(Followed& one, const Error& error) {
  const bool away = error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kUnsent ||
                    error.code == ErrorCode::kTimeout || error.code == ErrorCode::kNotFound ||
                    error.code == ErrorCode::kOverloaded || error.code == ErrorCode::kStopping;
  if (error.code == ErrorCode::kConflict || error.message == one.complaint) return;
  if (away && one.failures > 0) return;  // said when it went
  one.complaint = error.message;
  if (away) {
    log::info("coordinator_away", {{"address", one.contact.text()}, {"error", error.message}});
  } else {
    log::warn("coordinator_ignored", {{"address", one.contact.text()}, {"error", error.message}});
  }
}

void Follower::note_conflict(const Followed& one, const wire::ConfigStamp& theirs) {
  if (conflicts_.size() >= kConflictsKnownMax || !conflicts_.insert(theirs.hash).second) return;
  log::warn("config_conflict", {{"address", one.contact.text()},
                                {"ours", to_text(have_())},
                                {"theirs", to_text(theirs)},
                                {"action", "refused; two masters made changes: push the right one anew"}});
}

Duration Follower::pause_after(unsigned failures) {
  const Duration full = std::min(kPauseMax, kPauseFirst * (1u << std::min(failures, 10u)));
  const Duration pause(static_cast<Duration::rep>(loop_.random().between(full.count() / 2, full.count())));
  return buggify(loop_.random(), "follower/long_pause") ? 10 * pause : pause;
}

}  // namespace tako::control
