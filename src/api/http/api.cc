#include "api/http/api.h"

#include <string_view>

#include <nlohmann/json.hpp>

#include "api/http/format.h"

namespace tako::api {
namespace {

using wire::HttpRequest;
using wire::HttpResponse;

constexpr std::string_view kValues = "/values/";
constexpr std::string_view kStat = "/stat/";

}  // namespace

Task<HttpReply> HttpApi::handle(HttpRequest request, net::ByteSource* body) {
  const std::string_view path = request.path;
  if (path.starts_with(kValues) || path.starts_with(kStat)) {
    co_return co_await about_key(std::move(request), body);
  }
  if (path != "/config" && path != "/healthz" && path != "/status") {
    co_return text_answer(404, "no such path; there are /values/KEY, /stat/KEY, /config, /healthz and /status");
  }
  if (!is_one_of(request.method, {"GET", "HEAD"})) co_return wrong_method("GET, HEAD");
  if (path == "/config") co_return config(request);
  if (path == "/healthz") co_return health();
  HttpResponse response = co_await status();
  co_return response;
}

Task<HttpReply> HttpApi::about_key(HttpRequest request, net::ByteSource* body) {
  const bool about_value = request.path.starts_with(kValues);
  const std::string_view prefix = about_value ? kValues : kStat;
  auto key = wire::percent_decode(std::string_view(request.path).substr(prefix.size()));
  if (!key) co_return failure(key.error());
  if (key->empty()) co_return text_answer(400, "the key is empty; it is what follows " + std::string(prefix));
  if (key->size() > model::kKeyBytesMax) {
    co_return text_answer(400, "the key has " + std::to_string(key->size()) + " bytes; at most " +
                                   std::to_string(model::kKeyBytesMax) + " are allowed");
  }
  if (about_value) co_return co_await values_.handle(std::move(request), std::move(*key), body);
  HttpResponse response = co_await stat(std::move(request), std::move(*key));
  co_return response;
}

Task<HttpResponse> HttpApi::stat(HttpRequest request, std::string key) {
  if (!is_one_of(request.method, {"GET", "HEAD"})) co_return wrong_method("GET, HEAD");
  const auto format = request.parameter("format");
  if (!format) co_return failure(format.error());
  const bool as_json = format->has_value() && **format == "json";
  if (format->has_value() && !as_json) co_return text_answer(400, "format=" + **format + ": expected json");
  const auto limit = timeout_of(request);
  if (!limit) co_return failure(limit.error());
  auto answer = co_await replicator_.stat(key, loop_.now() + *limit);
  if (!answer) co_return failure(answer.error());
  const bool absent = model::gone(answer->record, replicator_.clock().wall());
  if (absent && !as_json) co_return text_answer(404, "no such key");

  HttpResponse response = as_json ? json_answer(stat_json(key, *answer)) : HttpResponse();
  if (absent) response.status = 404;
  if (answer->record) add_version(response, answer->record->version);
  if (!as_json) {
    response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.body = Bytes(std::to_string(answer->record->version.timestamp));
  }
  co_return response;
}

HttpResponse HttpApi::config(const HttpRequest& request) const {
  const auto placement = replicator_.placement();
  if (!placement) return failure({ErrorCode::kUnavailable, "no configuration yet; is a coordinator running?"});
  const auto accept = request.header(wire::Field::kAccept);
  const bool as_json = accept && accept->find("json") != std::string_view::npos;
  HttpResponse response;
  response.headers.emplace_back("Content-Type", as_json ? "application/json" : "application/yaml");
  response.body = Bytes(as_json ? model::to_json(placement->config()) : model::to_yaml(placement->config()));
  return response;
}

HttpResponse HttpApi::health() const {
  if (!replicator_.placement()) {
    return failure({ErrorCode::kUnavailable, "no configuration yet; is a coordinator running?"});
  }
  return text_answer(200, "ok");
}

Task<HttpResponse> HttpApi::status() {
  auto answer = co_await status_.gather();
  if (!answer) co_return failure(answer.error());
  co_return json_answer(*answer);
}

}  // namespace tako::api
