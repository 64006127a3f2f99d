#include "wire/memcached/memcached.h"

#include <algorithm>
#include <utility>

namespace tako::wire {
namespace {

using Verb = MemcachedVerb;
using Words = std::vector<std::string_view>;

constexpr char kBinaryMagic = '\x80';  // of the binary protocol; a connection that begins with it speaks nothing else

bool is_get(Verb verb) { return verb >= Verb::kGet && verb <= Verb::kGats; }

std::string_view first_word(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line.substr(0, line.find(' '));
}

}  // namespace

std::string memcached_value_line(std::string_view key, std::uint32_t flags, std::uint64_t bytes,
                                 std::optional<std::uint64_t> cas) {
  std::string line = "VALUE ";
  line += key;
  line += ' ' + std::to_string(flags) + ' ' + std::to_string(bytes);
  if (cas) line += ' ' + std::to_string(*cas);
  return line + "\r\n";
}

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
  if (!std::exchange(begun_, true) && bytes.front() == kBinaryMagic) {
    refuse("CLIENT_ERROR this is the text protocol; the binary one is not spoken here");
    request_.last = true;
    return bytes.size();
  }
  const std::string_view part = bytes.substr(0, kMemcachedLineBytesMax - line_.size());
  const std::size_t end = part.find('\n');
  line_ += part.substr(0, end);
  if (end == std::string_view::npos) {
    if (line_.size() >= kMemcachedLineBytesMax) long_line();
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
  if (is_get(memcached_verb(first_word(line_)))) return begin_keys();
  hang_up();
}

void MemcachedParser::end_line() {
  if (is_get(memcached_verb(first_word(line_)))) return begin_keys();
  request_ = parse_memcached_line(line_);
  line_.clear();
  state_ = State::kRequest;
  const bool refused = request_.verb == Verb::kRefused;
  if (request_.data_bytes > model::kValueBytesMax) {
    refuse(refused ? std::move(request_.answer) : kMemcachedTooLarge, request_.noreply);
    request_.last = true;
    return;
  }
  const bool stores = request_.verb >= Verb::kSet && request_.verb <= Verb::kCas;
  left_ = request_.data_bytes;
  if (request_.block_follows) {
    phase_ = left_ > 0 ? Phase::kSkipBlock : Phase::kSkipLine;
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
  const Verb verb = memcached_verb(words[0]);
  const bool timed = verb == Verb::kGat || verb == Verb::kGats;
  const std::size_t first_key = std::min<std::size_t>(timed ? 2 : 1, words.size());
  const auto time = timed && words.size() > 1 ? memcached_time(words[1]) : std::optional<std::int64_t>(0);
  const auto skipped = static_cast<std::ptrdiff_t>(first_key);
  const char* wrong = nullptr;
  if (timed && !line_ended_ && words.size() <= first_key) return hang_up();  // its time may not be all there
  // Where all keys are at hand none is answered if one is bad.
  if (line_ended_ && words.size() < 2)
    wrong = kMemcachedError;
  else if (!time)
    wrong = kMemcachedTimeInvalid;
  else if (line_ended_ && !std::all_of(words.begin() + skipped, words.end(), memcached_key_ok))
    wrong = kMemcachedBadLine;
  if (wrong) {
    phase_ = line_ended_ ? Phase::kLine : Phase::kSkipLine;
    return refuse(wrong);
  }
  request_ = MemcachedRequest();
  request_.verb = verb;
  request_.time = *time;
  keys_given_ = 0;
  const bool keys = words.size() > first_key;
  line_.erase(0, keys ? static_cast<std::size_t>(words[first_key].data() - line_.data()) : line_.size());
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
  const bool none = keys_given_ == 0 && !request_.more && (request_.verb == Verb::kGet || request_.verb == Verb::kGets);
  if (none) {
    phase_ = Phase::kLine;
    return refuse(kMemcachedError);
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
      refuse("CLIENT_ERROR bad data chunk", request_.noreply);
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

void MemcachedParser::refuse(std::string answer, bool noreply) {
  request_ = memcached_refusal(std::move(answer), noreply);
  line_.clear();
  state_ = State::kRequest;
}

// The connection is of no more use, and nothing is to be said on it.
void MemcachedParser::hang_up() {
  refuse("");
  request_.last = true;
}

void MemcachedParser::begin_block() {
  ASSERT(state_ == State::kRequest && request_.large());
  state_ = State::kOpen;
}

void MemcachedParser::refuse_block(std::string answer) {
  ASSERT(state_ == State::kOpen && in_block() && !request_.large());
  phase_ = left_ > 0 ? Phase::kSkipBlock : Phase::kSkipLine;
  part_.clear();
  refuse(std::move(answer), request_.noreply);
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
