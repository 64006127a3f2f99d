// The two worlds that the engine's tests run in: simulated and RocksDB, with the same face.
//
//   World world; world.run([&]() -> Task<> { ... world.engine() ... }); world.reopen(); ...
// Neither sleeps. A RocksWorld has a folder of its own, which it removes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "store/engine/rocks_engine.h"
#include "store/engine/sim_engine.h"
#include "support/run_loop.h"

namespace tako::test {

using store::Batch;
using store::Family;
using store::Page;
using store::Range;
using store::ScanLimits;
using store::SyncPolicy;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tako-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline store::RocksResources& small_resources() {
  static store::RocksLimits limits{.block_cache_bytes = 16 << 20, .write_buffer_bytes = 64 << 20};
  static store::RocksResources resources(limits);
  return resources;
}

class SimWorld {
 public:
  explicit SimWorld(store::SimOptions options = {}, std::uint64_t seed = 1)
      : options_(options), loop_(seed), disk_(loop_.clock()) { open(); }
  ~SimWorld() { close(); }

  template <class F>
  auto run(F f) { return loop_.run(std::move(f)); }
  runtime::Loop& loop() { return loop_.loop(); }
  store::SimEngine& engine() { return *engine_; }
  store::SimDisk& disk() { return disk_; }
  VirtualLoop& world() { return loop_; }

  void open() { engine_ = std::make_unique<store::SimEngine>(loop(), disk_, options_); }
  void close() {
    if (!engine_) return;
    run([this]() -> Task<> { co_await engine_->close(); });
    engine_.reset();
  }
  void reopen() {
    close();
    open();
  }

 private:
  const store::SimOptions options_;
  VirtualLoop loop_;
  store::SimDisk disk_;
  std::unique_ptr<store::SimEngine> engine_;
};

class RocksWorld {
 public:
  explicit RocksWorld(SyncPolicy sync = {}) : sync_(sync) { open(folder_.path()); }
  RocksWorld(std::string path, SyncPolicy sync) : sync_(sync) { open(std::move(path)); }
  ~RocksWorld() { close(); }

  template <class F>
  auto run(F f) { return loop_.run(std::move(f)); }
  runtime::Loop& loop() { return loop_.loop(); }
  store::RocksEngine& engine() { return *engine_; }
  store::RocksDatabase& database() { return *database_; }
  const std::string& path() const { return path_; }

  void open(std::string path) {
    path_ = std::move(path);
    auto opened = store::RocksDatabase::open(path_, small_resources(), sync_);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().message));
    database_ = std::move(*opened);
    engine_ = std::make_unique<store::RocksEngine>(loop(), loop_.workers(), *database_);
  }
  void close() {
    if (!engine_) return;
    run([this]() -> Task<> { co_await engine_->close(); });
    engine_.reset();
    database_.reset();
  }
  void reopen() {
    close();
    open(path_);
  }

 private:
  const SyncPolicy sync_;
  TemporaryFolder folder_;
  std::string path_;
  RealLoop loop_;
  std::unique_ptr<store::RocksDatabase> database_;
  std::unique_ptr<store::RocksEngine> engine_;
};

// --- what tests say often ---------------------------------------------------------------------------------------

template <class World>
Status put(World& world, Family family, std::string key, std::string value) {
  return world.run([&]() -> Task<Status> {
    Batch batch;
    batch.put(family, key, value);
    co_return co_await world.engine().write(std::move(batch));
  });
}

// "-" where there is nothing.
template <class World>
std::string get(World& world, Family family, std::string key) {
  using Found = Result<std::optional<std::string>>;
  auto found = world.run([&]() -> Task<Found> { co_return co_await world.engine().get(family, key); });
  if (!found) return name_of(found.code());
  return found->value_or("-");
}

template <class World>
Page scan(World& world, Family family, Range range, ScanLimits limits = {}) {
  auto page = world.run([&]() -> Task<Result<Page>> { co_return co_await world.engine().scan(family, range, limits); });
  REQUIRE(page.ok());
  return std::move(*page);
}

template <class World>
std::string keys(World& world, Family family) {
  std::string joined;
  for (const auto& [key, value] : scan(world, family, {}).entries) joined += key + " ";
  return joined;
}

}  // namespace tako::test
