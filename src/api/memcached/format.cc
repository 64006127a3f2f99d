#include "api/memcached/format.h"

#include <array>

#include "base/hash.h"

namespace tako::api {
namespace {

constexpr std::int64_t kRelativeMax = 60 * 60 * 24 * 30;
constexpr Timestamp kSecond = 1'000'000;
constexpr std::size_t kReasonBytesMax = 1000;

// Of the tokens that tell something about the record, those that a command gives.
std::string_view record_tokens(wire::MemcachedVerb verb) {
  switch (verb) {
    case wire::MemcachedVerb::kMetaGet: return "cfst";
    case wire::MemcachedVerb::kMetaSet: return "c";
    case wire::MemcachedVerb::kMetaArithmetic: return "ct";
    default: return "";
  }
}

}  // namespace

std::uint64_t cas_unique_of(const model::Version& version) {
  std::array<char, 16> bytes;
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(version.timestamp >> (8 * i));
    bytes[8 + i] = static_cast<char>(version.writer >> (8 * i));
  }
  const std::uint64_t unique = xxh3_64(std::string_view(bytes.data(), bytes.size())) >> 1;
  return unique == 0 ? 1 : unique;
}

Timestamp expiry_of(std::int64_t time, Timestamp now) {
  if (time == 0) return 0;
  if (time < 0) return kExpiredAtOnce;
  const Timestamp at = static_cast<Timestamp>(time) * kSecond;
  if (time <= kRelativeMax) return now + at;
  return at <= now ? kExpiredAtOnce : at;
}

std::int64_t seconds_left(Timestamp expires_at, Timestamp now) {
  if (expires_at == 0) return -1;
  return expires_at <= now ? 0 : static_cast<std::int64_t>((expires_at - now + kSecond - 1) / kSecond);
}

std::optional<std::uint64_t> counter_of(std::string_view value) { return wire::memcached_number<std::uint64_t>(value); }

std::string server_error(const Error& error) {
  std::string reason = error.message.substr(0, kReasonBytesMax);
  for (char& c : reason) c = c == '\n' || c == '\r' ? ' ' : c;
  // In the words that clients know.
  if (error.code == ErrorCode::kNoSpace) reason = "out of memory storing object: " + reason;
  if (error.code == ErrorCode::kTooLarge) reason = "object too large for cache: " + reason;
  return "SERVER_ERROR " + reason + "\r\n";
}

std::string meta_tokens(const wire::MemcachedRequest& request, const model::Record* record, Timestamp now,
                        const ExpiryBefore* before) {
  const wire::MemcachedMeta& meta = request.meta;
  const std::string_view given = record_tokens(request.verb);
  const bool nothing_set = !record && request.verb == wire::MemcachedVerb::kMetaSet;
  Timestamp expires_at = before ? before->expires_at : record ? record->expires_at : 0;
  std::string tokens;
  for (const char flag : meta.flags) {
    if (flag == 'T' && before) expires_at = expiry_of(*meta.time, now);
    if (flag == 'N' && before && before->made) expires_at = expiry_of(*meta.vivify, now);
    if (flag == 'k') tokens += " k" + meta.sent_key + (meta.has('b') ? " b" : "");
    if (flag == 'O') tokens += " O" + meta.opaque;
    if (flag == 'c' && nothing_set) tokens += " c0";
    if (!record || given.find(flag) == given.npos) continue;
    if (flag == 'c') tokens += " c" + std::to_string(cas_unique_of(record->version));
    if (flag == 'f') tokens += " f" + std::to_string(record->flags);
    if (flag == 's') tokens += " s" + std::to_string(record->size);
    if (flag == 't') tokens += " t" + std::to_string(seconds_left(expires_at, now));
  }
  return tokens;
}

}  // namespace tako::api
