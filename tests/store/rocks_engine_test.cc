// What only a real disk can show: locks, a killed process, a full file system, damage.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/files.h"
#include "store/worlds.h"

namespace tako::test {
namespace {

constexpr const char* kChildFolder = "TAKO_STORE_TEST_FOLDER";

Result<std::unique_ptr<store::RocksDatabase>> open_at(const std::string& path) {
  return store::RocksDatabase::open(path, small_resources(), {});
}

bool is_one_line(const std::string& text) { return !text.empty() && text.find('\n') == std::string::npos; }

// A file system of its own, where the system allows it.
class SmallDisk {
 public:
  explicit SmallDisk(int megabytes) {
    const std::string options = "size=" + std::to_string(megabytes) + "m";
    mounted_ = ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }

  // Takes all the room there is but for so much, as a neighbour would.
  void fill(std::size_t bytes_left = 0) const {
    std::FILE* file = std::fopen(path("filler").c_str(), "ab");
    REQUIRE(file != nullptr);
    std::setvbuf(file, nullptr, _IONBF, 0);
    const std::string block(64 << 10, 'f');
    while (std::fwrite(block.data(), 1, block.size(), file) == block.size()) {
    }
    std::fclose(file);
    if (bytes_left == 0) return;
    std::filesystem::resize_file(path("filler"), std::filesystem::file_size(path("filler")) - bytes_left);
  }
  void unfill() const { ::unlink(path("filler").c_str()); }

 private:
  TemporaryFolder folder_;
  bool mounted_ = false;
};

std::string incompressible(Random& random, std::size_t bytes) {
  std::string value(bytes, '\0');
  for (char& c : value) c = static_cast<char>(random.next());
  return value;
}

Status write_batch(RocksWorld& world, std::string key, std::string value, bool frees) {
  return world.run([&]() -> Task<Status> {
    Batch batch;
    batch.put(Family::kMeta, key, value);
    batch.frees_space = frees;
    co_return co_await world.engine().write(std::move(batch));
  });
}

}  // namespace

TEST_CASE("a database that is open elsewhere is a conflict, in one line that names it") {
  RocksWorld world;

  const auto second = open_at(world.path());

  REQUIRE_FALSE(second.ok());
  CHECK(second.code() == ErrorCode::kConflict);
  CHECK(second.error().message.find(world.path()) != std::string::npos);
  CHECK(is_one_line(second.error().message));
}

TEST_CASE("a folder that is none is invalid") {
  TemporaryFolder folder;
  std::ofstream(folder.path() + "/file") << "x";

  const auto opened = open_at(folder.path() + "/file");

  REQUIRE_FALSE(opened.ok());
  CHECK(opened.code() == ErrorCode::kInvalid);
  CHECK(is_one_line(opened.error().message));
  CHECK(open_at(folder.path() + "/a/b/c").ok());
}

TEST_CASE("a damaged database says so, in one line") {
  RocksWorld world;
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());
  world.close();
  std::ofstream(world.path() + "/CURRENT", std::ios::trunc) << "nonsense\n";

  const auto opened = open_at(world.path());

  REQUIRE_FALSE(opened.ok());
  CHECK(opened.code() == ErrorCode::kCorrupt);
  CHECK(is_one_line(opened.error().message));
}

TEST_CASE("under sync always everything works as well, and gathers") {
  RocksWorld world({.always = true});
  runtime::Gate gate(world.loop());
  int done = 0;
  auto write = [&](int number) -> Task<> {
    Batch batch;
    batch.put(Family::kMeta, std::to_string(number), "x");
    const Status written = co_await world.engine().write(std::move(batch));
    if (written.ok()) ++done;
  };

  for (int i = 0; i < 300; ++i) world.loop().spawn(gate, write(i));
  world.run([&]() -> Task<> { co_await gate.drained(); });

  CHECK(done == 300);
  CHECK(world.engine().stats().commits < 30);
}

TEST_CASE("the database tends itself until the loop stops") {
  RocksWorld world({.interval = milliseconds(1)});
  runtime::Gate gate(world.loop());
  RealLoop helper;
  world.loop().spawn(gate, world.database().tend(world.loop(), helper.workers()));
  REQUIRE(put(world, Family::kMeta, "k", "x").ok());

  world.loop().stop();
  world.run([&]() -> Task<> { co_await gate.drained(); });

  CHECK(get(world, Family::kMeta, "k") == "x");
}

// --- kill -9 ----------------------------------------------------------------------------------------------------

// Run in a process of its own by the case below: says each write's number once it was answered.
TEST_CASE("child: writes numbers until it is killed" * doctest::skip()) {
  const char* folder = std::getenv(kChildFolder);
  if (!folder) return;
  RocksWorld world(folder, {.interval = hours(1)});
  for (int i = 0;; ++i) {
    REQUIRE(put(world, Family::kMeta, std::to_string(i), "x").ok());
    REQUIRE(put(world, Family::kChunks, std::to_string(i), std::string(5000, 'x')).ok());
    const std::string line = std::to_string(i) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return;
  }
}

TEST_CASE("kill -9 loses nothing that was answered") {
  TemporaryFolder folder;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  const std::string setting = std::string(kChildFolder) + "=" + folder.path();
  const char* arguments[] = {"store_test", "--no-skip", "--test-case=child: writes*", nullptr};
  const char* environment[] = {setting.c_str(), nullptr};
  pid_t child = 0;
  const int spawned = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, const_cast<char**>(arguments),
                                    const_cast<char**>(environment));
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  REQUIRE(spawned == 0);

  std::string output;
  char buffer[4096];
  ssize_t n = 0;
  while (output.find("\n500\n") == std::string::npos && (n = ::read(ends[0], buffer, sizeof buffer)) > 0) {
    output.append(buffer, static_cast<std::size_t>(n));
  }
  ::kill(child, SIGKILL);
  while ((n = ::read(ends[0], buffer, sizeof buffer)) > 0) output.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);

  const std::size_t end = output.rfind('\n');
  REQUIRE(end != std::string::npos);
  const std::size_t begin = output.rfind('\n', end - 1) + 1;
  const int last = std::atoi(output.substr(begin, end - begin).c_str());
  REQUIRE(last >= 500);
  RocksWorld world(folder.path(), {});
  for (int i = 0; i <= last; ++i) {
    CHECK(get(world, Family::kMeta, std::to_string(i)) == "x");
    CHECK(get(world, Family::kChunks, std::to_string(i)).size() == 5000);
  }
}

// --- a damaged log ----------------------------------------------------------------------------------------------

namespace {

// A copy of the database as it stands, as if the machine had failed now; `change` gets the bytes of its last log.
template <class F>
void copy_with_log(const std::string& from, const std::string& to, F change) {
  std::filesystem::copy(from, to);
  std::string log;
  for (const auto& entry : std::filesystem::directory_iterator(to)) {
    if (entry.path().extension() == ".log") log = std::max(log, entry.path().string());
  }
  REQUIRE(!log.empty());
  auto bytes = runtime::read_whole_file(log, 1 << 30);
  REQUIRE(bytes.ok());
  change(*bytes);
  std::ofstream(log, std::ios::trunc | std::ios::binary) << *bytes;
}

}  // namespace

TEST_CASE("a log that lost its unsynced end opens with the rest") {
  RocksWorld world;
  TemporaryFolder folder;
  for (int i = 0; i < 100; ++i) REQUIRE(put(world, Family::kMeta, std::to_string(i), "x").ok());
  REQUIRE(world.database().upkeep());
  for (int i = 100; i < 200; ++i) REQUIRE(put(world, Family::kMeta, std::to_string(i), "x").ok());

  copy_with_log(world.path(), folder.path() + "/copy", [](std::string& log) { log.resize(log.size() - 10); });

  RocksWorld copy(folder.path() + "/copy", {});
  for (int i = 0; i < 199; ++i) CHECK(get(copy, Family::kMeta, std::to_string(i)) == "x");
  CHECK(get(copy, Family::kMeta, "199") == "-");
}

TEST_CASE("a log that is damaged where it was synced is an error, not a silent loss") {
  RocksWorld world;
  TemporaryFolder folder;
  for (int i = 0; i < 100; ++i) REQUIRE(put(world, Family::kMeta, std::to_string(i), "x").ok());
  REQUIRE(world.database().upkeep());

  copy_with_log(world.path(), folder.path() + "/copy", [](std::string& log) { log[log.size() / 2] ^= 1; });

  const auto opened = open_at(folder.path() + "/copy");
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.code() == ErrorCode::kCorrupt);
  CHECK(is_one_line(opened.error().message));
}

// --- a full disk ------------------------------------------------------------------------------------------------

TEST_CASE("our own writes stop short of a full disk, reads and deletes go on, and room is found again") {
  SmallDisk disk(64);
  if (!disk.mounted()) {
    MESSAGE("skipped: a file system can only be mounted by root");
    return;
  }
  RocksWorld world(disk.path("data"), {});
  Random random(1);
  constexpr std::size_t kBytes = 200'000;
  int stored = 0;
  Status status = ok_status();
  while (stored < 1000) {
    status = put(world, Family::kChunks, std::to_string(1000 + stored), incompressible(random, kBytes));
    if (!status.ok()) break;
    ++stored;
  }
  REQUIRE_FALSE(status.ok());
  CHECK(status.code() == ErrorCode::kNoSpace);
  CHECK(is_one_line(status.error().message));
  CHECK(world.engine().stats().state != "ok");
  REQUIRE(stored > 50);

  for (int i = 0; i < stored; ++i) CHECK(get(world, Family::kChunks, std::to_string(1000 + i)).size() == kBytes);
  for (int i = 0; i < stored; ++i) {
    Batch batch;
    batch.erase(Family::kChunks, std::to_string(1000 + i));
    batch.frees_space = true;
    REQUIRE(world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); }).ok());
  }
  // The merge that frees the space takes the time it takes.
  for (int i = 0; i < 3000 && world.engine().stats().state != "ok"; ++i) {
    world.database().upkeep();
    world.run([&]() -> Task<> { co_await world.loop().sleep(milliseconds(10)); });
  }
  CHECK(world.engine().stats().state == "ok");
  CHECK(write_batch(world, "k", "again", false).ok());
}

// RocksDB opens 16 tables when it starts, and merges pieces when they are in 16: so there are more in all families.
TEST_CASE("a row in a table that is not open yet is not taken for an empty one") {
  TemporaryFolder folder;
  constexpr int kTables = 15;
  constexpr Family kFamilies[] = {Family::kSystem, Family::kMeta, Family::kChunks};
  const auto name = [](int i) { return "row " + std::to_string(100 + i); };
  for (int i = 0; i < kTables; ++i) {
    auto database = open_at(folder.path());  // which makes a table of what the log holds
    REQUIRE(database.ok());
    store::Committer::Group group(1);
    for (const Family family : kFamilies) group.front().put(family, name(i), "value");
    REQUIRE((*database)->write(group).ok());
  }
  auto database = open_at(folder.path());
  REQUIRE(database.ok());
  for (const Family family : kFamilies) {
    for (int i = 0; i < kTables; ++i) {
      const auto cached = (*database)->get_cached(family, name(i));
      if (cached) CHECK((cached->ok() && **cached == "value"));
      const auto found = (*database)->get(family, name(i));
      CHECK((found.ok() && *found == "value"));
    }
  }
}

TEST_CASE("the space of erased ranges of pieces comes back by itself") {
  RocksWorld world;
  Random random(1);
  constexpr int kValues = 6;
  constexpr int kPieces = 64;
  const auto name = [](int value, int piece) { return std::to_string(value) + "/" + std::to_string(1000 + piece); };
  for (int value = 0; value < kValues; ++value) {
    for (int i = 0; i < kPieces; ++i) {
      std::string piece(256 << 10, '\0');
      for (std::size_t at = 0; at + 8 <= piece.size(); at += 8) {
        const std::uint64_t word = random.next();
        std::memcpy(&piece[at], &word, 8);
      }
      REQUIRE(put(world, Family::kChunks, name(value, i), piece).ok());
    }
  }
  const auto on_disk = [&] {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(world.path())) {
      if (file.path().filename() != "ballast") bytes += file.file_size();
    }
    return bytes >> 20;
  };
  const std::uint64_t full = on_disk();
  CHECK(full >= 80);
  for (const int value : {0, 1, 2, 4, 5}) {
    Batch batch;
    batch.erase_range(Family::kChunks, name(value, 0), name(value, 999));
    REQUIRE(world.run([&]() -> Task<Status> { co_return co_await world.engine().write(batch); }).ok());
  }
  world.database().give_back();

  CHECK(get(world, Family::kChunks, name(3, 7)).size() == 256 << 10);
  CHECK(scan(world, Family::kChunks, {}, {.entries_max = 1000, .bytes_max = 1 << 30}).entries.size() == kPieces);
  MESSAGE("MiB on disk: " << full << " -> " << on_disk());
  CHECK(on_disk() <= 48);  // 16 live, 16 beside them in their files, and the log
}

TEST_CASE("a disk that others fill refuses writes, reads and deletes go on, and it recovers by itself") {
  SmallDisk disk(64);
  if (!disk.mounted()) {
    MESSAGE("skipped: a file system can only be mounted by root");
    return;
  }
  RocksWorld world(disk.path("data"), {});
  REQUIRE(write_batch(world, "before", std::string(1000, 'x'), false).ok());

  disk.fill();
  SUBCASE("and it is seen in time") { world.database().upkeep(); }
  SUBCASE("and a write finds it out") {
    Status status = ok_status();
    for (int i = 0; i < 1000 && status.ok(); ++i) {
      status = write_batch(world, "w" + std::to_string(i), std::string(10'000, 'x'), false);
    }
    CHECK(status.code() == ErrorCode::kNoSpace);
    world.database().upkeep();
    world.database().upkeep();
    world.database().upkeep();
  }
  CHECK(write_batch(world, "refused", "x", false).code() == ErrorCode::kNoSpace);
  CHECK(get(world, Family::kMeta, "before") == std::string(1000, 'x'));
  CHECK(write_batch(world, "before", "deleted", true).ok());
  CHECK(get(world, Family::kMeta, "before") == "deleted");

  disk.unfill();
  for (int i = 0; i < 10; ++i) world.database().upkeep();
  CHECK(world.engine().stats().state == "ok");
  CHECK(write_batch(world, "after", "x", false).ok());
  world.reopen();
  CHECK(get(world, Family::kMeta, "before") == "deleted");
  CHECK(get(world, Family::kMeta, "after") == "x");
}

TEST_CASE("a database whose log is larger than the room that is left opens, and writes a table when there is room") {
  SmallDisk disk(64);
  if (!disk.mounted()) {
    MESSAGE("skipped: a file system can only be mounted by root");
    return;
  }
  RocksWorld world(disk.path("data"), {});
  Random random(1);
  const std::string value = incompressible(random, 100'000);
  for (int i = 0; i < 100; ++i) REQUIRE(put(world, Family::kMeta, std::to_string(i), value + std::to_string(i)).ok());
  world.close();
  disk.fill(5 << 20);  // more than is held back for deletes

  world.open(disk.path("data"));

  for (int i = 0; i < 100; ++i) CHECK(get(world, Family::kMeta, std::to_string(i)) == value + std::to_string(i));
  for (int i = 0; i < 3; ++i) world.database().upkeep();
  CHECK(write_batch(world, "refused", "x", false).code() == ErrorCode::kNoSpace);
  CHECK(write_batch(world, "0", "", true).ok());

  disk.unfill();
  for (int i = 0; i < 10; ++i) world.database().upkeep();
  CHECK(write_batch(world, "after", "x", false).ok());
  world.reopen();
  CHECK(get(world, Family::kMeta, "99") == value + "99");
  CHECK(get(world, Family::kMeta, "after") == "x");
}

}  // namespace tako::test
