#include "store/engine/sim_engine.h"

#include <algorithm>
#include <iterator>

namespace tako::store {
namespace {

constexpr std::uint64_t kWholeLog = ~0ull;

Error gone_error() { return Error(ErrorCode::kIo, "this database was open on a disk that is gone"); }
Error rotten_error() { return Error(ErrorCode::kCorrupt, "a row does not match its checksum"); }
Error read_error() { return Error(ErrorCode::kIo, "the simulated disk refuses to read"); }
Error write_error() { return Error(ErrorCode::kIo, "the simulated disk failed in a write"); }

}  // namespace

// --- SimDisk: what happens to it --------------------------------------------------------------------------------

void SimDisk::kill() {
  recover(kWholeLog);
  ++generation_;
}

void SimDisk::crash(Random& random) {
  forget_synced();
  std::uint64_t at_risk = unsynced_.size();
  for (const InLog& entry : in_log_) at_risk += entry.group->size();
  const std::uint64_t kept = random.between(0, at_risk);
  const std::uint64_t readable = unsynced_.size();
  recover(kept > readable ? kept - readable : 0);
  for (std::uint64_t i = kept; i < readable; ++i) {
    take_back(unsynced_.back());
    unsynced_.pop_back();
  }
  unsynced_.clear();  // what was recovered from the log is synced when the database is opened again
  ++generation_;
}

void SimDisk::wipe() { restore(Snapshot{}); }

void SimDisk::restore(const Snapshot& snapshot) {
  contents_ = snapshot;
  in_log_.clear();
  unsynced_.clear();
  ++generation_;
}

// Of what is in the log and cannot be read yet, the first so many batches come back; the rest is lost.
void SimDisk::recover(std::uint64_t batches) {
  for (const InLog& entry : in_log_) {
    for (Batch& batch : *entry.group) {
      if (batches == 0) break;
      --batches;
      apply(batch, entry.policy);
    }
  }
  in_log_.clear();
}

void SimDisk::set_error_rates(std::uint32_t read_ppm, std::uint32_t write_ppm) {
  read_error_ppm_ = read_ppm;
  write_error_ppm_ = write_ppm;
}

std::optional<std::string> SimDisk::flip_bit(Random& random, Family family) {
  Table& table = contents_.tables[index(family)];
  if (table.empty()) return std::nullopt;
  const auto row = std::next(table.begin(), static_cast<std::ptrdiff_t>(random.below(table.size())));
  std::string& value = row->second;
  if (family == Family::kChunks && !value.empty()) {
    const std::uint64_t bit = random.below(value.size() * 8);
    value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << (bit % 8)));
  } else {
    rot(family, row->first);
  }
  return row->first;
}

// --- SimDisk: rows ----------------------------------------------------------------------------------------------

Status SimDisk::refusal(const Batch& batch) const {
  std::optional<ErrorCode> fault = write_fault_;
  if (!fault && capacity_ > 0 && contents_.bytes > capacity_) fault = ErrorCode::kNoSpace;
  if (!fault || (*fault == ErrorCode::kNoSpace && batch.frees_space)) return ok_status();
  return {*fault, "the simulated disk refuses to write"};
}

void SimDisk::finish(Committer::Group& group) {
  const auto is_it = [&group](const InLog& entry) { return entry.group == &group; };
  const auto entry = std::find_if(in_log_.begin(), in_log_.end(), is_it);
  ASSERT(entry != in_log_.end());
  for (Batch& batch : group) apply(batch, entry->policy);
  in_log_.erase(entry);
}

void SimDisk::apply(Batch& batch, const SyncPolicy& policy) {
  forget_synced();
  ++contents_.sequence;
  const bool synced = policy.always && !batch.sync_later;
  Unsynced entry{clock_.now() + policy.interval, {}};
  std::vector<Undo>* undo = synced ? nullptr : &entry.undo;
  for (Operation& operation : batch.operations) {
    Table& table = contents_.tables[index(operation.family)];
    switch (operation.kind) {
      case Operation::Kind::kPut:
        put(operation.family, std::move(operation.key), std::move(operation.value), undo);
        break;
      case Operation::Kind::kErase:
        if (const auto row = table.find(operation.key); row != table.end()) {
          const bool slot = operation.family == Family::kMeta && !rotten(operation.family, row->first);
          if (slot && on_slot_erased) on_slot_erased(row->first, row->second);
          erase(operation.family, row, undo);
        }
        break;
      case Operation::Kind::kEraseRange: {
        if (operation.key >= operation.value) break;
        auto row = table.lower_bound(operation.key);
        while (row != table.end() && row->first < operation.value) erase(operation.family, row++, undo);
        break;
      }
    }
  }
  if (synced) {
    unsynced_.clear();  // one log: a sync of this batch syncs all before it
  } else {
    unsynced_.push_back(std::move(entry));
  }
}

void SimDisk::put(Family family, std::string key, std::string value, std::vector<Undo>* undo) {
  const auto [row, fresh] = contents_.tables[index(family)].try_emplace(std::move(key));
  const bool mended = mend(family, row->first);
  contents_.bytes += value.size() + (fresh ? row->first.size() : 0);
  contents_.bytes -= row->second.size();
  row->second.swap(value);  // `value` is what was there before
  if (!undo) return;
  Undo before{family, row->first, std::nullopt, mended};
  if (!fresh) before.before = std::move(value);
  undo->push_back(std::move(before));
}

void SimDisk::erase(Family family, Table::iterator row, std::vector<Undo>* undo) {
  const bool mended = mend(family, row->first);
  contents_.bytes -= row->first.size() + row->second.size();
  if (undo) undo->push_back({family, row->first, std::move(row->second), mended});
  contents_.tables[index(family)].erase(row);
}

void SimDisk::take_back(Unsynced& batch) {
  for (auto change = batch.undo.rbegin(); change != batch.undo.rend(); ++change) {
    Table& table = contents_.tables[index(change->family)];
    if (change->before) {
      put(change->family, change->key, std::move(*change->before), nullptr);
    } else {
      erase(change->family, table.find(change->key), nullptr);
    }
    if (change->unreadable) rot(change->family, change->key);
  }
  --contents_.sequence;
}

// Was it unreadable?
bool SimDisk::mend(Family family, const std::string& key) {
  return !contents_.unreadable.empty() && contents_.unreadable.erase({family, key}) > 0;
}

void SimDisk::forget_synced() {
  while (!unsynced_.empty() && unsynced_.front().safe_at <= clock_.now()) unsynced_.pop_front();
}

// --- SimEngine --------------------------------------------------------------------------------------------------

SimEngine::SimEngine(runtime::Loop& loop, SimDisk& disk, SimOptions options)
    : loop_(loop),
      disk_(disk),
      options_(options),
      generation_(disk.generation_),
      committer_(loop, [this](Committer::Group& group) { return commit(group); }) {}

Task<> SimEngine::close() { co_await committer_.close(); }

SimDisk::Latency SimEngine::latency() const {
  return disk_.latency_.value_or(SimDisk::Latency{Duration::zero(), options_.latency_max});
}

bool SimEngine::takes_time() const { return latency().max > Duration::zero() || loop_.now() < disk_.stalled_until_; }

Task<> SimEngine::linger() {
  const SimDisk::Latency range = latency();
  const auto min = static_cast<std::uint64_t>(range.min.count());
  const auto max = static_cast<std::uint64_t>(range.max.count());
  if (max > 0) {
    const Duration duration(loop_.random().between(min, std::max(min, max)));
    co_await loop_.sleep(duration);
  }
  while (loop_.now() < disk_.stalled_until_ && !loop_.stopping()) {
    const Duration left = disk_.stalled_until_ - loop_.now();
    co_await loop_.sleep(left);
  }
}

Status SimEngine::readable() {
  if (gone()) return gone_error();
  if (disk_.read_fault_) return read_error();
  if (disk_.read_error_ppm_ > 0 && loop_.random().chance_ppm(disk_.read_error_ppm_)) return read_error();
  return ok_status();
}

Task<Result<std::optional<std::string>>> SimEngine::get(Family family, std::string key) {
  using Found = Result<std::optional<std::string>>;
  loop_.check_here();
  if (takes_time()) co_await linger();
  const Status status = readable();
  if (!status) co_return Found(status.error());
  const auto& unreadable = disk_.contents_.unreadable;
  if (!unreadable.empty() && unreadable.contains({family, key})) co_return Found(rotten_error());

  const auto& table = disk_.rows(family);
  const auto found = table.find(key);
  if (found == table.end()) co_return Found(std::nullopt);
  co_return Found(found->second);
}

// Half of the rows are in memory.
std::optional<Result<std::optional<std::string>>> SimEngine::peek(Family family, const std::string& key) {
  loop_.check_here();
  if (loop_.random().below(2) == 0 || !readable() || disk_.rotten(family, key)) return std::nullopt;
  const auto& table = disk_.rows(family);
  const auto found = table.find(key);
  if (found == table.end()) return Result<std::optional<std::string>>(std::nullopt);
  return Result<std::optional<std::string>>(found->second);
}

Task<Status> SimEngine::write(Batch batch) {
  loop_.check_here();
  if (gone()) co_return Status(gone_error());
  const Status refused = disk_.refusal(batch);
  if (!refused) co_return refused;
  co_return co_await committer_.write(std::move(batch));
}

// Time passes before the group is in the log, while it is there and cannot be read, and after that: a machine can die
// with a write that is not on the disk, with one that is half there, and with one that was read and never answered.
// One of the three is left out, so that a write costs two timers.
Task<Status> SimEngine::commit(Committer::Group& group) {
  const bool timed = takes_time();
  const std::uint64_t left_out = timed ? loop_.random().below(3) : 0;
  if (timed && left_out != 0) co_await linger();
  if (gone()) co_return Status(gone_error());
  for (const Batch& batch : group) {
    const Status refused = disk_.refusal(batch);
    if (!refused) co_return refused;
  }
  const bool failed = disk_.write_error_ppm_ > 0 && loop_.random().chance_ppm(disk_.write_error_ppm_);
  if (failed && loop_.random().below(2) == 0) co_return Status(write_error());
  disk_.append(group, options_.sync);
  if (timed && left_out != 1) co_await linger();
  if (gone()) co_return Status(gone_error());
  disk_.finish(group);
  if (timed && left_out != 2) co_await linger();
  if (gone()) co_return Status(gone_error());
  if (failed) co_return Status(write_error());
  co_return ok_status();
}

Task<Result<Page>> SimEngine::scan(Family family, Range range, ScanLimits limits) {
  loop_.check_here();
  if (takes_time()) co_await linger();
  const Status status = readable();
  if (!status) co_return Result<Page>(status.error());

  const auto& table = disk_.rows(family);
  const auto& unreadable = disk_.contents_.unreadable;
  Page page;
  std::size_t bytes = 0;
  for (auto it = table.lower_bound(range.begin); it != table.end(); ++it) {
    if (!range.end.empty() && it->first >= range.end) break;
    const std::size_t size = it->first.size() + it->second.size();
    const bool full = page.entries.size() >= limits.entries_max || bytes + size > limits.bytes_max;
    if (!page.entries.empty() && full) {
      page.complete = false;
      break;
    }
    if (!unreadable.empty() && unreadable.contains({family, it->first})) {
      page.complete = false;
      page.unreadable = it->first;
      break;
    }
    bytes += size;
    page.entries.emplace_back(it->first, it->second);
  }
  co_return Result<Page>(std::move(page));
}

EngineStats SimEngine::stats() {
  EngineStats stats;
  stats.keys_estimate = disk_.rows(Family::kMeta).size();
  stats.bytes_on_disk = disk_.bytes();
  stats.batches = committer_.batches();
  stats.commits = committer_.commits();
  const Status refused = disk_.refusal(Batch{});
  if (!refused) stats.state = name_of(refused.code());
  if (gone()) stats.state = "gone";
  return stats;
}

}  // namespace tako::store
