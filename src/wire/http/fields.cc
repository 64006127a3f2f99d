#include "wire/http/fields.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace tako::wire {
namespace {

using enum FieldUse;
constexpr auto kOne = FieldRule::Lines::kOne;
constexpr auto kList = FieldRule::Lines::kList;
constexpr auto kAll = FieldRule::Values::kAll;
constexpr auto kAllBut = FieldRule::Values::kAllBut;
constexpr auto kOnly = FieldRule::Values::kOnly;

constexpr std::string_view kPartOfValue = "only a whole value can be stored or deleted; send all of it, without this";
constexpr std::string_view kPartOfUpload = "an upload in several requests is not known; send the value with one PUT";
constexpr std::string_view kOtherMethod = "a method in a header is not obeyed; send the request with that method";
constexpr std::string_view kCopy = "a value cannot be copied by a header; send it";
constexpr std::string_view kForeignCondition = "this kind of condition is not known here; use If-Match";
constexpr std::string_view kStoredEncoding = "a coding is not stored, so readers would not learn of it; send the value "
                                             "without one, or name it in Content-Type";
constexpr std::string_view kHopOnly = "it offers something for this connection, and nobody has to take it";

// By the length of the name: it is how they are found. RFC 9110 where nothing else is said.
constexpr FieldRule kRules[] = {
    {Field::kIf, "if", "If", kList, kIgnored, kRefused, kRefused, kForeignCondition},  // RFC 4918 §10.4
    {Field::kTe, "te", "TE", kList, kIgnored, kIgnored, kIgnored, kHopOnly},
    {Field::kHost, "host", "Host", kOne, kHonoured, kHonoured, kHonoured},
    // §14.2 wants Range ignored where its method has none. Here it is refused: who sends it with PUT or DELETE means a
    // part, and the rest would be lost.
    {Field::kRange, "range", "Range", kOne, kHonoured, kRefused, kRefused, kPartOfValue},
    {Field::kAccept, "accept", "Accept", kList, kHonoured},
    {Field::kDigest, "digest", "Digest", kList, kIgnored, kHonoured},  // RFC 3230
    {Field::kExpect, "expect", "Expect", kOne, kRefused, kRefused, kRefused,
     "only 100-continue can be expected of this server", 417, kAllBut, "100-continue "},
    {Field::kTrailer, "trailer", "Trailer", kList, kIgnored, kRefused, kIgnored,
     "a digest behind a body is not read; send it as a header", 400, kOnly,
     "content-md5 digest repr-digest content-digest "},
    {Field::kUpgrade, "upgrade", "Upgrade", kList, kIgnored, kIgnored, kIgnored, kHopOnly},
    {Field::kIfMatch, "if-match", "If-Match", kList, kCondition, kCondition, kCondition},
    {Field::kIfRange, "if-range", "If-Range", kOne, kHonoured, kRefused, kRefused, kPartOfValue},
    {Field::kXExpires, "x-expires", "X-Expires", kOne, kIgnored, kRefused, kIgnored,
     "only answers have it; ?ttl=SECONDS says when a value expires"},
    {Field::kConnection, "connection", "Connection", kList, kHonoured, kHonoured, kHonoured},
    {Field::kContentMd5, "content-md5", "Content-MD5", kOne, kIgnored, kHonoured},  // RFC 1864
    {Field::kReprDigest, "repr-digest", "Repr-Digest", kList, kIgnored, kHonoured},  // RFC 9530
    {Field::kXCopyFrom, "x-copy-from", "X-Copy-From", kOne, kIgnored, kRefused, kIgnored, kCopy},  // OpenStack Swift
    {Field::kXTimestamp, "x-timestamp", "X-Timestamp", kOne, kIgnored, kHonoured, kHonoured},
    {Field::kContentType, "content-type", "Content-Type", kOne, kIgnored, kHonoured},
    {Field::kContentRange, "content-range", "Content-Range", kOne, kIgnored, kRefused, kRefused, kPartOfValue},
    {Field::kIfNoneMatch, "if-none-match", "If-None-Match", kList, kCondition, kCondition, kCondition},
    {Field::kTusResumable, "tus-resumable", "Tus-Resumable", kOne, kIgnored, kRefused, kRefused, kPartOfUpload},
    {Field::kUploadOffset, "upload-offset", "Upload-Offset", kOne, kIgnored, kRefused, kRefused, kPartOfUpload},
    {Field::kXHttpMethod, "x-http-method", "X-HTTP-Method", kOne, kRefused, kRefused, kRefused, kOtherMethod},
    {Field::kContentDigest, "content-digest", "Content-Digest", kList, kIgnored, kHonoured},  // RFC 9530
    {Field::kContentLength, "content-length", "Content-Length", kOne, kHonoured, kHonoured, kHonoured},
    {Field::kUploadComplete, "upload-complete", "Upload-Complete", kOne, kIgnored, kRefused, kRefused, kPartOfUpload,
     400, kAllBut, "?1 "},  // draft-ietf-httpbis-resumable-upload; ?1: this is all of it
    {Field::kContentEncoding, "content-encoding", "Content-Encoding", kList, kIgnored, kRefused, kIgnored,
     kStoredEncoding, 415, kAllBut, "identity "},
    {Field::kContentLanguage, "content-language", "Content-Language", kList, kIgnored, kIgnored, kIgnored,
     "it is not stored, and the value is what it is without it"},
    {Field::kIfModifiedSince, "if-modified-since", "If-Modified-Since", kOne, kCondition, kIgnored, kIgnored,
     "§13.1.3 wants it ignored where nothing is read"},
    {Field::kTransferEncoding, "transfer-encoding", "Transfer-Encoding", kOne, kHonoured, kHonoured, kHonoured},
    {Field::kUploadIncomplete, "upload-incomplete", "Upload-Incomplete", kOne, kIgnored, kRefused, kRefused,
     kPartOfUpload, 400, kAllBut, "?0 "},
    {Field::kXAmzCopySource, "x-amz-copy-source", "x-amz-copy-source", kOne, kIgnored, kRefused, kIgnored, kCopy},
    {Field::kXMethodOverride, "x-method-override", "X-Method-Override", kOne, kRefused, kRefused, kRefused,
     kOtherMethod},
    {Field::kContentDisposition, "content-disposition", "Content-Disposition", kOne, kIgnored, kIgnored, kIgnored,
     "it is not stored, and the value is what it is without it"},
    {Field::kIfUnmodifiedSince, "if-unmodified-since", "If-Unmodified-Since", kOne, kCondition, kCondition, kCondition},
    {Field::kIfScheduleTagMatch, "if-schedule-tag-match", "If-Schedule-Tag-Match", kOne, kIgnored, kRefused, kRefused,
     kForeignCondition},  // RFC 6638 §8.3
    {Field::kXHttpMethodOverride, "x-http-method-override", "X-HTTP-Method-Override", kOne, kRefused, kRefused,
     kRefused, kOtherMethod},
    {Field::kContentTransferEncoding, "content-transfer-encoding", "Content-Transfer-Encoding", kOne, kIgnored,
     kRefused, kIgnored, kStoredEncoding, 415, kAllBut, "binary 8bit 7bit "},
};

// Ours, and of no meaning in a request: X-Tako-Checksum, and X-Tako-Meta-* until it is stored.
constexpr std::string_view kOwnPrefix = "x-tako-";

constexpr std::size_t kNameBytesMax = 32;

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kRules); ++i) {
    if (static_cast<std::size_t>(kRules[i].field) != i || kRules[i].name.size() >= kNameBytesMax) return false;
    if (i > 0 && kRules[i].name.size() < kRules[i - 1].name.size()) return false;
  }
  return true;
}
static_assert(in_order(), "kRules stands in the order of Field, which is by the length of the name");
static_assert(std::size(kRules) <= 64, "a FieldSet has 64 bits");

constexpr FieldSet bit_of(Field field) { return FieldSet{1} << static_cast<unsigned>(field); }

// kFirst[n]: the first rule whose name has n bytes or more.
constexpr auto kFirst = [] {
  std::array<std::uint8_t, kNameBytesMax + 1> first{};
  for (std::size_t bytes = 0; bytes < first.size(); ++bytes) {
    std::size_t at = 0;
    while (at < std::size(kRules) && kRules[at].name.size() < bytes) ++at;
    first[bytes] = static_cast<std::uint8_t>(at);
  }
  return first;
}();

// kInitials[n]: with which letters the names of n bytes begin, a bit for each. Most headers that clients send are in no
// table, and are passed over by this alone.
constexpr auto kInitials = [] {
  std::array<std::uint32_t, kNameBytesMax> initials{};
  for (const FieldRule& rule : kRules) initials[rule.name.size()] |= 1u << (rule.name.front() & 31);
  return initials;
}();

constexpr FieldUse use_of(const FieldRule& rule, Access access) {
  if (access == Access::kStore) return rule.store;
  return access == Access::kRemove ? rule.remove : rule.read;
}

constexpr FieldSet refused_by(Access access) {
  FieldSet refused = 0;
  for (const FieldRule& rule : kRules) refused |= use_of(rule, access) == kRefused ? bit_of(rule.field) : 0;
  return refused;
}

// By Access.
constexpr FieldSet kRefusedBy[] = {refused_by(Access::kRead), refused_by(Access::kStore), refused_by(Access::kRemove),
                                   refused_by(Access::kOther)};

// Not same_word(): what stands here may be no token, as ?1.
bool same_text(char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; }

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t blank = words.find(' ');
    const std::string_view one = words.substr(0, blank);
    if (std::equal(word.begin(), word.end(), one.begin(), one.end(), same_text)) return true;
    words.remove_prefix(blank + 1);
  }
  return false;
}

bool refuses(const FieldRule& rule, std::string_view value) {
  while (!value.empty()) {
    const std::string_view word = trimmed(value.substr(0, value.find(',')));
    value.remove_prefix(std::min(value.find(','), value.size() - 1) + 1);
    if (word.empty()) continue;
    if (rule.values == kAll || has_word(rule.words, word) == (rule.values == kOnly)) return true;
  }
  return false;
}

}  // namespace

Access access_of(std::string_view method) {
  if (method == "GET" || method == "HEAD") return Access::kRead;
  if (method == "PUT" || method == "POST") return Access::kStore;
  return method == "DELETE" ? Access::kRemove : Access::kOther;
}

FieldUse FieldRule::use(Access access) const { return use_of(*this, access); }

const FieldRule* rule_of(std::string_view name) {
  if (name.empty() || name.size() >= kNameBytesMax) return nullptr;
  if ((kInitials[name.size()] >> (name.front() & 31) & 1) == 0) return nullptr;
  for (std::size_t i = kFirst[name.size()]; i < kFirst[name.size() + 1]; ++i) {
    const std::string_view known = kRules[i].name;
    if (known.back() == name.back() && known == name) return &kRules[i];
  }
  return nullptr;
}

const FieldRule& rule_of(Field field) { return kRules[static_cast<std::size_t>(field)]; }

std::optional<std::string_view> find_header(const HttpHeaders& headers, Field field) {
  const std::string_view name = rule_of(field).name;
  for (const auto& header : headers) {
    if (header.first.size() == name.size() && header.first == name) return header.second;
  }
  return std::nullopt;
}

HttpProblem join_lines(HttpHeaders& headers, FieldSet& known) {
  known = 0;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const FieldRule* rule = rule_of(headers[i].first);
    if (rule == nullptr) continue;
    if ((known & bit_of(rule->field)) == 0) {
      known |= bit_of(rule->field);
      continue;
    }
    if (rule->lines == kOne) return http_problem(400, "more than one " + std::string(rule->shown) + "; send one");
    const auto is_first = [rule](const auto& header) { return header.first == rule->name; };
    auto& list = std::find_if(headers.begin(), headers.end(), is_first)->second;
    list += ", ";
    list += headers[i].second;
    headers.erase(headers.begin() + static_cast<std::ptrdiff_t>(i));
    --i;
  }
  return HttpProblem();
}

HttpProblem refused_field(std::string_view method, const HttpHeaders& headers, FieldSet known) {
  const Access access = access_of(method);
  const bool suspect = (known & kRefusedBy[static_cast<std::size_t>(access)]) != 0;
  if (!suspect && access != Access::kStore) return HttpProblem();
  for (const auto& [name, value] : headers) {
    if (access == Access::kStore && name.starts_with(kOwnPrefix) && !value.empty()) {
      return http_problem(400, name + ": no request has it; send the value without it");
    }
    const FieldRule* rule = suspect ? rule_of(name) : nullptr;
    if (rule == nullptr || rule->use(access) != kRefused || !refuses(*rule, value)) continue;
    return http_problem(rule->status, std::string(rule->shown) + ": " + std::string(rule->why));
  }
  return HttpProblem();
}

std::string_view condition_in(Access access, const HttpHeaders& headers) {
  for (const auto& header : headers) {
    const FieldRule* rule = rule_of(header.first);
    if (rule != nullptr && rule->use(access) == kCondition) return rule->shown;
  }
  return {};
}

}  // namespace tako::wire
