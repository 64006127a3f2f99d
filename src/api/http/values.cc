#include "api/http/values.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "api/http/body_sources.h"
#include "api/http/format.h"
#include "wire/http/fields.h"

namespace tako::api {

using wire::Access;
using wire::Field;
using wire::HttpRequest;
using wire::HttpResponse;

namespace {

constexpr char kDefaultType[] = "application/octet-stream";

std::string hex_of(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string type_of(const model::Record& record) {
  return record.content_type.empty() ? kDefaultType : record.content_type;
}

// What would have to be ignored is refused by name. Of headers alone wire/http/fields.h says it.
Status check_supported(const HttpRequest& request, Access access) {
  const auto ttl = request.parameter("ttl");
  if (!ttl) return ttl.error();
  if (ttl->has_value() && access != Access::kStore) {
    return {ErrorCode::kInvalid, "ttl: only what is stored has one; send it with PUT"};
  }
  if (access == Access::kRead) return ok_status();
  const std::string_view condition = wire::condition_in(access, request.headers);
  if (!condition.empty() && request.header(Field::kXTimestamp)) {
    return {ErrorCode::kInvalid, "X-Timestamp together with " + std::string(condition) + ": send one or the other"};
  }
  return wire::check_write_conditions(request.headers);
}

}  // namespace

Task<HttpReply> HttpValues::handle(HttpRequest request, std::string key, net::ByteSource* body) {
  const Access access = wire::access_of(request.method);
  if (access == Access::kOther) co_return wrong_method("GET, HEAD, POST, PUT, DELETE");
  const Status supported = check_supported(request, access);
  if (!supported) co_return failure(supported.error());
  if (access == Access::kRemove) co_return co_await remove(std::move(request), std::move(key));
  if (access == Access::kStore) co_return co_await put(std::move(request), std::move(key), body);
  co_return co_await get(std::move(request), std::move(key));
}

// --- reads ----------------------------------------------------------------------------------------------------

Task<HttpReply> HttpValues::get(HttpRequest request, std::string key) {
  const auto level =
      level_of(request, "r", model::parse_read_level, model::ReadLevel::kLatest, "one, latest, quorum or all");
  if (!level) co_return failure(level.error());
  const auto limit = timeout_of(request);
  if (!limit) co_return failure(limit.error());
  const bool want_value = request.method == "GET";
  auto answer = co_await replicator_.read(key, *level, want_value, loop_.now() + *limit);
  if (!answer) co_return failure(answer.error());
  if (model::gone(answer->record, replicator_.clock().wall())) co_return text_answer(404, "no such key");

  auto found = std::make_shared<Found>();
  found->key = std::move(key);
  found->answer = std::move(*answer);
  found->step = *limit;
  co_return answer_of(request, std::move(found));
}

HttpReply HttpValues::answer_of(const HttpRequest& request, std::shared_ptr<const Found> found) {
  const model::Record& record = found->record();
  HttpReply reply;
  HttpResponse& head = reply.head;
  add_version(head, record.version);
  add_expiry(head, record.expires_at);
  head.headers.emplace_back("X-Tako-Checksum", hex_of(record.checksum));
  head.headers.emplace_back("Accept-Ranges", "bytes");

  const wire::Validators now{etag_of(record.version), record.version.timestamp};
  const wire::Condition condition = wire::check_conditions(request.headers, now);
  if (condition == wire::Condition::kNotModified) {
    head.status = 304;
    return reply;
  }
  if (condition == wire::Condition::kFailed) {
    head.status = 412;
    head.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    head.body = Bytes(std::string("the value is not the one that the conditions ask for\n"));
    return reply;
  }
  wire::RangeChoice choice;
  const auto range = request.header(Field::kRange);
  if (range && request.method == "GET" && wire::if_range_holds(request.headers, now, loop_.wall())) {
    choice = wire::choose_ranges(*range, record.size);
  }
  if (choice.kind == wire::RangeChoice::Kind::kNone) {
    head.status = 416;
    head.headers.emplace_back("Content-Range", wire::content_range_none(record.size));
    head.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    head.body = Bytes("the value has " + std::to_string(record.size) + " bytes, and none of these\n");
    return reply;
  }
  if (choice.parts.size() > 1) return parts_of(std::move(found), std::move(head), std::move(choice.parts));
  wire::ByteRange whole{0, record.size};
  if (!choice.parts.empty()) {
    whole = choice.parts.front();
    head.status = 206;
    head.headers.emplace_back("Content-Range", wire::content_range(whole, record.size));
  }
  head.headers.emplace_back("Content-Type", type_of(record));
  head.content_length = whole.size();
  if (request.method == "GET") give(found, whole, reply);
  return reply;
}

HttpReply HttpValues::parts_of(std::shared_ptr<const Found> found, HttpResponse head,
                               std::vector<wire::ByteRange> ranges) {
  PartsBody::Plan plan;
  plan.boundary = hex_of(loop_.random().next()) + hex_of(loop_.random().next());
  plan.content_type = type_of(found->record());
  plan.size = found->record().size;
  plan.ranges = std::move(ranges);
  head.status = 206;
  head.headers.emplace_back("Content-Type", "multipart/byteranges; boundary=" + plan.boundary);
  auto open_range = [this, found](const wire::ByteRange& range) { return open(*found, range); };
  auto body = std::make_unique<PartsBody>(std::move(plan), std::move(open_range));
  head.content_length = body->bytes();
  HttpReply reply(std::move(head), std::move(body));
  if (found->record().value) reply.held = found->record().value->size();
  return reply;
}

void HttpValues::give(const std::shared_ptr<const Found>& found, const wire::ByteRange& range, HttpReply& reply) {
  const auto& value = found->record().value;
  if (value) reply.held = value->size();
  if (value) {
    reply.head.body = value->slice(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size()));
  } else if (range.size() > 0) {
    reply.body = open(*found, range);
  }
}

std::unique_ptr<net::ByteSource> HttpValues::open(const Found& found, const wire::ByteRange& range) {
  const auto& value = found.record().value;
  if (!value) return replicator_.open(found.key, found.answer, range.begin, range.end, found.step);
  return std::make_unique<net::BytesSource>(
      value->slice(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.size())));
}

// --- conditional writes ---------------------------------------------------------------------------------------

namespace {

// `met`: whether the conditions were, when it was last asked.
replication::UpdateFn decide_by(wire::HttpHeaders conditions, replication::Mutation mutation,
                                std::shared_ptr<bool> met) {
  return [conditions = std::move(conditions), mutation = std::move(mutation),
          met = std::move(met)](const std::optional<model::Record>& now) {
    std::optional<wire::Validators> there;
    if (now) there = wire::Validators{etag_of(now->version), now->version.timestamp};
    *met = wire::write_allowed(conditions, there);
    const bool nothing_to_delete = mutation.tombstone && !now;
    if (!*met || nothing_to_delete) return Result<std::optional<replication::Mutation>>(std::nullopt);
    return Result<std::optional<replication::Mutation>>(mutation);
  };
}

HttpReply answer_to(const replication::UpdateAnswer& answer, bool met, bool removed, std::uint64_t checksum) {
  if (!met) {
    HttpResponse refused =
        text_answer(412, "the value is not the one that the conditions ask for; nothing was written");
    if (answer.before) add_version(refused, answer.before->version);
    return refused;
  }
  HttpResponse response;
  response.status = removed ? 204 : 200;
  if (answer.written) add_version(response, answer.version);
  if (answer.written && !removed) response.headers.emplace_back("X-Tako-Checksum", hex_of(checksum));
  return response;
}

}  // namespace

Task<HttpReply> HttpValues::put_if(Put put, std::uint64_t checksum) {
  const auto met = std::make_shared<bool>(false);
  const bool removed = put.mutation.tombstone;
  const TimePoint deadline = loop_.now() + put.limit;
  replication::UpdateFn decide = decide_by(std::move(*put.conditions), std::move(put.mutation), met);
  auto answer = co_await replicator_.update(std::move(put.key), std::move(decide), false, deadline);
  if (!answer) co_return failure(answer.error());
  co_return answer_to(*answer, *met, removed, checksum);
}

// Looked at before the body is taken, too: it may be long.
Task<HttpReply> HttpValues::put_large_if(Put put, CheckedBody& body) {
  const auto met = std::make_shared<bool>(false);
  const replication::UpdateFn decide = decide_by(std::move(*put.conditions), std::move(put.mutation), met);
  replication::UpdateFn look = [decide](const std::optional<model::Record>& now) {
    (void)decide(now);
    return Result<std::optional<replication::Mutation>>(std::nullopt);
  };
  const TimePoint deadline = loop_.now() + put.limit;
  auto looked = co_await replicator_.update(put.key, std::move(look), false, deadline);
  if (!looked) co_return failure(looked.error());
  if (!*met) co_return answer_to(*looked, false, false, 0);
  auto answer = co_await replicator_.update_large(std::move(put.key), decide, body, put.limit);
  if (!answer) co_return failure(answer.error());
  co_return answer_to(*answer, *met, false, body.checksum());
}

// --- writes ---------------------------------------------------------------------------------------------------

Result<std::optional<Timestamp>> HttpValues::timestamp_of(const HttpRequest& request) const {
  const auto given = request.header(Field::kXTimestamp);
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

Result<HttpValues::Put> HttpValues::put_of(const HttpRequest& request, std::string key) const {
  Put put;
  put.key = std::move(key);
  const auto level =
      level_of(request, "w", model::parse_write_level, model::WriteLevel::kTwo, "one, two, quorum or all");
  if (!level) return level.error();
  const auto limit = timeout_of(request);
  if (!limit) return limit.error();
  auto timestamp = timestamp_of(request);
  if (!timestamp) return timestamp.error();
  if (!wire::condition_in(wire::access_of(request.method), request.headers).empty()) put.conditions = request.headers;
  put.level = *level;
  put.limit = *limit;
  put.mutation.timestamp = *timestamp;
  const auto expires_at = expiry_of(request, replicator_.clock().wall());
  if (!expires_at) return expires_at.error();
  put.mutation.expires_at = *expires_at;
  const auto placement = replicator_.placement();
  put.bytes_max = placement ? placement->config().limits.value_bytes : model::kValueBytesMax;
  return put;
}

Task<HttpReply> HttpValues::remove(HttpRequest request, std::string key) {
  auto put = put_of(request, std::move(key));
  if (!put) co_return failure(put.error());
  put->mutation.tombstone = true;
  if (put->conditions) co_return co_await put_if(std::move(*put), 0);
  const TimePoint deadline = loop_.now() + put->limit;
  auto answer = co_await replicator_.write(std::move(put->key), std::move(put->mutation), put->level, deadline);
  if (!answer) co_return failure(answer.error());
  HttpResponse response;
  response.status = 204;
  add_version(response, answer->winner);
  co_return response;
}

Task<HttpReply> HttpValues::put(HttpRequest request, std::string key, net::ByteSource* body) {
  auto put = put_of(request, std::move(key));
  if (!put) co_return failure(put.error());
  put->mutation.content_type = std::string(request.header(Field::kContentType).value_or(""));
  if (put->mutation.content_type.size() > model::kContentTypeBytesMax) {
    co_return text_answer(400, "Content-Type is longer than " + std::to_string(model::kContentTypeBytesMax) + " bytes");
  }
  if (body != nullptr) co_return co_await put_large(std::move(request), std::move(*put), *body);
  co_return co_await put_small(std::move(request), std::move(*put));
}

Task<HttpReply> HttpValues::put_small(HttpRequest request, Put put) {
  if (request.body.size() > put.bytes_max) co_return failure(value_too_large(put.bytes_max));
  auto digests = wire::DigestCheck::of(request.headers);
  if (!digests) co_return failure(digests.error());
  digests->add(request.body.view());
  const Status matches = digests->finish();
  if (!matches) co_return failure(matches.error());
  const std::uint64_t checksum = model::checksum_of(request.body.view());
  put.mutation.value = std::move(request.body);
  if (put.conditions) co_return co_await put_if(std::move(put), checksum);
  const TimePoint deadline = loop_.now() + put.limit;
  auto answer = co_await replicator_.write(std::move(put.key), std::move(put.mutation), put.level, deadline);
  if (!answer) co_return failure(answer.error());
  HttpResponse response;
  add_version(response, answer->winner);
  if (answer->won) response.headers.emplace_back("X-Tako-Checksum", hex_of(checksum));
  co_return response;
}

Task<HttpReply> HttpValues::put_large(HttpRequest request, Put put, net::ByteSource& body) {
  const std::uint64_t length = request.content_length.value_or(0);  // 0: chunked
  if (length > put.bytes_max) co_return failure(value_too_large(put.bytes_max));
  auto digests = wire::DigestCheck::of(request.headers);
  if (!digests) co_return failure(digests.error());
  CheckedBody checked(body, put.bytes_max, std::move(*digests));
  if (put.conditions) co_return co_await put_large_if(std::move(put), checked);
  auto answer =
      co_await replicator_.write_large(std::move(put.key), std::move(put.mutation), checked, put.level, put.limit);
  if (!answer) co_return failure(answer.error());
  HttpResponse response;
  add_version(response, answer->winner);
  if (answer->won) response.headers.emplace_back("X-Tako-Checksum", hex_of(checked.checksum()));
  co_return response;
}

}  // namespace tako::api
