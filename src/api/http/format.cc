#include "api/http/format.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"

namespace tako::api {
namespace {

constexpr Duration kTimeoutDefault = seconds(10);
constexpr Duration kTimeoutMax = seconds(60);
constexpr std::uint64_t kTtlSecondsMax = 100ull * 366 * 24 * 60 * 60;

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

}  // namespace

wire::HttpResponse text_answer(int status, std::string line) {
  wire::HttpResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = Bytes(std::move(line) + "\n");
  return response;
}

wire::HttpResponse json_answer(const nlohmann::json& value) {
  wire::HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = Bytes(json_text(value, 2) + "\n");
  return response;
}

wire::HttpResponse failure(const Error& error) {
  wire::HttpResponse response = text_answer(status_of(error.code), error.message);
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

wire::HttpResponse wrong_method(std::string allowed) {
  wire::HttpResponse response = text_answer(405, "method not allowed here; use " + allowed);
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

std::string etag_of(const model::Version& version) { return '"' + model::to_string(version) + '"'; }

void add_version(wire::HttpResponse& response, const model::Version& version) {
  response.headers.emplace_back("X-Timestamp", std::to_string(version.timestamp));
  response.headers.emplace_back("ETag", etag_of(version));
  response.headers.emplace_back("Last-Modified", format_http_date(version.timestamp));
}

void add_expiry(wire::HttpResponse& response, Timestamp expires_at) {
  if (expires_at == 0) return;
  response.headers.emplace_back("X-Expires", std::to_string(expires_at));
  response.headers.emplace_back("Expires", format_http_date(expires_at));
}

Result<Timestamp> expiry_of(const wire::HttpRequest& request, Timestamp now) {
  const auto given = request.parameter("ttl");
  if (!given) return given.error();
  if (!given->has_value()) return Timestamp{0};
  const std::string& digits = **given;
  std::uint64_t ttl = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ttl);
  if (error != std::errc() || end != digits.data() + digits.size() || ttl == 0 || ttl > kTtlSecondsMax) {
    return {ErrorCode::kInvalid, "ttl=" + digits + ": expected seconds, from 1 to " + std::to_string(kTtlSecondsMax)};
  }
  return now + ttl * 1'000'000;
}

bool is_one_of(const std::string& method, std::initializer_list<std::string_view> allowed) {
  return std::find(allowed.begin(), allowed.end(), method) != allowed.end();
}

Result<Duration> timeout_of(const wire::HttpRequest& request) {
  const auto given = request.parameter("timeout");
  if (!given) return given.error();
  if (!given->has_value()) return kTimeoutDefault;
  const std::string& digits = **given;
  std::uint64_t limit_ms = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), limit_ms);
  if (error != std::errc() || end != digits.data() + digits.size() || limit_ms == 0) {
    return {ErrorCode::kInvalid, "timeout=" + digits + ": expected milliseconds, from 1 to 60000"};
  }
  return std::min<Duration>(milliseconds(std::min<std::uint64_t>(limit_ms, 3'600'000)), kTimeoutMax);
}

}  // namespace tako::api
