// input := u8 step, bytes: pipelined requests, parsed as a whole and in steps, with the same result.
#include <string>
#include <vector>

#include "target.h"
#include "wire/http.h"

namespace tako::fuzz {
namespace {

using wire::HttpRequest;
using wire::HttpRequestParser;
using State = HttpRequestParser::State;

constexpr std::uint64_t kBodyMax = 4096;
constexpr std::size_t kRequestsMax = 32;

void check(const HttpRequest& request) {
  ASSERT(!request.method.empty() && !request.path.empty());
  ASSERT(request.minor == 0 || request.minor == 1);
  ASSERT(request.headers.size() <= wire::kHttpHeadersMax && request.body.size() <= kBodyMax);
  for (const auto& [name, value] : request.headers) {
    ASSERT(!name.empty() && name.find_first_of(" \t\r\n:") == std::string::npos);
    ASSERT(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  (void)wire::percent_decode(request.path);
  (void)request.parameter("timeout");
}

// All that the parser made of the bytes, as text.
std::string parse(std::string_view bytes, std::size_t step) {
  HttpRequestParser parser(kBodyMax);
  std::string seen;
  std::size_t at = 0;
  for (std::size_t requests = 0; at < bytes.size() && requests < kRequestsMax;) {
    const auto part = bytes.substr(at, step);
    const auto taken = parser.feed(part);
    if (!taken.ok()) {
      ASSERT(parser.state() == State::kFailed && parser.error_status() >= 400);
      return seen + "failed " + std::to_string(parser.error_status()) + " " + taken.error().message;
    }
    ASSERT(*taken <= part.size() && (*taken == part.size() || parser.state() == State::kDone));
    at += *taken;
    if (parser.state() != State::kDone) continue;
    const HttpRequest& request = parser.request();
    check(request);
    for (const std::string* text : {&request.method, &request.target, &request.path, &request.query}) {
      seen += *text + "\n";
    }
    for (const auto& [name, value] : request.headers) seen += name + "=" + value + "\n";
    seen += std::string(request.body.view()) + std::to_string(request.minor) + (request.keep_alive ? "k" : "c");
    seen += std::to_string(at) + "\n";
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
  ASSERT(parse(bytes, bytes.size()) == parse(bytes, step));
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_http_request)
