// Which part of a value a client asks for, and under which conditions (RFC 9110 §13, §14): headers as decisions. Pure.
//
// What cannot be understood is passed over where the RFC wants that: then the whole value is the answer. It is too for
// more ranges than anybody needs, or that overlap so that the answer would be larger than the value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "wire/http/http.h"

namespace tako::wire {

constexpr std::size_t kRangesMax = 64;

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // behind the last byte

  std::uint64_t size() const { return end - begin; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct RangeChoice {
  enum class Kind : unsigned char { kWhole, kParts, kNone };  // kNone: nothing that the value has
  Kind kind = Kind::kWhole;
  std::vector<ByteRange> parts;  // in the order asked for; none is empty
};

// `header`: the text of Range; `size`: of the whole value.
RangeChoice choose_ranges(std::string_view header, std::uint64_t size);

// "bytes 0-9/100", and "bytes */100" for 416.
std::string content_range(const ByteRange& range, std::uint64_t size);
std::string content_range_none(std::uint64_t size);

// What is compared with a request's conditions.
struct Validators {
  std::string etag;           // with its quotes; strong
  Timestamp modified_at = 0;  // microseconds
};

enum class Condition : unsigned char { kMet, kNotModified, kFailed };  // go on, 304, 412

// Of a read of something that exists: If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since.
Condition check_conditions(const HttpHeaders& headers, const Validators& now);

// Of a write or a delete: whether it may go on, given what is there, or nothing. If-Modified-Since says nothing of it.
bool write_allowed(const HttpHeaders& headers, const std::optional<Validators>& now);
// kInvalid: one that cannot be read. On a write it is not passed over: the write would happen without its condition.
Status check_write_conditions(const HttpHeaders& headers);

// Whether Range counts. A date is good enough only if nothing can have been written in the rest of its second: `wall`.
bool if_range_holds(const HttpHeaders& headers, const Validators& now, Timestamp wall);

}  // namespace tako::wire
