// What becomes of each request header that changes a meaning. The rows are written down a second time on purpose: a
// change of the table in src/wire/http/fields.cc has to be meant.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "wire/http/fields.h"
#include "wire/http/ranges.h"

namespace tako::wire {
namespace {

// What a server answers to the head: 0, it is taken.
struct Judged {
  int status = 0;
  std::string error;
  HttpHeaders headers;
};

Judged judge(std::string_view method, std::string_view lines) {
  HttpRequestParser parser({1000});
  std::string head = std::string(method) + " /values/k HTTP/1.1\r\nHost: h\r\n" + std::string(lines);
  const bool framed = lines.starts_with("Content-Length") || lines.starts_with("Transfer-Encoding");
  if (access_of(method) == Access::kStore && !framed) head += "Content-Length: 0\r\n";
  head += "\r\n";
  const auto taken = parser.feed(head);
  if (!taken.ok()) return {parser.error_status(), taken.error().message, {}};
  return {0, "", parser.request().headers};
}

struct Row {
  Field field;
  const char* value;
  int read;  // the status of the refusal; 0: it is taken
  int store;
  int remove;
  bool list = false;
};

const std::vector<Row> kRows = {
    {Field::kIf, "(<urn:x>)", 0, 400, 400, true},
    {Field::kTe, "trailers", 0, 0, 0, true},
    {Field::kHost, "h", 400, 400, 400},  // beside the one that judge() sends
    {Field::kRange, "bytes=5-9", 0, 400, 400},
    {Field::kAccept, "text/plain", 0, 0, 0, true},
    {Field::kDigest, "sha-256=x", 0, 0, 0, true},
    {Field::kExpect, "100-continue", 0, 0, 0},
    {Field::kExpect, "100-Continue", 0, 0, 0},
    {Field::kExpect, "200-ok", 417, 417, 417},
    {Field::kExpect, "100-continue, 200-ok", 417, 417, 417},
    {Field::kTrailer, "Server-Timing", 0, 0, 0, true},
    {Field::kTrailer, "Server-Timing, Repr-Digest", 0, 400, 0, true},
    {Field::kTrailer, "Content-Digest", 0, 400, 0, true},
    {Field::kTrailer, "content-md5", 0, 400, 0, true},
    {Field::kTrailer, "Digest", 0, 400, 0, true},
    {Field::kUpgrade, "h2c", 0, 0, 0, true},
    {Field::kIfMatch, "\"a\"", 0, 0, 0, true},
    {Field::kIfRange, "\"a\"", 0, 400, 400},
    {Field::kXExpires, "1", 0, 400, 0},
    {Field::kConnection, "close", 0, 0, 0, true},
    {Field::kContentMd5, "x", 0, 0, 0},
    {Field::kReprDigest, "md5=:x:", 0, 0, 0, true},
    {Field::kXCopyFrom, "/values/j", 0, 400, 0},
    {Field::kXTimestamp, "5", 0, 0, 0},
    {Field::kContentType, "a/b", 0, 0, 0},
    {Field::kContentRange, "bytes 5-9/10", 0, 400, 400},
    {Field::kIfNoneMatch, "*", 0, 0, 0, true},
    {Field::kTusResumable, "1.0.0", 0, 400, 400},
    {Field::kUploadOffset, "5", 0, 400, 400},
    {Field::kXHttpMethod, "PATCH", 400, 400, 400},
    {Field::kContentDigest, "md5=:x:", 0, 0, 0, true},
    {Field::kContentLength, "0", 0, 0, 0},
    {Field::kUploadComplete, "?1", 0, 0, 0},
    {Field::kUploadComplete, "?0", 0, 400, 400},
    {Field::kContentEncoding, "identity", 0, 0, 0, true},
    {Field::kContentEncoding, "gzip", 0, 415, 0, true},
    {Field::kContentEncoding, "identity, br", 0, 415, 0, true},
    {Field::kContentEncoding, "aws-chunked", 0, 415, 0, true},
    {Field::kContentLanguage, "en", 0, 0, 0, true},
    {Field::kIfModifiedSince, "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0, 0},
    {Field::kTransferEncoding, "chunked", 0, 0, 0},
    {Field::kTransferEncoding, "gzip, chunked", 501, 501, 501},
    {Field::kUploadIncomplete, "?0", 0, 0, 0},
    {Field::kUploadIncomplete, "?1", 0, 400, 400},
    {Field::kXAmzCopySource, "/b/k", 0, 400, 0},
    {Field::kXMethodOverride, "DELETE", 400, 400, 400},
    {Field::kContentDisposition, "attachment", 0, 0, 0},
    {Field::kIfUnmodifiedSince, "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0, 0},
    {Field::kIfScheduleTagMatch, "\"a\"", 0, 400, 400},
    {Field::kXHttpMethodOverride, "DELETE", 400, 400, 400},
    {Field::kContentTransferEncoding, "binary", 0, 0, 0},
    {Field::kContentTransferEncoding, "base64", 0, 415, 0},
};

TEST_CASE("each header that changes a meaning is taken, or refused by name, method by method") {
  for (const Row& row : kRows) {
    const std::string name(rule_of(row.field).shown);
    const std::string line = name + ": " + row.value + "\r\n";
    CAPTURE(line);
    for (const char* method : {"GET", "HEAD"}) CHECK(judge(method, line).status == row.read);
    for (const char* method : {"PUT", "POST"}) CHECK(judge(method, line).status == row.store);
    CHECK(judge("DELETE", line).status == row.remove);
    const Judged refused = judge("PUT", line);
    if (refused.status != 0) CHECK(refused.error.find(name) != std::string::npos);
    CHECK(refused.error.find('\n') == std::string::npos);
  }
}

TEST_CASE("each header of the table has a row here") {
  std::set<Field> seen;
  for (const Row& row : kRows) seen.insert(row.field);
  for (int i = 0; i <= static_cast<int>(Field::kContentTransferEncoding); ++i) {
    CAPTURE(rule_of(static_cast<Field>(i)).shown);
    CHECK(seen.count(static_cast<Field>(i)) == 1);
  }
}

TEST_CASE("each rule is found by its name, in any case, and nothing else is") {
  for (const Row& row : kRows) {
    const FieldRule& rule = rule_of(row.field);
    CHECK(rule_of(rule.name) == &rule);
    CHECK(same_word(rule.shown, rule.name));
    CHECK(rule_of(std::string(rule.name) + "x") == nullptr);
  }
  CHECK(rule_of("") == nullptr);
  CHECK(rule_of(std::string(1000, 'x')) == nullptr);
}

TEST_CASE("several lines of a list are one list; of anything else known they are refused by name") {
  for (const Row& row : kRows) {
    if (row.read != 0) continue;  // refused whatever the lines
    const std::string name(rule_of(row.field).shown);
    const std::string line = name + ": " + row.value + "\r\n";
    const Judged twice = judge("GET", line + "Between: them\r\n" + line);
    CAPTURE(line);
    CHECK(twice.status == (row.list ? 0 : 400));
    if (row.list) {
      CHECK(find_header(twice.headers, row.field) == std::string(row.value) + ", " + row.value);
      CHECK(twice.headers.size() == 3);
    } else {
      CHECK(twice.error.find(name) != std::string::npos);
    }
  }
  CHECK(judge("GET", "A: 1\r\nA: 2\r\n").headers.size() == 3);  // what nobody asks for stays as it came
}

TEST_CASE("a refused header that says nothing is taken") {
  for (const char* line : {"Content-Range:\r\n", "Expect:\r\n", "Content-Encoding: , \r\n", "X-HTTP-Method:\r\n"}) {
    CAPTURE(line);
    CHECK(judge("PUT", line).status == 0);
  }
}

TEST_CASE("headers of our own that no request has are not dropped on a write") {
  CHECK(judge("PUT", "X-Tako-Meta-Owner: me\r\n").status == 400);
  CHECK(judge("PUT", "X-Tako-Checksum: 0\r\n").error.find("x-tako-checksum") != std::string::npos);
  CHECK(judge("GET", "X-Tako-Checksum: 0\r\n").status == 0);
}

TEST_CASE("what the table calls a condition decides, and nothing else does") {
  const Validators now{"\"now\"", 2'000'000'000'000};
  struct Failing {
    Field field;
    const char* value;
  };
  const Failing failing[] = {
      {Field::kIfMatch, "\"other\""},
      {Field::kIfNoneMatch, "\"now\""},
      {Field::kIfModifiedSince, "Thu, 01 Jan 2060 00:00:00 GMT"},
      {Field::kIfUnmodifiedSince, "Thu, 01 Jan 1970 00:00:00 GMT"},
  };
  std::set<Field> conditions;
  for (const auto& [field, value] : failing) {
    const FieldRule& rule = rule_of(field);
    const HttpHeaders headers = {{"other", "x"}, {std::string(rule.name), value}};
    CAPTURE(rule.shown);
    conditions.insert(field);
    CHECK(condition_in(Access::kRead, headers) == rule.shown);
    CHECK((check_conditions(headers, now) != Condition::kMet));
    const bool of_writes = rule.store == FieldUse::kCondition;
    CHECK(of_writes == (rule.remove == FieldUse::kCondition));
    CHECK(condition_in(Access::kStore, headers) == (of_writes ? rule.shown : ""));
    CHECK(condition_in(Access::kRemove, headers) == (of_writes ? rule.shown : ""));
    CHECK(write_allowed(headers, now) == !of_writes);
  }
  for (const Row& row : kRows) {
    const FieldRule& rule = rule_of(row.field);
    const bool any = rule.read == FieldUse::kCondition || rule.store == FieldUse::kCondition;
    CAPTURE(rule.shown);
    CHECK(any == (conditions.count(row.field) == 1));
  }
}

TEST_CASE("a condition of a write that cannot be read is not passed over") {
  for (const char* tags : {"*", " * ", "\"a\"", "W/\"a\"", "\"a\", \"b\"", ",\"a\",,\"b\" ,", "\"\"", "\"a,b\""}) {
    CAPTURE(tags);
    CHECK(check_write_conditions({{"if-match", tags}}).ok());
    CHECK(check_write_conditions({{"if-none-match", tags}}).ok());
  }
  for (const char* tags : {"", ",", "a", "\"a", "a\"", "*, \"a\"",
                           "\"a\" \"b\"", "\"a\"b", "w/\"a\"", "W/ \"a\"", "W/"}) {
    CAPTURE(tags);
    CHECK_FALSE(check_write_conditions({{"if-match", tags}}).ok());
    CHECK_FALSE(check_write_conditions({{"if-none-match", tags}}).ok());
  }
  CHECK(check_write_conditions({{"if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT"}}).ok());
  CHECK_FALSE(check_write_conditions({{"if-unmodified-since", "yesterday"}}).ok());
  CHECK_FALSE(check_write_conditions({{"if-unmodified-since", ""}}).ok());
  CHECK(check_write_conditions({}).ok());
}

TEST_CASE("a query parameter that stands twice is refused by name") {
  HttpRequest request;
  request.query = "w=one&ttl=5&w=all&%77=two&x";
  CHECK(*request.parameter("ttl") == "5");
  CHECK(*request.parameter("x") == "");
  CHECK_FALSE(request.parameter("r")->has_value());
  const auto twice = request.parameter("w");
  REQUIRE_FALSE(twice.ok());
  CHECK(twice.error().message == "w stands twice in the query; send it once");
  request.query = "w=one&%77=one";
  CHECK_FALSE(request.parameter("w").ok());
}

}  // namespace
}  // namespace tako::wire
