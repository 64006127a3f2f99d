// /values/KEY as a client sees it, over replicas in memory.
#include "base/base64.h"
#include "replication/fake_cluster.h"

#include "api/http/values.h"
#include "wire/http/digest.h"

namespace tako::test {
namespace {

constexpr std::uint64_t kPiece = model::kPieceBytes;

struct Seen {
  int status = 0;
  wire::HttpHeaders headers;
  std::string body;
  std::uint64_t length = 0;  // as the head says
  bool in_pieces = false;
  std::string error;  // of its source

  std::string header(const std::string& name) const {
    for (const auto& [found, value] : headers) {
      if (found == name) return value;
    }
    return "";
  }
};

struct Values : LargeFixture {
  Seen ask(const std::string& method, wire::HttpHeaders headers = {}, const std::string& body = "",
           const std::string& query = "") {
    wire::HttpRequest request;
    request.method = method;
    request.query = query;
    if (const auto length = wire::find_header(headers, wire::Field::kContentLength)) {
      request.content_length = std::stoull(std::string(*length));
    }
    request.headers = std::move(headers);
    CountingSource source(world.loop(), body);
    const bool large = body.size() > kPiece;
    if (!large) request.body = Bytes(body);
    return world.run([&]() -> Task<Seen> {
      api::HttpValues values(world.loop(), replicator);
      api::HttpReply reply = co_await values.handle(std::move(request), "k", large ? &source : nullptr);
      pieces_read = source.taken;
      Seen seen;
      seen.status = reply.head.status;
      seen.headers = reply.head.headers;
      seen.body = std::string(reply.head.body.view());
      seen.in_pieces = reply.body != nullptr;
      seen.length = reply.head.content_length.value_or(reply.head.body.size());
      bool more = seen.in_pieces;
      while (more) {
        const auto piece = co_await reply.body->next();
        if (!piece) seen.error = piece.error().message;
        more = piece && !piece->empty();
        if (more) seen.body += piece->view();
      }
      co_return seen;
    });
  }

  // A GET of one or several ranges.
  Seen range(const std::string& ranges) { return ask("GET", {{"range", ranges}}); }

  std::size_t pieces_read_of(const std::string& id) { return cluster.nodes[id].pieces_read.size(); }
  std::size_t pieces_read = 0;
};

TEST_CASE_FIXTURE(Values, "a value comes back as it went, with the same checksum") {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{5}, kPiece}) {
    CAPTURE(size);
    const std::string value = large_value(static_cast<std::size_t>(size));
    const Seen put = ask("PUT", {{"content-type", "text/x"}}, value);
    CHECK(put.status == 200);
    CHECK(put.body.empty());
    const Seen got = ask("GET");
    CHECK(got.status == 200);
    CHECK(got.body == value);
    CHECK(got.length == size);
    CHECK(got.header("Content-Type") == "text/x");
    CHECK(got.header("Accept-Ranges") == "bytes");
    CHECK(got.header("X-Tako-Checksum").size() == 16);
    CHECK(got.header("X-Tako-Checksum") == put.header("X-Tako-Checksum"));
    CHECK(got.header("ETag") == put.header("ETag"));
  }
}

TEST_CASE_FIXTURE(Values, "a value that the replicas have in pieces is read in pieces") {
  const std::string value = large_value(7 * kPiece + 3);
  REQUIRE(write(value, model::WriteLevel::kAll).ok());

  const Seen got = ask("GET");

  CHECK(got.status == 200);
  CHECK(got.in_pieces);
  CHECK(got.length == value.size());
  CHECK(got.body == value);
  CHECK(got.header("X-Tako-Checksum").size() == 16);
}

TEST_CASE_FIXTURE(Values, "HEAD, and what a condition makes needless, reads no piece") {
  REQUIRE(write(large_value(3 * kPiece), model::WriteLevel::kAll).ok());
  const std::string etag = ask("HEAD").header("ETag");

  const Seen head = ask("HEAD");
  CHECK(head.status == 200);
  CHECK(head.length == 3 * kPiece);
  CHECK(head.body.empty());
  const Seen same = ask("GET", {{"if-none-match", etag}});
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(same.header("ETag") == etag);
  CHECK(ask("GET", {{"if-match", "\"other\""}}).status == 412);
  CHECK(pieces_read_of("n1") + pieces_read_of("n2") + pieces_read_of("n3") == 0);
}

TEST_CASE_FIXTURE(Values, "a range reads the pieces concerned, and no other") {
  const std::string value = large_value(20 * kPiece);
  REQUIRE(write(value, model::WriteLevel::kAll).ok());

  const Seen seen = range("bytes=" + std::to_string(5 * kPiece + 7) + "-" + std::to_string(6 * kPiece + 7));

  CHECK(seen.status == 206);
  CHECK(seen.body == value.substr(5 * kPiece + 7, kPiece + 1));
  CHECK(seen.length == kPiece + 1);
  CHECK(seen.header("Content-Range") == "bytes 1310727-1572871/5242880");
  CHECK(pieces_read_of("n1") + pieces_read_of("n2") + pieces_read_of("n3") == 2);
}

TEST_CASE_FIXTURE(Values, "ranges of a small value, and none that there is") {
  ask("PUT", {}, "0123456789");

  CHECK(range("bytes=2-4").body == "234");
  CHECK(range("bytes=2-4").header("Content-Range") == "bytes 2-4/10");
  CHECK(range("bytes=-3").body == "789");
  const Seen whole = range("bytes=x");
  CHECK(whole.status == 200);
  CHECK(whole.body == "0123456789");
  const Seen none = range("bytes=10-");
  CHECK(none.status == 416);
  CHECK(none.header("Content-Range") == "bytes */10");
  CHECK(none.body == "the value has 10 bytes, and none of these\n");
  CHECK(ask("HEAD", {{"range", "bytes=2-4"}}).length == 10);
  CHECK(ask("GET", {{"range", "bytes=2-4"}, {"if-range", "\"other\""}}).body == "0123456789");
}

TEST_CASE_FIXTURE(Values, "several ranges are parts of one answer, as long as it says") {
  for (const std::size_t size : {std::size_t{1000}, static_cast<std::size_t>(3 * kPiece)}) {
    const std::string value = large_value(size);
    if (size > kPiece)
      REQUIRE(write(value, model::WriteLevel::kAll).ok());
    else
      ask("PUT", {{"content-type", "text/a\r\nSet-Cookie: b"}}, value);
    const std::string of_value = size > kPiece ? "application/octet-stream" : "text/a  Set-Cookie: b";

    const Seen seen = range("bytes=0-1,500-599,-1");

    CHECK(seen.status == 206);
    CHECK(seen.length == seen.body.size());
    const std::string type = seen.header("Content-Type");
    REQUIRE(type.starts_with("multipart/byteranges; boundary="));
    const std::string line = "\r\n--" + type.substr(31);
    const auto part = [&](std::uint64_t begin, std::uint64_t end) {
      return line + "\r\nContent-Type: " + of_value + "\r\nContent-Range: bytes " + std::to_string(begin) + "-" +
             std::to_string(end - 1) + "/" + std::to_string(size) + "\r\n\r\n" + value.substr(begin, end - begin);
    };
    CHECK(seen.body == part(0, 2) + part(500, 600) + part(size - 1, size) + line + "--\r\n");
  }
}

TEST_CASE_FIXTURE(Values, "an answer whose value cannot be read to its end says so, not less") {
  REQUIRE(write(large_value(10 * kPiece), model::WriteLevel::kAll).ok());
  for (auto& [id, node] : cluster.nodes) node.damaged.insert(7);

  for (const char* ranges : {"bytes=0-", "bytes=0-9,20-"}) {
    const Seen seen = range(ranges);
    CHECK(seen.status == 206);
    CHECK_FALSE(seen.error.empty());
    CHECK(seen.body.size() < seen.length);
  }
}

TEST_CASE_FIXTURE(Values, "a body that does not match its digest is stored nowhere") {
  for (const std::size_t size : {std::size_t{5}, static_cast<std::size_t>(3 * kPiece)}) {
    const std::string value = large_value(size);
    Digest digest(Digest::Kind::kSha256);
    digest.add(value);
    const std::string right = "sha-256=:" + base64_encode(digest.value()) + ":";
    Digest other(Digest::Kind::kSha256);
    const std::string wrong = "sha-256=:" + base64_encode(other.value()) + ":";

    CHECK(ask("PUT", {{"repr-digest", wrong}}, value).status == 400);
    CHECK(ask("PUT", {{"repr-digest", right}, {"content-md5", "x"}}, value).status == 400);
    wait(seconds(1));
    CHECK(ask("GET").status == 404);
    if (size > kPiece) continue;
    CHECK(ask("PUT", {{"repr-digest", right}}, value).status == 200);
    CHECK(ask("GET").body == value);
    ask("DELETE");
  }
}

TEST_CASE_FIXTURE(Values, "a value over the limit is refused before it is read, or as soon as it is known") {
  auto configuration = replicator.placement()->config();
  configuration.limits.value_bytes = 3;
  replicator.adopt(model::Placement::make(std::move(configuration)));
  const std::string value = large_value(8 * kPiece);

  CHECK(ask("PUT", {}, "abc").status == 200);
  CHECK(ask("PUT", {}, "abcd").status == 413);
  const Seen known = ask("PUT", {{"content-length", std::to_string(8 * kPiece)}}, value);
  CHECK(known.status == 413);
  CHECK(known.body.find("limits.value_bytes") != std::string::npos);
  CHECK(pieces_read == 0);
  CHECK(ask("PUT", {}, value).status == 413);
  CHECK(pieces_read == 1);
  CHECK(ask("GET").body == "abc");
}

TEST_CASE_FIXTURE(Values, "what cannot be stored is refused before the body is read") {
  const std::string value = large_value(2 * kPiece);
  CHECK(ask("PUT", {}, value, "w=none").status == 400);
  CHECK(ask("PUT", {{"if-match", "*"}}, value).status == 412);
  CHECK(ask("PUT", {{"if-match", "*"}, {"x-timestamp", "5"}}, value).status == 400);
  CHECK(ask("PUT", {{"x-timestamp", "now"}}, value).status == 400);
  CHECK(ask("PATCH", {}, value).status == 405);
  CHECK(ask("PUT", {{"content-type", std::string(256, 'x')}}, value).status == 400);
  CHECK(pieces_read == 0);
}

TEST_CASE_FIXTURE(Values, "a level that there is not is refused, and nothing is read or written") {
  REQUIRE(ask("PUT", {}, "value").status == 200);
  const std::size_t writes = node("n1").writes.size();
  CHECK(ask("GET", {}, "", "r=newest").status == 400);
  CHECK(ask("GET", {}, "", "r=two").status == 400);
  CHECK(ask("PUT", {}, "other", "w=most").status == 400);
  CHECK(ask("DELETE", {}, "", "w=latest").status == 400);
  CHECK(node("n1").writes.size() == writes);
  CHECK(ask("GET", {}, "", "r=latest").body == "value");
}

TEST_CASE_FIXTURE(Values, "a conditional write is a compare-and-set") {
  CHECK(ask("PUT", {{"if-match", "*"}}, "none").status == 412);
  const Seen first = ask("PUT", {{"if-none-match", "*"}}, "first");
  CHECK(first.status == 200);
  CHECK(ask("PUT", {{"if-none-match", "*"}}, "again").status == 412);
  const std::string etag = first.header("ETag");
  const Seen second = ask("PUT", {{"if-match", etag}}, "second");
  CHECK(second.status == 200);
  CHECK(second.header("ETag") != etag);
  const Seen late = ask("PUT", {{"if-match", etag}}, "late");
  CHECK(late.status == 412);
  CHECK(late.header("ETag") == second.header("ETag"));
  CHECK(ask("DELETE", {{"if-match", etag}}).status == 412);
  CHECK(ask("GET").body == "second");
  CHECK(ask("PUT", {{"if-match", second.header("ETag")}}, large_value(3 * kPiece)).status == 200);
  CHECK(ask("DELETE", {{"if-match", "*"}}).status == 204);
  CHECK(ask("GET").status == 404);
  CHECK(ask("DELETE", {{"if-none-match", "*"}}).status == 204);
}

TEST_CASE_FIXTURE(Values, "a timestamp and a condition do not go together, whatever the condition is") {
  const Seen first = ask("PUT", {{"x-timestamp", "1000000"}}, "first");
  for (const char* method : {"PUT", "POST", "DELETE"}) {
    for (const auto& [name, value] : wire::HttpHeaders{{"if-match", first.header("ETag")},
                                                       {"if-none-match", "\"other\""},
                                                       {"if-unmodified-since", "Thu, 01 Jan 2060 00:00:00 GMT"}}) {
      const Seen seen = ask(method, {{name, value}, {"x-timestamp", "2000000"}}, "second");
      CAPTURE(name);
      CHECK(seen.status == 400);
      CHECK(seen.body.find("X-Timestamp together with If-") == 0);
    }
  }
  CHECK(ask("GET").body == "first");
  // No condition of a write, by RFC 9110 §13.1.3.
  const Seen later = ask("PUT", {{"if-modified-since", "x"}, {"x-timestamp", "2000000"}}, "second");
  CHECK(later.header("X-Timestamp") == "2000000");
  CHECK(ask("GET", {{"if-match", "*"}, {"x-timestamp", "x"}}).status == 200);  // a read has no timestamp
}

TEST_CASE_FIXTURE(Values, "a condition that cannot be read writes nothing") {
  ask("PUT", {}, "first");
  for (const char* method : {"PUT", "DELETE"}) {
    CHECK(ask(method, {{"if-none-match", "tag"}}, "second").status == 400);
    CHECK(ask(method, {{"if-match", "tag"}}, "second").status == 400);
    CHECK(ask(method, {{"if-unmodified-since", "2026"}}, "second").status == 400);
  }
  CHECK(ask("GET", {{"if-none-match", "tag"}}).body == "first");  // reads pass over it
}

TEST_CASE_FIXTURE(Values, "a condition in a list of several lines is met by any of them") {
  const std::string etag = ask("PUT", {}, "first").header("ETag");
  CHECK(ask("PUT", {{"if-match", "\"x\", " + etag}}, "second").status == 200);
  CHECK(ask("PUT", {{"if-match", "\"x\", " + etag}}, "third").status == 412);
}

TEST_CASE_FIXTURE(Values, "a parameter that stands twice is refused, and nothing written") {
  for (const char* query : {"w=all&w=one", "ttl=5&ttl=6", "timeout=5000&timeout=6000", "w=one&%77=one"}) {
    CAPTURE(query);
    CHECK(ask("PUT", {}, "x", query).status == 400);
  }
  CHECK(ask("GET").status == 404);
  CHECK(ask("GET", {}, "", "r=one&r=all").status == 400);
}

TEST_CASE_FIXTURE(Values, "a write that lost has the winner's version, and no checksum") {
  ask("PUT", {{"x-timestamp", "2000000"}}, "new");
  const Seen lost = ask("PUT", {{"x-timestamp", "1000000"}}, "old");
  CHECK(lost.status == 200);
  CHECK(lost.header("X-Timestamp") == "2000000");
  CHECK(lost.header("X-Tako-Checksum").empty());
}

TEST_CASE_FIXTURE(Values, "a value with a ttl is told when it expires, and is gone then") {
  CHECK(ask("PUT", {}, "x", "ttl=10").status == 200);
  const Seen got = ask("GET");
  CHECK(got.status == 200);
  const Timestamp expires = std::stoull(got.header("X-Expires"));
  CHECK(expires > world.clock().wall() + 9'000'000);
  CHECK(expires <= world.clock().wall() + 10'000'000);
  CHECK(got.header("Expires") == format_http_date(expires));
  world.clock().advance_to(world.clock().now() + seconds(10));
  CHECK(ask("GET").status == 404);
  CHECK(ask("PUT", {}, "y").status == 200);
  CHECK(ask("GET").header("X-Expires").empty());
  const std::string value = large_value(700'000);
  CHECK(ask("PUT", {}, value, "ttl=10").status == 200);
  CHECK_FALSE(ask("GET").header("X-Expires").empty());
}

TEST_CASE_FIXTURE(Values, "a ttl that is no number of seconds, or where nothing is stored, is refused") {
  for (const char* wrong : {"ttl=0", "ttl=-1", "ttl=1s", "ttl=", "ttl=99999999999999999999", "ttl=9999999999"}) {
    CHECK_MESSAGE(ask("PUT", {}, "x", wrong).status == 400, wrong);
  }
  CHECK(ask("DELETE", {}, "", "ttl=1").status == 400);
  CHECK(ask("GET", {}, "", "ttl=1").status == 400);
}

}  // namespace
}  // namespace tako::test
