#include "api/memcached/api.h"

#include <utility>

#include "api/memcached/format.h"
#include "replication/flush.h"

namespace tako::api {

using Verb = wire::MemcachedVerb;

// The reads of one line's keys.
struct MemcachedApi::Batch {
  Batch(runtime::Loop& loop, std::size_t count) : answers(count), pending(count), changed(loop) {}
  std::vector<Result<replication::ReadAnswer>> answers;
  std::size_t pending;
  runtime::Signal changed;
};

Task<MemcachedReply> MemcachedApi::handle(Request request, net::ByteSource* block) {
  Reply reply;
  if (!request.meta.sent_key.empty()) ++stats_.cmd_meta;
  switch (request.verb) {
    case Verb::kGet:
    case Verb::kGets: co_return co_await get(std::move(request));
    case Verb::kGat:
    case Verb::kGats: co_return co_await get_and_touch(std::move(request));
    case Verb::kSet:
    case Verb::kAdd:
    case Verb::kReplace:
    case Verb::kAppend:
    case Verb::kPrepend:
    case Verb::kCas:
    case Verb::kMetaSet: co_return co_await store(std::move(request), block);
    case Verb::kDelete:
    case Verb::kMetaDelete: co_return co_await remove(std::move(request));
    case Verb::kIncr:
    case Verb::kDecr:
    case Verb::kMetaArithmetic: co_return co_await count(std::move(request));
    case Verb::kTouch: co_return co_await touch(std::move(request));
    case Verb::kMetaGet: co_return co_await meta_get(std::move(request));
    case Verb::kMetaDebug: co_return co_await debug(std::move(request));
    case Verb::kMetaNoop: reply.text = "MN\r\n"; break;
    case Verb::kVersion: reply.text = "VERSION " + std::string(wire::kMemcachedVersion) + "\r\n"; break;
    case Verb::kVerbosity: reply.text = "OK\r\n"; break;
    case Verb::kFlushAll: co_return co_await flush(std::move(request));
    case Verb::kStats: reply.text = stats_.text(request.argument, {loop_.now(), wall(), value_bytes_max()}); break;
    case Verb::kQuit:
    case Verb::kRefused: break;  // the session's
  }
  if (request.noreply) reply.text.clear();
  co_return reply;
}

std::uint64_t MemcachedApi::value_bytes_max() const {
  const auto placement = replicator_.placement();
  return placement ? placement->config().limits.value_bytes : model::kValueBytesMax;
}

MemcachedReply MemcachedApi::failed(const Request& request, const Error& error) {
  ++stats_.server_errors;
  if (error.code == ErrorCode::kTooLarge) ++stats_.store_too_large;
  Reply reply;
  if (!request.noreply) reply.text = server_error(error);
  reply.cut = true;
  return reply;
}

void MemcachedApi::end() {
  ended_ = true;
  if (flushing_) flushing_->end();
}

Task<MemcachedReply> MemcachedApi::flush(Request request) {
  ++stats_.cmd_flush;
  if (request.time > 0) {
    const Error error(ErrorCode::kInvalid, "flush_all with a delay is not supported; send it when it is due");
    co_return failed(request, error);
  }
  if (flushing_ || ended_) {
    const Error error(ErrorCode::kOverloaded, "another flush_all is under way; try again when it is over");
    co_return failed(request, error);
  }
  replication::Flush flush(loop_, transport_, replicator_);
  flushing_ = &flush;
  const auto done = co_await flush.run(loop_.now() + kFlushTime);
  flushing_ = nullptr;
  if (!done) co_return failed(request, done.error());
  Reply reply;
  if (!request.noreply) reply.text = "OK\r\n";
  co_return reply;
}

// --- reads ----------------------------------------------------------------------------------------------------

Task<> MemcachedApi::read_one(std::shared_ptr<Batch> batch, std::size_t i, std::string key) {
  const TimePoint until = deadline();
  auto answer = co_await replicator_.read(std::move(key), model::ReadLevel::kLatest, true, until);
  batch->answers[i] = std::move(answer);
  --batch->pending;
  batch->changed.notify();
}

Task<MemcachedReply> MemcachedApi::get(Request request) {
  const auto batch = std::make_shared<Batch>(loop_, request.keys.size());
  for (std::size_t i = 0; i < request.keys.size(); ++i) loop_.spawn(gate_, read_one(batch, i, request.keys[i]));
  const TimePoint until = deadline() + kTimeout;  // each ends by its own
  while (batch->pending > 0) {
    const bool woken = co_await batch->changed.wait(until);
    if (!woken) break;
  }
  Reply reply;
  for (std::size_t i = 0; i < request.keys.size(); ++i) {
    auto value = value_of(request.keys[i], std::move(batch->answers[i]), request.verb == Verb::kGets);
    if (!value) {
      Reply end = failed(request, value.error());
      end.values = std::move(reply.values);
      co_return end;
    }
    if (*value) reply.values.push_back(std::move(**value));
  }
  if (!request.more) reply.text = "END\r\n";
  co_return reply;
}

// None: there is none.
Result<std::optional<MemcachedReply::Value>> MemcachedApi::value_of(const std::string& key,
                                                                          Result<replication::ReadAnswer> answer,
                                                                          bool with_cas) {
  ++stats_.cmd_get;
  if (!answer) return answer.error();
  if (model::gone(answer->record, wall())) {
    ++stats_.get_misses;
    return std::optional<Reply::Value>();
  }
  ++stats_.get_hits;
  const model::Record& record = *answer->record;
  std::optional<std::uint64_t> cas;
  if (with_cas) cas = cas_unique_of(record.version);
  return std::optional<Reply::Value>(
      give(wire::memcached_value_line(key, record.flags, record.size, cas), key, *answer));
}

MemcachedReply::Value MemcachedApi::give(std::string line, const std::string& key,
                                               const replication::ReadAnswer& answer) {
  const model::Record& record = *answer.record;
  Reply::Value value;
  value.line = std::move(line);
  if (record.value) {
    value.bytes = *record.value;
  } else if (record.size > 0) {
    value.body = replicator_.open(key, answer, 0, record.size, kTimeout);
    value.body_bytes = record.size;
  }
  return value;
}

Task<MemcachedReply> MemcachedApi::get_and_touch(Request request) {
  Reply reply;
  for (const std::string& key : request.keys) {
    ++stats_.cmd_get;
    auto touched = co_await touch_key(key, request.time, true);
    if (!touched) {
      Reply end = failed(request, touched.error());
      end.values = std::move(reply.values);
      co_return end;
    }
    const bool hit = touched->outcome == Outcome::kDone;
    ++(hit ? stats_.get_hits : stats_.get_misses);
    if (!hit) continue;
    auto answer = co_await read_touched(key, std::move(*touched));
    if (!answer) {
      Reply end = failed(request, answer.error());
      end.values = std::move(reply.values);
      co_return end;
    }
    if (!answer->record) continue;  // deleted at this moment
    const model::Record& record = *answer->record;
    std::optional<std::uint64_t> cas;
    if (request.verb == Verb::kGats) cas = cas_unique_of(record.version);
    reply.values.push_back(give(wire::memcached_value_line(key, record.flags, record.size, cas), key, *answer));
  }
  if (!request.more) reply.text = "END\r\n";
  co_return reply;
}

Task<MemcachedReply> MemcachedApi::meta_get(Request request) {
  const wire::MemcachedMeta& meta = request.meta;
  const std::string& key = request.keys.front();
  replication::ReadAnswer answer;
  ExpiryBefore before;
  if (meta.time) {
    auto touched = co_await touch_key(key, *meta.time, true);
    if (!touched) co_return failed(request, touched.error());
    before.expires_at = touched->expired_before;
    if (touched->outcome == Outcome::kDone) {
      auto there = co_await read_touched(key, std::move(*touched));
      if (!there) co_return failed(request, there.error());
      answer = std::move(*there);
    }
  } else {
    auto read = co_await replicator_.read(key, model::ReadLevel::kLatest, meta.has('v'), deadline());
    if (!read) co_return failed(request, read.error());
    if (!model::gone(read->record, wall())) answer = std::move(*read);
  }
  ++stats_.cmd_get;
  ++(answer.record ? stats_.get_hits : stats_.get_misses);
  Reply reply;
  if (!answer.record) {
    if (!meta.has('q')) reply.text = "EN" + meta_tokens(request, nullptr, 0) + "\r\n";
    co_return reply;
  }
  const std::string tokens = meta_tokens(request, &*answer.record, wall(), meta.time ? &before : nullptr) + "\r\n";
  if (meta.has('v')) {
    reply.values.push_back(give("VA " + std::to_string(answer.record->size) + tokens, key, answer));
  } else {
    reply.text = "HD" + tokens;
  }
  co_return reply;
}

Task<MemcachedReply> MemcachedApi::debug(Request request) {
  auto read = co_await replicator_.read(request.keys.front(), model::ReadLevel::kLatest, false, deadline());
  if (!read) co_return failed(request, read.error());
  Reply reply;
  reply.text = "EN\r\n";
  if (model::gone(read->record, wall())) co_return reply;
  const model::Record& record = *read->record;
  reply.text = "ME " + request.meta.sent_key + " exp=" + std::to_string(seconds_left(record.expires_at, wall())) +
               " cas=" + std::to_string(cas_unique_of(record.version)) + " size=" + std::to_string(record.size) +
               "\r\n";
  co_return reply;
}

}  // namespace tako::api
