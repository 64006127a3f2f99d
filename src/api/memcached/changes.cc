// The MemcachedApi's writes.
#include <utility>

#include "api/memcached/api.h"
#include "api/memcached/format.h"
#include "model/checksum.h"

namespace tako::api {

using Verb = wire::MemcachedVerb;

namespace {

// Another value for what is there.
replication::Mutation mutation_like(const model::Record& now) {
  replication::Mutation mutation;
  mutation.content_type = now.content_type;
  mutation.flags = now.flags;
  mutation.expires_at = now.expires_at;
  if (now.value) mutation.value = *now.value;
  return mutation;
}

replication::Mutation tombstone() {
  replication::Mutation mutation;
  mutation.tombstone = true;
  return mutation;
}

void expire(replication::Mutation& mutation, Timestamp at) {
  mutation.expires_at = at;
  if (at == kExpiredAtOnce) mutation = tombstone();
}

// What a mutation looks like once it is stored.
model::Record record_of(const replication::Mutation& mutation, model::Version version) {
  model::Record record = mutation.tombstone ? model::make_tombstone(version)
                                            : model::make_value(version, mutation.value, mutation.content_type);
  record.flags = mutation.flags;
  record.expires_at = mutation.expires_at;
  return record;
}

enum class Mode : unsigned char { kSet, kAdd, kReplace, kAppend, kPrepend };

Mode mode_of(const wire::MemcachedRequest& request) {
  switch (request.verb) {
    case Verb::kAdd: return Mode::kAdd;
    case Verb::kReplace: return Mode::kReplace;
    case Verb::kAppend: return Mode::kAppend;
    case Verb::kPrepend: return Mode::kPrepend;
    case Verb::kMetaSet: break;
    default: return Mode::kSet;
  }
  switch (request.meta.mode) {
    case 'E': return Mode::kAdd;
    case 'R': return Mode::kReplace;
    case 'A': return Mode::kAppend;
    case 'P': return Mode::kPrepend;
    default: return Mode::kSet;
  }
}

std::optional<std::uint64_t> cas_of(const wire::MemcachedRequest& request) {
  if (request.verb == Verb::kCas) return request.number;
  return request.meta.cas;
}

bool quiet(const wire::MemcachedRequest& request) { return request.noreply || request.meta.has('q'); }

}  // namespace

Task<Result<MemcachedApi::Changed>> MemcachedApi::change(std::string key, Change change, bool want_value,
                                                           net::ByteSource* block) {
  const auto last = std::make_shared<Decision>();
  replication::UpdateFn decide = [last, change = std::move(change)](const std::optional<model::Record>& now) {
    *last = change(now);
    return Result<std::optional<replication::Mutation>>(last->mutation);
  };
  Result<replication::UpdateAnswer> answer;
  if (block != nullptr) {
    answer = co_await replicator_.update_large(std::move(key), std::move(decide), *block, kTimeout);
  } else {
    const TimePoint until = deadline();
    answer = co_await replicator_.update(std::move(key), std::move(decide), want_value, until);
  }
  if (!answer) co_return answer.error();
  Changed changed;
  if (answer->written) {  // perhaps not what was decided last
    changed.after = std::move(*answer->after);
    co_return changed;
  }
  changed.outcome = last->outcome;
  co_return changed;
}

// --- storing --------------------------------------------------------------------------------------------------

replication::Mutation MemcachedApi::mutation_of(const Request& request) const {
  replication::Mutation mutation;
  mutation.value = request.data;
  mutation.flags = request.flags;
  const std::int64_t time = request.verb == Verb::kMetaSet ? request.meta.time.value_or(0) : request.time;
  expire(mutation, expiry_of(time, wall()));
  return mutation;
}

Task<MemcachedReply> MemcachedApi::store(Request request, net::ByteSource* block) {
  const bool classic = request.verb != Verb::kMetaSet;
  const bool conditional = mode_of(request) != Mode::kSet || cas_of(request);
  Request about = request;  // what is left of it when its data has gone
  about.data = Bytes();
  if (request.data_bytes > value_bytes_max()) {
    const Error error(ErrorCode::kTooLarge, "values have at most " + std::to_string(value_bytes_max()) + " bytes here");
    co_return failed(about, error);
  }
  Result<Changed> changed;
  if (conditional) {
    changed = co_await store_on_condition(std::move(request), block);
  } else {
    changed = co_await store_plain(std::move(request), block);
  }
  if (!changed) co_return failed(about, changed.error());
  count_store(about, changed->outcome);

  const bool done = changed->outcome == Outcome::kDone;
  Reply reply;
  if (about.noreply || (done && quiet(about))) co_return reply;
  if (classic) {
    if (done)
      reply.text = "STORED\r\n";
    else if (changed->outcome == Outcome::kExists)
      reply.text = "EXISTS\r\n";
    else if (changed->outcome == Outcome::kNotFound)
      reply.text = "NOT_FOUND\r\n";
    else
      reply.text = "NOT_STORED\r\n";
    co_return reply;
  }
  if (done)
    reply.text = "HD";
  else if (changed->outcome == Outcome::kExists)
    reply.text = "EX";
  else if (changed->outcome == Outcome::kNotFound)
    reply.text = "NF";
  else
    reply.text = "NS";
  reply.text += meta_tokens(about, done ? &changed->after : nullptr, wall()) + "\r\n";
  co_return reply;
}

void MemcachedApi::count_store(const Request& request, Outcome outcome) {
  ++stats_.cmd_set;
  if (!cas_of(request)) return;
  if (outcome == Outcome::kDone) ++stats_.cas_hits;
  if (outcome == Outcome::kExists) ++stats_.cas_badval;
  if (outcome == Outcome::kNotFound) ++stats_.cas_misses;
}

Task<Result<MemcachedApi::Changed>> MemcachedApi::store_plain(Request request, net::ByteSource* block) {
  replication::Mutation mutation = mutation_of(request);
  const bool discarded = mutation.tombstone;
  Changed changed;
  Result<replication::WriteAnswer> answer;
  if (block != nullptr && !discarded) {
    answer = co_await replicator_.write_large(std::move(request.keys.front()), std::move(mutation), *block,
                                              model::WriteLevel::kTwo, kTimeout);
  } else {
    // Bytes that expire at once are of no use to anybody: the session skips them.
    changed.after = record_of(mutation, {});
    const TimePoint until = deadline();
    answer = co_await replicator_.write(std::move(request.keys.front()), std::move(mutation), model::WriteLevel::kTwo,
                                        until);
  }
  if (!answer) co_return answer.error();
  changed.after.version = answer->winner;
  co_return changed;
}

Task<Result<MemcachedApi::Changed>> MemcachedApi::store_on_condition(Request request, net::ByteSource* block) {
  const Mode mode = mode_of(request);
  const std::string key = request.keys.front();
  const bool joins = mode == Mode::kAppend || mode == Mode::kPrepend;
  if (!joins || block == nullptr) {
    Change decide = condition_of(request, false);
    auto changed = co_await change(key, std::move(decide), joins, block);
    if (!changed || changed->outcome != Outcome::kTooLarge) co_return changed;
  }
  Added added;
  added.bytes = request.data;
  added.block = block;
  added.block_bytes = request.data_bytes;
  added.in_front = mode == Mode::kPrepend;
  Change decide = condition_of(request, true);
  co_return co_await rewrite(key, std::move(decide), std::move(added));
}

// joined_elsewhere: the value that it makes of what is there is no matter of this decision.
MemcachedApi::Change MemcachedApi::condition_of(const Request& request, bool joined_elsewhere) const {
  const Mode mode = mode_of(request);
  const bool joins = mode == Mode::kAppend || mode == Mode::kPrepend;
  const auto cas = cas_of(request);
  const auto vivify = request.meta.vivify;
  const Timestamp now_at = wall();
  const replication::Mutation mutation = mutation_of(request);
  const std::uint32_t flags = request.flags;
  const Bytes added = request.data;  // the mutation has none if the time given has passed, which is no matter here
  return [=](const std::optional<model::Record>& now) -> Decision {
    if (mode == Mode::kAdd && now) return {Outcome::kNotStored, {}};  // whatever the cas unique
    if (cas && !now && !joins && mode != Mode::kAdd) return {Outcome::kNotFound, {}};
    const bool unchecked = joins && cas == std::optional<std::uint64_t>(0);
    if (cas && now && !unchecked && cas_unique_of(now->version) != *cas) return {Outcome::kExists, {}};
    if (mode == Mode::kReplace && !now) return {Outcome::kNotStored, {}};
    if (!joins) {
      if (mutation.tombstone && !now) return {};  // it is gone already
      return {Outcome::kDone, mutation};
    }
    if (!now && !vivify) return {Outcome::kNotStored, {}};
    if (!now) {
      replication::Mutation first;
      first.value = added;
      first.flags = flags;
      expire(first, expiry_of(*vivify, now_at));
      if (first.tombstone) return {};
      return {Outcome::kDone, std::move(first)};
    }
    replication::Mutation joined = mutation_like(*now);
    if (joined_elsewhere) return {Outcome::kDone, std::move(joined)};
    if (now->size + added.size() > model::kPieceBytes) return {Outcome::kTooLarge, {}};
    const std::string_view ends = added.view();
    std::string value(mode == Mode::kAppend ? joined.value.view() : ends);
    value += mode == Mode::kAppend ? ends : joined.value.view();
    joined.value = Bytes(std::move(value));
    return {Outcome::kDone, std::move(joined)};
  };
}

// --- deleting -------------------------------------------------------------------------------------------------

Task<MemcachedReply> MemcachedApi::remove(Request request) {
  const bool classic = request.verb == Verb::kDelete;
  Result<Outcome> outcome;
  if (request.meta.cas) {
    const std::uint64_t cas = *request.meta.cas;
    Change decide = [cas](const std::optional<model::Record>& now) -> Decision {
      if (!now) return {Outcome::kNotFound, {}};
      if (cas_unique_of(now->version) != cas) return {Outcome::kExists, {}};
      return {Outcome::kDone, tombstone()};
    };
    auto changed = co_await change(request.keys.front(), std::move(decide), false);
    if (changed)
      outcome = changed->outcome;
    else
      outcome = changed.error();
  } else {
    outcome = co_await remove_plain(request.keys.front(), request.noreply);
  }
  if (!outcome) co_return failed(request, outcome.error());
  const bool done = *outcome == Outcome::kDone;
  ++(done ? stats_.delete_hits : stats_.delete_misses);
  Reply reply;
  if (request.noreply || (done && quiet(request))) co_return reply;
  if (classic) {
    reply.text = done ? "DELETED\r\n" : "NOT_FOUND\r\n";
    co_return reply;
  }
  reply.text = done ? "HD" : *outcome == Outcome::kExists ? "EX" : "NF";
  reply.text += meta_tokens(request, nullptr, wall()) + "\r\n";
  co_return reply;
}

// As HTTP's DELETE, and whether there was anything. Where that cannot be known the delete is as good: the key is gone.
Task<Result<MemcachedApi::Outcome>> MemcachedApi::remove_plain(std::string key, bool blind) {
  if (!blind) {
    const TimePoint until = deadline();
    auto read = co_await replicator_.read(key, model::ReadLevel::kLatest, false, until);
    if (read && model::gone(read->record, wall())) co_return Outcome::kNotFound;
  }
  const TimePoint until = deadline();
  replication::Mutation mutation = tombstone();
  auto answer = co_await replicator_.write(std::move(key), std::move(mutation), model::WriteLevel::kTwo, until);
  if (!answer) co_return answer.error();
  co_return Outcome::kDone;
}

// --- counting and touching ------------------------------------------------------------------------------------

// What the decision has seen and made is kept: a counter that expires at once leaves nothing that could tell it.
struct MemcachedApi::Counted {
  std::string number;
  ExpiryBefore before;
};

MemcachedApi::Change MemcachedApi::count_of(const Request& request, std::shared_ptr<Counted> counted) const {
  const bool down = request.verb == Verb::kDecr || request.meta.mode == 'D';
  const Timestamp now_at = wall();
  const wire::MemcachedMeta meta = request.meta;
  const std::uint64_t delta = request.number;
  const std::uint64_t cas = meta.cas.value_or(0);  // 0: none
  return [=](const std::optional<model::Record>& now) -> Decision {
    counted->before = {!now, now ? now->expires_at : 0};
    if (!now && !meta.vivify) return {Outcome::kNotFound, {}};
    if (!now) {
      counted->number = std::to_string(meta.initial);
      replication::Mutation first;
      first.value = Bytes(counted->number);
      expire(first, expiry_of(*meta.time_of_new(), now_at));
      if (first.tombstone) return {};  // it is gone already
      return {Outcome::kDone, std::move(first)};
    }
    if (now->size == 0) return {Outcome::kNotNumber, {}};
    if (cas != 0 && cas_unique_of(now->version) != cas) return {Outcome::kExists, {}};
    const auto counter = now->value ? counter_of(now->value->view()) : std::nullopt;
    if (!counter) return {Outcome::kNotNumber, {}};
    counted->number = std::to_string(down ? (*counter < delta ? 0 : *counter - delta) : *counter + delta);
    replication::Mutation mutation = mutation_like(*now);
    mutation.value = Bytes(counted->number);
    if (meta.time) expire(mutation, expiry_of(*meta.time, now_at));
    return {Outcome::kDone, std::move(mutation)};
  };
}

Task<MemcachedReply> MemcachedApi::count(Request request) {
  const bool classic = request.verb != Verb::kMetaArithmetic;
  const bool down = request.verb == Verb::kDecr || request.meta.mode == 'D';
  const auto counted = std::make_shared<Counted>();
  Change decide = count_of(request, counted);
  auto changed = co_await change(request.keys.front(), std::move(decide), true);
  if (!changed) co_return failed(request, changed.error());

  const bool done = changed->outcome == Outcome::kDone;
  if (done) ++(down ? stats_.decr_hits : stats_.incr_hits);
  if (changed->outcome == Outcome::kNotFound) ++(down ? stats_.decr_misses : stats_.incr_misses);
  Reply reply;
  if (request.noreply) co_return reply;
  if (changed->outcome == Outcome::kNotNumber) {
    reply.text = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
    co_return reply;
  }
  const std::string number = changed->after.value ? std::string(changed->after.value->view()) : counted->number;
  if (classic) {
    reply.text = (done ? number : "NOT_FOUND") + "\r\n";
    co_return reply;
  }
  const bool quiet_now = done && !counted->before.made && request.meta.has('q');
  if (quiet_now) co_return reply;
  const model::Record* after = done ? &changed->after : nullptr;
  const std::string tokens = meta_tokens(request, after, wall(), &counted->before) + "\r\n";
  if (done && request.meta.has('v'))
    reply.text = "VA " + std::to_string(number.size()) + tokens + number + "\r\n";
  else
    reply.text = (done ? "HD" : changed->outcome == Outcome::kExists ? "EX" : "NF") + tokens;
  co_return reply;
}

Task<Result<MemcachedApi::Changed>> MemcachedApi::touch_key(std::string key, std::int64_t time, bool want_value) {
  ++stats_.cmd_touch;
  const Timestamp at = expiry_of(time, wall());
  const auto before = std::make_shared<std::optional<model::Record>>();
  const auto decide = [at, before](const std::optional<model::Record>& now, bool moved_elsewhere) -> Decision {
    *before = now;
    if (!now) return {Outcome::kNotFound, {}};
    replication::Mutation mutation = mutation_like(*now);
    expire(mutation, at);
    if (now->in_pieces() && !moved_elsewhere && !mutation.tombstone) return {Outcome::kTooLarge, {}};
    return {Outcome::kDone, std::move(mutation)};
  };
  Change small = [decide](const std::optional<model::Record>& now) { return decide(now, false); };
  auto changed = co_await change(key, std::move(small), true);
  if (changed && changed->outcome == Outcome::kTooLarge) {
    Change large = [decide](const std::optional<model::Record>& now) { return decide(now, true); };
    Added nothing;
    changed = co_await rewrite(std::move(key), std::move(large), std::move(nothing));
  }
  if (!changed) co_return changed;
  const bool done = changed->outcome == Outcome::kDone;
  ++(done ? stats_.touch_hits : stats_.touch_misses);
  if (*before) changed->expired_before = (*before)->expires_at;
  // What expires at once is given out once more.
  if (done && want_value && changed->after.tombstone()) changed->after = **before;
  co_return changed;
}

Task<MemcachedReply> MemcachedApi::touch(Request request) {
  auto touched = co_await touch_key(request.keys.front(), request.time, false);
  if (!touched) co_return failed(request, touched.error());
  Reply reply;
  if (!request.noreply) reply.text = touched->outcome == Outcome::kDone ? "TOUCHED\r\n" : "NOT_FOUND\r\n";
  co_return reply;
}

}  // namespace tako::api
