// The parsers of http.h. Heads are http_head.h's; bodies are taken here, by length, or by http_chunked.h.
#include "wire/http.h"

#include <algorithm>

#include "wire/http_chunked.h"
#include "wire/http_head.h"

namespace tako::wire {
namespace {

// Until so much of a body is there, no more than this is set aside for it, whatever its length claims.
constexpr std::size_t kBodyReserveBytes = 256 << 10;

// Appends what belongs to a body of `length` bytes.
std::size_t take_by_length(std::string_view in, std::uint64_t length, std::string& body) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), length - body.size()));
  if (body.empty()) body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(length, kBodyReserveBytes)));
  else if (body.size() + count > body.capacity()) body.reserve(static_cast<std::size_t>(length));
  body.append(in.substr(0, count));
  return count;
}

}  // namespace

// --- requests -------------------------------------------------------------------------------------------------

struct HttpRequestParser::Impl {
  explicit Impl(std::uint64_t bytes_max)
      : body_bytes_max(bytes_max), head(HttpHeadReader::Kind::kRequest, request.target, request.headers) {}

  void fail(HttpProblem what) {
    problem = std::move(what);
    state = State::kFailed;
  }
  void reset();
  std::size_t feed(std::string_view in);
  void begin_body();
  HttpProblem take_target();
  HttpProblem check_host() const;
  std::size_t take_body(std::string_view in);
  void finish();

  const std::uint64_t body_bytes_max;
  State state = State::kHead;
  HttpRequest request;
  HttpHeadReader head;
  HttpFraming framing;
  ChunkedDecoder chunks;
  std::string body;
  bool waits_to_continue = false;
  HttpProblem problem;
};

void HttpRequestParser::Impl::reset() {
  request.body = Bytes();
  head.reset();
  state = State::kHead;
  framing = HttpFraming();
  chunks.reset();
  body.clear();
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
  request.keep_alive = head.keep_alive() && request.method != "CONNECT";
  state = State::kBody;
  for (HttpProblem found : {take_target(), check_host(), head.framing(framing)}) {
    if (found) return fail(std::move(found));
  }
  if (framing.content_length.value_or(0) > body_bytes_max) {
    return fail(http_problem(413, "a body of more than " + std::to_string(body_bytes_max) + " bytes"));
  }
  if (!framing.chunked && framing.content_length.value_or(0) == 0) return finish();
  const auto expect = request.header("expect");
  waits_to_continue = request.minor > 0 && expect && same_word(*expect, "100-continue");
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
    rest.remove_prefix(std::min(rest.find_first_of("/?"), rest.size()));
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  request.path = rest.substr(0, question);
  if (request.path.empty()) request.path = "/";
  if (question < rest.size()) request.query = rest.substr(question + 1);
  return HttpProblem();
}

// RFC 9112 §3.2: two of them would be two opinions of what is meant.
HttpProblem HttpRequestParser::Impl::check_host() const {
  const auto is_host = [](const auto& header) { return header.first == "host"; };
  const auto hosts = std::count_if(request.headers.begin(), request.headers.end(), is_host);
  if (hosts > 1) return http_problem(400, "more than one Host header");
  if (hosts == 0 && request.minor > 0) return http_problem(400, "no Host header: HTTP/1.1 wants one");
  return HttpProblem();
}

std::size_t HttpRequestParser::Impl::take_body(std::string_view in) {
  if (in.empty()) return 0;
  waits_to_continue = false;
  if (!framing.chunked) {
    const std::size_t count = take_by_length(in, *framing.content_length, body);
    if (body.size() == *framing.content_length) finish();
    return count;
  }
  const Result<std::size_t> taken = chunks.feed(in, body, body_bytes_max);
  if (!taken.ok()) {
    fail(HttpProblem{taken.code() == ErrorCode::kTooLarge ? 413 : 400, taken.error()});
    return 0;
  }
  if (chunks.done()) finish();
  return *taken;
}

void HttpRequestParser::Impl::finish() {
  if (!body.empty()) request.body = Bytes(std::move(body));
  body = std::string();
  state = State::kDone;
}

HttpRequestParser::HttpRequestParser(std::uint64_t body_bytes_max) : impl_(std::make_unique<Impl>(body_bytes_max)) {}
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
bool HttpRequestParser::head_complete() const { return impl_->head.complete(); }
bool HttpRequestParser::expects_continue() const { return impl_->state == State::kBody && impl_->waits_to_continue; }
std::optional<std::uint64_t> HttpRequestParser::content_length() const { return impl_->framing.content_length; }
int HttpRequestParser::error_status() const { return impl_->problem.status; }
HttpRequest& HttpRequestParser::request() { return impl_->request; }
void HttpRequestParser::reset() { impl_->reset(); }

// --- responses ------------------------------------------------------------------------------------------------

struct HttpResponseParser::Impl {
  explicit Impl(std::uint64_t bytes_max)
      : body_bytes_max(bytes_max), head(HttpHeadReader::Kind::kResponse, no_target, headers) {}

  void fail(HttpProblem what) {
    problem = std::move(what);
    state = State::kFailed;
  }
  void reset(bool head_only);
  std::size_t feed(std::string_view in);
  void end_head();
  std::size_t take_body(std::string_view in);

  const std::uint64_t body_bytes_max;
  State state = State::kHead;
  int status = 0;
  HttpHeaders headers;
  std::string no_target;
  HttpHeadReader head;
  HttpFraming framing;
  ChunkedDecoder chunks;
  std::string body;
  bool to_head = false;
  bool keep_alive = false;
  HttpProblem problem;
};

void HttpResponseParser::Impl::reset(bool head_only) {
  head.reset();
  state = State::kHead;
  status = 0;
  framing = HttpFraming();
  chunks.reset();
  body.clear();
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
  HttpProblem found = head.framing(framing);
  if (found) return fail(std::move(found));
  state = State::kBody;
  const bool bodiless = to_head || status == 204 || status == 304;
  if (bodiless || framing.content_length == std::uint64_t{0}) {
    state = State::kDone;
  } else if (framing.content_length.value_or(0) > body_bytes_max) {
    fail(http_problem(413, "a body of more than " + std::to_string(body_bytes_max) + " bytes"));
  }
}

std::size_t HttpResponseParser::Impl::take_body(std::string_view in) {
  if (framing.chunked) {
    const Result<std::size_t> taken = chunks.feed(in, body, body_bytes_max);
    if (!taken.ok()) return fail(HttpProblem{400, taken.error()}), 0;
    if (chunks.done()) state = State::kDone;
    return *taken;
  }
  if (framing.content_length) {
    const std::size_t count = take_by_length(in, *framing.content_length, body);
    if (body.size() == *framing.content_length) state = State::kDone;
    return count;
  }
  if (in.size() > body_bytes_max - body.size()) {
    return fail(http_problem(413, "a body of more than " + std::to_string(body_bytes_max) + " bytes")), 0;
  }
  body.append(in);
  return in.size();
}

HttpResponseParser::HttpResponseParser(std::uint64_t body_bytes_max) : impl_(std::make_unique<Impl>(body_bytes_max)) {}
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
  const bool ends_here = impl_->state == State::kBody && !impl_->framing.chunked && !impl_->framing.content_length;
  if (ends_here) impl_->state = State::kDone;
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

Bytes HttpResponseParser::take_body() {
  ASSERT(impl_->state == State::kDone);
  return Bytes(std::exchange(impl_->body, std::string()));
}

}  // namespace tako::wire
