// The parsers of http.h: heads are head.h's, bodies body.h's.
#include "wire/http/http.h"

#include <algorithm>
#include <array>

#include "wire/http/body.h"
#include "wire/http/fields.h"
#include "wire/http/head.h"

namespace tako::wire {
namespace {

bool has_token(std::string_view list, std::string_view lower) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (same_word(trimmed(list.substr(0, comma)), lower)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// RFC 9112 §9.3. Not as llhttp says it: it listens to Proxy-Connection, too.
bool keeps_connection(const HttpRequest& request) {
  const std::string_view options = request.header(Field::kConnection).value_or("");
  if (request.method == "CONNECT" || has_token(options, "close")) return false;
  return request.minor > 0 || has_token(options, "keep-alive");
}

using ByteSet = std::array<bool, 256>;

constexpr ByteSet letters_digits_and(std::string_view others) {
  ByteSet set{};
  for (int c = 0; c < 26; ++c) set['a' + c] = set['A' + c] = true;
  for (int c = '0'; c <= '9'; ++c) set[c] = true;
  for (const char c : others) set[static_cast<unsigned char>(c)] = true;
  return set;
}

constexpr ByteSet kNameBytes = letters_digits_and("-._~%!$&'()*+,;=");
constexpr ByteSet kAddressBytes = letters_digits_and(":.-_~");

bool has(const ByteSet& set, char c) { return set[static_cast<unsigned char>(c)]; }

// RFC 3986 §3.2: a name or an address, in brackets if it has colons, and perhaps a port; no user.
bool is_host(std::string_view text) {
  const auto all_in = [](std::string_view part, const ByteSet& set) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [&set](char c) { return has(set, c); });
  };
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos || !all_in(text.substr(1, end - 1), kAddressBytes)) return false;
    port = text.substr(end + 1);
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    if (!all_in(text.substr(0, end), kNameBytes)) return false;
    port = text.substr(end);
  }
  return port.empty() || (port.front() == ':' && port.find_first_not_of("0123456789", 1) == port.npos);
}

}  // namespace

// --- requests -------------------------------------------------------------------------------------------------

struct HttpRequestParser::Impl {
  explicit Impl(HttpBodyLimits limits)
      : head(HttpHeadReader::Kind::kRequest, request.target, request.headers), body(limits) {}

  void fail(HttpProblem what) {
    problem = std::move(what);
    state = State::kFailed;
  }
  void reset();
  std::size_t feed(std::string_view in);
  void begin_body();
  HttpProblem check_head();
  HttpProblem take_target();
  HttpProblem check_host() const;
  HttpProblem check_length() const;
  std::size_t take_body(std::string_view in);
  void finish();

  State state = State::kHead;
  HttpRequest request;
  HttpHeadReader head;
  HttpFraming framing;
  HttpBodyReader body;
  bool waits_to_continue = false;
  HttpProblem problem;
};

void HttpRequestParser::Impl::reset() {
  request.body = Bytes();
  head.reset();
  state = State::kHead;
  framing = HttpFraming();
  body.reset();
  waits_to_continue = false;
  problem = HttpProblem();
}

std::size_t HttpRequestParser::Impl::feed(std::string_view in) {
  std::size_t at = 0;
  if (state == State::kHead) {
    at = head.feed(in);
    if (head.problem()) fail(head.problem());
    else if (head.complete()) begin_body();
  }
  if (state == State::kBody) at += take_body(in.substr(at));
  return at;
}

void HttpRequestParser::Impl::begin_body() {
  request.method = head.method();
  request.minor = head.minor();
  state = State::kBody;
  if (HttpProblem found = check_head()) return fail(std::move(found));
  request.keep_alive = keeps_connection(request);
  request.content_length = framing.content_length;
  if (!framing.chunked && !framing.content_length) return finish();
  if (const Status begun = body.begin(framing); !begun) return fail(HttpProblem{413, begun.error()});
  if (body.done()) return finish();
  waits_to_continue = request.minor > 0 && !request.header(Field::kExpect).value_or("").empty();
}

// Framing is judged before what a request asks for: it says where the next one begins.
HttpProblem HttpRequestParser::Impl::check_head() {
  FieldSet known = 0;
  if (HttpProblem found = join_lines(request.headers, known)) return found;
  if (HttpProblem found = take_target()) return found;
  if (HttpProblem found = check_host()) return found;
  if (HttpProblem found = head.framing(framing)) return found;
  if (HttpProblem found = check_length()) return found;
  return refused_field(request.method, request.headers, known);
}

HttpProblem HttpRequestParser::Impl::take_target() {
  std::string_view rest = request.target;
  request.query.clear();
  if (request.method == "CONNECT" || rest == "*") {
    request.path = rest;
    return HttpProblem();
  }
  if (!rest.starts_with('/')) {
    const std::size_t scheme_end = rest.find("://");
    const std::string_view scheme = rest.substr(0, std::min(scheme_end, rest.size()));
    if (!same_word(scheme, "http") && !same_word(scheme, "https")) return http_problem(400, "a target that is no path");
    rest.remove_prefix(scheme.size() + 3);
    const std::string_view host = rest.substr(0, rest.find_first_of("/?"));
    if (host.empty() || !is_host(host)) return http_problem(400, "a target whose host is none");
    rest.remove_prefix(host.size());
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  request.path = rest.substr(0, question);
  if (request.path.empty()) request.path = "/";
  if (question < rest.size()) request.query = rest.substr(question + 1);
  return HttpProblem();
}

// RFC 9112 §3.2. It may be empty.
HttpProblem HttpRequestParser::Impl::check_host() const {
  const auto host = request.header(Field::kHost);
  if (!host && request.minor > 0) return http_problem(400, "no Host header: HTTP/1.1 wants one");
  if (host && !host->empty() && !is_host(*host)) return http_problem(400, "a Host that is no host and port");
  return HttpProblem();
}

// Where neither is said there is no body (RFC 9112 §6.3), and storing would replace the value by an empty one. Whoever
// sends no length either forgot the body or sends it up to the end of the connection.
HttpProblem HttpRequestParser::Impl::check_length() const {
  if (framing.chunked || framing.content_length || access_of(request.method) != Access::kStore) return HttpProblem();
  return http_problem(411, "no Content-Length: send one, 0 for an empty value, or a chunked body");
}

std::size_t HttpRequestParser::Impl::take_body(std::string_view in) {
  if (in.empty()) return 0;
  waits_to_continue = false;
  const Result<std::size_t> taken = body.feed(in);
  if (!taken) {
    fail(HttpProblem{taken.code() == ErrorCode::kTooLarge ? 413 : 400, taken.error()});
    return 0;
  }
  if (body.done()) finish();
  return *taken;
}

void HttpRequestParser::Impl::finish() {
  if (body.held() > 0) request.body = Bytes(body.take());
  state = State::kDone;
}

HttpRequestParser::HttpRequestParser(HttpBodyLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpRequestParser::~HttpRequestParser() = default;
HttpRequestParser::HttpRequestParser(HttpRequestParser&&) noexcept = default;
HttpRequestParser& HttpRequestParser::operator=(HttpRequestParser&&) noexcept = default;

Result<std::size_t> HttpRequestParser::feed(std::string_view received) {
  if (impl_->state == State::kDone) return std::size_t{0};
  const std::size_t taken = impl_->feed(received);
  if (impl_->state == State::kFailed) return impl_->problem.error;
  return taken;
}

HttpRequestParser::State HttpRequestParser::state() const { return impl_->state; }
bool HttpRequestParser::idle() const { return impl_->state == State::kHead && !impl_->head.begun(); }
bool HttpRequestParser::is_head() const { return impl_->head.is_head(); }
bool HttpRequestParser::head_complete() const { return impl_->head.complete(); }
bool HttpRequestParser::part_ready() const { return impl_->body.part_ready(); }
std::size_t HttpRequestParser::body_held() const { return impl_->body.held() + impl_->request.body.size(); }
bool HttpRequestParser::expects_continue() const { return impl_->state == State::kBody && impl_->waits_to_continue; }
std::optional<std::uint64_t> HttpRequestParser::content_length() const { return impl_->framing.content_length; }
int HttpRequestParser::error_status() const { return impl_->problem.status; }
HttpRequest& HttpRequestParser::request() { return impl_->request; }
void HttpRequestParser::reset() { impl_->reset(); }

Bytes HttpRequestParser::take_part() {
  ASSERT(impl_->state == State::kDone || impl_->body.part_ready());
  if (impl_->state == State::kDone) return std::exchange(impl_->request.body, Bytes());
  return Bytes(impl_->body.take());
}

// --- responses ------------------------------------------------------------------------------------------------

struct HttpResponseParser::Impl {
  explicit Impl(HttpBodyLimits limits) : head(HttpHeadReader::Kind::kResponse, no_target, headers), body(limits) {}

  void fail(HttpProblem what) {
    problem = std::move(what);
    state = State::kFailed;
  }
  void reset(bool head_only);
  std::size_t feed(std::string_view in);
  void end_head();
  std::size_t take_body(std::string_view in);

  State state = State::kHead;
  int status = 0;
  HttpHeaders headers;
  std::string no_target;
  HttpHeadReader head;
  HttpFraming framing;
  HttpBodyReader body;
  bool to_head = false;
  bool keep_alive = false;
  HttpProblem problem;
};

void HttpResponseParser::Impl::reset(bool head_only) {
  head.reset();
  state = State::kHead;
  status = 0;
  framing = HttpFraming();
  body.reset();
  to_head = head_only;
  keep_alive = false;
  problem = HttpProblem();
}

std::size_t HttpResponseParser::Impl::feed(std::string_view in) {
  std::size_t at = 0;
  while (state == State::kHead && at < in.size()) {
    at += head.feed(in.substr(at));
    if (head.problem()) fail(head.problem());
    else if (head.complete()) end_head();
  }
  if (state == State::kBody) at += take_body(in.substr(at));
  return at;
}

void HttpResponseParser::Impl::end_head() {
  status = head.status();
  if (status == 101) return fail(http_problem(400, "a switch of protocols that nobody asked for"));
  if (status < 200) return head.reset();
  keep_alive = head.keep_alive();
  FieldSet known = 0;
  if (HttpProblem found = join_lines(headers, known)) return fail(std::move(found));
  if (HttpProblem found = head.framing(framing)) return fail(std::move(found));
  state = State::kBody;
  const bool bodiless = to_head || status == 204 || status == 304;
  if (bodiless) {
    state = State::kDone;
    return;
  }
  if (const Status begun = body.begin(framing); !begun) return fail(HttpProblem{413, begun.error()});
  if (body.done()) state = State::kDone;
}

std::size_t HttpResponseParser::Impl::take_body(std::string_view in) {
  const Result<std::size_t> taken = body.feed(in);
  if (!taken) return fail(HttpProblem{taken.code() == ErrorCode::kTooLarge ? 413 : 400, taken.error()}), 0;
  if (body.done()) state = State::kDone;
  return *taken;
}

HttpResponseParser::HttpResponseParser(HttpBodyLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpResponseParser::~HttpResponseParser() = default;
HttpResponseParser::HttpResponseParser(HttpResponseParser&&) noexcept = default;
HttpResponseParser& HttpResponseParser::operator=(HttpResponseParser&&) noexcept = default;

Result<std::size_t> HttpResponseParser::feed(std::string_view received) {
  if (impl_->state == State::kDone) return std::size_t{0};
  const std::size_t taken = impl_->feed(received);
  if (impl_->state == State::kFailed) return impl_->problem.error;
  return taken;
}

Status HttpResponseParser::finish() {
  if (impl_->state == State::kFailed) return impl_->problem.error;
  if (impl_->state == State::kBody && impl_->body.ends_with_connection()) impl_->state = State::kDone;
  if (impl_->state == State::kDone) return ok_status();
  impl_->fail({0, Error(ErrorCode::kUnavailable, "the server closed the connection in the middle of its answer")});
  return impl_->problem.error;
}

HttpResponseParser::State HttpResponseParser::state() const { return impl_->state; }
int HttpResponseParser::status() const { return impl_->status; }
const HttpHeaders& HttpResponseParser::headers() const { return impl_->headers; }
std::optional<std::uint64_t> HttpResponseParser::content_length() const { return impl_->framing.content_length; }
bool HttpResponseParser::keep_alive() const { return impl_->keep_alive; }
void HttpResponseParser::reset(bool to_head) { impl_->reset(to_head); }

bool HttpResponseParser::part_ready() const { return impl_->body.part_ready(); }

Bytes HttpResponseParser::take_part() {
  ASSERT(impl_->state == State::kDone || impl_->body.part_ready());
  return Bytes(impl_->body.take());
}

}  // namespace tako::wire
