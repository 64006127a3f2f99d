#include "sim/workload.h"

namespace tako::sim {
namespace {

constexpr Duration kOperationLimit = seconds(5);

std::string value_of(const std::string& key, int number, std::uint64_t extra) {
  std::string value = key + "#" + std::to_string(number) + ":";
  value.append(extra, static_cast<char>('a' + number % 26));
  return value;
}

}  // namespace

Task<> Workload::write(ProxyMachine& proxy, std::string key, int number) {
  Random& random = world_.random();
  const model::WriteLevel levels[] = {model::WriteLevel::kTwo, model::WriteLevel::kTwo, model::WriteLevel::kQuorum,
                                      model::WriteLevel::kAll, model::WriteLevel::kOne};
  const model::WriteLevel level = levels[random.below(5)];
  proxy::Draft draft;
  draft.tombstone = random.chance_ppm(100'000);
  const std::uint64_t sizes[] = {0, 10, 1000, 20'000, 300'000};
  const std::string value = value_of(key, number, sizes[random.below(5)]);
  if (!draft.tombstone) {
    history_.begun(key, value);
    draft.value = Bytes(value);
  }
  const auto answer =
      co_await proxy.replicator->write(key, std::move(draft), level, proxy.loop->now() + kOperationLimit);
  // `one` promises one replica, and its machine may lose its disk.
  if (answer && level != model::WriteLevel::kOne) history_.answered(key, answer->winner);
  if (answer && level == model::WriteLevel::kQuorum) history_.strict_seen(key, answer->winner);
}

Task<> Workload::read(ProxyMachine& proxy, std::string key) {
  const model::ReadLevel levels[] = {model::ReadLevel::kLatest, model::ReadLevel::kQuorum, model::ReadLevel::kQuorum,
                                     model::ReadLevel::kOne};
  const model::ReadLevel level = levels[world_.random().below(4)];
  const model::Version floor = history_.strict_floor(key);
  const auto answer = co_await proxy.replicator->read(key, level, true, proxy.loop->now() + kOperationLimit);
  if (answer && level == model::ReadLevel::kQuorum) {
    const model::Version seen = answer->record ? answer->record->version : model::Version{};
    if (seen < floor)
      problems_.push_back("stale: " + key + " at quorum: " + to_string(seen) + " after " + to_string(floor));
    history_.strict_seen(key, seen);
  }
  if (!answer || !answer->record || answer->record->tombstone()) co_return;
  const std::string problem = history_.check_read(key, std::string(answer->record->value->view()));
  if (!problem.empty()) problems_.push_back(problem);
}

void Workload::start_operation(int number) {
  Random& random = world_.random();
  ProxyMachine& proxy = world_.proxy(random.below(world_.proxies()));
  const std::string key = "key" + std::to_string(random.below(static_cast<std::uint64_t>(options_.keys)));
  if (random.chance_ppm(600'000)) {
    proxy.loop->spawn(proxy.work, write(proxy, key, number));
  } else {
    proxy.loop->spawn(proxy.work, read(proxy, key));
  }
}

void Workload::maybe_fail() {
  Random& random = world_.random();
  if (!random.chance_ppm(options_.fault_ppm)) return;
  std::size_t down = 0;
  for (std::size_t i = 0; i < world_.nodes(); ++i) down += !world_.node(i).alive();
  NodeMachine& victim = world_.node(random.below(world_.nodes()));
  if (!victim.alive()) {
    victim.boot();
  } else if (down < options_.down_max) {
    victim.die(options_.machine_crashes && random.chance_ppm(500'000));
    ++crashes_;
    if (options_.wipe_one && !std::exchange(wiped_, true)) victim.wipe();
  }
  for (std::size_t i = 0; i < world_.proxies(); ++i) {
    world_.proxy(i).clock.offset = milliseconds(static_cast<std::int64_t>(random.below(4000)) - 2000);
  }
}

void Workload::run() {
  const Duration gap = options_.duration / options_.operations;
  TimePoint next_fault = world_.now() + seconds(1);
  for (int number = 0; number < options_.operations; ++number) {
    start_operation(number);
    world_.run_for(Duration(world_.random().below(static_cast<std::uint64_t>(2 * gap.count()))));
    if (world_.now() < next_fault) continue;
    maybe_fail();
    next_fault = world_.now() + seconds(1);
  }
}

// Every replica of every key holds the same, and that is nothing older than what was answered.
Task<> Workload::check_all(ProxyMachine& proxy, bool* equal, bool* done, bool report) {
  *equal = true;
  for (const auto& [key, events] : history_.keys()) {
    const auto stat = co_await proxy.replicator->stat(key, proxy.loop->now() + kOperationLimit);
    std::string states = stat ? "" : stat.error().message;
    bool same = stat.ok();
    for (std::size_t i = 0; stat && i < stat->replicas.size(); ++i) {
      const auto& replica = stat->replicas[i];
      states += " " + replica.node + "=" + replica.state;
      same &= replica.state == (stat->record ? "current" : "absent");
    }
    *equal &= same;
    if (!report) continue;
    if (!same) problems_.push_back(key + " did not converge:" + states);
    const model::Version left = stat && stat->record ? stat->record->version : model::Version{};
    const std::string lost = history_.check_final(key, left);
    if (!lost.empty()) problems_.push_back("lost: " + lost);
  }
  *done = true;
}

void Workload::heal_and_check(Duration limit) {
  world_.network().faults = NetworkFaults{};
  world_.network().isolate({});
  for (std::size_t i = 0; i < world_.nodes(); ++i) {
    if (!world_.node(i).alive()) world_.node(i).boot();
  }
  ProxyMachine& proxy = world_.proxy(0);
  const TimePoint end = world_.now() + limit;
  for (bool equal = false; !equal;) {
    const bool last = world_.now() >= end;
    bool done = false;
    proxy.loop->spawn(proxy.work, check_all(proxy, &equal, &done, last));
    if (!world_.run_until([&done] { return done; }, seconds(600))) {
      problems_.push_back("the check itself does not end");
      return;
    }
    if (last) return;
    if (equal) break;
    world_.run_for(seconds(5));
  }
  bool equal = false;
  bool done = false;
  proxy.loop->spawn(proxy.work, check_all(proxy, &equal, &done, true));
  world_.run_until([&done] { return done; }, seconds(600));
}

}  // namespace tako::sim
