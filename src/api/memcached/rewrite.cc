// The MemcachedApi's changes to values that are too large for one message: what is appended to, prepended to, touched.
//
// The value is read, joined with what is new, and goes back to the replicas as an upload, in constant memory. It is
// committed on the condition that the key still holds the version that was read (Replicator::update_large decides when
// all pieces are there): so it is one step for everybody else, as a small one is. Who is overtaken begins anew, a few
// times; a block that came over the connection is there once, and its client is told to send it again.
#include "api/common/joined_source.h"
#include "api/memcached/api.h"

namespace tako::api {
namespace {

constexpr unsigned kRewritesMax = 5;

}  // namespace

Task<Result<MemcachedApi::Changed>> MemcachedApi::rewrite(std::string key, Change change, Added added) {
  for (unsigned i = 0; i < kRewritesMax && !loop_.stopping(); ++i) {
    const TimePoint until = deadline();
    auto read = co_await replicator_.read(key, model::ReadLevel::kQuorum, true, until);
    if (!read) co_return read.error();
    if (model::gone(read->record, wall())) read->record.reset();
    Result<Changed> changed = co_await rewrite_read(key, *read, change, added);
    const bool overtaken = changed ? changed->outcome == Outcome::kOvertaken : changed.code() == ErrorCode::kConflict;
    if (!overtaken) co_return changed;
    if (added.block) break;
  }
  co_return Error(ErrorCode::kConflict, "others write this key at the same time; nothing was written: try again");
}

Task<Result<MemcachedApi::Changed>> MemcachedApi::rewrite_read(std::string key, const replication::ReadAnswer& was,
                                                                 Change change, const Added& added) {
  const std::optional<model::Record>& record = was.record;
  const std::uint64_t size = record ? record->size : 0;
  if (size + added.size() > value_bytes_max()) {
    co_return Error(ErrorCode::kTooLarge, "values have at most " + std::to_string(value_bytes_max()) + " bytes here");
  }
  std::unique_ptr<net::ByteSource> there;
  if (record && record->in_pieces()) {
    there = replicator_.open(key, was, 0, size, kTimeout);
  } else {
    there = std::make_unique<net::BytesSource>(record && record->value ? *record->value : Bytes());
  }
  net::BytesSource at_hand(added.bytes);
  net::ByteSource* more = added.block ? added.block : &at_hand;
  std::vector<net::ByteSource*> parts = {there.get(), more};
  if (added.in_front) std::swap(parts[0], parts[1]);
  JoinedSource joined(std::move(parts));

  std::optional<model::Version> version;
  if (record) version = record->version;
  Change if_the_same = [version, change = std::move(change)](const std::optional<model::Record>& now) -> Decision {
    const bool same = now ? version == now->version : !version;
    if (!same) return {Outcome::kOvertaken, {}};
    return change(now);
  };
  co_return co_await this->change(std::move(key), std::move(if_the_same), false, &joined);
}

// What a touch has left there, ready to be given out.
Task<Result<replication::ReadAnswer>> MemcachedApi::read_touched(std::string key, Changed changed) {
  replication::ReadAnswer answer;
  if (!changed.after.in_pieces()) {
    answer.record = std::move(changed.after);
    co_return answer;
  }
  const TimePoint until = deadline();
  auto read = co_await replicator_.read(std::move(key), model::ReadLevel::kQuorum, true, until);
  if (read && model::gone(read->record, wall())) read->record.reset();
  co_return read;
}

}  // namespace tako::api
