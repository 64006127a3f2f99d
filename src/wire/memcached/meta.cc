#include "wire/memcached/meta.h"

#include <array>
#include <utility>

#include "base/base64.h"

namespace tako::wire {
namespace {

using Verb = MemcachedVerb;
using Words = std::vector<std::string_view>;

constexpr std::string_view kFlags = "bcfhklqstuvCDFIJLMNOPRT";
constexpr std::size_t kWordsMax = 19;  // of a line
constexpr char kBadToken[] = "CLIENT_ERROR bad token in command line format";
constexpr char kInvalidFlag[] = "CLIENT_ERROR invalid flag";

struct MetaVerb {
  char letter;
  Verb verb;
  std::string_view not_here;  // flags
  const char* too_many;
};

constexpr std::array<MetaVerb, 4> kMetaVerbs{{
    {'g', Verb::kMetaGet, "hlNR", "CLIENT_ERROR options flags are too long"},
    {'s', Verb::kMetaSet, "", "CLIENT_ERROR options flags too long"},
    {'d', Verb::kMetaDelete, "I", "CLIENT_ERROR options flags too long"},
    {'a', Verb::kMetaArithmetic, "", "CLIENT_ERROR options flags too long"},
}};

template <class Number, class Target>
const char* into(std::optional<Number> parsed, Target& target, const char* wrong) {
  if (!parsed) return wrong;
  target = *parsed;
  return nullptr;
}

// The argument of one flag. RETURNS what is wrong with it.
const char* take_argument(MemcachedRequest& request, std::string_view word) {
  const std::string_view argument = word.substr(1);
  MemcachedMeta& meta = request.meta;
  switch (word[0]) {
    case 'O': meta.opaque = std::string(argument.substr(0, kMemcachedOpaqueBytesMax + 1)); return nullptr;
    case 'C': return into(memcached_number<std::uint64_t>(argument), meta.cas, kBadToken);
    case 'F': return into(memcached_number<std::uint32_t>(argument), request.flags, kMemcachedBadLine);
    case 'D':
      return into(memcached_number<std::uint64_t>(argument), request.number,
                  "CLIENT_ERROR invalid numeric delta value");
    case 'J':
      return into(memcached_number<std::uint64_t>(argument), meta.initial,
                  "CLIENT_ERROR invalid numeric initial value");
    case 'T': return into(memcached_time(argument), meta.time, kBadToken);
    case 'N': return into(memcached_time(argument), meta.vivify, kBadToken);
    case 'R': return memcached_time(argument) ? nullptr : kBadToken;
    case 'M':
      if (argument.size() != 1) return "CLIENT_ERROR incorrect length for M token";
      meta.mode = argument[0];
      return nullptr;
    default: return nullptr;
  }
}

// The key, decoded if the flag b has come. RETURNS what is wrong with it.
const char* decode_key(MemcachedRequest& request) {
  auto key = base64_decode(request.meta.sent_key);
  if (!key || key->empty()) return "CLIENT_ERROR error decoding key";
  request.keys.front() = std::move(*key);
  return nullptr;
}

// RETURNS what is wrong. As memcached: an unknown flag and one that is there twice end it, else the last fault tells.
const char* take_flags(MemcachedRequest& request, const Words& words, std::size_t at, std::string_view not_here) {
  const char* wrong = nullptr;
  for (; at < words.size(); ++at) {
    const char flag = words[at][0];
    const bool twice = request.meta.has(flag) || static_cast<unsigned char>(flag) >= 127;
    if (twice) return "CLIENT_ERROR duplicate flag";
    if (kFlags.find(flag) == kFlags.npos || not_here.find(flag) != not_here.npos) return kInvalidFlag;
    request.meta.flags += flag;
    const char* fault = flag == 'b' ? decode_key(request) : take_argument(request, words[at]);
    const bool unnamed = flag == 'F' && wrong;  // a wrong F has no words of its own
    if (fault && !unnamed) wrong = fault;
  }
  return wrong;
}

// RETURNS what is wrong with M, and makes one letter of each mode.
const char* take_mode(MemcachedRequest& request) {
  char& mode = request.meta.mode;
  const bool arithmetic = request.verb == Verb::kMetaArithmetic;
  const std::string_view modes = arithmetic ? "ID+-" : "EAPRS";
  const bool applies = arithmetic || request.verb == Verb::kMetaSet;
  if (!applies || mode == 0) return nullptr;
  if (modes.find(mode) == modes.npos) {
    return arithmetic ? "CLIENT_ERROR invalid mode for ma M token" : "CLIENT_ERROR invalid mode for ms M token";
  }
  if (mode == '+') mode = 'I';
  if (mode == '-') mode = 'D';
  return nullptr;
}

// me key [b]. It takes no flags.
MemcachedRequest parse_debug(const Words& words) {
  const bool key_there = words.size() > 1 && memcached_key_ok(words[1]);
  if (!key_there) return memcached_refusal(kMemcachedBadLine);
  MemcachedRequest request;
  request.verb = Verb::kMetaDebug;
  request.meta.sent_key = std::string(words[1]);
  request.keys.emplace_back(words[1]);
  const bool encoded = words.size() > 2 && words[2] == "b";
  if (encoded && decode_key(request)) return memcached_refusal(kMemcachedBadLine);
  return request;
}

// RETURNS what is wrong with the line. Its block's length is known by then, if it says one.
const char* take_line(MemcachedRequest& request, const Words& words, const MetaVerb& meta) {
  const bool set = meta.verb == Verb::kMetaSet;
  if (!memcached_key_ok(words[1])) return kMemcachedBadLine;
  request.meta.sent_key = std::string(words[1]);
  request.keys.emplace_back(words[1]);
  if (set && words.size() == 2) return kMemcachedBadLine;
  if (words.size() > kWordsMax) return meta.too_many;
  if (set && !memcached_length(words[2]).ok) return kMemcachedBadLine;
  const char* wrong = take_flags(request, words, set ? 3 : 2, meta.not_here);
  const bool summed_up = meta.verb == Verb::kMetaDelete || meta.verb == Verb::kMetaArithmetic;
  if (wrong && summed_up) return "CLIENT_ERROR invalid or duplicate flag";
  if (wrong) return wrong;
  if (set && request.meta.has('I') && request.meta.cas) return kInvalidFlag;
  wrong = take_mode(request);
  if (wrong) return wrong;
  if (request.meta.opaque.size() > kMemcachedOpaqueBytesMax) return "CLIENT_ERROR opaque token too long";
  return nullptr;
}

}  // namespace

MemcachedRequest parse_memcached_meta(const Words& words) {
  if (words[0][1] == 'e') return parse_debug(words);
  const MetaVerb* meta = nullptr;
  for (const MetaVerb& candidate : kMetaVerbs) {
    if (words[0][1] == candidate.letter) meta = &candidate;
  }
  ASSERT(meta);
  if (words.size() < 2) return memcached_refusal(kMemcachedError);
  MemcachedRequest request;
  request.verb = meta->verb;
  request.number = 1;  // the delta where none is given
  const bool sized = meta->verb == Verb::kMetaSet && words.size() > 2;
  const MemcachedLength block = sized ? memcached_length(words[2]) : MemcachedLength();
  request.data_bytes = block.bytes;
  const char* wrong = take_line(request, words, *meta);
  if (wrong) return memcached_refusal(wrong, false, block);
  return request;
}

}  // namespace tako::wire
