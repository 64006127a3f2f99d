#include "node/serve/fetcher.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "base/log.h"
#include "base/plant.h"
#include "runtime/run_on.h"

namespace tako::node {
namespace {

constexpr Duration kStepDeadline = seconds(15);
constexpr int kAttemptsMax = 3;  // to get a piece from one source
constexpr Duration kRetryPause = milliseconds(200);

bool may_pass(ErrorCode code) {
  return code == ErrorCode::kOverloaded || code == ErrorCode::kTimeout || code == ErrorCode::kUnavailable;
}

// Who hands copies off may be in no live deployment any more, but still in one of before.
std::optional<net::Peer> address_of(const model::Placement& placement, const std::string& id) {
  if (const auto found = placement.find(id)) {
    const auto& node = placement.nodes()[*found];
    return net::Peer{node.id, node.host, node.port};
  }
  for (const auto& deployment : placement.config().deployments) {
    for (const auto& bucket : deployment.buckets) {
      for (const auto& node : bucket.nodes) {
        if (node.id == id) return net::Peer{node.id, node.host, node.port};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

struct Fetcher::Job {
  std::string key;
  model::Record record;
  model::UploadId upload;
  std::deque<From> sources;          // to be tried yet
  std::uint32_t next = 0;            // the first piece that was not begun
  std::vector<std::uint32_t> again;  // begun, and failed
  Error failure{ErrorCode::kUnavailable, "nobody was asked for the value"};
  std::optional<Result<store::Accepted>> result;
  std::vector<runtime::Signal*> waiting;

  std::optional<std::uint32_t> take() {
    if (!again.empty()) {
      const std::uint32_t index = again.back();
      again.pop_back();
      return index;
    }
    if (next == model::pieces_of(record.size)) return std::nullopt;
    return next++;
  }
  bool complete() const { return again.empty() && next == model::pieces_of(record.size); }
};

Fetcher::Fetcher(Parts parts) : parts_(std::move(parts)), turns_(loop(), kFetchesMax), gate_(loop()) {}
Fetcher::~Fetcher() = default;

Shard& Fetcher::shard_of(const std::string& key) const {
  return parts_.shards->of(key);
}

Task<Result<store::Accepted>> Fetcher::fetch(std::string key, model::Record record, From from, TimePoint deadline) {
  loop().check_here();
  const Name name(key, record.ballot);
  const auto known = jobs_.find(name);
  std::shared_ptr<Job> job = known == jobs_.end() ? nullptr : known->second;
  const bool full = job ? job->waiting.size() >= kWaitersMax : jobs_.size() >= kJobsMax;
  if (full) co_return Error(ErrorCode::kOverloaded, "too many values are being fetched; try again later");
  const bool fresh = !job;
  if (fresh) {
    job = std::make_shared<Job>();
    job->key = std::move(key);
    job->record = std::move(record);
    job->record.value.reset();
    const std::uint64_t high = loop().random().next();
    job->upload = model::UploadId{high, loop().random().next()};
    jobs_[name] = job;
  }
  auto& sources = job->sources;
  const bool listed = std::find(sources.begin(), sources.end(), from) != sources.end();
  if (!listed && sources.size() < kSourcesMax) sources.push_back(std::move(from));
  if (fresh) loop().spawn(gate_, run(job));
  runtime::Signal done(loop());
  job->waiting.push_back(&done);
  while (!job->result) {
    const bool woken = co_await done.wait(deadline);
    if (!woken) break;
  }
  std::erase(job->waiting, &done);
  if (job->result) co_return *job->result;
  co_return Error(ErrorCode::kTimeout, "the value is still being copied from another node; it will be there later");
}

Task<> Fetcher::run(std::shared_ptr<Job> job) {
  const bool turn = co_await turns_.acquire(TimePoint::max());
  Result<store::Accepted> result(ErrorCode::kStopping, "the node is stopping; try another one");
  if (turn) result = co_await work(*job);
  if (turn) turns_.release();
  if (!result) {
    ++counters_.failed;
    log::debug("fetch_failed", {{"node", parts_.id}, {"key", job->key}, {"reason", result.error().message}});
  }
  job->result = std::move(result);
  jobs_.erase(Name(job->key, job->record.ballot));
  for (runtime::Signal* waiting : job->waiting) waiting->notify();
}

Task<Result<store::Accepted>> Fetcher::work(Job& job) {
  Shard& shard = shard_of(job.key);
  auto asking = shard.store().accept(job.key, job.record);
  auto asked = co_await runtime::run_on(shard.loop(), std::move(asking));
  const bool wanted = !asked && asked.code() == ErrorCode::kNotFound;
  if (!wanted) co_return asked;

  bool all = false;
  while (!all && !job.sources.empty() && !loop().stopping()) {
    From source = std::move(job.sources.front());
    job.sources.pop_front();
    all = co_await copy_from(job, std::move(source));
  }
  Result<store::Accepted> accepted(job.failure);
  if (all) {
    const std::optional<model::UploadId> upload = job.upload;
    auto committing = shard.store().accept(job.key, job.record, upload);
    accepted = co_await runtime::run_on(shard.loop(), std::move(committing));
    if (accepted && accepted->written) {
      ++counters_.fetched;
      counters_.bytes += job.record.size;
    }
  }
  // Also after a refusal: what is newer has come meanwhile.
  auto discarding = shard.store().discard(job.key, job.upload);
  const Status discarded = co_await runtime::run_on(shard.loop(), std::move(discarding));
  if (!discarded) log::debug("upload_not_freed", {{"key", job.key}, {"reason", discarded.error().message}});
  co_return accepted;
}

// True: all pieces are staged. Those that a source did not give are asked of the next.
Task<bool> Fetcher::copy_from(Job& job, From source) {
  runtime::Gate copying(loop());
  bool failed = false;
  for (std::size_t i = 0; i < kWindow; ++i) loop().spawn(copying, copy_pieces(job, source, failed));
  co_await copying.drained();
  co_return job.complete();
}

Task<> Fetcher::copy_pieces(Job& job, From source, bool& failed) {
  while (!failed) {
    const auto index = job.take();
    if (!index) co_return;
    Status copied = ok_status();
    for (int attempt = 1; attempt <= kAttemptsMax && !failed; ++attempt) {
      copied = co_await copy_piece(job, source, *index);
      const bool retry = !copied && may_pass(copied.code()) && attempt < kAttemptsMax && !loop().stopping();
      if (!retry) break;
      co_await loop().sleep(kRetryPause * attempt);
    }
    if (copied) continue;
    failed = true;
    job.failure = copied.error();
    job.again.push_back(*index);
  }
}

Task<Status> Fetcher::copy_piece(Job& job, From source, std::uint32_t index) {
  if (loop().stopping()) co_return Status(ErrorCode::kStopping, "the node is stopping; try another one");
  if (buggify(loop().random(), "fetcher/piece")) co_return Status(ErrorCode::kUnavailable, "no luck with that piece");
  const auto placement = placement_;  // the peer's name stands in it
  const auto peer = placement ? address_of(*placement, source.node) : std::nullopt;
  if (!peer)
    co_return Status(ErrorCode::kNotFound, "node " + source.node + " is in no deployment that this node knows");
  wire::ReadPiece read;
  read.key = job.key;
  read.ballot = job.record.ballot;
  read.index = index;
  read.staged = source.staged;
  const wire::ConfigStamp stamp = wire::stamp_of(*placement);
  auto piece = co_await net::call(*parts_.transport, *peer, stamp, std::move(read), loop().now() + kStepDeadline);
  if (!piece) co_return Status(piece.error());
  Shard& shard = shard_of(job.key);
  auto staging = shard.store().stage(job.key, job.upload, index, std::move(piece->piece), piece->checksum);
  co_return co_await runtime::run_on(shard.loop(), std::move(staging));
}

}  // namespace tako::node
