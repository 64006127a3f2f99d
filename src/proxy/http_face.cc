#include "proxy/http_face.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

namespace tako::proxy {
namespace {

using wire::HttpRequest;
using wire::HttpResponse;

constexpr char kDefaultType[] = "application/octet-stream";

HttpResponse text(int status, std::string line) {
  HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = Bytes(std::move(line) + "\n");
  return response;
}

HttpResponse json(const nlohmann::json& value) {
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = Bytes(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return response;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return 400;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kTooLarge: return 413;
    case ErrorCode::kUnavailable:
    case ErrorCode::kUnsent:
    case ErrorCode::kOverloaded:
    case ErrorCode::kStale:
    case ErrorCode::kConflict:
    case ErrorCode::kStopping: return 503;
    case ErrorCode::kTimeout: return 504;
    case ErrorCode::kNoSpace: return 507;
    case ErrorCode::kInternal:
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo: return 500;
  }
  return 500;
}

HttpResponse failure(const Error& error) {
  HttpResponse response = text(status_of(error.code), error.message);
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse wrong_method(std::string allowed) {
  HttpResponse response = text(405, "method not allowed here; use " + allowed);
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

void add_version(HttpResponse& response, const model::Version& version) {
  response.headers.emplace_back("X-Timestamp", std::to_string(version.timestamp));
  response.headers.emplace_back("ETag", '"' + model::to_string(version) + '"');
  response.headers.emplace_back("Last-Modified", format_http_date(version.timestamp));
}

bool gone(const std::optional<model::Record>& record, Timestamp now) {
  return !record || record->tombstone() || (record->expires_at != 0 && record->expires_at <= now);
}

template <class Level>
Result<Level> level_of(const HttpRequest& request, const char* name, std::optional<Level> (*parse)(std::string_view),
                       Level by_default, const char* expected) {
  auto given = request.parameter(name);
  if (!given) return given.error();
  if (!given->has_value()) return by_default;
  const auto level = parse(**given);
  if (!level) return {ErrorCode::kInvalid, std::string(name) + "=" + **given + ": expected " + expected};
  return *level;
}

// What later versions will do is refused by name rather than ignored.
Status check_supported(const HttpRequest& request, bool write) {
  const auto ttl = request.parameter("ttl");
  if (!ttl) return ttl.error();
  if (ttl->has_value()) return {ErrorCode::kInvalid, "ttl: expiry is not supported in this version"};
  const bool conditional = request.header("if-match") || request.header("if-none-match");
  if (write && conditional && request.header("x-timestamp")) {
    return {ErrorCode::kInvalid, "X-Timestamp together with If-Match or If-None-Match: send one or the other"};
  }
  return ok_status();
}

bool is_one_of(const std::string& method, std::initializer_list<std::string_view> allowed) {
  for (const std::string_view name : allowed) {
    if (method == name) return true;
  }
  return false;
}

Error too_large(std::uint64_t bytes_max) {
  return {ErrorCode::kTooLarge, "the value is larger than " + std::to_string(bytes_max) + " bytes, the limit here"};
}

}  // namespace

bool HttpFace::Share::take(std::size_t bytes) {
  if (all_ + bytes > kGatheredBytesMax) return false;
  all_ += bytes;
  mine_ += bytes;
  return true;
}

Task<net::HttpReply> HttpFace::handle(HttpRequest request, net::ByteSource* body) {
  const bool head = request.method == "HEAD";
  Share share(gathered_);
  HttpResponse response;
  Status received = ok_status();
  if (body != nullptr) received = co_await gather(*body, request, share);
  if (received) {
    response = co_await respond(std::move(request));
  } else {
    response = failure(received.error());
  }
  response.head_only = head;
  net::HttpReply reply(std::move(response));
  co_return reply;
}

std::uint64_t HttpFace::value_bytes_max() const {
  const auto placement = replicator_.placement();
  const std::uint64_t whole = model::kWholeValueBytesMax;
  return placement ? std::min(whole, placement->config().limits.value_bytes) : whole;
}

Task<Status> HttpFace::gather(net::ByteSource& body, HttpRequest& request, Share& share) {
  const std::uint64_t bytes_max = value_bytes_max();
  std::string gathered;
  while (true) {
    const Result<Bytes> piece = co_await body.next();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    if (gathered.size() + piece->size() > bytes_max) co_return too_large(bytes_max);
    if (!share.take(piece->size())) {
      co_return Error(ErrorCode::kOverloaded, "too many requests with large bodies at once; try again");
    }
    gathered += piece->view();
  }
  request.body = Bytes(std::move(gathered));
  co_return ok_status();
}

Task<HttpResponse> HttpFace::respond(HttpRequest request) {
  HttpResponse response;
  const std::string_view path = request.path;
  constexpr std::string_view kValues = "/values/";
  constexpr std::string_view kStat = "/stat/";
  if (path.starts_with(kValues) || path.starts_with(kStat)) {
    const bool about_value = path.starts_with(kValues);
    auto key = wire::percent_decode(path.substr(about_value ? kValues.size() : kStat.size()));
    if (!key) {
      response = failure(key.error());
    } else if (key->empty()) {
      response = text(400, "the key is empty; it is what follows " + std::string(about_value ? kValues : kStat));
    } else if (key->size() > model::kKeyBytesMax) {
      response = text(400, "the key has " + std::to_string(key->size()) + " bytes; at most 1024 are allowed");
    } else if (about_value) {
      response = co_await values(std::move(request), std::move(*key));
    } else {
      response = co_await stat(std::move(request), std::move(*key));
    }
  } else if (path != "/config" && path != "/healthz" && path != "/status") {
    response = text(404, "no such path; there are /values/KEY, /stat/KEY, /config, /healthz and /status");
  } else if (!is_one_of(request.method, {"GET", "HEAD"})) {
    response = wrong_method("GET, HEAD");
  } else if (path == "/config") {
    response = config(request);
  } else if (path == "/healthz") {
    response = health();
  } else {
    response = co_await status();
  }
  co_return response;
}

Result<TimePoint> HttpFace::deadline_of(const HttpRequest& request) const {
  const auto given = request.parameter("timeout");
  if (!given) return given.error();
  if (!given->has_value()) return loop_.now() + kTimeoutDefault;
  const std::string& digits = **given;
  std::uint64_t limit_ms = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), limit_ms);
  if (error != std::errc() || end != digits.data() + digits.size() || limit_ms == 0) {
    return {ErrorCode::kInvalid, "timeout=" + digits + ": expected milliseconds, from 1 to 60000"};
  }
  const auto limit = std::min<Duration>(milliseconds(std::min<std::uint64_t>(limit_ms, 3'600'000)), kTimeoutMax);
  return loop_.now() + limit;
}

Result<std::optional<Timestamp>> HttpFace::timestamp_of(const HttpRequest& request) const {
  const auto given = request.header("x-timestamp");
  if (!given) return std::optional<Timestamp>();
  Timestamp at = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), at);
  if (error != std::errc() || end != given->data() + given->size() || at == 0) {
    return {ErrorCode::kInvalid, "X-Timestamp: expected microseconds since 1970, a positive whole number"};
  }
  if (at > replicator_.clock().wall() + kTimestampAheadMax) {
    return {ErrorCode::kInvalid, "X-Timestamp is more than a minute ahead of this server's clock"};
  }
  return std::optional<Timestamp>(at);
}

Task<HttpResponse> HttpFace::values(HttpRequest request, std::string key) {
  const bool write = is_one_of(request.method, {"PUT", "POST", "DELETE"});
  if (!write && !is_one_of(request.method, {"GET", "HEAD"})) co_return wrong_method("GET, HEAD, POST, PUT, DELETE");
  const Status supported = check_supported(request, write);
  if (!supported) co_return failure(supported.error());
  if (write && (request.header("if-match") || request.header("if-none-match"))) {
    co_return text(
        501, "conditional writes are not supported in this version; send the write without If-Match and If-None-Match");
  }
  if (write) co_return co_await put(std::move(request), std::move(key));
  co_return co_await get(std::move(request), std::move(key));
}

Task<HttpResponse> HttpFace::get(HttpRequest request, std::string key) {
  const auto level =
      level_of(request, "r", model::parse_read_level, model::ReadLevel::kLatest, "one, latest, quorum or all");
  if (!level) co_return failure(level.error());
  const auto deadline = deadline_of(request);
  if (!deadline) co_return failure(deadline.error());
  const bool want_value = request.method == "GET";
  auto answer = co_await replicator_.read(std::move(key), *level, want_value, *deadline);
  if (!answer) co_return failure(answer.error());
  if (gone(answer->record, replicator_.clock().wall())) co_return text(404, "no such key");

  model::Record& record = *answer->record;
  HttpResponse response;
  add_version(response, record.version);
  response.headers.emplace_back("Content-Type", record.content_type.empty() ? kDefaultType : record.content_type);
  response.content_length = record.size;
  if (record.value) response.body = std::move(*record.value);
  co_return response;
}

Task<HttpResponse> HttpFace::put(HttpRequest request, std::string key) {
  const auto level =
      level_of(request, "w", model::parse_write_level, model::WriteLevel::kTwo, "one, two, quorum or all");
  if (!level) co_return failure(level.error());
  const auto deadline = deadline_of(request);
  if (!deadline) co_return failure(deadline.error());
  const auto timestamp = timestamp_of(request);
  if (!timestamp) co_return failure(timestamp.error());
  Draft draft;
  draft.timestamp = *timestamp;
  draft.tombstone = request.method == "DELETE";
  if (!draft.tombstone) {
    draft.content_type = std::string(request.header("content-type").value_or(""));
    if (draft.content_type.size() > model::kContentTypeBytesMax) {
      co_return text(400, "Content-Type is longer than 255 bytes");
    }
    if (request.body.size() > value_bytes_max()) co_return failure(too_large(value_bytes_max()));
    draft.value = std::move(request.body);
  }
  auto answer = co_await replicator_.write(std::move(key), std::move(draft), *level, *deadline);
  if (!answer) co_return failure(answer.error());
  HttpResponse response;
  response.status = request.method == "DELETE" ? 204 : 200;
  add_version(response, answer->winner);
  co_return response;
}

Task<HttpResponse> HttpFace::stat(HttpRequest request, std::string key) {
  if (!is_one_of(request.method, {"GET", "HEAD"})) co_return wrong_method("GET, HEAD");
  const auto format = request.parameter("format");
  if (!format) co_return failure(format.error());
  const bool as_json = format->has_value() && **format == "json";
  if (format->has_value() && !as_json) co_return text(400, "format=" + **format + ": expected json");
  const auto deadline = deadline_of(request);
  if (!deadline) co_return failure(deadline.error());
  auto answer = co_await replicator_.stat(key, *deadline);
  if (!answer) co_return failure(answer.error());
  const bool absent = gone(answer->record, replicator_.clock().wall());
  if (absent && !as_json) co_return text(404, "no such key");

  HttpResponse response = as_json ? json(stat_json(key, *answer)) : HttpResponse();
  if (absent) response.status = 404;
  if (answer->record) add_version(response, answer->record->version);
  if (!as_json) {
    response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.body = Bytes(std::to_string(answer->record->version.timestamp));
  }
  co_return response;
}

HttpResponse HttpFace::config(const HttpRequest& request) const {
  const auto placement = replicator_.placement();
  if (!placement) return failure({ErrorCode::kUnavailable, "no configuration yet; is a coordinator running?"});
  const auto accept = request.header("accept");
  const bool as_json = accept && accept->find("json") != std::string_view::npos;
  HttpResponse response;
  response.headers.emplace_back("Content-Type", as_json ? "application/json" : "application/yaml");
  response.body = Bytes(as_json ? model::to_json(placement->config()) : model::to_yaml(placement->config()));
  return response;
}

HttpResponse HttpFace::health() const {
  if (!replicator_.placement())
    return failure({ErrorCode::kUnavailable, "no configuration yet; is a coordinator running?"});
  return text(200, "ok");
}

Task<HttpResponse> HttpFace::status() {
  auto answer = co_await status_.gather();
  if (!answer) co_return failure(answer.error());
  co_return json(*answer);
}

}  // namespace tako::proxy
