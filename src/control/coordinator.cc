#include "control/coordinator.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "base/plant.h"

namespace tako::control {
namespace {

// The hash of the content that was last taken from a file.
constexpr const char* kImportedFile = "config/imported";
constexpr std::size_t kImportedBytesMax = 100;
constexpr Duration kDiskPause = seconds(1);  // before a disk that failed is tried again

std::string master_of(const model::Configuration& configuration) {
  if (configuration.coordinators.empty()) return "none";
  const model::CoordinatorSpec* master = &configuration.coordinators.front();
  if (configuration.master) master = configuration.find_coordinator(*configuration.master);
  ASSERT(master);  // parse_config saw to it
  return master->id + " at " + master->address.host + ":" + std::to_string(master->address.port);
}

}  // namespace

Coordinator::Coordinator(runtime::Loop& loop, runtime::Workers& workers, runtime::Files& files,
                         net::Transport& transport, Options options)
    : loop_(loop),
      workers_(workers),
      files_(files),
      transport_(transport),
      options_(std::move(options)),
      cache_(files, workers),
      taken_(loop),
      follower_(loop, workers, transport, [this] { return newer_ ? wire::stamp_of(*newer_) : stamp(); },
                [this](model::Configuration configuration) { take(std::move(configuration)); }, options_.parse),
      gate_(loop) {}

Coordinator::~Coordinator() { ASSERT(waiting_.empty()); }

runtime::Task<Status> Coordinator::start() {
  loop_.check_here();
  const runtime::GatePass pass(gate_);
  std::optional<model::Configuration> stored = co_await cache_.newest();
  if (stored && !planted(Plant::kCounterReused)) hold(std::move(*stored));
  Status imported = co_await import_file();
  if (!imported || loop_.stopping()) co_return imported;

  if (!current_) {
    log::info("coordinator_empty", {{"id", options_.id}, {"action", "waits for the master, or for a push"}});
  }
  if (!current_ && options_.file) follower_.follow(coordinators_of(*options_.file, options_.id));
  if (current_) follower_.follow(coordinators_of(*current_, options_.id));
  loop_.spawn(gate_, mirror());
  co_return imported;
}

runtime::Task<> Coordinator::drained() {
  co_await follower_.drained();
  co_await gate_.drained();
}

// A version of the history is made of the file if it is another than last time, and this is the place to make one: the
// master in force, or the one that the file itself names (the way to replace a master that is lost).
runtime::Task<Status> Coordinator::import_file() {
  if (!options_.file) co_return ok_status();
  const model::Configuration& file = *options_.file;
  const std::string mark = std::to_string(file.hash);
  auto read = [this] { return files_.read(kImportedFile, kImportedBytesMax); };
  const Result<std::string> last = co_await workers_.run(std::move(read));
  if (current_ && last && *last == mark) co_return ok_status();

  if (!is_master(file, options_.id) && !(current_ && is_master(*current_, options_.id))) {
    log::info("config_file_not_taken",
              {{"reason", "this coordinator mirrors the master"}, {"master", master_of(file)}});
    co_return ok_status();
  }
  if (!current_ || current_->hash != file.hash) {
    model::Configuration next = file;
    next.counter = std::max(next_counter(), file.counter);
    if (next.counter > kCounterMax) {
      co_return Error(ErrorCode::kInvalid, "version " + std::to_string(next.counter) +
                                               " is out of range; expected up to " + std::to_string(kCounterMax));
    }
    if (current_) {
      std::string jump;
      const model::Step step = co_await step_to(next, &jump);
      if (step == model::Step::kPromote) jump = "it promotes the target, and the nodes were not asked";
      if (!jump.empty()) log::warn("config_file_forced", {{"version", next.counter}, {"reason", jump}});
    }
    Status installed = co_await install(std::move(next));
    if (!installed) co_return installed;
  }
  auto write = [this, &mark] { return files_.write(kImportedFile, mark); };
  Status written = co_await workers_.run(std::move(write));
  co_return written;
}

runtime::Task<wire::Reply> Coordinator::handle(wire::Request request, TimePoint deadline) {
  loop_.check_here();
  const runtime::GatePass pass(gate_);
  wire::Reply reply;
  if (std::holds_alternative<wire::Ping>(request.body)) {
    reply.body = wire::Pong();
  } else if (const auto* fetched = std::get_if<wire::FetchConfig>(&request.body)) {
    Result<wire::ConfigReply> answer = co_await fetch(*fetched, deadline);
    if (answer) reply.body = std::move(*answer);
    else reply.body = answer.error();
  } else if (auto* pushed = std::get_if<wire::PushConfig>(&request.body)) {
    Result<wire::ConfigReply> answer = co_await push(std::move(*pushed), deadline);
    if (answer) reply.body = std::move(*answer);
    else reply.body = answer.error();
  } else if (std::holds_alternative<wire::StatusQuery>(request.body)) {
    Result<wire::StatusReply> answer = co_await status(deadline);
    if (answer) reply.body = std::move(*answer);
    else reply.body = answer.error();
  } else {
    reply.body = Error(ErrorCode::kInvalid, "this is a coordinator: it answers for configurations only");
  }
  reply.config = stamp();
  co_return reply;
}

void Coordinator::dismiss() {
  dismissed_ = true;
  for (const auto& [place, changed] : waiting_) changed->notify();
}

runtime::Task<Result<wire::ConfigReply>> Coordinator::fetch(wire::FetchConfig request, TimePoint deadline) {
  hear(request.have);
  if (!current_) co_return Error(ErrorCode::kNotFound, "this coordinator has no configuration");
  if (!newer_than(request.have) && !dismissed_) {
    if (waiting_.size() >= kWaitingMax || buggify(loop_.random(), "coordinator/full")) {
      co_return Error(ErrorCode::kOverloaded, "too many wait for a configuration here; try later");
    }
    const std::uint32_t wait_ms = buggify(loop_.random(), "coordinator/impatient") ? 0 : request.wait_ms;
    const Duration hold = std::min<Duration>(milliseconds(wait_ms), kHoldMax);
    const TimePoint until = std::min(loop_.now() + hold, deadline - kAnswerMargin);
    runtime::Signal changed(loop_);
    const std::uint64_t place = ++waiting_sequence_;
    waiting_.emplace(place, &changed);
    while (!newer_than(request.have) && !dismissed_ && loop_.now() < until) {
      const bool woken = co_await changed.wait(until);
      if (!woken) break;
    }
    waiting_.erase(place);
  }
  wire::ConfigReply reply;
  reply.stamp = stamp();
  const bool again = buggify(loop_.random(), "coordinator/known_configuration");
  if (newer_than(request.have) || again) reply.text = *text_;
  co_return reply;
}

runtime::Task<Result<wire::ConfigReply>> Coordinator::push(wire::PushConfig request, TimePoint deadline) {
  auto parse = [this, &request] { return options_.parse(request.text, "the configuration"); };
  Result<model::Configuration> parsed = co_await workers_.run(std::move(parse));
  if (!parsed) co_return parsed.error();
  Status allowed = may_push(*parsed, request.expected_counter);
  if (!allowed) co_return allowed.error();

  wire::ConfigReply reply;
  reply.stamp = stamp();
  const bool in_force = current_ && current_->hash == parsed->hash && counter_heard_ <= current_->counter;
  if (in_force) co_return reply;  // so a push can be repeated when its answer was lost

  if (current_ && request.force) {
    log::warn("config_forced", {{"in_force", to_text(stamp())}, {"active", parsed->active}});
  } else if (current_) {
    const wire::ConfigStamp judged = stamp();
    parsed->counter = next_counter();
    const Status step = co_await judge_step(*parsed, deadline);
    if (!step) co_return step.error();
    allowed = may_push(*parsed, judged.counter);  // it took a while
    if (!allowed) co_return allowed.error();
  }
  parsed->counter = next_counter();
  reply.stamp = wire::stamp_of(*parsed);
  const Status installed = co_await install(std::move(*parsed));
  if (!installed) co_return installed.error();
  co_return reply;
}

runtime::Task<Coordinator::Placed> Coordinator::placed() {
  Placed known = placed_;
  const auto current = current_;
  if (known && wire::stamp_of(known->config()) == wire::stamp_of(*current)) co_return known;
  auto place = [this, current, known] { return options_.place(*current, known.get()); };
  known = co_await workers_.run(std::move(place));
  placed_ = known;
  co_return known;
}

// What it does to the configuration in force. REQUIRES: there is one
runtime::Task<model::Step> Coordinator::step_to(model::Configuration next, std::string* jump) {
  const Placed from = co_await placed();
  auto compare = [this, &next, &from, jump] {
    const Placed to = options_.place(next, from.get());
    const model::Step step = model::step_between(*from, *to);
    if (step == model::Step::kJump) *jump = model::jump_reason(*from, *to);
    return step;
  };
  const model::Step step = co_await workers_.run(std::move(compare));
  co_return step;
}

// May it follow the configuration in force? REQUIRES: there is one
runtime::Task<Status> Coordinator::judge_step(model::Configuration next, TimePoint deadline) {
  const Placed from = co_await placed();
  std::string jump;
  const model::Step step = co_await step_to(std::move(next), &jump);
  if (step == model::Step::kJump && !planted(Plant::kPushBlind)) {
    co_return Error(ErrorCode::kConflict, jump + "; --force takes it all the same");
  }
  if (step != model::Step::kPromote) co_return ok_status();
  wire::ArrivalQuery query;
  query.durably = true;
  const auto arrival = co_await ask_nodes_about(from, query, deadline);
  if (!arrival) co_return arrival.error();
  co_return may_promote(*from, *arrival);
}

runtime::Task<Result<Arrival>> Coordinator::ask_nodes_about(Placed placement, wire::ArrivalQuery query,
                                                            TimePoint deadline) {
  const TimePoint until = std::min(deadline - kAnswerMargin, loop_.now() + kNodesTimeMax);
  const Answers answers = co_await ask_nodes(loop_, transport_, placement, query, until);
  if (loop_.stopping()) co_return Error(ErrorCode::kStopping, "this coordinator is stopping");
  auto count = [&placement, &answers] { return arrival_of(*placement, answers); };
  Arrival arrival = co_await workers_.run(std::move(count));
  co_return arrival;
}

// How far the reconfiguration under way is.
runtime::Task<Result<wire::StatusReply>> Coordinator::status(TimePoint deadline) {
  if (!current_) co_return Error(ErrorCode::kNotFound, "this coordinator has no configuration");
  const Placed placement = co_await placed();
  std::optional<Arrival> arrival;
  if (placement->has_target()) {
    wire::ArrivalQuery query;
    const auto counted = co_await ask_nodes_about(placement, query, deadline);
    if (!counted) co_return counted.error();
    arrival = *counted;
    pace_.note(wire::stamp_of(placement->config()), loop_.now(), arrival->read);
  }
  co_return wire::StatusReply{progress_json(*placement, arrival, pace_, loop_.now())};
}

Status Coordinator::may_push(const model::Configuration& pushed, std::uint64_t expected_counter) const {
  if (loop_.stopping()) return {ErrorCode::kStopping, "this coordinator is stopping"};
  const model::Configuration& ruling = current_ ? *current_ : pushed;
  if (!is_master(ruling, options_.id) && !planted(Plant::kMirrorMints)) {
    return {ErrorCode::kConflict, "coordinator " + options_.id + " is not the master; push to " + master_of(ruling)};
  }
  const bool busy = storing_ || buggify(loop_.random(), "coordinator/busy");
  if (busy) return {ErrorCode::kOverloaded, "another change is being stored; try again"};
  const std::uint64_t counter = stamp().counter;
  if (expected_counter != 0 && expected_counter != counter && !planted(Plant::kPushBlind)) {
    return {ErrorCode::kConflict, "the configuration in force is version " + std::to_string(counter) + ", not " +
                                      std::to_string(expected_counter) + "; make the change to that one"};
  }
  if (next_counter() > kCounterMax) return {ErrorCode::kInternal, "there are no version numbers left"};
  return ok_status();
}

// REQUIRES: !storing_, and it is newer than the one in force
runtime::Task<Status> Coordinator::install(model::Configuration configuration) {
  ASSERT(!storing_ && judge(stamp(), wire::stamp_of(configuration)) == Judgement::kNewer);
  storing_ = true;
  Status saved = co_await cache_.save(configuration);
  storing_ = false;
  taken_.notify();
  if (!saved) co_return saved;

  hold(std::move(configuration));
  log::info("config_in_force",
            {{"version", to_text(stamp())}, {"active", current_->active}, {"waiting", waiting_.size()}});
  for (const auto& [place, changed] : waiting_) changed->notify();
  if (!loop_.stopping()) follower_.follow(coordinators_of(*current_, options_.id));
  co_return saved;
}

// Installs what the other coordinators have newer, as it is: with its version.
runtime::Task<> Coordinator::mirror() {
  while (!loop_.stopping()) {
    if (!newer_ || storing_) {
      co_await taken_.wait(loop_.now() + hours(1));
      continue;
    }
    model::Configuration next = *newer_;
    if (judge(stamp(), wire::stamp_of(next)) == Judgement::kNewer) {
      const Status installed = co_await install(next);
      if (!installed) {
        log::error("config_not_stored",
                   {{"version", to_text(wire::stamp_of(next))}, {"error", installed.error().message}});
        co_await loop_.sleep(kDiskPause);
      }
    }
    if (newer_->counter == next.counter) newer_.reset();
  }
}

// At once: anything of the history to those outside it, a higher counter, and to those with another configuration of
// our own counter: they will not take it, but say so in their logs.
bool Coordinator::newer_than(const wire::ConfigStamp& have) const {
  if (!current_) return false;
  if (planted(Plant::kConfigBack)) return judge(have, stamp()) != Judgement::kSame;
  return have.counter == 0 || judge(have, stamp()) == Judgement::kNewer || judge(have, stamp()) == Judgement::kConflict;
}

// Those who ask may be ahead of us, if this disk is an old one. Versions made from now on are above theirs. If what
// they have is what we have, word for word, it is theirs that counts.
void Coordinator::hear(const wire::ConfigStamp& have) {
  if (have.counter <= stamp().counter || have.counter > kCounterMax) return;
  counter_heard_ = std::max(counter_heard_, have.counter);
  if (!current_) return;
  if (have.hash == current_->hash && !newer_ && !loop_.stopping()) {
    model::Configuration same = *current_;
    same.counter = have.counter;
    take(std::move(same));
    return;
  }
  if (behind_said_ || !is_master(*current_, options_.id)) return;
  behind_said_ = true;
  log::warn("coordinator_behind", {{"ours", to_text(stamp())},
                                   {"theirs", to_text(have)},
                                   {"action", "they refuse ours: push the configuration that is wanted"}});
}

void Coordinator::take(model::Configuration configuration) {
  newer_ = std::move(configuration);
  taken_.notify();
}

void Coordinator::hold(model::Configuration configuration) {
  text_ = std::make_shared<const std::string>(model::to_yaml(configuration));
  current_ = std::make_shared<const model::Configuration>(std::move(configuration));
}

wire::ConfigStamp Coordinator::stamp() const { return current_ ? wire::stamp_of(*current_) : wire::ConfigStamp(); }

std::uint64_t Coordinator::next_counter() const {
  const std::uint64_t heard = planted(Plant::kCounterReused) ? 0 : counter_heard_;
  return std::max(stamp().counter, heard) + 1;
}

}  // namespace tako::control
