#include "wire/http/head.h"

#include <llhttp.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace tako::wire {
namespace {

// The lower case of the bytes that names of headers and methods consist of (RFC 9110 §5.6.2); 0 for the others.
constexpr std::array<char, 256> token_table() {
  std::array<char, 256> table{};
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = static_cast<char>(c);
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = static_cast<char>(c - 'A' + 'a');
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = static_cast<char>(c);
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<unsigned char>(c)] = c;
  }
  return table;
}
constexpr std::array<char, 256> kToken = token_table();

char lower_token(char c) { return kToken[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return lower_token(c) != 0; });
}

}  // namespace

bool same_word(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return lower_token(a) == b; });
}

HttpProblem http_problem(int status, std::string_view what) {
  const bool large = status == 413 || status == 414 || status == 431;
  return {status, Error(large ? ErrorCode::kTooLarge : ErrorCode::kInvalid, "HTTP: " + std::string(what))};
}

struct HttpHeadReader::Llhttp {
  static const llhttp_settings_t& settings();
  static HttpHeadReader& owner(llhttp_t* parser) { return *static_cast<HttpHeadReader*>(parser->data); }
  static std::string& last_value(llhttp_t* parser) {
    HttpHeadReader& self = owner(parser);
    return self.headers_[self.header_count_ - 1].second;
  }

  llhttp_t parser;
};

const llhttp_settings_t& HttpHeadReader::Llhttp::settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_url = [](llhttp_t* parser, const char* at, std::size_t length) {
      owner(parser).target_.append(at, length);
      return 0;
    };
    made.on_header_field = [](llhttp_t* parser, const char* at, std::size_t length) {
      return owner(parser).take_name({at, length}) ? 0 : static_cast<int>(HPE_USER);
    };
    made.on_header_value = [](llhttp_t* parser, const char* at, std::size_t length) {
      last_value(parser).append(at, length);
      return 0;
    };
    made.on_header_value_complete = [](llhttp_t* parser) {
      owner(parser).end_value();
      return 0;
    };
    made.on_headers_complete = [](llhttp_t* parser) {
      HttpHeadReader& self = owner(parser);
      self.keep_alive_ = llhttp_should_keep_alive(parser) != 0;
      self.headers_.resize(self.header_count_);
      self.complete_ = true;
      return static_cast<int>(HPE_PAUSED);  // llhttp is not asked about bodies
    };
    return made;
  }();
  return kSettings;
}

HttpHeadReader::HttpHeadReader(Kind kind, std::string& target, HttpHeaders& headers)
    : kind_(kind), target_(target), headers_(headers), llhttp_(std::make_unique<Llhttp>()) {
  reset();
}

HttpHeadReader::~HttpHeadReader() = default;

void HttpHeadReader::reset() {
  llhttp_init(&llhttp_->parser, kind_ == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &Llhttp::settings());
  llhttp_->parser.data = this;
  target_.clear();
  line_.clear();
  bytes_ = 0;
  header_count_ = 0;
  in_header_ = first_line_done_ = complete_ = keep_alive_ = is_head_ = false;
  problem_ = HttpProblem();
}

std::size_t HttpHeadReader::feed(std::string_view in) {
  std::size_t at = 0;
  while (at < in.size() && !complete_) {
    const std::size_t newline = in.find('\n', at);
    const std::size_t end = newline == std::string_view::npos ? in.size() : newline + 1;
    const std::string_view part = in.substr(at, end - at);
    bytes_ += part.size();
    if (!first_line_done_) note_method(part);
    if (bytes_ > kHttpHeadBytesMax) {
      fail(first_line_done_ ? 431 : 414, "a head of more than 32768 bytes");
      return at;
    }
    at = end;
    if (newline == std::string_view::npos) {
      line_.append(part);
      break;
    }
    if (line_.empty()) {
      take_line(part);
    } else {
      line_.append(part);
      take_line(line_);
      line_.clear();
    }
    if (problem_) break;
  }
  return at;
}

void HttpHeadReader::note_method(std::string_view part) {
  constexpr std::string_view kHead = "HEAD ";
  if (line_.size() >= kHead.size()) return;
  // Nearly always the line comes in one part.
  is_head_ = line_.empty() ? part.starts_with(kHead)
                           : (line_ + std::string(part.substr(0, kHead.size()))).starts_with(kHead);
}

void HttpHeadReader::take_line(std::string_view line) {
  if (line.size() < 2 || line.find('\r') != line.size() - 2) return fail(400, "a line that does not end with CR LF");
  if (first_line_done_) {
    if (line.front() == ' ' || line.front() == '\t') return fail(400, "a header that begins with white space");
    if (line.front() == ':') return fail(400, "a header without a name");
    execute(line);
    if (!problem_ && line.size() == 2 && !complete_) fail(400, "an empty line where no head ends");
    return;
  }
  if (line.size() == 2) return;  // empty lines before a message are passed over (RFC 9112 §2.2)
  if (kind_ == Kind::kRequest) take_request_line(line);
  else execute(line);
  first_line_done_ = !problem_;
}

// What llhttp's builds disagree on: white space, the target's bytes, and which error it is.
void HttpHeadReader::take_request_line(std::string_view line) {
  const std::string_view words = line.substr(0, line.size() - 2);
  const std::size_t first = words.find(' ');
  const std::size_t last = words.rfind(' ');
  if (first == last || words.find(' ', first + 1) != last) {
    return fail(400, "a request line that is not: method, space, target, space, version");
  }
  const std::string_view target = words.substr(first + 1, last - first - 1);
  const std::string_view version = words.substr(last + 1);
  if (!is_token(words.substr(0, first))) return fail(400, "a method that is no word");
  if (version.size() != 8 || !version.starts_with("HTTP/")) return fail(400, "a version that is not HTTP/1.1 or 1.0");
  // A later minor version is answered as the last that is known here (RFC 9110 §2.5).
  const bool later = version.starts_with("HTTP/1.") && version.back() > '1' && version.back() <= '9';
  if (!later && version != "HTTP/1.1" && version != "HTTP/1.0") {
    return fail(505, "a version that is not HTTP/1.1 or 1.0");
  }

  bool plain = true;
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x21 || byte == 0x7f || c == '#') return fail(400, "a byte in the target that must be percent-encoded");
    plain = plain && byte < 0x80;
  }
  if (plain && !later) return execute(line);
  // Common clients send UTF-8 as it is. Nobody else can take these bytes for anything but themselves.
  std::string encoded(words.substr(0, first + 1));
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  encoded += later ? std::string_view(" HTTP/1.1\r\n") : line.substr(last);
  execute(encoded);
}

void HttpHeadReader::execute(std::string_view line) {
  const llhttp_errno_t result = llhttp_execute(&llhttp_->parser, line.data(), line.size());
  if (problem_ || result == HPE_OK || (result == HPE_PAUSED && complete_)) return;
  const char* reason = llhttp_get_error_reason(&llhttp_->parser);
  const std::string_view what = reason != nullptr && *reason != '\0' ? reason : "a malformed head";
  switch (result) {
    case HPE_INVALID_METHOD:
    case HPE_INVALID_CONSTANT:  // the methods of other protocols
      return fail(first_line_done_ ? 400 : 501, "a method that is not known here");
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
      return fail(505, "a version that is not HTTP/1.1 or 1.0");
    default:
      return fail(400, what);
  }
}

bool HttpHeadReader::take_name(std::string_view part) {
  if (!in_header_) {
    if (header_count_ == kHttpHeadersMax) return fail(431, "more than 100 headers"), false;
    if (header_count_ == headers_.size()) headers_.emplace_back();
    headers_[header_count_].first.clear();
    headers_[header_count_].second.clear();
    ++header_count_;
    in_header_ = true;
  }
  std::string& name = headers_[header_count_ - 1].first;
  for (const char c : part) {
    const char lower = lower_token(c);
    if (lower == 0) return fail(400, "a header's name with a byte that names do not have"), false;
    name += lower;
  }
  return true;
}

void HttpHeadReader::end_value() {
  std::string& value = headers_[header_count_ - 1].second;
  value.resize(value.find_last_not_of(" \t") + 1);
  in_header_ = false;
}

const char* HttpHeadReader::method() const {
  return llhttp_method_name(static_cast<llhttp_method_t>(llhttp_get_method(&llhttp_->parser)));
}

int HttpHeadReader::minor() const { return llhttp_get_http_minor(&llhttp_->parser); }
int HttpHeadReader::status() const { return llhttp_get_status_code(&llhttp_->parser); }

HttpProblem HttpHeadReader::framing(HttpFraming& framing) const {
  if (const auto given = find_header(headers_, Field::kContentLength)) {
    std::uint64_t length = 0;
    const char* end = given->data() + given->size();
    const auto [stop, error] = std::from_chars(given->data(), end, length);
    if (error != std::errc() || stop != end) return http_problem(400, "a Content-Length that is no number");
    framing.content_length = length;
  }
  if (const auto given = find_header(headers_, Field::kTransferEncoding)) {
    if (!same_word(*given, "chunked")) return http_problem(501, "a Transfer-Encoding that is not chunked");
    framing.chunked = true;
  }
  if (framing.chunked && framing.content_length) return http_problem(400, "both Content-Length and Transfer-Encoding");
  if (framing.chunked && minor() == 0) {
    return http_problem(400, "a Transfer-Encoding in HTTP/1.0");
  }
  return HttpProblem();
}

}  // namespace tako::wire
