// input := u8 step, bytes: pipelined memcached requests, parsed as a whole and in steps, with the same result; what a
// request holds is within its bounds.
#include <string>

#include "target.h"
#include "wire/memcached/memcached.h"

namespace tako::fuzz {
namespace {

using wire::MemcachedParser;
using wire::MemcachedRequest;
using wire::MemcachedVerb;
using State = MemcachedParser::State;

constexpr std::size_t kRequestsMax = 64;

void check(const MemcachedRequest& request) {
  ASSERT(request.keys.size() <= wire::kMemcachedKeysAtOnce);
  const bool meta = !request.meta.sent_key.empty();
  for (const std::string& key : request.keys) {
    ASSERT(meta ? !key.empty() && key.size() <= wire::kMemcachedKeyBytesMax : wire::memcached_key_ok(key));
  }
  ASSERT(request.meta.opaque.size() <= wire::kMemcachedOpaqueBytesMax);
  ASSERT(request.time >= -1 && request.time <= wire::kMemcachedTimeMax);
  const bool refused = request.verb == MemcachedVerb::kRefused;
  const bool hangs_up = refused && request.last && request.answer.empty();
  ASSERT(refused == (!request.answer.empty() || hangs_up));
  ASSERT(request.answer.find_first_of("\r\n") == std::string::npos);
  ASSERT(!refused || (request.keys.empty() && request.data_bytes == 0));
  ASSERT(request.large() || request.data.size() == request.data_bytes);
}

std::string told(const MemcachedRequest& request) {
  std::string seen = std::to_string(static_cast<int>(request.verb)) + ' ' + std::to_string(request.time);
  for (const std::string& key : request.keys) seen += ' ' + key;
  seen += request.more ? '+' : '.';
  seen += std::to_string(request.flags) + ' ' + std::to_string(request.number) + (request.noreply ? "n" : "");
  seen += std::to_string(request.data_bytes) + ' ' + std::string(request.data.view());
  return seen + request.meta.flags + request.meta.opaque + request.argument + request.answer + '\n';
}

// All that the parser made of the bytes, as text. Large blocks: every second one is skipped.
std::string parse(std::string_view bytes, std::size_t step) {
  MemcachedParser parser;
  std::string seen;
  std::size_t at = 0;
  for (std::size_t requests = 0; requests < kRequestsMax;) {
    const State state = parser.state();
    if (state == State::kOpen) {
      if (at == bytes.size()) break;
      const auto part = bytes.substr(at, step);
      const std::size_t taken = parser.feed(part);
      ASSERT(taken <= part.size() && (taken == part.size() || parser.state() != State::kOpen));
      ASSERT(parser.held() <= wire::kMemcachedLineBytesMax + model::kPieceBytes);
      at += taken;
      continue;
    }
    if (state == State::kPart) {
      seen += parser.take_part().view();
      continue;
    }
    const bool begins = state == State::kRequest;
    if (begins) {
      check(parser.request());
      seen += told(parser.request());
      if (parser.request().last) return seen;
    }
    if (begins && parser.request().large() && ++requests % 2 == 0) {
      parser.begin_block();
      continue;
    }
    if (!begins) seen += state == State::kEnd ? "end\n" : "broken\n";
    parser.next();
    ++requests;
  }
  return seen + (parser.idle() ? "idle" : "open");
}

}  // namespace

void fuzz_memcached(std::string_view input) {
  if (input.empty()) return;
  const std::size_t step = 1 + static_cast<unsigned char>(input.front()) % 16;
  const std::string_view bytes = input.substr(1);
  ASSERT(parse(bytes, bytes.size()) == parse(bytes, step));
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_memcached)
