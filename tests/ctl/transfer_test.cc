// put and get of values of any size: in pieces, checked, and gone on with where they were interrupted.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>

#include "ctl/data_verbs.h"
#include "ctl/fake_cluster_client.h"
#include "ctl/progress.h"
#include "model/checksum.h"

namespace tako::ctl_test {
namespace {

constexpr std::size_t kPiece = model::kPieceBytes;

std::string large_value(std::size_t size) {
  std::string value(size, '\0');
  for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 2654435761u >> 11);
  return value;
}

std::string checksum_text(const std::string& value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(model::checksum_of(value)));
  return text;
}

struct Transfers : Desk {
  int get(const std::string& file = "") {
    ctl::GetOptions options;
    options.key = "k";
    options.file = file;
    return run([&]() { return ctl::get_value(console, client, options); });
  }
  int put(const std::string& file = "") {
    ctl::PutOptions options;
    options.key = "k";
    options.file = file;
    return run([&]() { return ctl::put_value(console, client, options); });
  }
  void offer(const std::string& value, const std::string& etag = "\"v1\"") {
    client.answer(200, {{"etag", etag}, {"x-tako-checksum", checksum_text(value)}}, value);
  }
  void offer_rest(const std::string& value, std::size_t from, const std::string& etag = "\"v1\"") {
    const std::string range =
        "bytes " + std::to_string(from) + "-" + std::to_string(value.size() - 1) + "/" + std::to_string(value.size());
    client.answer(206, {{"etag", etag}, {"content-range", range}, {"x-tako-checksum", checksum_text(value)}},
                value.substr(from));
  }
  std::string content(const std::string& path) {
    const auto read = runtime::read_whole_file(path, 100u << 20);
    return read ? *read : "none";
  }

  const Folder folder;
  const std::string file = folder.path + "/value";
  const std::string part = file + ".part";
};

TEST_CASE_FIXTURE(Transfers, "a value of more than a piece goes in pieces, with its size where that is known") {
  const std::string value = large_value(3 * kPiece + 17);
  REQUIRE(folder.files->write("value", value).ok());
  in.str(value);
  client.answer(200, {{"x-tako-checksum", checksum_text(value)}}, "");
  client.answer(200, {{"x-tako-checksum", checksum_text(value)}}, "");

  CHECK(put(file) == 0);
  CHECK(put() == 0);

  CHECK(client.asked_[0].method == "PUT " + std::to_string(value.size()));
  CHECK(client.asked_[0].body == value);
  CHECK(client.asked_[1].method == "PUT chunked");
  CHECK(client.asked_[1].body == value);
  CHECK(err.str().empty());
}

TEST_CASE_FIXTURE(Transfers, "a value of up to a piece goes whole, a byte more does not") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece - 1, kPiece}) {
    in.clear();
    in.str(large_value(size));
    client.answer(200, "");
    CHECK(put() == 0);
    CHECK(client.asked_.back().method == "PUT");
    CHECK(client.asked_.back().body == large_value(size));
  }
  in.clear();
  in.str(large_value(kPiece + 1));
  client.answer(200, "");
  CHECK(put() == 0);
  CHECK(client.asked_.back().method == "PUT chunked");
}

TEST_CASE_FIXTURE(Transfers, "what is stored with another checksum than what was sent is a failure") {
  for (const std::size_t size : {std::size_t{5}, 2 * kPiece}) {
    in.clear();
    in.str(large_value(size));
    err.str("");
    client.answer(200, {{"x-tako-checksum", checksum_text("other")}}, "");
    CHECK(put() == 1);
    CHECK(contains(err.str(), "another checksum"));
  }
}

TEST_CASE_FIXTURE(Transfers, "a value comes to the output, and to a file, and is what its checksum says") {
  const std::string value = large_value(3 * kPiece + 17);
  offer(value);
  CHECK(get() == 0);
  CHECK(out.str() == value);
  offer(value);
  CHECK(get(file) == 0);
  CHECK(content(file) == value);
  CHECK_FALSE(std::filesystem::exists(part));

  client.answer(200, {{"x-tako-checksum", checksum_text("other")}}, value);
  CHECK(get() == 1);
  CHECK(contains(err.str(), "checksum"));
  client.answer(200, {{"etag", "\"v2\""}, {"x-tako-checksum", checksum_text("other")}}, "damaged");
  CHECK(get(file) == 1);
  CHECK(content(file) == value);
  CHECK_FALSE(std::filesystem::exists(part));
}

TEST_CASE_FIXTURE(Transfers, "an interrupted download goes on where it was, if the value is still the same") {
  const std::string value = large_value(3 * kPiece + 17);
  offer(value);
  client.break_after(500'000);
  CHECK(get(file) == 1);
  CHECK(contains(err.str(), "the proxy went away; what arrived is kept"));
  CHECK(content(part) == value.substr(0, 500'000));
  CHECK_FALSE(std::filesystem::exists(file));

  client.break_after(~std::size_t{0});
  offer_rest(value, 500'000);
  CHECK(get(file) == 0);
  CHECK(client.asked_[1].headers == wire::HttpHeaders{{"range", "bytes=500000-"}, {"if-range", "\"v1\""}});
  CHECK(content(file) == value);
  CHECK_FALSE(std::filesystem::exists(part));
  CHECK_FALSE(std::filesystem::exists(part + ".etag"));
}

TEST_CASE_FIXTURE(Transfers, "a download of what was written meanwhile begins anew") {
  offer(large_value(2 * kPiece));
  client.break_after(300'000);
  CHECK(get(file) == 1);

  client.break_after(~std::size_t{0});
  offer("another", "\"v2\"");
  CHECK(get(file) == 0);
  CHECK(content(file) == "another");
}

TEST_CASE_FIXTURE(Transfers, "a part that was all of it already is put into its place") {
  const std::string value = large_value(2 * kPiece);
  REQUIRE(folder.files->write("value.part", value).ok());
  REQUIRE(folder.files->write("value.part.etag", "\"v1\"").ok());
  const std::string all = "bytes */" + std::to_string(value.size());
  client.answer(416, {{"etag", "\"v1\""}, {"content-range", all}, {"x-tako-checksum", checksum_text(value)}}, "no\n");
  CHECK(get(file) == 0);
  CHECK(content(file) == value);
}

TEST_CASE_FIXTURE(Transfers, "a server that answers with another range is not believed") {
  const std::string value = large_value(2 * kPiece);
  REQUIRE(folder.files->write("value.part", value.substr(0, 1000)).ok());
  REQUIRE(folder.files->write("value.part.etag", "\"v1\"").ok());
  offer_rest(value, 999);
  CHECK(get(file) == 1);
  offer_rest(value, 1000, "\"v2\"");
  CHECK(get(file) == 1);
  CHECK_FALSE(std::filesystem::exists(file));
  offer_rest(value, 1000);
  CHECK(get(file) == 0);
  CHECK(content(file) == value);
}

TEST_CASE("progress is one line of what is known") {
  ctl::Moved moved;
  moved.done = 1'000'000'000;
  moved.total = 4'000'000'000;
  moved.bytes_here = 500'000'000;
  moved.elapsed = seconds(5);
  CHECK(ctl::progress_line(moved) == "1.0 GB of 4.0 GB  [======>                 ]   25 %  100 MB/s  0:30 left");
  moved.done = *moved.total;
  CHECK(contains(ctl::progress_line(moved), "[========================]  100 %"));
  moved.total.reset();
  CHECK(ctl::progress_line(moved) == "4.0 GB  100 MB/s");
}

TEST_CASE_FIXTURE(Transfers, "progress is drawn on a terminal only, now and then, and taken away at the end") {
  ctl::Progress quiet(console, 100, 0);
  quiet.add(50);
  quiet.end();
  CHECK(err.str().empty());

  test::VirtualClock clock;
  console.progress = true;
  console.clock = &clock;
  ctl::Progress shown(console, 100, 0);
  shown.add(10);
  CHECK(err.str().empty());
  clock.advance_to(clock.now() + seconds(1));
  shown.add(40);
  CHECK(contains(err.str(), " 50 %"));
  shown.end();
  CHECK(err.str().ends_with("\r\x1b[K"));
}

}  // namespace
}  // namespace tako::ctl_test
