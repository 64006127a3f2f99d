// The words that an HTTP face answers in: errors as one line of text with their status, JSON, versions as headers; and
// how it reads parameters. Pure values.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "model/record.h"
#include "model/version.h"
#include "wire/http/http.h"

namespace tako::api {

wire::HttpResponse text_answer(int status, std::string line);
wire::HttpResponse json_answer(const nlohmann::json& value);
// The status is what the code means to a client; 503 comes with Retry-After.
wire::HttpResponse failure(const Error& error);
wire::HttpResponse wrong_method(std::string allowed);

// `"<version>"`, a strong entity tag.
std::string etag_of(const model::Version& version);
// X-Timestamp, ETag and Last-Modified.
void add_version(wire::HttpResponse& response, const model::Version& version);

bool is_one_of(const std::string& method, std::initializer_list<std::string_view> allowed);

// X-Expires, in microseconds since 1970, and Expires; nothing where it never does.
void add_expiry(wire::HttpResponse& response, Timestamp expires_at);

// `ttl` in seconds, as the moment when it is over; 0, for ever, without one.
Result<Timestamp> expiry_of(const wire::HttpRequest& request, Timestamp now);

// `timeout` in milliseconds, within limits.
Result<Duration> timeout_of(const wire::HttpRequest& request);

// `r=` or `w=`. `expected` names the levels, for the message.
template <class Level>
Result<Level> level_of(const wire::HttpRequest& request, const char* name,
                       std::optional<Level> (*parse)(std::string_view), Level by_default, const char* expected) {
  auto given = request.parameter(name);
  if (!given) return given.error();
  if (!given->has_value()) return by_default;
  const auto level = parse(**given);
  if (!level) return {ErrorCode::kInvalid, std::string(name) + "=" + **given + ": expected " + expected};
  return *level;
}

}  // namespace tako::api
