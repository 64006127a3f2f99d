// What the memcached face says of records, as pure values: cas uniques, expiry, errors, and the tokens of meta answers.
//
// The cas unique of a version is 63 bits of the XXH3-64 of its timestamp and writer, never 0. Not the timestamp itself:
// two writes of a key in one microsecond, or with the same X-Timestamp over HTTP, are two versions, and a `cas` that
// takes one for the other overwrites what it never saw. As a hash, a unique of another version passes for the one at
// hand with a probability of 2^-63 each time it is compared. The top bit stays clear because clients exist that read
// it as a signed number; 0 is left out because others take it for "none". It says nothing of order, and needs not:
// a record's version and no counter is what is compared, so every proxy, and every restart, gives the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/record.h"
#include "wire/memcached/memcached.h"

namespace tako::api {

std::uint64_t cas_unique_of(const model::Version& version);

// An exptime as an absolute expiry: 0 never, up to 30 days from now, above that seconds since 1970, negative at once.
// In the past it is kExpiredAtOnce.
inline constexpr Timestamp kExpiredAtOnce = 1;
Timestamp expiry_of(std::int64_t time, Timestamp now);

// Seconds left, -1: for ever.
std::int64_t seconds_left(Timestamp expires_at, Timestamp now);

// A decimal number of 64 bits, as memcached reads a value for one: see wire::memcached_number.
std::optional<std::uint64_t> counter_of(std::string_view value);

// `SERVER_ERROR reason`, on one line, with its line end.
std::string server_error(const Error& error);

// The tokens that a meta request's flags ask for, a blank before each, as its command gives them.
// `record`: null where there is none. `before`: of a request that may change the expiry, what it was; a t tells the
// expiry as the flags before it, T and on something new N, have made it.
struct ExpiryBefore {
  bool made = false;
  Timestamp expires_at = 0;
};
std::string meta_tokens(const wire::MemcachedRequest& request, const model::Record* record, Timestamp now,
                        const ExpiryBefore* before = nullptr);

}  // namespace tako::api
