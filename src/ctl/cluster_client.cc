#include "ctl/cluster_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "model/address.h"

namespace tako::ctl {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Error bad_url(std::string_view text) {
  return {ErrorCode::kInvalid, "'" + std::string(text) + "' is no address of a proxy; expected http://HOST:PORT, " +
                                   "such as http://[::1]:8080"};
}

ErrorCode code_of(int status) {
  if (status == 404) return ErrorCode::kNotFound;
  if (status >= 400 && status < 500) return ErrorCode::kInvalid;
  return ErrorCode::kUnavailable;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    return {ErrorCode::kInvalid, std::string(text) + ": https is not supported; expected http://HOST:PORT"};
  }
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);

  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  Url url;
  auto host = model::parse_host(rest.substr(0, colon));
  if (!host) return bad_url(text);
  url.host = std::move(*host);
  if (colon != std::string_view::npos) {
    const std::string_view port = rest.substr(colon + 1);
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (problem != std::errc() || end != port.data() + port.size() || url.port == 0) return bad_url(text);
  }
  return url;
}

Task<Result<wire::HttpResponse>> HttpClusterClient::request(std::string method, std::string target,
                                                            wire::HttpHeaders headers, Bytes body) {
  net::HttpFetch fetch;
  fetch.method = std::move(method);
  fetch.target = std::move(target);
  fetch.headers = std::move(headers);
  fetch.body = std::move(body);
  Result<wire::HttpResponse> response = co_await client_.fetch(std::move(fetch), loop_.now() + kRequestTimeMax);
  co_return response;
}

Task<Result<wire::HttpResponse>> HttpClusterClient::upload(Upload upload) {
  net::HttpFetch fetch;
  fetch.method = "PUT";
  fetch.target = std::move(upload.target);
  fetch.headers = std::move(upload.headers);
  fetch.source = upload.body;
  fetch.source_bytes = upload.size;
  fetch.step = kRequestTimeMax;
  Result<wire::HttpResponse> response = co_await client_.fetch(std::move(fetch), loop_.now() + kRequestTimeMax);
  co_return response;
}

Task<Result<wire::HttpResponse>> HttpClusterClient::download(std::string target, wire::HttpHeaders headers,
                                                    net::HttpSink& sink) {
  net::HttpFetch fetch;
  fetch.target = std::move(target);
  fetch.headers = std::move(headers);
  fetch.sink = &sink;
  fetch.step = kRequestTimeMax;
  Result<wire::HttpResponse> response = co_await client_.fetch(std::move(fetch), loop_.now() + kRequestTimeMax);
  co_return response;
}

Task<api::HttpReply> HandlerClusterClient::ask(wire::HttpRequest request, net::ByteSource* body) {
  const std::size_t query = request.target.find('?');
  request.path = request.target.substr(0, query);
  if (query != std::string::npos) request.query = request.target.substr(query + 1);
  api::HttpReply reply = co_await handler_.handle(std::move(request), body);
  for (auto& [name, value] : reply.head.headers) std::transform(name.begin(), name.end(), name.begin(), lower);
  co_return reply;
}

Task<Result<wire::HttpResponse>> HandlerClusterClient::request(std::string method, std::string target,
                                                               wire::HttpHeaders headers, Bytes body) {
  wire::HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers = std::move(headers);
  request.body = std::move(body);
  api::HttpReply reply = co_await ask(std::move(request), nullptr);
  if (reply.body) co_return Error(ErrorCode::kTooLarge, "an answer that is too long");
  co_return std::move(reply.head);
}

Task<Result<wire::HttpResponse>> HandlerClusterClient::upload(Upload upload) {
  wire::HttpRequest request;
  request.method = "PUT";
  request.target = std::move(upload.target);
  request.headers = std::move(upload.headers);
  if (upload.size) request.headers.emplace_back("content-length", std::to_string(*upload.size));
  api::HttpReply reply = co_await ask(std::move(request), upload.body);
  co_return std::move(reply.head);
}

Task<Result<wire::HttpResponse>> HandlerClusterClient::download(std::string target, wire::HttpHeaders headers,
                                                       net::HttpSink& sink) {
  wire::HttpRequest request;
  request.method = "GET";
  request.target = std::move(target);
  request.headers = std::move(headers);
  api::HttpReply reply = co_await ask(std::move(request), nullptr);
  if (!reply.head.content_length) reply.head.content_length = reply.head.body.size();
  const Result<bool> wanted = sink.begin(reply.head);
  if (!wanted) co_return wanted.error();
  if (!reply.body) {
    Bytes body = *wanted ? std::exchange(reply.head.body, Bytes()) : Bytes();
    const Status taken = body.empty() ? ok_status() : sink.take(std::move(body));
    if (!taken) co_return taken.error();
    co_return std::move(reply.head);
  }
  std::string words;
  bool more = true;
  while (more) {
    Result<Bytes> piece = co_await reply.body->next();
    if (!piece) co_return piece.error();
    more = !piece->empty();
    Status taken = ok_status();
    if (more && *wanted) taken = sink.take(std::move(*piece));
    else words += piece->view();
    if (!taken) co_return taken.error();
    if (words.size() > kAnswerBytesMax) co_return Error(ErrorCode::kTooLarge, "an answer that is too long");
  }
  if (!*wanted) reply.head.body = Bytes(std::move(words));
  co_return std::move(reply.head);
}

Result<std::string> target_of(std::string_view prefix, std::string_view key) {
  if (key.empty()) return {ErrorCode::kInvalid, "the key is empty"};
  if (key.size() > kKeyBytesMax) {
    return {ErrorCode::kInvalid, "the key has " + std::to_string(key.size()) + " bytes; at most " +
                                     std::to_string(kKeyBytesMax) + " are allowed"};
  }
  return std::string(prefix) + wire::percent_encode(key, "/");
}

Task<Result<std::string>> fetch_text(ClusterClient& client, std::string target, std::string accept) {
  wire::HttpHeaders headers;
  headers.emplace_back("accept", std::move(accept));
  const auto response = co_await client.request("GET", std::move(target), std::move(headers), Bytes());
  if (!response) co_return response.error();
  if (response->status != 200) co_return Error(code_of(response->status), complaint_of(*response));
  co_return std::string(response->body.view());
}

std::string complaint_of(const wire::HttpResponse& response) {
  const std::string_view body = response.body.view();
  std::string line(body.substr(0, std::min<std::size_t>(body.find('\n'), 500)));
  while (line.ends_with('\r')) line.pop_back();
  if (!line.empty()) return line;
  const std::string_view reason = wire::reason_phrase(response.status);
  return "the proxy answered " + std::to_string(response.status) + " " + std::string(reason);
}

}  // namespace tako::ctl
