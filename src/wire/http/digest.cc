#include "wire/http/digest.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "wire/http/head.h"

namespace tako::wire {
namespace {

std::optional<Digest::Kind> kind_of(std::string_view algorithm) {
  if (same_word(algorithm, "sha-256")) return Digest::Kind::kSha256;
  if (same_word(algorithm, "sha-512")) return Digest::Kind::kSha512;
  if (same_word(algorithm, "md5")) return Digest::Kind::kMd5;
  return std::nullopt;
}

}  // namespace

Result<DigestCheck> DigestCheck::of(const HttpHeaders& headers) {
  DigestCheck check;
  for (const auto& [name, value] : headers) {
    const Status taken = check.take(name, value);
    if (!taken) return taken.error();
  }
  return check;
}

Status DigestCheck::take(std::string_view header, std::string_view value) {
  if (header == "content-md5") return expect("Content-MD5", Digest::Kind::kMd5, value);
  const bool structured = header == "repr-digest" || header == "content-digest";
  if (!structured && header != "digest") return ok_status();
  const std::string shown = header == "digest" ? "Digest" : header == "repr-digest" ? "Repr-Digest" : "Content-Digest";
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view item = trimmed(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    const std::size_t equals = item.find('=');
    if (equals == item.npos) {
      return {ErrorCode::kInvalid, shown + ": expected " + (structured ? "sha-256=:BASE64:" : "SHA-256=BASE64")};
    }
    const auto kind = kind_of(trimmed(item.substr(0, equals)));
    if (!kind) continue;
    std::string_view digest = item.substr(equals + 1);
    if (structured) {
      digest = digest.substr(0, digest.find(';'));  // parameters mean nothing here
      const bool framed = digest.size() >= 2 && digest.front() == ':' && digest.back() == ':';
      digest = framed ? digest.substr(1, digest.size() - 2) : std::string_view("?");
    }
    const Status expected = expect(shown, *kind, digest);
    if (!expected) return expected;
  }
  return ok_status();
}

Status DigestCheck::expect(std::string header, Digest::Kind kind, std::string_view base64) {
  auto value = base64_decode(base64);
  if (!value || value->size() != Digest::bytes_of(kind)) {
    return {ErrorCode::kInvalid, header + ": expected " + std::to_string(Digest::bytes_of(kind)) + " bytes in base64"};
  }
  if (expected_.size() == kDigestsMax) return {ErrorCode::kInvalid, header + ": too many digests; send one or two"};
  expected_.push_back({std::move(header), kind, std::move(*value)});
  const auto of_kind = [kind](const Digest& digest) { return digest.kind() == kind; };
  if (std::none_of(running_.begin(), running_.end(), of_kind)) running_.emplace_back(kind);
  return ok_status();
}

Status DigestCheck::finish() {
  for (Digest& digest : running_) {
    const std::string found = digest.value();
    for (const Expected& expected : expected_) {
      if (expected.kind != digest.kind() || expected.value == found) continue;
      return {ErrorCode::kInvalid,
              expected.header + ": what arrived has another digest, " + base64_encode(found) + "; send it again"};
    }
  }
  return ok_status();
}

}  // namespace tako::wire
