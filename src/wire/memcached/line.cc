// What one line of the memcached text protocol says, in the order in which memcached's server looks at it: the number
// of words, whether the last is `noreply`, the key, the numbers. So a line with several faults gets the same answer,
// or, with `noreply`, none.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "wire/memcached/memcached.h"
#include "wire/memcached/meta.h"

namespace tako::wire {
namespace {

using Verb = MemcachedVerb;
using Words = std::vector<std::string_view>;

constexpr char kNumberInvalid[] = "CLIENT_ERROR invalid numeric delta argument";
constexpr char kDeleteUsage[] = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]";
constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

constexpr std::array<std::pair<std::string_view, Verb>, 21> kVerbs{{
    {"get", Verb::kGet},         {"gets", Verb::kGets},       {"gat", Verb::kGat},
    {"gats", Verb::kGats},       {"set", Verb::kSet},         {"add", Verb::kAdd},
    {"replace", Verb::kReplace}, {"append", Verb::kAppend},   {"prepend", Verb::kPrepend},
    {"cas", Verb::kCas},         {"incr", Verb::kIncr},       {"decr", Verb::kDecr},
    {"delete", Verb::kDelete},   {"touch", Verb::kTouch},     {"flush_all", Verb::kFlushAll},
    {"stats", Verb::kStats},     {"version", Verb::kVersion}, {"verbosity", Verb::kVerbosity},
    {"quit", Verb::kQuit},       {"mn", Verb::kMetaNoop},     {"bget", Verb::kGet},
}};

bool is_meta(std::string_view word) {
  return word.size() == 2 && word[0] == 'm' && std::string_view("gsdae").find(word[1]) != std::string_view::npos;
}

bool asks_no_reply(const Words& words) { return words.back() == "noreply"; }

// set key flags exptime bytes [anything]; cas key flags exptime bytes unique [anything]
MemcachedRequest parse_storage(Verb verb, const Words& words) {
  const bool cas = verb == Verb::kCas;
  const std::size_t count = cas ? 6 : 5;
  const MemcachedLength length = words.size() >= 5 ? memcached_length(words[4]) : MemcachedLength();
  const bool counted = words.size() == count || words.size() == count + 1;
  if (!counted) return memcached_refusal(kMemcachedError, false, length);

  MemcachedRequest request;
  request.noreply = asks_no_reply(words);
  const auto flags = memcached_number<std::uint32_t>(words[2]);
  const auto time = memcached_time(words[3]);
  const auto unique = cas ? memcached_number<std::uint64_t>(words[5]) : std::optional<std::uint64_t>(0);
  if (!memcached_key_ok(words[1]) || !flags || !time || !length.ok || !unique) {
    return memcached_refusal(kMemcachedBadLine, request.noreply, length);
  }
  request.verb = verb;
  request.keys.emplace_back(words[1]);
  request.flags = *flags;
  request.time = *time;
  request.number = *unique;
  request.data_bytes = length.bytes;
  return request;
}

// incr key delta [anything]; touch key exptime [anything]
MemcachedRequest parse_number(Verb verb, const Words& words) {
  if (words.size() < 3 || words.size() > 4) return memcached_refusal(kMemcachedError);
  MemcachedRequest request;
  request.verb = verb;
  request.noreply = asks_no_reply(words);
  if (!memcached_key_ok(words[1])) return memcached_refusal(kMemcachedBadLine, request.noreply);
  request.keys.emplace_back(words[1]);
  if (verb == Verb::kTouch) {
    const auto time = memcached_time(words[2]);
    if (!time) return memcached_refusal(kMemcachedTimeInvalid, request.noreply);
    request.time = *time;
    return request;
  }
  const auto number = memcached_number<std::uint64_t>(words[2]);
  if (!number) return memcached_refusal(kNumberInvalid, request.noreply);
  request.number = *number;
  return request;
}

// delete key [0] [noreply]: the 0 is what old clients send for "no delay".
MemcachedRequest parse_delete(const Words& words) {
  if (words.size() < 2 || words.size() > 4) return memcached_refusal(kMemcachedError);
  MemcachedRequest request;
  request.verb = Verb::kDelete;
  request.noreply = asks_no_reply(words) && words.size() > 2;
  const std::size_t plain = words.size() - (request.noreply ? 1 : 0);
  const bool usage_ok = plain == 2 || (plain == 3 && words[2] == "0");
  if (!usage_ok) return memcached_refusal(kDeleteUsage, request.noreply);
  if (!memcached_key_ok(words[1])) return memcached_refusal(kMemcachedBadLine, request.noreply);
  request.keys.emplace_back(words[1]);
  return request;
}

// flush_all [delay] [anything]; verbosity level [anything], which changes nothing here
MemcachedRequest parse_admin(Verb verb, const Words& words) {
  MemcachedRequest request;
  request.verb = verb;
  request.noreply = asks_no_reply(words);
  if (verb == Verb::kVerbosity) {
    if (words.size() < 2 || words.size() > 3) return memcached_refusal(kMemcachedError);
    const bool level_ok = memcached_number<std::uint64_t>(words[1]).has_value();
    return level_ok ? request : memcached_refusal(kMemcachedBadLine, request.noreply);
  }
  if (words.size() > 3) return memcached_refusal(kMemcachedError);
  const bool timed = words.size() != (request.noreply ? 2 : 1);
  const auto time = timed ? memcached_time(words[1]) : std::optional<std::int64_t>(0);
  if (!time) return memcached_refusal(kMemcachedTimeInvalid, request.noreply);
  request.time = *time;
  return request;
}

MemcachedRequest parse_plain(Verb verb, const Words& words) {
  MemcachedRequest request;
  request.verb = verb;
  request.last = verb == Verb::kQuit;
  if (verb == Verb::kStats && words.size() > 1) request.argument = std::string(words[1]);
  return request;
}

// A browser or a server that was tricked into a request here would have the lines behind it carried out.
MemcachedRequest parse_unknown(const Words& words) {
  const bool http = words.back().starts_with("HTTP/");
  MemcachedRequest request = memcached_refusal(http ? "" : kMemcachedError);
  request.last = http;
  return request;
}

}  // namespace

std::vector<std::string_view> memcached_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

MemcachedVerb memcached_verb(std::string_view word) {
  for (const auto& [name, verb] : kVerbs) {
    if (word == name) return verb;
  }
  return Verb::kRefused;
}

MemcachedRequest memcached_refusal(std::string answer, bool noreply, MemcachedLength block) {
  MemcachedRequest request;
  request.answer = std::move(answer);
  request.noreply = noreply;
  request.data_bytes = block.bytes;
  request.block_follows = block.ok || block.bytes > 0;
  return request;
}

template <class Number>
std::optional<Number> memcached_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kWhiteSpace), text.size()));
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc()) return std::nullopt;
  const bool ended = end == text.data() + text.size() || *end == '\0' || kWhiteSpace.find(*end) != kWhiteSpace.npos;
  const bool fits = size <= static_cast<std::uint64_t>(std::numeric_limits<Number>::max());
  if (!ended || !fits) return std::nullopt;
  const Number number = static_cast<Number>(size);
  if (!negative || number == 0) return number;
  if constexpr (std::numeric_limits<Number>::is_signed) return -number;
  return std::nullopt;
}
template std::optional<std::uint32_t> memcached_number(std::string_view);
template std::optional<std::uint64_t> memcached_number(std::string_view);
template std::optional<std::int64_t> memcached_number(std::string_view);

std::optional<std::int64_t> memcached_time(std::string_view text) {
  const auto time = memcached_number<std::int64_t>(text);
  if (!time || *time > kMemcachedTimeMax) return std::nullopt;
  return std::max<std::int64_t>(*time, -1);
}

MemcachedLength memcached_length(std::string_view text) {
  const auto length = memcached_number<std::int64_t>(text);
  if (length && *length >= 0) return {true, static_cast<std::uint64_t>(*length)};
  // Not negative, and no number: one with too many digits is a block whose end nobody can tell.
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  return {false, digits ? kMemcachedNoEnd : 0};
}

bool memcached_key_ok(std::string_view key) {
  constexpr std::string_view kOutside("\0\r\n ", 4);
  return !key.empty() && key.size() <= kMemcachedKeyBytesMax && key.find_first_of(kOutside) == key.npos;
}

MemcachedRequest parse_memcached_line(std::string_view line) {
  const Words words = memcached_words(line);
  if (words.empty()) return memcached_refusal(kMemcachedError);
  if (is_meta(words[0])) return parse_memcached_meta(words);
  const Verb verb = memcached_verb(words[0]);
  switch (verb) {
    case Verb::kSet:
    case Verb::kAdd:
    case Verb::kReplace:
    case Verb::kAppend:
    case Verb::kPrepend:
    case Verb::kCas: return parse_storage(verb, words);
    case Verb::kIncr:
    case Verb::kDecr:
    case Verb::kTouch: return parse_number(verb, words);
    case Verb::kDelete: return parse_delete(words);
    case Verb::kFlushAll:
    case Verb::kVerbosity: return parse_admin(verb, words);
    case Verb::kStats:
    case Verb::kVersion:
    case Verb::kQuit:
    case Verb::kMetaNoop: return parse_plain(verb, words);
    default: return parse_unknown(words);
  }
}

}  // namespace tako::wire
