#include "runtime/stream_file.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/files.h"

namespace tako::runtime {
namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tako-stream-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
  }
  std::string path;
};

std::string content(const std::string& path) {
  const auto read = read_whole_file(path, 1000);
  return read ? *read : "none";
}

TEST_CASE("a file is read in parts, each full but the last") {
  const Folder folder;
  REQUIRE((*DiskFiles::open(folder.path))->write("f", "0123456789").ok());
  auto file = ReadFile::open(folder / "f");
  REQUIRE(file.ok());
  CHECK(file->size() == 10);
  CHECK(*file->read(6) == "012345");
  CHECK(*file->read(6) == "6789");
  CHECK(*file->read(6) == "");
  CHECK_FALSE(ReadFile::open(folder / "none").ok());
  CHECK_FALSE(ReadFile::open(folder.path).ok());
  CHECK_FALSE(ReadFile::open("/dev/null")->size().has_value());
}

TEST_CASE("a file that comes in parts is there when it is whole, and not before") {
  const Folder folder;
  REQUIRE((*DiskFiles::open(folder.path))->write("f", "before").ok());
  auto file = PartFile::open(folder / "f");
  REQUIRE(file.ok());
  REQUIRE(file->begin("v1").ok());
  REQUIRE(file->append("abc").ok());
  REQUIRE(file->append("def").ok());
  CHECK(content(folder / "f") == "before");
  CHECK(file->size() == 6);
  CHECK(*file->read(4, 100) == "ef");
  REQUIRE(file->finish().ok());
  CHECK(content(folder / "f") == "abcdef");
  CHECK(folder.files() == 1);
}

TEST_CASE("a part is gone on with by the next run, with what it is a part of") {
  const Folder folder;
  {
    auto file = PartFile::open(folder / "f");
    REQUIRE(file->begin("v1").ok());
    REQUIRE(file->append("abc").ok());
    const auto second = PartFile::open(folder / "f");
    REQUIRE_FALSE(second.ok());
    CHECK(second.code() == ErrorCode::kConflict);
  }
  auto file = PartFile::open(folder / "f");
  REQUIRE(file.ok());
  CHECK(file->size() == 3);
  CHECK(file->note() == "v1");
  REQUIRE(file->append("def").ok());
  REQUIRE(file->finish().ok());
  CHECK(content(folder / "f") == "abcdef");
}

TEST_CASE("a part that is begun anew, or of which nobody says what it is, is nothing") {
  const Folder folder;
  {
    auto file = PartFile::open(folder / "f");
    REQUIRE(file->begin("v1").ok());
    REQUIRE(file->append("abcdef").ok());
    REQUIRE(file->begin("").ok());
    REQUIRE(file->append("xyz").ok());
  }
  auto file = PartFile::open(folder / "f");
  CHECK(file->size() == 0);
  REQUIRE(file->begin("v2").ok());
  REQUIRE(file->append("12").ok());
  REQUIRE(file->finish().ok());
  CHECK(content(folder / "f") == "12");
}

TEST_CASE("what stays empty, or is worth nothing, leaves nothing behind") {
  const Folder folder;
  { auto file = PartFile::open(folder / "f"); }
  CHECK(folder.files() == 0);
  {
    auto file = PartFile::open(folder / "f");
    REQUIRE(file->begin("v1").ok());
    REQUIRE(file->append("abc").ok());
    file->forget();
  }
  CHECK(folder.files() == 0);
  CHECK(PartFile::open(folder / "no/such/f").code() == ErrorCode::kNotFound);
  CHECK(PartFile::open(folder.path).code() == ErrorCode::kInvalid);
}

TEST_CASE("before there is anything of a file there is nothing on the disk") {
  const Folder folder;
  auto file = PartFile::open(folder / "f");
  REQUIRE(file.ok());
  CHECK(folder.files() == 0);
  auto other = PartFile::open(folder / "f");
  REQUIRE(other.ok());
  REQUIRE(file->begin("v1").ok());
  CHECK(other->begin("v1").code() == ErrorCode::kConflict);
}

TEST_CASE("what is no regular file is written to as it is") {
  auto file = PartFile::open("/dev/null");
  REQUIRE(file.ok());
  CHECK_FALSE(file->readable());
  REQUIRE(file->begin("v1").ok());
  REQUIRE(file->append("abc").ok());
  REQUIRE(file->finish().ok());
  CHECK_FALSE(std::filesystem::exists("/dev/null.part"));
}

}  // namespace
}  // namespace tako::runtime
