#include "store/engine/rocks_database.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/log.h"
#include "store/engine/rocks_errors.h"
#include "store/engine/rocks_options.h"

namespace tako::store {
namespace {

constexpr std::size_t kReadaheadBytes = 256 << 10;
constexpr std::size_t kLargeScanBytes = 512 << 10;
constexpr std::uint64_t kWatchedBytes = 1 << 20;  // look at the free space after so much was written
constexpr std::uint64_t kReclaimMargin = 1 << 20;
constexpr unsigned kReclaimRounds = 10;
constexpr unsigned kReopenPauseMax = 64;
constexpr Duration kRound = seconds(1);
constexpr Duration kCleaningPause = seconds(5);
constexpr std::size_t kErasedMax = 64;  // stretches; more are taken as one
constexpr std::uint64_t kGarbageBytesMin = 256 << 20;
constexpr std::uint64_t kGarbageShare = 3;
constexpr double kGarbageAge = 0.25;  // of the files, the oldest are moved at a time

std::size_t index(Family family) { return static_cast<std::size_t>(family); }

}  // namespace

// --- what databases share ---------------------------------------------------------------------------------------

struct RocksResources::Parts {
  RocksLimits limits;
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> buffers;
  std::shared_ptr<rocksdb::RateLimiter> rate;
};

RocksResources::RocksResources(const RocksLimits& limits) : parts_(std::make_unique<Parts>()) {
  parts_->limits = limits;
  parts_->cache = rocksdb::NewLRUCache(limits.block_cache_bytes, -1, false, 0.5);
  parts_->buffers = std::make_shared<rocksdb::WriteBufferManager>(limits.write_buffer_bytes);
  if (limits.background_bytes_per_second > 0) {
    parts_->rate.reset(rocksdb::NewGenericRateLimiter(static_cast<std::int64_t>(limits.background_bytes_per_second)));
  }
  const int threads = std::max(1, static_cast<int>(limits.background_threads));
  rocksdb::Env::Default()->SetBackgroundThreads(threads, rocksdb::Env::LOW);
  rocksdb::Env::Default()->SetBackgroundThreads(threads, rocksdb::Env::HIGH);
}

RocksResources::~RocksResources() = default;

// --- opening ----------------------------------------------------------------------------------------------------

struct RocksDatabase::Open {
  ~Open() {
    if (!db) return;
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    db->Close();
  }
  rocksdb::ColumnFamilyHandle* at(Family family) const { return families[index(family)]; }

  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // by Family
};

// RocksDB's own recovery is switched off: it flushes the families one by one, and a crash between two of them leaves
// a database that does not open (its pull request 13871). reopen() and Resume() in upkeep() do that work.
struct RocksDatabase::Listener : rocksdb::EventListener {
  explicit Listener(RocksDatabase& d) : database(d) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && code_of(*status) == ErrorCode::kNoSpace) {
      database.compaction_failed_ = true;
    } else {
      database.fail(code_of(*status), status->ToString());
    }
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* automatic) override {
    *automatic = false;
  }

  RocksDatabase& database;
};

RocksDatabase::RocksDatabase(std::string path, RocksResources& resources, SyncPolicy sync)
    : path_(std::move(path)),
      resources_(resources),
      sync_(sync),
      space_(path_),
      synced_(path_ + "/synced"),
      listener_(std::make_shared<Listener>(*this)) {}

Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(const std::string& path, RocksResources& resources,
                                                           SyncPolicy sync) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure || !std::filesystem::is_directory(path, failure)) {
    const std::string why = failure ? failure.message() : "it is not a folder";
    return {ErrorCode::kInvalid, "cannot use " + path + " as the database's folder: " + why};
  }
  std::unique_ptr<RocksDatabase> database(new RocksDatabase(path, resources, sync));
  auto opened = database->open_rocks();
  if (!opened) return opened.error();
  database->open_ = std::move(*opened);
  database->note_sequence(*database->open_);
  return database;
}

Result<std::unique_ptr<RocksDatabase::Open>> RocksDatabase::open_rocks() {
  const auto& shared = *resources_.parts_;
  rocksdb::DBOptions options = database_options(shared.limits);
  options.write_buffer_manager = shared.buffers;
  options.rate_limiter = shared.rate;
  options.listeners = {listener_};
  // To flush what the log holds makes a failed sync good; where there is no room for that, the log is kept.
  options.avoid_flush_during_recovery = space_.low();

  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family_options(Family::kSystem, shared.limits, shared.cache)},
      {"meta", family_options(Family::kMeta, shared.limits, shared.cache)},
      {"chunks", family_options(Family::kChunks, shared.limits, shared.cache)},
  };
  auto open = std::make_unique<Open>();
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path_, families, &open->families, &db);
  if (code_of(status) == ErrorCode::kNoSpace && !options.avoid_flush_during_recovery) {
    // There seemed to be room, but not for all that the log holds.
    options.avoid_flush_during_recovery = true;
    status = rocksdb::DB::Open(options, path_, families, &open->families, &db);
  }
  open->db.reset(db);
  if (!status.ok()) return open_error(path_, status);
  if (db->GetLatestSequenceNumber() < synced_.read()) {
    return damaged_error(path_, "its log has lost writes that were synced");
  }
  return open;
}

RocksDatabase::~RocksDatabase() {
  if (open_ && !failed_) sync_log(*open_);
  open_.reset();  // its listener still speaks
}

// --- reading ----------------------------------------------------------------------------------------------------

std::shared_lock<std::shared_mutex> RocksDatabase::enter() {
  const std::lock_guard turn(turnstile_);
  return std::shared_lock(mutex_);
}

std::optional<RocksDatabase::Found> RocksDatabase::get_cached(Family family, const std::string& key) {
  const std::shared_lock lock(mutex_, std::try_to_lock);
  if (!lock || !open_) return std::nullopt;
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kBlockCacheTier;
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = open_->db->Get(options, open_->at(family), key, &value);
  // Where the table that may hold the key is not among the open ones, RocksDB says kOk of an empty value: it means
  // "perhaps" (TableCache::Get, as for KeyMayExist). After a start, and with many files, that is most of them.
  if (status.ok() && value.empty()) return std::nullopt;
  if (status.ok()) return Found(value.ToString());
  if (status.IsNotFound()) return Found(std::nullopt);
  return std::nullopt;  // also after an error: the blocking way will say which
}

RocksDatabase::Found RocksDatabase::get(Family family, const std::string& key) {
  const auto lock = enter();
  if (!open_) return Found(ErrorCode::kIo, text_of(ErrorCode::kIo));
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = open_->db->Get(rocksdb::ReadOptions(), open_->at(family), key, &value);
  if (status.ok()) return Found(value.ToString());
  if (status.IsNotFound()) return Found(std::nullopt);
  return Found(error_of(status));
}

Result<Page> RocksDatabase::scan(Family family, const Range& range, const ScanLimits& limits) {
  const auto lock = enter();
  if (!open_) return {ErrorCode::kIo, text_of(ErrorCode::kIo)};
  const rocksdb::Slice end(range.end);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  if (limits.bytes_max >= kLargeScanBytes) options.readahead_size = kReadaheadBytes;
  if (!range.end.empty()) options.iterate_upper_bound = &end;

  const std::unique_ptr<rocksdb::Iterator> it(open_->db->NewIterator(options, open_->at(family)));
  Page page;
  std::size_t bytes = 0;
  for (it->Seek(range.begin); it->Valid(); it->Next()) {
    const std::size_t size = it->key().size() + it->value().size();
    const bool full = page.entries.size() >= limits.entries_max || bytes + size > limits.bytes_max;
    if (!page.entries.empty() && full) {
      page.complete = false;
      return page;
    }
    bytes += size;
    page.entries.emplace_back(it->key().ToString(), it->value().ToString());
  }
  if (!it->status().ok()) return error_of(it->status());
  return page;
}

// --- writing ----------------------------------------------------------------------------------------------------

Status RocksDatabase::refusal(const Batch& batch) const {
  if (failed_.load(std::memory_order_relaxed)) {
    const ErrorCode code = failure_.load(std::memory_order_relaxed);
    return {code, text_of(code)};
  }
  if (space_.low() && !batch.frees_space) return {ErrorCode::kNoSpace, text_of(ErrorCode::kNoSpace)};
  return ok_status();
}

std::optional<Status> RocksDatabase::commit(const Open& open, const Committer::Group& group, bool may_wait) {
  std::size_t bytes = 0;
  bool frees = false;
  bool sync = false;
  for (const Batch& batch : group) {
    bytes += bytes_of(batch);
    frees = frees || batch.frees_space;
    sync = sync || (sync_.always && !batch.sync_later);
  }
  rocksdb::WriteBatch all(bytes);
  for (const Batch& batch : group) {
    for (const Operation& operation : batch.operations) {
      auto* family = open.at(operation.family);
      switch (operation.kind) {
        case Operation::Kind::kPut: all.Put(family, operation.key, operation.value); break;
        case Operation::Kind::kErase: all.Delete(family, operation.key); break;
        case Operation::Kind::kEraseRange:
          if (operation.key < operation.value) all.DeleteRange(family, operation.key, operation.value);
          if (operation.family == Family::kChunks) note_erased(operation);
          break;
      }
    }
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  options.no_slowdown = !may_wait;
  if (!sync) log_unsynced_.store(true);  // and once more behind it: between the two sync_log() may see it or not
  const rocksdb::Status status = open.db->Write(options, &all);
  if (status.IsIncomplete() && !may_wait) return std::nullopt;
  if (!status.ok()) {
    const Error error = error_of(status);
    if (error.code != ErrorCode::kOverloaded && error.code != ErrorCode::kStopping) fail(error.code, status.ToString());
    return Status(error);
  }
  if (sync || !sync_.always) note_sequence(open);
  if (!sync) log_unsynced_.store(true);
  unsynced_.store(true);
  if (frees) freed_.store(true, std::memory_order_relaxed);
  if (bytes_unwatched_.fetch_add(bytes, std::memory_order_relaxed) + bytes > kWatchedBytes) look_at_space(open);
  return ok_status();
}

Status RocksDatabase::write(const Committer::Group& group) {
  const auto lock = enter();
  if (!open_) return {ErrorCode::kIo, text_of(ErrorCode::kIo)};
  return *commit(*open_, group, true);
}

std::optional<Status> RocksDatabase::try_write(const Committer::Group& group) {
  const std::shared_lock lock(mutex_, std::try_to_lock);
  if (!lock || !open_) return std::nullopt;
  return commit(*open_, group, false);
}

// After a write only: RocksDB counts also one that failed, and is without it when it is opened again.
void RocksDatabase::note_sequence(const Open& open) {
  const std::uint64_t last = open.db->GetLatestSequenceNumber();
  std::uint64_t known = sequence_.load(std::memory_order_relaxed);
  while (known < last && !sequence_.compare_exchange_weak(known, last, std::memory_order_relaxed)) {
  }
}

void RocksDatabase::note_erased(const Operation& range) {
  const std::lock_guard lock(erased_mutex_);
  if (erased_.size() < kErasedMax) {
    erased_.push_back({range.key, range.value});
    return;
  }
  erased_.back().begin = std::min(erased_.back().begin, range.key);
  erased_.back().end = std::max(erased_.back().end, range.value);
}

void RocksDatabase::fail(ErrorCode code, const std::string& text) {
  failure_ = code;
  if (failed_.exchange(true)) return;
  log::error("database_cannot_write", {{"path", path_}, {"code", name_of(code)}, {"error", text}});
}

// --- upkeep -----------------------------------------------------------------------------------------------------

Task<> RocksDatabase::tend(runtime::Loop& loop, runtime::Workers& workers) {
  const Duration pause = sync_.always ? kRound : std::min(sync_.interval, kRound);
  TimePoint round_at = loop.now() + kRound;
  TimePoint clean_at = loop.now() + kCleaningPause;
  runtime::Gate cleaning(loop);
  while (!loop.stopping()) {
    co_await loop.sleep(pause);
    if (loop.stopping()) break;
    const bool whole = loop.now() >= round_at;
    if (whole) round_at = loop.now() + kRound;
    auto work = [this, whole] { return whole ? upkeep() : sync(); };
    co_await workers.run(std::move(work));
    if (cleaning.inside() > 0 || loop.now() < clean_at || loop.stopping()) continue;
    clean_at = loop.now() + kCleaningPause;
    loop.spawn(cleaning, clean(workers));
  }
  cancel_cleaning_ = true;
  co_await cleaning.drained();
}

Task<> RocksDatabase::clean(runtime::Workers& workers) {
  auto work = [this] {
    give_back();
    return true;
  };
  co_await workers.run(std::move(work));
}

bool RocksDatabase::sync() {
  const auto lock = enter();
  if (open_ && !failed_) sync_log(*open_);
  return !failed_;
}

bool RocksDatabase::upkeep() {
  ++rounds_;
  sync();
  {
    const auto lock = enter();
    if (open_) {
      look_at_space(*open_);
      if (rounds_ % kReclaimRounds == 0) reclaim(*open_);
      if (compaction_failed_ && !space_.low() && open_->db->Resume().ok()) compaction_failed_ = false;
    }
  }
  if (failed_ || !open_) {
    if (rounds_ >= reopen_at_) reopen();
  } else if (rounds_ > reopen_at_ + reopen_pause_) {
    reopen_pause_ = 1;
  }
  return !failed_;
}

void RocksDatabase::sync_log(const Open& open) {
  if (!unsynced_.exchange(false)) return;
  const std::uint64_t last = open.db->GetLatestSequenceNumber();
  rocksdb::Status status;
  if (log_unsynced_.exchange(false)) {
    syncing_ = true;
    status = open.db->SyncWAL();
    syncing_ = false;
  }
  if (status.ok()) {
    synced_.write(last);
  } else {
    unsynced_ = log_unsynced_ = true;
    fail(code_of(status), status.ToString());
  }
}

void RocksDatabase::look_at_space(const Open& open) {
  bytes_unwatched_.store(0, std::memory_order_relaxed);
  std::uint64_t in_memory = 0;
  open.db->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &in_memory);
  space_.check(in_memory);
}

void RocksDatabase::give_back() {
  std::vector<Range> erased;
  {
    const std::lock_guard lock(erased_mutex_);
    erased.swap(erased_);
  }
  const auto lock = enter();
  if (!open_ || failed_) return;
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &cancel_cleaning_;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kDisable;
  for (const Range& range : erased) {
    const rocksdb::Slice begin(range.begin);
    const rocksdb::Slice end(range.end);
    open_->db->CompactRange(options, open_->at(Family::kChunks), &begin, &end);
  }
  collect_garbage(*open_);
}

void RocksDatabase::collect_garbage(const Open& open) {
  using Properties = rocksdb::DB::Properties;
  std::uint64_t garbage = 0;
  std::uint64_t all = 0;
  open.db->GetIntProperty(open.at(Family::kChunks), Properties::kLiveBlobFileGarbageSize, &garbage);
  open.db->GetIntProperty(open.at(Family::kChunks), Properties::kLiveBlobFileSize, &all);
  if (garbage < kGarbageBytesMin || garbage < all / kGarbageShare || space_.low()) return;
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &cancel_cleaning_;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = kGarbageAge;
  open.db->CompactRange(options, open.at(Family::kChunks), nullptr, nullptr);
}

// Deletes give space back when tables are merged; while space is low that cannot wait its turn.
void RocksDatabase::reclaim(const Open& open) {
  if (!space_.low() || !freed_.exchange(false)) return;
  std::uint64_t in_memory = 0;
  open.db->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &in_memory);
  if (space_.bytes_free() < in_memory + kReclaimMargin) return;
  if (!open.db->Flush(rocksdb::FlushOptions(), open.families).ok()) return;
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = kGarbageAge;
  open.db->CompactRange(options, open.at(Family::kChunks), nullptr, nullptr);
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kUseDefault;

  std::uint64_t meta = 0;
  open.db->GetIntProperty(open.at(Family::kMeta), rocksdb::DB::Properties::kTotalSstFilesSize, &meta);
  if (space_.bytes_free() < meta + kReclaimMargin) return;
  open.db->CompactRange(options, open.at(Family::kMeta), nullptr, nullptr);
}

// A log that failed is left behind: what was written is read from it, and what was answered is all there.
void RocksDatabase::reopen() {
  reopen_pause_ = std::min(2 * reopen_pause_, kReopenPauseMax);
  reopen_at_ = rounds_ + reopen_pause_;
  cancel_cleaning_ = true;
  const std::lock_guard turn(turnstile_);
  const std::lock_guard lock(mutex_);
  cancel_cleaning_ = false;
  if (space_.bytes_free() < kReclaimMargin / 2 && open_) return;  // it reads, and could not be opened
  open_.reset();
  auto opened = open_rocks();
  if (!opened) {
    log::error("database_not_reopened", {{"path", path_}, {"error", opened.error().message}});
    return;
  }
  open_ = std::move(*opened);
  compaction_failed_ = false;
  failed_ = false;
  log::info("database_reopened", {{"path", path_}});
}

EngineStats RocksDatabase::stats() {
  EngineStats stats;
  if (failed_) {
    stats.state = text_of(failure_);
  } else if (space_.low()) {
    stats.state = text_of(ErrorCode::kNoSpace);
  }
  const std::shared_lock lock(mutex_, std::try_to_lock);
  if (!lock || !open_) return stats;
  using Properties = rocksdb::DB::Properties;
  open_->db->GetIntProperty(open_->at(Family::kMeta), Properties::kEstimateNumKeys, &stats.keys_estimate);
  const std::string* sizes[] = {&Properties::kLiveSstFilesSize, &Properties::kLiveBlobFileSize,
                                &Properties::kCurSizeAllMemTables};
  for (const std::string* name : sizes) {
    std::uint64_t bytes = 0;
    if (open_->db->GetAggregatedIntProperty(*name, &bytes)) stats.bytes_on_disk += bytes;
  }
  return stats;
}

}  // namespace tako::store
