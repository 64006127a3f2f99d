#include "store/engine/rocks_engine.h"

namespace tako::store {
namespace {

Error closed_error() { return Error(ErrorCode::kStopping, "the database is closing; try another node"); }

}  // namespace

RocksEngine::RocksEngine(runtime::Loop& loop, runtime::Workers& workers, RocksDatabase& database)
    : loop_(loop), workers_(workers), database_(database), gate_(loop),
      committer_(loop, [this](const Committer::Group& group) { return commit(group); }) {}

Task<Result<std::optional<std::string>>> RocksEngine::get(Family family, std::string key) {
  loop_.check_here();
  if (closed_) co_return RocksDatabase::Found(closed_error());
  auto cached = database_.get_cached(family, key);
  if (cached) co_return std::move(*cached);

  const runtime::GatePass pass(gate_);
  auto work = [this, family, &key] { return database_.get(family, key); };
  co_return co_await workers_.run(std::move(work));
}

std::optional<Result<std::optional<std::string>>> RocksEngine::peek(Family family, const std::string& key) {
  loop_.check_here();
  if (closed_) return std::nullopt;
  return database_.get_cached(family, key);
}

Task<Status> RocksEngine::write(Batch batch) {
  loop_.check_here();
  const Status refused = database_.refusal(batch);
  if (!refused) co_return refused;
  co_return co_await committer_.write(std::move(batch));
}

bool RocksEngine::may_write_here(const Committer::Group& group) const {
  if (database_.sync_policy().always || database_.syncing() || loop_.now() < inline_from_) return false;
  std::size_t bytes = 0;
  for (const Batch& batch : group) bytes += bytes_of(batch);
  return bytes <= kInlineBytesMax;
}

Task<Status> RocksEngine::commit(const Committer::Group& group) {
  if (may_write_here(group)) {
    const TimePoint begin = loop_.now();
    const auto written = database_.try_write(group);
    const TimePoint end = loop_.now();
    if (end - begin > kInlineTimeMax) inline_from_ = end + kInlinePause;
    if (written) co_return *written;
  }
  auto work = [this, &group] { return database_.write(group); };
  co_return co_await workers_.run(std::move(work));
}

Task<Result<Page>> RocksEngine::scan(Family family, Range range, ScanLimits limits) {
  loop_.check_here();
  if (closed_) co_return Result<Page>(closed_error());
  const runtime::GatePass pass(gate_);
  auto work = [this, family, &range, &limits] { return database_.scan(family, range, limits); };
  co_return co_await workers_.run(std::move(work));
}

EngineStats RocksEngine::stats() {
  EngineStats stats = database_.stats();
  stats.batches = committer_.batches();
  stats.commits = committer_.commits();
  return stats;
}

Task<> RocksEngine::close() {
  closed_ = true;
  co_await committer_.close();
  co_await gate_.drained();
}

}  // namespace tako::store
