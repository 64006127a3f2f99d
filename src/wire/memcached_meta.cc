#include "wire/memcached_meta.h"

#include <array>

#include "wire/http_digest.h"

namespace tako::wire {
namespace {

using Verb = MemcachedVerb;

struct MetaVerb {
  char letter;
  Verb verb;
  std::string_view flags;  // that it takes
};

constexpr std::array<MetaVerb, 5> kMetaVerbs{{
    {'g', Verb::kMetaGet, "bcfkOqstuvTPL"},
    {'s', Verb::kMetaSet, "bcCFkOqTMNPL"},
    {'d', Verb::kMetaDelete, "bCkOqPL"},
    {'a', Verb::kMetaArithmetic, "bcCkOqtvDJNTMPL"},
    {'e', Verb::kMetaDebug, "bPL"},
}};

constexpr char kBadToken[] = "CLIENT_ERROR bad token in command line format";

template <class Number>
const char* into(std::optional<Number> parsed, Number& number) {
  if (!parsed) return kBadToken;
  number = *parsed;
  return nullptr;
}

const char* into(std::optional<std::int64_t> parsed, std::optional<std::int64_t>& time) {
  time = parsed;
  return parsed ? nullptr : kBadToken;
}

// RETURNS what is wrong with it.
const char* take_mode(MemcachedRequest& request, std::string_view argument) {
  const bool arithmetic = request.verb == Verb::kMetaArithmetic;
  const std::string_view modes = arithmetic ? "IiDd+-" : "EeAaPpRrSs";
  if (argument.size() != 1 || modes.find(argument[0]) == std::string_view::npos) {
    return arithmetic ? "CLIENT_ERROR invalid mode for ma M token" : "CLIENT_ERROR invalid mode for ms M token";
  }
  char mode = argument[0];
  if (mode == '+') mode = 'I';
  if (mode == '-') mode = 'D';
  request.meta.mode = mode >= 'a' ? static_cast<char>(mode - 'a' + 'A') : mode;
  return nullptr;
}

const char* take_flag(MemcachedRequest& request, std::string_view word, std::string_view allowed) {
  const char flag = word[0];
  const std::string_view argument = word.substr(1);
  MemcachedMeta& meta = request.meta;
  if (allowed.find(flag) == std::string_view::npos) return "CLIENT_ERROR invalid flag";
  if (meta.has(flag)) return "CLIENT_ERROR duplicate flag";
  meta.flags += flag;
  switch (flag) {
    case 'O':
      if (argument.size() > kMemcachedOpaqueBytesMax) return "CLIENT_ERROR opaque token too long";
      meta.opaque = std::string(argument);
      return nullptr;
    case 'C': {
      meta.cas = memcached_number<std::uint64_t>(argument);
      return meta.cas ? nullptr : kBadToken;
    }
    case 'F': return into(memcached_number<std::uint32_t>(argument), request.flags);
    case 'D': return into(memcached_number<std::uint64_t>(argument), request.number);
    case 'J': return into(memcached_number<std::uint64_t>(argument), meta.initial);
    case 'T': return into(memcached_time(argument), meta.time);
    case 'N': return into(memcached_time(argument), meta.vivify);
    case 'M': return take_mode(request, argument);
    default: return nullptr;
  }
}

const char* take_key(MemcachedRequest& request, std::string_view word) {
  if (!memcached_key_ok(word)) return kMemcachedBadLine;
  request.meta.sent_key = std::string(word);
  if (!request.meta.has('b')) {
    request.keys.emplace_back(word);
    return nullptr;
  }
  auto key = base64_decode(word);
  if (!key || key->empty()) return "CLIENT_ERROR error decoding key";
  request.keys.push_back(std::move(*key));
  return nullptr;
}

}  // namespace

MemcachedRequest parse_memcached_meta(const std::vector<std::string_view>& words) {
  MemcachedRequest request;
  const MetaVerb* meta = nullptr;
  for (const MetaVerb& candidate : kMetaVerbs) {
    if (words[0][1] == candidate.letter) meta = &candidate;
  }
  ASSERT(meta);
  request.verb = meta->verb;
  request.number = 1;  // the delta where none is given
  const char* wrong = nullptr;
  std::size_t at = 2;
  if (meta->verb == Verb::kMetaSet) {
    const auto bytes = words.size() > 2 ? memcached_number<std::uint64_t>(words[2]) : std::nullopt;
    if (!bytes) wrong = kMemcachedBadLine;
    request.data_bytes = bytes.value_or(0);
    at = 3;
  } else if (words.size() < 2) {
    wrong = kMemcachedError;
  }
  for (; at < words.size() && !wrong; ++at) wrong = take_flag(request, words[at], meta->flags);
  if (!wrong) wrong = take_key(request, words[1]);
  if (wrong) {
    MemcachedRequest refusal;
    refusal.answer = wrong;
    refusal.data_bytes = request.data_bytes;  // to be skipped
    return refusal;
  }
  return request;
}

}  // namespace tako::wire
