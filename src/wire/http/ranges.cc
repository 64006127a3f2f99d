#include "wire/http/ranges.h"

#include <algorithm>
#include <charconv>

#include "wire/http/fields.h"

namespace tako::wire {
namespace {

constexpr Timestamp kSecond = 1'000'000;

// Digits and nothing else. What does not fit is more than any value has.
std::optional<std::uint64_t> number_in(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : ~0ull;
}

// False: it is malformed. What the value does not have becomes an empty range.
bool read_range(std::string_view text, std::uint64_t size, ByteRange& range) {
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return false;
  const auto first = number_in(trimmed(text.substr(0, dash)));
  const auto last = number_in(trimmed(text.substr(dash + 1)));
  const bool open_start = trimmed(text.substr(0, dash)).empty();
  const bool open_end = trimmed(text.substr(dash + 1)).empty();
  if ((!first && !open_start) || (!last && !open_end) || (open_start && open_end)) return false;
  range = ByteRange();
  if (open_start) {  // the last so many bytes
    range.begin = size - std::min(*last, size);
    range.end = size;
    return true;
  }
  if (last && *last < *first) return false;
  if (*first >= size) return true;
  range.begin = *first;
  range.end = last && *last < size ? *last + 1 : size;
  return true;
}

enum class Comparison : unsigned char { kStrong, kWeak };

// `list`: "*", or entity tags with commas between them. Ours is strong.
bool lists(std::string_view list, std::string_view etag, Comparison comparison) {
  if (trimmed(list) == "*") return true;
  while (!list.empty()) {
    const bool weak = list.starts_with("W/");
    if (weak) list.remove_prefix(2);
    if (!list.starts_with('"')) {
      list.remove_prefix(std::min<std::size_t>(list.size(), 1));
      continue;
    }
    const std::size_t end = list.find('"', 1);
    if (end == list.npos) return false;
    if (list.substr(0, end + 1) == etag && (!weak || comparison == Comparison::kWeak)) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

std::optional<Timestamp> date_in(const HttpHeaders& headers, Field field) {
  const auto text = find_header(headers, field);
  return text ? parse_http_date(*text) : std::nullopt;
}

}  // namespace

RangeChoice choose_ranges(std::string_view header, std::uint64_t size) {
  const std::size_t equals = header.find('=');
  if (equals == header.npos || !same_word(trimmed(header.substr(0, equals)), "bytes")) return RangeChoice();
  std::string_view rest = header.substr(equals + 1);
  RangeChoice choice;
  choice.kind = RangeChoice::Kind::kParts;
  std::uint64_t total = 0;
  std::size_t count = 0;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view one = trimmed(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (one.empty()) continue;  // an empty element of a list means nothing
    ByteRange range;
    if (++count > kRangesMax || !read_range(one, size, range)) return RangeChoice();
    if (range.size() == 0) continue;
    if (range.size() > size - total) return RangeChoice();
    total += range.size();
    choice.parts.push_back(range);
  }
  if (count == 0) return RangeChoice();
  if (choice.parts.empty()) choice.kind = RangeChoice::Kind::kNone;
  return choice;
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.begin) + "-" + std::to_string(range.end - 1) + "/" + std::to_string(size);
}

std::string content_range_none(std::uint64_t size) { return "bytes */" + std::to_string(size); }

Condition check_conditions(const HttpHeaders& headers, const Validators& now) {
  const Timestamp modified = now.modified_at - now.modified_at % kSecond;  // as Last-Modified says it
  if (const auto match = find_header(headers, Field::kIfMatch)) {
    if (!lists(*match, now.etag, Comparison::kStrong)) return Condition::kFailed;
  } else if (const auto since = date_in(headers, Field::kIfUnmodifiedSince); since && modified > *since) {
    return Condition::kFailed;
  }
  if (const auto none = find_header(headers, Field::kIfNoneMatch)) {
    if (lists(*none, now.etag, Comparison::kWeak)) return Condition::kNotModified;
  } else if (const auto since = date_in(headers, Field::kIfModifiedSince); since && modified <= *since) {
    return Condition::kNotModified;
  }
  return Condition::kMet;
}

bool write_allowed(const HttpHeaders& headers, const std::optional<Validators>& now) {
  if (const auto match = find_header(headers, Field::kIfMatch)) {
    if (!now || !lists(*match, now->etag, Comparison::kStrong)) return false;
  } else if (const auto since = date_in(headers, Field::kIfUnmodifiedSince); since && now) {
    if (now->modified_at - now->modified_at % kSecond > *since) return false;
  }
  const auto none = find_header(headers, Field::kIfNoneMatch);
  return !none || !now || !lists(*none, now->etag, Comparison::kWeak);
}

namespace {

// "*", or one entity tag at least, with commas between them.
bool is_tag_list(std::string_view list) {
  if (trimmed(list) == "*") return true;
  std::size_t tags = 0;
  while (true) {
    list.remove_prefix(std::min(list.find_first_not_of(" \t,"), list.size()));
    if (list.empty()) return tags > 0;
    if (list.starts_with("W/")) list.remove_prefix(2);
    const std::size_t end = list.starts_with('"') ? list.find('"', 1) : list.npos;
    if (end == list.npos) return false;
    list = trimmed(list.substr(end + 1));
    if (!list.empty() && list.front() != ',') return false;
    ++tags;
  }
}

}  // namespace

Status check_write_conditions(const HttpHeaders& headers) {
  for (const Field field : {Field::kIfMatch, Field::kIfNoneMatch}) {
    const auto given = find_header(headers, field);
    if (!given || is_tag_list(*given)) continue;
    return {ErrorCode::kInvalid, std::string(rule_of(field).shown) + R"(: expected "TAG", as ETag has it, or *)"};
  }
  const auto since = find_header(headers, Field::kIfUnmodifiedSince);
  if (!since || parse_http_date(*since)) return ok_status();
  return {ErrorCode::kInvalid, "If-Unmodified-Since: expected a date as Last-Modified has it"};
}

bool if_range_holds(const HttpHeaders& headers, const Validators& now, Timestamp wall) {
  const auto given = find_header(headers, Field::kIfRange);
  if (!given) return true;
  if (given->starts_with('"') || given->starts_with("W/")) return *given == now.etag;
  const auto date = parse_http_date(*given);
  const Timestamp modified = now.modified_at - now.modified_at % kSecond;
  return date && *date == modified && wall >= modified + kSecond;
}

}  // namespace tako::wire
