// input := u8 step (its high bit: the answer is to a HEAD), bytes: responses, parsed as a whole and in steps, with
// the same result, until the server closes; and its bodies in parts.
#include <string>

#include "target.h"
#include "wire/http/http.h"

namespace tako::fuzz {
namespace {

using wire::HttpBodyLimits;
using wire::HttpResponseParser;
using State = HttpResponseParser::State;

constexpr std::uint64_t kBodyMax = 4096;

std::string parse(std::string_view bytes, std::size_t step, bool to_head, HttpBodyLimits limits) {
  HttpResponseParser parser(limits);
  parser.reset(to_head);
  std::string seen;
  std::string body;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto part = bytes.substr(at, step);
    const auto taken = parser.feed(part);
    if (!taken.ok()) return seen + "failed " + taken.error().message;
    const bool stopped = parser.state() == State::kDone || parser.part_ready();
    ASSERT(*taken <= part.size() && (*taken == part.size() || stopped));
    at += *taken;
    if (parser.part_ready()) {
      const Bytes piece = parser.take_part();
      ASSERT(piece.size() == limits.part_bytes);
      body += piece.view();
    }
    if (parser.state() != State::kDone) continue;
    ASSERT(parser.status() >= 200);
    seen += std::to_string(parser.status()) + (parser.keep_alive() ? "k" : "c");
    for (const auto& [name, value] : parser.headers()) seen += name + "=" + value + "\n";
    body += parser.take_part().view();
    ASSERT(body.size() <= kBodyMax);
    seen += body + std::to_string(at) + "\n";
    body.clear();
    parser.reset(to_head);
  }
  if (parser.finish().ok()) seen += "closed " + body + std::string(parser.take_part().view());
  return seen;
}

}  // namespace

void fuzz_http_response(std::string_view input) {
  if (input.empty()) return;
  const auto first = static_cast<unsigned char>(input.front());
  const std::size_t step = 1 + first % 16;
  const std::string_view bytes = input.substr(1);
  const HttpBodyLimits whole{kBodyMax};
  const HttpBodyLimits parts{kBodyMax, 1 + first % 7u};
  const std::string seen = parse(bytes, bytes.size(), first & 0x80, whole);
  ASSERT(seen == parse(bytes, step, first & 0x80, whole));
  ASSERT(seen == parse(bytes, bytes.size(), first & 0x80, parts));
  ASSERT(seen == parse(bytes, step, first & 0x80, parts));
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_http_response)
