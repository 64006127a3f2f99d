// The request headers that change what a request or its body means: one table, by which each is honoured, or refused by
// name, or passed over for a reason. Pure.
//
// A header outside the table is never looked up: find_header() takes a Field. Whoever honours one more adds it here and
// says how several lines of it count, and what becomes of it on a read, on a write and on a delete.
//
// Three rules follow from the table, and the parser of requests (http.h) applies them to every head:
// - Lines of a list are one list, joined with commas (RFC 9110 §5.3). Any other known header on two lines is a 400:
//   whichever line won, somebody between client and server may have read the other one.
// - What would have to be ignored although it changes the meaning is refused. A client that sends Content-Range with a
//   PUT wants a part replaced; whoever ignores it replaces everything by the part.
// - Only what is marked kCondition is a condition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/http/head.h"
#include "wire/http/http.h"

namespace tako::wire {

// What a method does to a value. kOther: methods that no value has.
enum class Access : unsigned char { kRead, kStore, kRemove, kOther };
Access access_of(std::string_view method);

enum class FieldUse : unsigned char {
  kHonoured,
  kCondition,  // the request is carried out only where it holds
  kIgnored,
  kRefused,
};

struct FieldRule {
  enum class Lines : unsigned char { kOne, kList };
  // Which values a refusal is about. An empty value says nothing, and is never refused.
  enum class Values : unsigned char { kAll, kAllBut, kOnly };

  Field field;
  std::string_view name;   // in lower case
  std::string_view shown;  // as the RFC spells it
  Lines lines = Lines::kOne;
  FieldUse read = FieldUse::kIgnored;
  FieldUse store = FieldUse::kIgnored;
  FieldUse remove = FieldUse::kIgnored;
  std::string_view why = {};  // it is refused, and what to do; or why it may be ignored
  int status = 400;           // of a refusal
  Values values = Values::kAll;
  std::string_view words = {};  // of kAllBut and kOnly, in lower case, with a blank behind each

  FieldUse use(Access access) const;
};

// nullptr: it is not in the table.
const FieldRule* rule_of(std::string_view name);
const FieldRule& rule_of(Field field);

// A bit for each Field.
using FieldSet = std::uint64_t;

// After it each known header stands there once, and `known` says which do. 400: one that cannot be joined was sent
// twice.
HttpProblem join_lines(HttpHeaders& headers, FieldSet& known);

// The first header that is refused for this method, if any. `known` is of join_lines(): most heads have nothing that
// could be refused, and are done with it.
HttpProblem refused_field(std::string_view method, const HttpHeaders& headers, FieldSet known);

// The first header that makes it conditional, as the RFC spells it; empty: none does.
std::string_view condition_in(Access access, const HttpHeaders& headers);

}  // namespace tako::wire
