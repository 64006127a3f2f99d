#include "store/sim_engine.h"

#include <iterator>

namespace tako::store {
namespace {

Error gone_error() { return Error(ErrorCode::kIo, "this database was open on a disk that is gone"); }
Error rotten_error() { return Error(ErrorCode::kCorrupt, "a row does not match its checksum"); }

}  // namespace

// --- SimDisk ----------------------------------------------------------------------------------------------------

void SimDisk::crash(Random& random) {
  ++generation_;
  forget_synced();
  const std::uint64_t kept = random.between(0, unsynced_.size());
  while (unsynced_.size() > kept) {
    std::vector<Undo>& undo = unsynced_.back().undo;
    for (auto it = undo.rbegin(); it != undo.rend(); ++it) {
      auto& table = tables_[index(it->family)];
      if (it->before) {
        table[it->key] = std::move(*it->before);
      } else {
        table.erase(it->key);
      }
    }
    unsynced_.pop_back();
  }
  unsynced_.clear();  // what was recovered from the log is synced when the database is opened again
}

void SimDisk::wipe() {
  ++generation_;
  for (auto& table : tables_) table.clear();
  unsynced_.clear();
  rotten_.clear();
}

void SimDisk::forget_synced() {
  while (!unsynced_.empty() && unsynced_.front().safe_at <= clock_.now()) unsynced_.pop_front();
}

Status SimDisk::refusal(const Batch& batch) const {
  if (!write_fault_) return ok_status();
  if (*write_fault_ == ErrorCode::kNoSpace && batch.frees_space) return ok_status();
  return {*write_fault_, "the simulated disk refuses to write"};
}

void SimDisk::change(Family family, const std::string& key, std::optional<std::string> value, std::vector<Undo>& undo) {
  auto& table = tables_[index(family)];
  const auto found = table.find(key);
  Undo before{family, key, std::nullopt};
  if (found != table.end()) before.before = std::move(found->second);
  undo.push_back(std::move(before));
  rotten_.erase({family, key});
  if (value) {
    table[key] = std::move(*value);
  } else if (found != table.end()) {
    table.erase(found);
  }
}

void SimDisk::apply(const Batch& batch, const SyncPolicy& policy) {
  forget_synced();
  Unsynced entry{clock_.now() + policy.interval, {}};
  for (const Operation& operation : batch.operations) {
    switch (operation.kind) {
      case Operation::Kind::kPut: change(operation.family, operation.key, operation.value, entry.undo); break;
      case Operation::Kind::kErase: change(operation.family, operation.key, std::nullopt, entry.undo); break;
      case Operation::Kind::kEraseRange: {
        if (operation.key >= operation.value) break;
        const auto& table = tables_[index(operation.family)];
        std::vector<std::string> keys;
        const auto end = table.lower_bound(operation.value);
        for (auto it = table.lower_bound(operation.key); it != end; ++it) keys.push_back(it->first);
        for (const std::string& key : keys) change(operation.family, key, std::nullopt, entry.undo);
        break;
      }
    }
  }
  if (policy.always) {
    unsynced_.clear();  // one log: a sync of this batch syncs all before it
  } else {
    unsynced_.push_back(std::move(entry));
  }
}

// --- SimEngine --------------------------------------------------------------------------------------------------

SimEngine::SimEngine(runtime::Loop& loop, SimDisk& disk, SimOptions options)
    : loop_(loop), disk_(disk), options_(options), generation_(disk.generation_),
      committer_(loop, [this](const Committer::Group& group) { return commit(group); }) {}

Task<> SimEngine::close() { co_await committer_.close(); }

Task<> SimEngine::linger() {
  const auto most = static_cast<std::uint64_t>(options_.latency_max.count());
  const Duration duration(loop_.random().between(0, most));
  co_await loop_.sleep(duration);
}

Status SimEngine::readable() const {
  if (gone()) return gone_error();
  if (disk_.read_fault_) return {ErrorCode::kIo, "the simulated disk refuses to read"};
  return ok_status();
}

Task<Result<std::optional<std::string>>> SimEngine::get(Family family, std::string key) {
  using Found = Result<std::optional<std::string>>;
  loop_.check_here();
  if (options_.latency_max > Duration::zero()) co_await linger();
  const Status status = readable();
  if (!status) co_return Found(status.error());
  if (disk_.rotten_.contains({family, key})) co_return Found(rotten_error());

  const auto& table = disk_.rows(family);
  const auto found = table.find(key);
  if (found == table.end()) co_return Found(std::nullopt);
  co_return Found(found->second);
}

Task<Status> SimEngine::write(Batch batch) {
  loop_.check_here();
  if (gone()) co_return Status(gone_error());
  const Status refused = disk_.refusal(batch);
  if (!refused) co_return refused;
  co_return co_await committer_.write(std::move(batch));
}

// The time passes before and after the batches are applied: so a machine can die with a write that is on the disk
// and was never answered, and with one that is not.
Task<Status> SimEngine::commit(const Committer::Group& group) {
  if (options_.latency_max > Duration::zero()) co_await linger();
  if (gone()) co_return Status(gone_error());
  for (const Batch& batch : group) {
    const Status refused = disk_.refusal(batch);
    if (!refused) co_return refused;
  }
  for (const Batch& batch : group) disk_.apply(batch, options_.sync);
  if (options_.latency_max > Duration::zero()) co_await linger();
  if (gone()) co_return Status(gone_error());
  co_return ok_status();
}

Task<Result<Page>> SimEngine::scan(Family family, Range range, ScanLimits limits) {
  loop_.check_here();
  if (options_.latency_max > Duration::zero()) co_await linger();
  const Status status = readable();
  if (!status) co_return Result<Page>(status.error());

  const auto& table = disk_.rows(family);
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
    if (disk_.rotten_.contains({family, it->first})) co_return Result<Page>(rotten_error());
    bytes += size;
    page.entries.emplace_back(it->first, it->second);
  }
  co_return Result<Page>(std::move(page));
}

EngineStats SimEngine::stats() {
  EngineStats stats;
  stats.keys_estimate = disk_.rows(Family::kMeta).size();
  for (const auto& table : disk_.tables_) {
    for (const auto& [key, value] : table) stats.bytes_on_disk += key.size() + value.size();
  }
  stats.batches = committer_.batches();
  stats.commits = committer_.commits();
  if (disk_.write_fault_) stats.state = name_of(*disk_.write_fault_);
  if (gone()) stats.state = "gone";
  return stats;
}

}  // namespace tako::store
