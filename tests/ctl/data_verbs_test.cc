#include "ctl/data_verbs.h"

#include <doctest/doctest.h>

#include "ctl/fake_cluster_client.h"
#include "runtime/files.h"

namespace tako::ctl_test {
namespace {

struct Data : Desk {
  int get(const std::string& key, const std::string& file = "") {
    ctl::GetOptions options;
    options.key = key;
    options.file = file;
    return run([&]() { return ctl::get_value(console, client, options); });
  }
  int put(const std::string& key, const std::string& file = "", const std::string& type = "") {
    ctl::PutOptions options;
    options.key = key;
    options.file = file;
    options.content_type = type;
    return run([&]() { return ctl::put_value(console, client, options); });
  }
  int remove(const std::string& key) {
    return run([&]() { return ctl::remove_value(console, client, of(key)); });
  }
  int stat(const std::string& key) {
    return run([&]() { return ctl::stat_value(console, client, of(key)); });
  }
  static ctl::KeyOptions of(const std::string& key) {
    ctl::KeyOptions options;
    options.key = key;
    return options;
  }
};

TEST_CASE_FIXTURE(Data, "get writes the value as it is") {
  const std::string value("\x00\xff\n\r\n", 5);
  client.answer(200, value);

  CHECK(get("a key") == 0);

  CHECK(out.str() == value);
  CHECK(err.str().empty());
  CHECK(client.asked_[0].method == "GET");
  CHECK(client.asked_[0].target == "/values/a%20key");
}

TEST_CASE_FIXTURE(Data, "get writes to a file, whole or not at all") {
  const Folder folder;
  const std::string file = folder.path + "/value";
  client.answer(200, "first");
  client.answer(404, "no such key\n");

  CHECK(get("k", file) == 0);
  CHECK(get("k", file) == 1);
  client.answer(200, "nowhere to go");
  CHECK(get("k", folder.path + "/no/such/value") == 2);

  CHECK(*runtime::read_whole_file(file, 100) == "first");
  CHECK(out.str().empty());
}

TEST_CASE_FIXTURE(Data, "a key that is absent is a no, a proxy that is away or refuses too, a bad key is wrong usage") {
  client.answer(404, "no such key\n");
  CHECK(get("k\n") == 1);
  CHECK(err.str() == "tako ctl: k\\x0a: no such key\n");
  CHECK(out.str().empty());

  err.str("");
  client.answer(503, "too few replicas answered; try again\nmore\n");
  CHECK(get("k") == 1);
  CHECK(err.str() == "tako ctl: too few replicas answered; try again\n");

  err.str("");
  client.answer(500, "");
  CHECK(get("k") == 1);
  CHECK(contains(err.str(), "500 Internal Server Error"));

  err.str("");
  client.fail(ErrorCode::kUnsent, "cannot connect to 127.0.0.1:8080: connection refused");
  CHECK(get("k") == 1);
  CHECK(contains(err.str(), "127.0.0.1:8080"));

  CHECK(get("") == 2);
  CHECK(put("") == 2);
  CHECK(remove("") == 2);
  CHECK(stat("") == 2);
}

TEST_CASE_FIXTURE(Data, "put takes the input, or a file, as it is") {
  in.str(std::string("in\0put\n", 7));
  client.answer(200, "");
  CHECK(put("k", "", "text/plain") == 0);
  CHECK(client.asked_[0].method == "PUT");
  CHECK(client.asked_[0].body == std::string("in\0put\n", 7));
  CHECK(client.asked_[0].headers == wire::HttpHeaders{{"content-type", "text/plain"}});

  const Folder folder;
  REQUIRE(folder.files->write("value", "from a file").ok());
  client.answer(200, "");
  CHECK(put("k", folder.path + "/value") == 0);
  CHECK(client.asked_[1].body == "from a file");
  CHECK(out.str().empty());
}

TEST_CASE_FIXTURE(Data, "put refuses what is not there, without asking anybody") {
  CHECK(put("k", "/nowhere/at/all") == 2);
  CHECK(contains(err.str(), "/nowhere/at/all"));
  CHECK(put("k", "/") == 2);
  CHECK(contains(err.str(), "is a folder"));
  CHECK(client.asked_.empty());
}

TEST_CASE_FIXTURE(Data, "put and rm that were refused say why") {
  in.str("v");
  client.answer(507, "the disk is full\n");
  CHECK(put("k") == 1);
  CHECK(err.str() == "tako ctl: the disk is full\n");

  client.answer(204, "");
  CHECK(remove("a/b") == 0);
  CHECK(client.asked_[1].method == "DELETE");
  CHECK(client.asked_[1].target == "/values/a/b");
  client.answer(503, "try again\n");
  CHECK(remove("k") == 1);
}

constexpr const char* kStat = R"({"key": "k", "timestamp": 1700000000123456, "version": "0-1", "size": 12,
  "expires": null, "content_type": "text/plain", "deleted": false, "replicas": [
  {"node": "n1", "state": "current", "timestamp": 1700000000123456},
  {"node": "n2", "state": "older", "timestamp": 1600000000000000},
  {"node": "n3", "state": "unreachable", "timestamp": null}]})";

TEST_CASE_FIXTURE(Data, "stat shows the key and every replica's copy") {
  client.answer(200, kStat);

  CHECK(stat("k") == 0);

  CHECK(client.asked_[0].target == "/stat/k?format=json");
  CHECK(out.str() == "key        k\n"
                     "timestamp  1700000000123456  2023-11-14 22:13:20.123456 UTC\n"
                     "size       12\n"
                     "type       text/plain\n"
                     "expires    -\n"
                     "version    0-1\n"
                     "\n"
                     "REPLICA  STATE        TIMESTAMP\n"
                     "n1       current      1700000000123456  2023-11-14 22:13:20.123456 UTC\n"
                     "n2       older        1600000000000000  2020-09-13 12:26:40.000000 UTC\n"
                     "n3       unreachable  -\n");
}

TEST_CASE_FIXTURE(Data, "stat as JSON is the proxy's, without colour") {
  console.json = true;
  console.colour = true;
  client.answer(200, kStat);

  CHECK(stat("k") == 0);

  CHECK(out.str() == std::string(kStat) + "\n");
}

TEST_CASE_FIXTURE(Data, "stat of an absent key is a no, and survives any answer") {
  client.answer(404, R"({"key": "k", "timestamp": null, "replicas": [{"node": "n1", "state": "absent"}]})");
  CHECK(stat("k") == 1);
  CHECK(contains(out.str(), "n1       absent"));
  CHECK(contains(err.str(), "no such key"));

  for (const char* body : {"", "17", "[]", "null", "<html>"}) {
    client.answer(200, body);
    CHECK(stat("k") == 1);
  }
  client.answer(200, R"({"replicas": [1, null, {"node": 7, "state": []}], "timestamp": "x", "size": {}})");
  CHECK(stat("k") == 0);
}

}  // namespace
}  // namespace tako::ctl_test
