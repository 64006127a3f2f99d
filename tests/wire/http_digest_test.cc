#include "base/base64.h"
#include "wire/http/digest.h"

#include <doctest/doctest.h>

namespace tako::wire {
namespace {

// What becomes of "hello", in two parts, under these headers: "ok", "malformed", or "differs".
std::string check(const HttpHeaders& headers) {
  auto digests = DigestCheck::of(headers);
  if (!digests) {
    CHECK(digests.code() == ErrorCode::kInvalid);
    return "malformed";
  }
  digests->add("hel");
  digests->add("lo");
  const Status finished = digests->finish();
  if (finished) return digests->any() ? "ok" : "none";
  CHECK(finished.code() == ErrorCode::kInvalid);
  return "differs";
}

constexpr char kMd5[] = "XUFAKrxLKna5cZ2REBfFkg==";
constexpr char kSha256[] = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
constexpr char kSha512[] = "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==";

TEST_CASE("digests of every header are checked") {
  CHECK(check({}) == "none");
  CHECK(check({{"content-md5", kMd5}}) == "ok");
  CHECK(check({{"digest", std::string("SHA-256=") + kSha256 + ",md5=" + kMd5}}) == "ok");
  CHECK(check({{"repr-digest", std::string("sha-256=:") + kSha256 + ":"}}) == "ok");
  CHECK(check({{"repr-digest", std::string("sha-512=:") + kSha512 + ":;a=1, md5=:" + kMd5 + ":"}}) == "ok");
  CHECK(check({{"content-digest", std::string("sha-256=:") + kSha256 + ":"}, {"content-md5", kMd5}}) == "ok");
}

TEST_CASE("one wrong digest among right ones is enough") {
  std::string wrong = kSha256;
  wrong[3] = 'A';
  CHECK(check({{"repr-digest", "sha-256=:" + wrong + ":"}}) == "differs");
  CHECK(check({{"content-md5", kMd5}, {"digest", "sha-256=" + wrong}}) == "differs");
  CHECK(check({{"digest", std::string("sha-256=") + kSha256}, {"repr-digest", "sha-256=:" + wrong + ":"}}) ==
        "differs");
  CHECK(check({{"content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="}}) == "differs");
}

TEST_CASE("algorithms that are not known are passed over, malformed headers are not") {
  CHECK(check({{"repr-digest", "unixsum=:AA==:"}}) == "none");
  CHECK(check({{"digest", "adler32=03da0195"}}) == "none");
  CHECK(check({{"content-md5", "5d41402abc4b2a76b9719d911017c592"}}) == "malformed");
  CHECK(check({{"content-md5", ""}}) == "malformed");
  CHECK(check({{"repr-digest", std::string("sha-256=") + kSha256}}) == "malformed");
  CHECK(check({{"repr-digest", "sha-256=::"}}) == "malformed");
  CHECK(check({{"repr-digest", "sha-256=:"}}) == "malformed");
  CHECK(check({{"repr-digest", "sha-256"}}) == "malformed");
  CHECK(check({{"digest", std::string("sha-256=") + kMd5}}) == "malformed");
  std::string many = std::string("md5=") + kMd5;
  for (int i = 0; i < 16; ++i) many += std::string(",md5=") + kMd5;
  CHECK(check({{"digest", many}}) == "malformed");
}

TEST_CASE("base64 is read strictly, and back again") {
  for (const char* text : {"", "AA==", "AAA=", "AAAA", "+/+/", "Zm9vYg=="}) {
    CAPTURE(text);
    const auto bytes = base64_decode(text);
    REQUIRE(bytes.has_value());
    CHECK(base64_encode(*bytes) == text);
  }
  CHECK(base64_decode("Zm9v") == "foo");
  for (const char* text : {"A", "A===", "====", "AB==", "AAB=", "AA=A", "AA==AAAA", "AA A", "A-_A"}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text).has_value());
  }
}

}  // namespace
}  // namespace tako::wire
