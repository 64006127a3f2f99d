#include "wire/memcached.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "wire/memcached_meta.h"

namespace tako::wire {
namespace {

using Verb = MemcachedVerb;
using Words = std::vector<std::string_view>;

constexpr char kBinaryMagic = '\x80';  // of the binary protocol; no text begins with it
constexpr char kNumberInvalid[] = "CLIENT_ERROR invalid numeric delta argument";
constexpr char kTimeInvalid[] = "CLIENT_ERROR invalid exptime argument";

constexpr std::array<std::pair<std::string_view, Verb>, 20> kVerbs{{
    {"get", Verb::kGet},         {"gets", Verb::kGets},       {"gat", Verb::kGat},
    {"gats", Verb::kGats},       {"set", Verb::kSet},         {"add", Verb::kAdd},
    {"replace", Verb::kReplace}, {"append", Verb::kAppend},   {"prepend", Verb::kPrepend},
    {"cas", Verb::kCas},         {"incr", Verb::kIncr},       {"decr", Verb::kDecr},
    {"delete", Verb::kDelete},   {"touch", Verb::kTouch},     {"flush_all", Verb::kFlushAll},
    {"stats", Verb::kStats},     {"version", Verb::kVersion}, {"verbosity", Verb::kVerbosity},
    {"quit", Verb::kQuit},       {"mn", Verb::kMetaNoop},
}};

Verb verb_of(std::string_view word) {
  for (const auto& [name, verb] : kVerbs) {
    if (word == name) return verb;
  }
  return Verb::kRefused;
}

bool is_meta(std::string_view word) {
  return word.size() == 2 && word[0] == 'm' && std::string_view("gsdae").find(word[1]) != std::string_view::npos;
}

MemcachedRequest refused(std::string answer) {
  MemcachedRequest request;
  request.answer = std::move(answer);
  return request;
}

// With how much of a block is to be skipped behind the line.
MemcachedRequest refused(std::string answer, std::uint64_t data_bytes) {
  MemcachedRequest request = refused(std::move(answer));
  request.data_bytes = data_bytes;
  return request;
}

// set key flags exptime bytes [noreply]; cas key flags exptime bytes unique [noreply]
MemcachedRequest parse_storage(Verb verb, const Words& words) {
  const bool cas = verb == Verb::kCas;
  const std::size_t count = cas ? 6 : 5;
  const auto bytes = words.size() >= 5 ? memcached_number<std::uint64_t>(words[4]) : std::nullopt;
  if (words.size() < count) return refused(kMemcachedError, bytes.value_or(0));
  if (!bytes) return refused(kMemcachedBadLine);
  if (words.size() > count + 1) return refused(kMemcachedError, *bytes);

  MemcachedRequest request;
  const auto flags = memcached_number<std::uint32_t>(words[2]);
  const auto time = memcached_time(words[3]);
  const auto unique = cas ? memcached_number<std::uint64_t>(words[5]) : std::optional<std::uint64_t>(0);
  request.noreply = words.size() > count && words[count] == "noreply";
  const bool surplus = words.size() > count && !request.noreply;
  if (!memcached_key_ok(words[1]) || !flags || !time || !unique || surplus) {
    return refused(kMemcachedBadLine, *bytes);
  }
  request.verb = verb;
  request.keys.emplace_back(words[1]);
  request.flags = *flags;
  request.time = *time;
  request.number = *unique;
  request.data_bytes = *bytes;
  return request;
}

// incr key delta [noreply]; touch key exptime [noreply]
MemcachedRequest parse_number(Verb verb, const Words& words) {
  if (words.size() < 3 || words.size() > 4) return refused(kMemcachedError);
  if (!memcached_key_ok(words[1])) return refused(kMemcachedBadLine);
  MemcachedRequest request;
  request.verb = verb;
  request.keys.emplace_back(words[1]);
  request.noreply = words.size() == 4 && words[3] == "noreply";
  if (words.size() == 4 && !request.noreply) return refused(kMemcachedBadLine);
  if (verb == Verb::kTouch) {
    const auto time = memcached_time(words[2]);
    if (!time) return refused(kTimeInvalid);
    request.time = *time;
    return request;
  }
  const auto number = memcached_number<std::uint64_t>(words[2]);
  if (!number) return refused(kNumberInvalid);
  request.number = *number;
  return request;
}

// delete key [0] [noreply]: the 0 is what old clients send for «no delay».
MemcachedRequest parse_delete(const Words& words) {
  if (words.size() < 2) return refused(kMemcachedError);
  MemcachedRequest request;
  request.verb = Verb::kDelete;
  request.noreply = words.back() == "noreply" && words.size() > 2;
  const std::size_t plain = words.size() - (request.noreply ? 1 : 0);
  const bool usage_ok = plain == 2 || (plain == 3 && words[2] == "0");
  if (!usage_ok) return refused("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]");
  if (!memcached_key_ok(words[1])) return refused(kMemcachedBadLine);
  request.keys.emplace_back(words[1]);
  return request;
}

// flush_all [delay] [noreply]; verbosity level [noreply], which changes nothing here
MemcachedRequest parse_admin(Verb verb, const Words& words) {
  MemcachedRequest request;
  request.verb = verb;
  request.noreply = words.size() > 1 && words.back() == "noreply";
  const std::size_t plain = words.size() - (request.noreply ? 1 : 0);
  if (verb == Verb::kVerbosity) {
    if (plain > 3 || (plain == 1 && !request.noreply)) return refused(kMemcachedError);
    const bool level_ok = plain == 1 || memcached_number<std::uint32_t>(words[1]);
    return level_ok ? request : refused(kMemcachedBadLine);
  }
  if (plain > 2) return refused(kMemcachedError);
  const auto time = plain == 2 ? memcached_time(words[1]) : std::optional<std::int64_t>(0);
  if (!time) return refused(kTimeInvalid);
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

bool is_get(Verb verb) { return verb >= Verb::kGet && verb <= Verb::kGats; }

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

template <class Number>
std::optional<Number> memcached_number(std::string_view digits) {
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}
template std::optional<std::uint32_t> memcached_number(std::string_view);
template std::optional<std::uint64_t> memcached_number(std::string_view);
template std::optional<std::int64_t> memcached_number(std::string_view);

std::optional<std::int64_t> memcached_time(std::string_view digits) {
  const auto time = memcached_number<std::int64_t>(digits);
  if (!time || *time > kMemcachedTimeMax) return std::nullopt;
  return std::max<std::int64_t>(*time, -1);
}

bool memcached_key_ok(std::string_view key) {
  if (key.empty() || key.size() > kMemcachedKeyBytesMax) return false;
  for (const char c : key) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
  }
  return true;
}

MemcachedRequest parse_memcached_line(std::string_view line) {
  const Words words = memcached_words(line);
  if (words.empty()) return refused(kMemcachedError);
  if (is_meta(words[0])) return parse_memcached_meta(words);
  const Verb verb = verb_of(words[0]);
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
    default: return refused(kMemcachedError);
  }
}

std::string memcached_value_line(std::string_view key, std::uint32_t flags, std::uint64_t bytes,
                                 std::optional<std::uint64_t> cas) {
  std::string line = "VALUE ";
  line += key;
  line += ' ' + std::to_string(flags) + ' ' + std::to_string(bytes);
  if (cas) line += ' ' + std::to_string(*cas);
  return line + "\r\n";
}

// --- the parser -------------------------------------------------------------------------------------------------

std::size_t MemcachedParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  while (state_ == State::kOpen && taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    switch (phase_) {
      case Phase::kLine:
      case Phase::kKeys: taken += take_line(rest); break;
      case Phase::kBlock: taken += take_block(rest); break;
      case Phase::kLineEnd: taken += take_line_end(rest); break;
      case Phase::kSkipLine:
      case Phase::kSkipBlock: taken += skip(rest); break;
    }
  }
  return taken;
}

std::size_t MemcachedParser::take_line(std::string_view bytes) {
  if (phase_ == Phase::kLine && line_.empty() && bytes.front() == kBinaryMagic) {
    refuse("CLIENT_ERROR this is the text protocol; the binary one is not spoken here");
    request_.last = true;
    return bytes.size();
  }
  const std::size_t room = kMemcachedLineBytesMax + 2 - line_.size();
  const std::string_view part = bytes.substr(0, room);
  const std::size_t end = part.find('\n');
  line_ += part.substr(0, end);
  if (end == std::string_view::npos) {
    if (line_.size() >= kMemcachedLineBytesMax + 2) long_line();
    return part.size();
  }
  if (line_.ends_with('\r')) line_.pop_back();
  line_ended_ = true;
  if (phase_ == Phase::kKeys)
    give_keys();
  else
    end_line();
  return end + 1;
}

// The line has no end yet. Those of the gets are taken in parts, at their blanks.
void MemcachedParser::long_line() {
  line_ended_ = false;
  if (phase_ == Phase::kKeys) return give_keys();
  const Words words = memcached_words(line_);
  if (!words.empty() && is_get(verb_of(words[0]))) return begin_keys();
  phase_ = Phase::kSkipLine;
  refuse("CLIENT_ERROR line too long");
}

void MemcachedParser::end_line() {
  const std::string_view first = std::string_view(line_).substr(0, line_.find(' '));
  if (is_get(verb_of(first))) return begin_keys();
  request_ = parse_memcached_line(line_);
  line_.clear();
  state_ = State::kRequest;
  if (request_.data_bytes > model::kValueBytesMax) {
    refuse(kMemcachedTooLarge);
    request_.last = true;
    return;
  }
  const bool stores = request_.verb >= Verb::kSet && request_.verb <= Verb::kCas;
  const bool refused = request_.verb == Verb::kRefused;
  left_ = request_.data_bytes;
  if (refused && left_ > 0) {
    phase_ = Phase::kSkipBlock;  // and its line end
    request_.data_bytes = 0;
  } else if (stores || request_.verb == Verb::kMetaSet) {
    phase_ = left_ > 0 ? Phase::kBlock : Phase::kLineEnd;
    line_end_at_ = 0;
    if (!request_.large()) state_ = State::kOpen;
  }
}

// The verb, and a gat's time, of a line whose keys are to be given out.
void MemcachedParser::begin_keys() {
  const Words words = memcached_words(line_);
  const Verb verb = verb_of(words[0]);
  const bool timed = verb == Verb::kGat || verb == Verb::kGats;
  const std::size_t first_key = timed ? 2 : 1;
  const auto time = timed && words.size() > 1 ? memcached_time(words[1]) : std::optional<std::int64_t>(0);
  const char* wrong = nullptr;
  if (timed && words.size() > 1 && !time)
    wrong = kTimeInvalid;
  else if (words.size() <= first_key)
    wrong = kMemcachedError;
  // Where all keys are at hand none is answered if one is bad.
  const std::size_t skipped = std::min(first_key, words.size());
  const bool all_ok = std::all_of(words.begin() + static_cast<std::ptrdiff_t>(skipped), words.end(), memcached_key_ok);
  const bool bad_key = line_ended_ && !all_ok;
  if (!wrong && bad_key) wrong = kMemcachedBadLine;
  if (wrong) {
    phase_ = line_ended_ ? Phase::kLine : Phase::kSkipLine;
    return refuse(wrong);
  }
  request_ = MemcachedRequest();
  request_.verb = verb;
  request_.time = *time;
  keys_given_ = 0;
  line_.erase(0, static_cast<std::size_t>(words[first_key].data() - line_.data()));
  phase_ = Phase::kKeys;
  give_keys();
}

// The next keys of the line, if there are any. The last word of a line that has not ended may be half a key.
void MemcachedParser::give_keys() {
  request_.keys.clear();
  std::string_view rest = line_;
  bool bad = false;
  while (request_.keys.size() < kMemcachedKeysAtOnce && !bad) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::size_t blank = rest.find(' ');
    if (rest.empty()) break;
    const std::string_view key = rest.substr(0, blank);
    if (blank == std::string_view::npos && !line_ended_ && key.size() <= kMemcachedKeyBytesMax + 1) break;
    bad = !memcached_key_ok(key) || keys_given_ >= kMemcachedKeysMax;
    if (!bad) request_.keys.emplace_back(key);
    ++keys_given_;
    rest.remove_prefix(key.size());
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  line_.erase(0, line_.size() - rest.size());
  request_.more = !(line_ended_ && line_.empty());
  if (bad) {
    line_.clear();
    phase_ = line_ended_ ? Phase::kLine : Phase::kSkipLine;
    return refuse(kMemcachedBadLine);
  }
  // A line that ends in blanks behind the keys of an earlier request still has its end to be told.
  if (!request_.keys.empty() || !request_.more) state_ = State::kRequest;
}

std::size_t MemcachedParser::take_block(std::string_view bytes) {
  const std::uint64_t room = model::kPieceBytes - part_.size();
  const std::size_t count = static_cast<std::size_t>(std::min({left_, room, std::uint64_t{bytes.size()}}));
  part_.append(bytes.substr(0, count));
  left_ -= count;
  if (left_ == 0) phase_ = Phase::kLineEnd;
  if (request_.large() && (left_ == 0 || part_.size() == model::kPieceBytes)) state_ = State::kPart;
  return count;
}

// Strict: what follows a block of the wrong length would else be taken for commands.
std::size_t MemcachedParser::take_line_end(std::string_view bytes) {
  const bool right = bytes.front() == (line_end_at_ == 0 ? '\r' : '\n');
  if (!right) {
    phase_ = Phase::kSkipLine;
    part_.clear();
    if (request_.large()) {
      state_ = State::kBroken;
    } else {
      refuse("CLIENT_ERROR bad data chunk");
    }
    return 0;
  }
  if (++line_end_at_ < 2) return 1;
  phase_ = Phase::kLine;
  if (request_.large()) {
    state_ = State::kEnd;
    return 1;
  }
  request_.data = Bytes(std::exchange(part_, {}));
  state_ = State::kRequest;
  return 1;
}

std::size_t MemcachedParser::skip(std::string_view bytes) {
  if (phase_ == Phase::kSkipBlock) {
    const std::size_t count = static_cast<std::size_t>(std::min(left_, std::uint64_t{bytes.size()}));
    left_ -= count;
    if (left_ == 0) phase_ = Phase::kSkipLine;
    return count;
  }
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return bytes.size();
  phase_ = Phase::kLine;
  return end + 1;
}

void MemcachedParser::refuse(std::string answer) {
  request_ = refused(std::move(answer));
  line_.clear();
  state_ = State::kRequest;
}

void MemcachedParser::begin_block() {
  ASSERT(state_ == State::kRequest && request_.large());
  state_ = State::kOpen;
}

void MemcachedParser::refuse_block(std::string answer) {
  ASSERT(state_ == State::kOpen && in_block() && !request_.large());
  phase_ = left_ > 0 ? Phase::kSkipBlock : Phase::kSkipLine;
  part_.clear();
  refuse(std::move(answer));
}

void MemcachedParser::skip_keys() {
  if (phase_ != Phase::kKeys || !request_.more) return;
  request_.more = false;
  line_.clear();
  phase_ = line_ended_ ? Phase::kLine : Phase::kSkipLine;
}

Bytes MemcachedParser::take_part() {
  ASSERT(state_ == State::kPart);
  state_ = State::kOpen;
  return Bytes(std::exchange(part_, {}));
}

void MemcachedParser::next() {
  const bool large_left = phase_ == Phase::kBlock || phase_ == Phase::kLineEnd;
  if (large_left) phase_ = left_ > 0 ? Phase::kSkipBlock : Phase::kSkipLine;
  state_ = State::kOpen;
  part_.clear();
  if (phase_ == Phase::kKeys && !request_.more) phase_ = Phase::kLine;
  if (phase_ == Phase::kKeys) return give_keys();
  request_ = MemcachedRequest();
}

}  // namespace tako::wire
