#include "proxy/memcached_words.h"

#include <algorithm>
#include <array>

#include "base/hash.h"

namespace tako::proxy {
namespace {

constexpr std::int64_t kRelativeMax = 60 * 60 * 24 * 30;
constexpr Timestamp kSecond = 1'000'000;
constexpr std::size_t kCounterDigitsMax = 20;
constexpr std::size_t kReasonBytesMax = 1000;

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

std::optional<std::uint64_t> counter_of(std::string_view value) {
  const std::size_t digits = std::min(value.find(' '), value.size());
  if (digits > kCounterDigitsMax || value.find_first_not_of(' ', digits) != std::string_view::npos) return std::nullopt;
  return wire::memcached_number<std::uint64_t>(value.substr(0, digits));
}

std::string server_error(const Error& error) {
  std::string reason = error.message.substr(0, kReasonBytesMax);
  for (char& c : reason) c = c == '\n' || c == '\r' ? ' ' : c;
  // In the words that clients know.
  if (error.code == ErrorCode::kNoSpace) reason = "out of memory storing object: " + reason;
  if (error.code == ErrorCode::kTooLarge) reason = "object too large for cache: " + reason;
  return "SERVER_ERROR " + reason + "\r\n";
}

std::string meta_tokens(const wire::MemcachedMeta& meta, const model::Record* record, Timestamp now) {
  std::string tokens;
  for (const char flag : meta.flags) {
    if (flag == 'k') tokens += " k" + meta.sent_key + (meta.has('b') ? " b" : "");
    if (flag == 'O') tokens += " O" + meta.opaque;
    if (!record) continue;
    if (flag == 'c') tokens += " c" + std::to_string(cas_unique_of(record->version));
    if (flag == 'f') tokens += " f" + std::to_string(record->flags);
    if (flag == 's') tokens += " s" + std::to_string(record->size);
    if (flag == 't') tokens += " t" + std::to_string(seconds_left(record->expires_at, now));
  }
  return tokens;
}

}  // namespace tako::proxy
