// How fast the engine and the store are here: writes by how many are in flight, reads from memory, accepts.
//
//   engine_bench [FOLDER]        a folder on the disk to measure; default: the system's temporary one
//
// Not a test: it prints figures and judges nothing. One loop and two workers, as a node on two cores has.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "store/engine/rocks_engine.h"
#include "store/store.h"
#include "support/run_loop.h"

namespace tako::bench {
namespace {

using namespace store;
using test::RealLoop;

struct Figures {
  double seconds = 0;
  double cpu_seconds = 0;       // of the process: what counts where others use the machine too
  std::vector<std::int64_t> latencies;  // microseconds

  void print(const char* what, int in_flight) {
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double share) {
      const double index = share * static_cast<double>(latencies.size() - 1);
      return static_cast<long>(latencies[static_cast<std::size_t>(index)]);
    };
    const auto count = static_cast<double>(latencies.size());
    std::printf("%-34s %5d in flight %9.0f /s  cpu %7.2f us each   p50 %6ld  p99 %6ld  p999 %6ld  max %6ld us\n",
                what, in_flight, count / seconds, 1e6 * cpu_seconds / count, at(0.5), at(0.99), at(0.999), at(1));
  }
};

// Runs `operations` of make(i), `in_flight` at a time.
template <class F>
Figures measure(RealLoop& world, int in_flight, int operations, F make) {
  Figures figures;
  figures.latencies.reserve(static_cast<std::size_t>(operations));
  int next = 0;
  auto client = [&]() -> runtime::Task<> {
    while (next < operations) {
      const int i = next++;
      const TimePoint begin = world.loop().now();
      co_await make(i);
      figures.latencies.push_back((world.loop().now() - begin).count());
    }
  };
  runtime::Gate gate(world.loop());
  const TimePoint begin = world.loop().now();
  const std::clock_t cpu_begin = std::clock();
  world.run([&]() -> runtime::Task<> {
    for (int i = 0; i < in_flight; ++i) world.loop().spawn(gate, client());
    co_await gate.drained();
  });
  figures.cpu_seconds = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
  figures.seconds = static_cast<double>((world.loop().now() - begin).count()) / 1e6;
  return figures;
}

class Bench {
 public:
  explicit Bench(std::string folder) : folder_(std::move(folder)) {}

  void writes(const char* what, SyncPolicy sync, bool workers_only, int operations) {
    for (const int in_flight : {1, 16, 128, 1024}) {
      open(sync);
      if (workers_only) engine_->workers_only();
      auto write = [&](int i) -> runtime::Task<> {
        Batch batch;
        batch.put(Family::kMeta, key_of(i), std::string(100, 'v'));
        const Status written = co_await engine_->write(std::move(batch));
        if (!written) std::printf("%s\n", written.error().message.c_str());
      };
      auto figures = measure(*world_, in_flight, in_flight == 1 ? operations / 4 : operations, write);
      figures.print(what, in_flight);
      close();
    }
  }

  void reads(int operations) {
    open({});
    for (int i = 0; i < operations; ++i) {
      auto fill = [&]() -> runtime::Task<Status> {
        Batch batch;
        batch.put(Family::kMeta, key_of(i), std::string(100, 'v'));
        co_return co_await engine_->write(std::move(batch));
      };
      if (!world_->run(fill)) std::printf("cannot fill\n");
    }
    auto read = [&](int i) -> runtime::Task<> {
      const auto found = co_await engine_->get(Family::kMeta, key_of(i * 7919 % operations));
      if (!found || !*found) std::printf("lost a key\n");
    };
    measure(*world_, 16, operations, read).print("get, in memory", 16);
    close();
  }

  void accepts(const char* what, std::size_t bytes, int operations) {
    for (const int in_flight : {1, 128}) {
      open({});
      Store store(world_->loop(), *engine_);
      const Bytes value{std::string(bytes, 'v')};
      auto accept = [&](int i) -> runtime::Task<> {
        model::Record record = model::make_value({static_cast<Timestamp>(i + 1), 1}, value);
        const auto accepted = co_await store.accept(key_of(i), std::move(record));
        if (!accepted) std::printf("%s\n", accepted.error().message.c_str());
      };
      measure(*world_, in_flight, operations, accept).print(what, in_flight);
      close();
    }
  }

 private:
  static std::string key_of(int i) {
    const std::uint64_t mixed = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15ull;
    return std::to_string(mixed);
  }

  void open(SyncPolicy sync) {
    std::filesystem::remove_all(folder_);
    world_ = std::make_unique<RealLoop>();
    tending_ = std::make_unique<runtime::Gate>(world_->loop());
    auto opened = RocksDatabase::open(folder_, resources_, sync);
    if (!opened) {
      std::fprintf(stderr, "engine_bench: %s\n", opened.error().message.c_str());
      std::exit(1);
    }
    database_ = std::move(*opened);
    engine_ = std::make_unique<RocksEngine>(world_->loop(), world_->workers(), *database_);
    world_->loop().spawn(*tending_, database_->tend(world_->loop(), world_->workers()));
  }

  void close() {
    world_->run([&]() -> runtime::Task<> {
      world_->loop().stop();
      co_await engine_->close();
      co_await tending_->drained();
    });
    engine_.reset();
    database_.reset();
    tending_.reset();
    world_.reset();
    std::filesystem::remove_all(folder_);
  }

  const std::string folder_;
  RocksResources resources_{RocksLimits{}};
  std::unique_ptr<RealLoop> world_;
  std::unique_ptr<runtime::Gate> tending_;
  std::unique_ptr<RocksDatabase> database_;
  std::unique_ptr<RocksEngine> engine_;
};

}  // namespace
}  // namespace tako::bench

int main(int count, char** arguments) {
  const auto base = count > 1 ? std::filesystem::path(arguments[1]) : std::filesystem::temp_directory_path();
  tako::bench::Bench bench((base / "tako-engine-bench").string());
  bench.writes("write 100 B, unsynced", {}, false, 200'000);
  bench.writes("write 100 B, unsynced, by workers", {}, true, 200'000);
  bench.writes("write 100 B, sync always", {.always = true}, false, 10'000);
  bench.reads(200'000);
  bench.accepts("accept 100 B", 100, 100'000);
  bench.accepts("accept 1 MiB", 1 << 20, 500);
}
