// HTTP/1.x as values, and the parsers that make them from bytes. Pure: sockets are net's.
//
// A parser takes what was received as it comes, byte by byte or many requests at once, with the same result; it stops
// at the end of a message, and what follows stays the caller's. A body comes whole with its message, or, where it is
// larger than one part, in parts: then the parser stops at the end of each until it is taken. It is strict where
// leniency lets two servers see different messages in the same bytes (request smuggling): lines end with CR LF, no
// folded or repeated framing headers, no guessing. It belongs to one connection and is reused from request to request,
// with its buffers.
// Errors are Results for the log, and a status for the client (error_status()); after one, the connection is closed.
// Third party: llhttp, in head.cc alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace tako::wire {

constexpr std::size_t kHttpHeadBytesMax = 32 << 10;  // request line and headers together
constexpr std::size_t kHttpHeadersMax = 100;

// Names in lower case, values without white space around them, in the order received.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The request headers that anybody here asks for or refuses: fields.h says what becomes of each.
enum class Field : unsigned char {
  kIf, kTe, kHost, kRange, kAccept, kDigest, kExpect, kTrailer, kUpgrade, kIfMatch, kIfRange, kXExpires,
  kConnection, kContentMd5, kReprDigest, kXCopyFrom, kXTimestamp, kContentType, kContentRange, kIfNoneMatch,
  kTusResumable, kUploadOffset, kXHttpMethod, kContentDigest, kContentLength, kUploadComplete, kContentEncoding,
  kContentLanguage, kIfModifiedSince, kTransferEncoding, kUploadIncomplete, kXAmzCopySource, kXMethodOverride,
  kContentDisposition, kIfUnmodifiedSince, kIfScheduleTagMatch, kXHttpMethodOverride, kContentTransferEncoding,
};

std::optional<std::string_view> find_header(const HttpHeaders& headers, Field field);
// Of an answer: the first header of that (lower-case) name.
std::optional<std::string_view> find_header(const HttpHeaders& headers, std::string_view name);

// Without the blanks and tabs around it.
std::string_view trimmed(std::string_view text);

// Undoes %XX, once; everything else, `+` too, stands for itself. kInvalid: a % without two hex digits.
Result<std::string> percent_decode(std::string_view text);
// For clients: what is not unreserved (RFC 3986) nor in `keep` becomes %XX.
std::string percent_encode(std::string_view text, std::string_view keep = "");

struct HttpBodyLimits {
  std::uint64_t bytes_max = 0;
  std::size_t part_bytes = static_cast<std::size_t>(-1);  // no parts: it is held until it is whole
};

struct HttpRequest {
  std::string method;  // as sent: GET
  std::string target;  // as sent, but that bytes above 0x7e are percent-encoded
  std::string path;    // of the target, before '?', not decoded; of an absolute target without scheme and host
  std::string query;   // after '?', not decoded
  HttpHeaders headers;  // of those in fields.h each at most once
  Bytes body;
  std::optional<std::uint64_t> content_length;  // of the body, where the client says it
  bool keep_alive = true;                       // what the client asks for
  int minor = 1;                                // HTTP/1.minor: 0 or 1

  std::optional<std::string_view> header(Field field) const { return find_header(headers, field); }
  // The parameter of that name in the query, decoded. kInvalid: it cannot be, or there are two.
  Result<std::optional<std::string>> parameter(std::string_view name) const;
};

class HttpRequestParser {
 public:
  enum class State : unsigned char { kHead, kBody, kDone, kFailed };

  explicit HttpRequestParser(HttpBodyLimits limits);
  ~HttpRequestParser();
  HttpRequestParser(HttpRequestParser&&) noexcept;
  HttpRequestParser& operator=(HttpRequestParser&&) noexcept;

  // How many bytes of `received` it took: all of them, or those up to the end of the request (state kDone) or of a part
  // (part_ready()), which are not to be fed again. Takes nothing while done: reset() first; nor while a part waits.
  Result<std::size_t> feed(std::string_view received);

  State state() const;
  // Nothing of a request was received yet: the connection may be closed without a word.
  bool idle() const;
  bool head_complete() const;
  // It is a HEAD, so no answer has a body. Known with the request line, whatever becomes of the rest.
  bool is_head() const;
  // As much as part_bytes of the body is there, and more to come.
  bool part_ready() const;
  // The part, or at the end what is left; empty, and for good, after that. REQUIRES: part_ready() or state kDone
  Bytes take_part();
  // Of the body, not yet taken.
  std::size_t body_held() const;
  // The client waits for `100 Continue` (or a refusal) before it sends the body. False once body bytes are here.
  bool expects_continue() const;
  // Known with the head; of a chunked body, nothing.
  std::optional<std::uint64_t> content_length() const;
  // What to answer in state kFailed: 400, 411, 413, 414, 415, 417, 431, 501 or 505.
  int error_status() const;

  // From head_complete() on all but the body; that is there when done, if it did not come in parts. It may be moved
  // from; reset() is for the next one.
  HttpRequest& request();
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// --- responses ------------------------------------------------------------------------------------------------

struct HttpResponse {
  int status = 200;
  // Beside those that append_head makes: Date, Connection, Content-Length.
  HttpHeaders headers;
  Bytes body;
  bool head_only = false;                       // an answer to HEAD
  std::optional<std::uint64_t> content_length;  // where it is not the body's: to HEAD, and in a 304
};

// `Not Found` for 404; `Unknown` for what has no name.
std::string_view reason_phrase(int status);

// The date line's text, made once a second. One per loop.
class HttpDate {
 public:
  std::string_view at(Timestamp now);

 private:
  Timestamp second_ = ~0ull;
  std::string text_;
};

// Status line and headers, to the empty line. `minor` is the request's; CR, LF and NUL in values become spaces, so that
// nothing a user stored makes a header. The body is the caller's to send after it, unless head_only.
void append_head(std::string& out, const HttpResponse& response, bool keep_alive, std::string_view date, int minor);
std::string encode_head(const HttpResponse& response, bool keep_alive, Timestamp date, int minor);

// What a client reads (tako ctl). Informational (1xx) responses are passed over.
class HttpResponseParser {
 public:
  enum class State : unsigned char { kHead, kBody, kDone, kFailed };

  explicit HttpResponseParser(HttpBodyLimits limits);
  ~HttpResponseParser();
  HttpResponseParser(HttpResponseParser&&) noexcept;
  HttpResponseParser& operator=(HttpResponseParser&&) noexcept;

  // As HttpRequestParser::feed.
  Result<std::size_t> feed(std::string_view received);
  // The server closed: the end of a body without a length, else kUnavailable.
  Status finish();

  State state() const;
  int status() const;
  const HttpHeaders& headers() const;
  std::optional<std::string_view> header(std::string_view name) const { return find_header(headers(), name); }
  std::optional<std::uint64_t> content_length() const;
  bool keep_alive() const;
  bool part_ready() const;
  // As HttpRequestParser::take_part: of a body without parts, all of it.
  Bytes take_part();
  // For the next response; `to_head`: the request was a HEAD, so no body follows whatever the headers say.
  void reset(bool to_head = false);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tako::wire
