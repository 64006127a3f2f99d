#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/files.h"

using namespace tako;
using namespace tako::runtime;

namespace {

struct TemporaryFolder {
  TemporaryFolder() {
    std::string form = (std::filesystem::temp_directory_path() / "tako-files-XXXXXX").string();
    path = mkdtemp(form.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string path;
};

void check_contract(Files& files) {
  CHECK(files.read("a/b", 100).code() == ErrorCode::kNotFound);
  CHECK(files.write("a/b", "one").ok());
  CHECK(files.write("a/b", "two").ok());
  CHECK(files.write("a/c", "").ok());
  CHECK(*files.read("a/b", 100) == "two");
  CHECK(files.read("a/c", 100)->empty());
  CHECK(files.read("a/b", 2).code() == ErrorCode::kTooLarge);
  CHECK(files.list("a") == std::vector<std::string>{"b", "c"});
  CHECK(files.list("nothing").empty());
  CHECK(files.remove("a/b").ok());
  CHECK(files.list("a") == std::vector<std::string>{"c"});
}

}  // namespace

TEST_CASE("files on disk and in memory keep the same contract") {
  const TemporaryFolder folder;
  auto disk = DiskFiles::open(folder.path + "/made/for/it");
  REQUIRE(disk.ok());
  check_contract(**disk);
  MemoryFiles memory;
  check_contract(memory);
}

TEST_CASE("a locked folder is refused to the next one, by name") {
  const TemporaryFolder folder;
  auto first = DiskFiles::open(folder.path);
  auto second = DiskFiles::open(folder.path);
  REQUIRE((*first)->lock("lock").ok());
  const Status refused = (*second)->lock("lock");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.code() == ErrorCode::kConflict);
  CHECK(refused.error().message.find(folder.path) != std::string::npos);
  first->reset();
  CHECK((*second)->lock("lock").ok());
}
