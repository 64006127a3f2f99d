// input := u8 step, bytes: pipelined requests, parsed as a whole and in steps, bodies whole and in parts, with the same
// result; and what their headers say of ranges, conditions and digests.
#include <algorithm>
#include <string>
#include <vector>

#include "target.h"
#include "wire/http/digest.h"
#include "wire/http/fields.h"
#include "wire/http/ranges.h"

namespace tako::fuzz {
namespace {

using wire::HttpBodyLimits;
using wire::HttpRequest;
using wire::HttpRequestParser;
using State = HttpRequestParser::State;

constexpr std::uint64_t kBodyMax = 4096;
constexpr std::size_t kRequestsMax = 32;

void check_headers(const wire::HttpHeaders& headers) {
  for (const std::uint64_t size : {0ull, 1ull, 1000ull, ~0ull}) {
    const auto choice = wire::choose_ranges(wire::find_header(headers, wire::Field::kRange).value_or(""), size);
    std::uint64_t left = size;
    ASSERT(choice.parts.size() <= wire::kRangesMax);
    for (const auto& range : choice.parts) {
      ASSERT(range.begin < range.end && range.end <= size && range.size() <= left);
      left -= range.size();
    }
  }
  const wire::Validators now{"\"0-1\"", 1'300'486'014'000'000};
  (void)wire::check_conditions(headers, now);
  (void)wire::check_write_conditions(headers);
  (void)wire::write_allowed(headers, now);
  (void)wire::if_range_holds(headers, now, now.modified_at);
  auto digests = wire::DigestCheck::of(headers);
  if (!digests) return;
  digests->add("x");
  (void)digests->finish();
}

void check(const HttpRequest& request) {
  ASSERT(!request.method.empty() && !request.path.empty());
  ASSERT(request.minor == 0 || request.minor == 1);
  ASSERT(request.headers.size() <= wire::kHttpHeadersMax && request.body.size() <= kBodyMax);
  for (const auto& [name, value] : request.headers) {
    ASSERT(!name.empty() && name.find_first_of(" \t\r\n:") == std::string::npos);
    ASSERT(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto& name = request.headers[i].first;
    const auto same = [&name](const auto& other) { return other.first == name; };
    const auto at = request.headers.begin() + static_cast<std::ptrdiff_t>(i);
    ASSERT(wire::rule_of(name) == nullptr || std::none_of(request.headers.begin(), at, same));
  }
  check_headers(request.headers);
  (void)wire::percent_decode(request.path);
  (void)request.parameter("timeout");
}

// All that the parser made of the bytes, as text.
std::string parse(std::string_view bytes, std::size_t step, HttpBodyLimits limits) {
  HttpRequestParser parser(limits);
  std::string seen;
  std::string body;
  std::size_t at = 0;
  for (std::size_t requests = 0; at < bytes.size() && requests < kRequestsMax;) {
    const auto part = bytes.substr(at, step);
    const auto taken = parser.feed(part);
    if (!taken.ok()) {
      ASSERT(parser.state() == State::kFailed && parser.error_status() >= 400);
      return seen + "failed " + std::to_string(parser.error_status()) + " " + taken.error().message;
    }
    const bool stopped = parser.state() == State::kDone || parser.part_ready();
    ASSERT(*taken <= part.size() && (*taken == part.size() || stopped));
    at += *taken;
    if (parser.part_ready()) {
      const Bytes piece = parser.take_part();
      ASSERT(piece.size() == limits.part_bytes);
      body += piece.view();
    }
    if (parser.state() != State::kDone) continue;
    const HttpRequest& request = parser.request();
    check(request);
    for (const std::string* text : {&request.method, &request.target, &request.path, &request.query}) {
      seen += *text + "\n";
    }
    for (const auto& [name, value] : request.headers) seen += name + "=" + value + "\n";
    body += request.body.view();
    seen += body + std::to_string(request.minor) + (request.keep_alive ? "k" : "c");
    seen += std::to_string(at) + "\n";
    body.clear();
    parser.reset();
    ++requests;
  }
  return seen + (parser.idle() ? "idle" : "open");
}

}  // namespace

void fuzz_http_request(std::string_view input) {
  if (input.empty()) return;
  const std::size_t step = 1 + static_cast<unsigned char>(input.front()) % 16;
  const std::string_view bytes = input.substr(1);
  const HttpBodyLimits whole{kBodyMax};
  const HttpBodyLimits parts{kBodyMax, 1 + static_cast<unsigned char>(input.front()) % 7u};
  const std::string seen = parse(bytes, bytes.size(), whole);
  ASSERT(seen == parse(bytes, step, whole));
  ASSERT(seen == parse(bytes, bytes.size(), parts));
  ASSERT(seen == parse(bytes, step, parts));
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_http_request)
