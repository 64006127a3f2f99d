// input := u8 step (its high bit: the answer is to a HEAD), bytes: responses, parsed as a whole and in steps, with
// the same result, until the server closes.
#include <string>

#include "target.h"
#include "wire/http.h"

namespace tako::fuzz {
namespace {

using wire::HttpResponseParser;
using State = HttpResponseParser::State;

constexpr std::uint64_t kBodyMax = 4096;

std::string parse(std::string_view bytes, std::size_t step, bool to_head) {
  HttpResponseParser parser(kBodyMax);
  parser.reset(to_head);
  std::string seen;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto part = bytes.substr(at, step);
    const auto taken = parser.feed(part);
    if (!taken.ok()) return seen + "failed " + taken.error().message;
    ASSERT(*taken <= part.size() && (*taken == part.size() || parser.state() == State::kDone));
    at += *taken;
    if (parser.state() != State::kDone) continue;
    ASSERT(parser.status() >= 200);
    seen += std::to_string(parser.status()) + (parser.keep_alive() ? "k" : "c");
    for (const auto& [name, value] : parser.headers()) seen += name + "=" + value + "\n";
    const Bytes body = parser.take_body();
    ASSERT(body.size() <= kBodyMax);
    seen += std::string(body.view()) + std::to_string(at) + "\n";
    parser.reset(to_head);
  }
  if (parser.finish().ok()) seen += "closed " + std::string(parser.take_body().view());
  return seen;
}

}  // namespace

void fuzz_http_response(std::string_view input) {
  if (input.empty()) return;
  const auto first = static_cast<unsigned char>(input.front());
  const std::size_t step = 1 + first % 16;
  const std::string_view bytes = input.substr(1);
  ASSERT(parse(bytes, bytes.size(), first & 0x80) == parse(bytes, step, first & 0x80));
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_http_response)
