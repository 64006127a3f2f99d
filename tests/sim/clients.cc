#include "sim/clients.h"

#include "api/memcached/api.h"
#include "base/hash.h"
#include "replication/flush.h"
#include "sim/client_body.h"

namespace tako::sim {
namespace {

const char* name_of(model::WriteLevel level) {
  switch (level) {
    case model::WriteLevel::kOne: return "w=one";
    case model::WriteLevel::kTwo: return "w=two";
    case model::WriteLevel::kQuorum: return "w=quorum";
    case model::WriteLevel::kAll: return "w=all";
  }
  return "?";
}

const char* name_of(model::ReadLevel level) {
  switch (level) {
    case model::ReadLevel::kOne: return "r=one";
    case model::ReadLevel::kLatest: return "r=latest";
    case model::ReadLevel::kQuorum: return "r=quorum";
    case model::ReadLevel::kAll: return "r=all";
  }
  return "?";
}

constexpr std::uint32_t kStatusPpm = 20'000;  // of operations

}  // namespace

Clients::Clients(World& world, const Scenario& scenario, History& history)
    : world_(world), scenario_(scenario), history_(history), random_(world.random().split("clients")) {}

ProxyMachine* Clients::living_proxy() {
  const std::size_t first = random_.below(world_.proxies());
  for (std::size_t i = 0; i < world_.proxies(); ++i) {
    ProxyMachine& proxy = world_.proxy((first + i) % world_.proxies());
    if (proxy.alive() && !proxy.paused() && proxy.replicators->placement()) return &proxy;
  }
  return nullptr;
}

std::string Clients::draw_key() {
  const auto percent = static_cast<std::int64_t>(random_.below(100));
  if (percent < scenario_.hot_pct) return "key0";
  return "key" + std::to_string(random_.below(static_cast<std::uint64_t>(scenario_.keys)));
}

bool Clients::strict_only(const std::string& key) const {
  return static_cast<std::int64_t>(xxh3_64(key) % 100) < scenario_.strict_keys_pct;
}

bool Clients::bulk_only(const std::string& key) const {
  return static_cast<std::int64_t>(xxh3_64(key) / 100 % 100) < scenario_.bulk_keys_pct;
}

// Where nothing goes wrong a request may lose, or meet others at quorum, but not fail. (A plain write that finds a
// promise in its way, and then a newer write, cannot know whether that was built on it: protocol rule 11.)
void Clients::must_succeed(const Event& event) {
  if (scenario_.faultless == 0 || over_) return;
  world_.problem(event.key + ": #" + std::to_string(event.id) + " failed in a world without faults: " + event.error);
}

std::uint64_t Clients::draw_size() {
  if (static_cast<std::int64_t>(random_.below(100)) < scenario_.large_pct) {
    return random_.between(20'000, random_.chance_ppm(100'000) ? 2'600'000 : 700'000);
  }
  if (static_cast<std::int64_t>(random_.below(100)) < scenario_.piece_pct) return random_.between(17'000, 200'000);
  const std::uint64_t sizes[] = {0, 1, 100, 1000, 20'000};
  return sizes[random_.below(random_.chance_ppm(50'000) ? 5 : 4)];
}

void Clients::tick() {
  const Duration gap = Duration(seconds(scenario_.seconds)) / scenario_.operations;
  if (begun_ == 0) next_ = std::max(next_, world_.now());
  while (!finished() && next_ <= world_.now()) {
    next_ += Duration(random_.below(static_cast<std::uint64_t>(2 * gap.count()) + 1));
    ++begun_;
    const std::string key = draw_key();
    const bool write = static_cast<std::int64_t>(random_.below(100)) < scenario_.write_pct;
    const bool strict = strict_only(key) || static_cast<std::int64_t>(random_.below(100)) < scenario_.strict_pct;
    ProxyMachine* proxy = living_proxy();
    if (!proxy) continue;
    if (random_.chance_ppm(kStatusPpm)) {
      Lane& lane = proxy->draw_lane(random_);
      spawn(lane, status(&lane, random_.below(world_.nodes())));
    }
    if (scenario_.flush_ppm > 0 && random_.chance_ppm(static_cast<std::uint32_t>(scenario_.flush_ppm))) {
      Lane& lane = proxy->draw_lane(random_);
      spawn(lane, flush(&lane, history_.begin_flush(proxy->id, world_.now(), alone_is_safe())));
    }
    const bool conditional = static_cast<std::int64_t>(random_.below(100)) < scenario_.update_pct;
    if (write && strict && conditional && !bulk_only(key)) {
      Lane& lane = proxy->draw_lane(random_);
      spawn(lane, update(&lane, key));
    } else if (write) {
      begin_drawn_write(*proxy, key, strict);
    } else {
      begin_drawn_read(*proxy, key, strict);
    }
  }
}

Event* Clients::note(Event::Kind kind, ProxyMachine& proxy, const std::string& key, const char* level, bool strict) {
  Event event;
  event.key = key;
  event.kind = kind;
  event.strict = strict;
  event.level = level;
  event.proxy = proxy.id;
  event.proxy_start = proxy.starts;
  event.wall = proxy.clock.wall();
  event.begin = world_.now();
  event.error = "its proxy died";
  return history_.begin(std::move(event));
}

void Clients::begin_drawn_write(ProxyMachine& proxy, const std::string& key, bool strict) {
  const bool bulk = bulk_only(key);
  strict &= !bulk;
  const bool remove = static_cast<std::int64_t>(random_.below(100)) < scenario_.delete_pct;
  const model::WriteLevel plain[] = {model::WriteLevel::kTwo, model::WriteLevel::kTwo, model::WriteLevel::kAll,
                                     model::WriteLevel::kOne};
  Write write;
  write.level = strict ? model::WriteLevel::kQuorum : plain[random_.below(4)];
  write.event = note(remove ? Event::Kind::kDelete : Event::Kind::kWrite, proxy, key, name_of(write.level), strict);
  if (!remove) write.event->size = draw_size();
  if (bulk || (!strict && static_cast<std::int64_t>(random_.below(100)) < scenario_.timestamp_pct)) {
    // Whole seconds: two writes with the same one are likely.
    const Timestamp second = 1'000'000;
    write.event->dated = true;
    write.timestamp = (proxy.clock.wall() / second - random_.below(10)) * second;
  }
  if (!remove && static_cast<std::int64_t>(random_.below(100)) < scenario_.expiry_pct) {
    write.event->expires = true;
    write.expires_at = proxy.clock.wall() + random_.between(100'000, 20'000'000);
  }
  Lane& lane = proxy.draw_lane(random_);
  spawn(lane, this->write(&lane, write));
}

void Clients::begin_drawn_read(ProxyMachine& proxy, const std::string& key, bool strict) {
  const model::ReadLevel plain[] = {model::ReadLevel::kLatest, model::ReadLevel::kLatest, model::ReadLevel::kOne,
                                    model::ReadLevel::kAll};
  const model::ReadLevel level = strict ? model::ReadLevel::kQuorum : plain[random_.below(4)];
  Event* event = note(Event::Kind::kRead, proxy, key, name_of(level), strict);
  Lane& lane = proxy.draw_lane(random_);
  spawn(lane, read(&lane, event, level, random_.chance_ppm(800'000)));
}

const Event* Clients::begin_write(ProxyMachine& proxy, const std::string& key, model::WriteLevel level,
                                  std::uint64_t size) {
  Write write;
  write.level = level;
  write.event = note(Event::Kind::kWrite, proxy, key, name_of(level), level == model::WriteLevel::kQuorum);
  write.event->size = size;
  write.steady = true;
  Lane& lane = proxy.draw_lane(random_);
  spawn(lane, this->write(&lane, write));
  return write.event;
}

const Event* Clients::begin_read(ProxyMachine& proxy, const std::string& key, model::ReadLevel level) {
  Event* event = note(Event::Kind::kRead, proxy, key, name_of(level), level == model::ReadLevel::kQuorum);
  Lane& lane = proxy.draw_lane(random_);
  spawn(lane, read(&lane, event, level, true));
  return event;
}

Task<> Clients::write(Lane* lane, Write write) {
  const auto host = lane->machine.host;
  Event& event = *write.event;
  replication::Mutation mutation;
  mutation.tombstone = event.kind == Event::Kind::kDelete;
  mutation.timestamp = write.timestamp;
  mutation.expires_at = write.expires_at;
  Bytes value;
  if (!mutation.tombstone) {
    value = Bytes(value_of(event.key, event.id, event.size));
    mutation.content_type = content_type_of(event.id);
  }
  Result<replication::WriteAnswer> answer(ErrorCode::kInternal, "not written");
  if (value.size() > model::kPieceBytes) {
    Random drawn = random_.split("body" + std::to_string(event.id));
    ClientBody body(lane->loop(), std::move(drawn), std::move(value), write.steady);
    event.breaks = body.breaks();
    answer = co_await lane->replicator().write_large(event.key, std::move(mutation), body, write.level, timeout());
  } else {
    mutation.value = std::move(value);
    const TimePoint deadline = world_.now() + timeout();
    answer = co_await lane->replicator().write(event.key, std::move(mutation), write.level, deadline);
  }
  if (!host->alive) co_return;
  if (answer) {
    // `one` promises one replica, and its disk may be the one that is lost.
    history_.wrote(event, world_.now(), answer->winner, answer->won, write.level != model::WriteLevel::kOne);
    world_.tally().add(answer->won ? "write done" : "write lost to a newer one");
    if (event.size > model::kPieceBytes) world_.tally().add("large value written");
    co_return;
  }
  history_.failed(event, world_.now(), answer.error().message);
  if (event.breaks) {
    world_.tally().add("upload broken");
    co_return;
  }
  if (write.level != model::WriteLevel::kQuorum && !history_.crowded(event)) must_succeed(event);
  world_.tally().add("write unknown: " + std::string(name_of(answer.error().code)));
}

// A compare-and-set on what was there a moment ago, or on absence.
Task<> Clients::update(Lane* lane, std::string key) {
  const auto host = lane->machine.host;
  std::uint64_t expected = 0;
  if (!random_.chance_ppm(200'000)) {
    const auto seen = co_await lane->replicator().read(key, model::ReadLevel::kOne, false, world_.now() + timeout());
    if (!host->alive) co_return;
    if (seen && seen->record) expected = History::id_of(*seen->record);
  }
  const bool remove = expected != 0 && static_cast<std::int64_t>(random_.below(100)) < scenario_.delete_pct;
  const auto kind = remove ? Event::Kind::kDelete : Event::Kind::kWrite;
  Event* event = note(kind, lane->machine, key, expected == 0 ? "if absent" : "if match", true);
  event->conditional = true;
  event->expected = expected;
  replication::Mutation mutation;
  mutation.tombstone = remove;
  if (!remove) {
    event->size = std::min<std::uint64_t>(draw_size(), model::kPieceBytes);
    mutation.value = Bytes(value_of(key, event->id, event->size));
    mutation.content_type = content_type_of(event->id);
  }
  auto decide = [expected,
                 mutation](const std::optional<model::Record>& now) -> Result<std::optional<replication::Mutation>> {
    const std::uint64_t there = now ? History::id_of(*now) : 0;
    if (there != expected) return std::optional<replication::Mutation>();
    return std::optional<replication::Mutation>(mutation);
  };
  const TimePoint deadline = world_.now() + timeout();
  const auto answer = co_await lane->replicator().update(key, std::move(decide), false, deadline);
  if (!host->alive) co_return;
  if (!answer) {
    history_.failed(*event, world_.now(), answer.error().message);
    event->nothing = answer.code() != ErrorCode::kTimeout;
    world_.tally().add("update unknown: " + std::string(name_of(answer.error().code)));
  } else if (answer->written) {
    history_.wrote(*event, world_.now(), answer->version, true, true);
    world_.tally().add("update done");
  } else {
    history_.refused(*event, world_.now(), answer->before);
    world_.tally().add("update refused");
  }
}

Task<> Clients::read(Lane* lane, Event* event, model::ReadLevel level, bool want_value) {
  const auto host = lane->machine.host;
  const auto answer = co_await lane->replicator().read(event->key, level, want_value, world_.now() + timeout());
  if (!host->alive) co_return;
  if (!answer) {
    history_.failed(*event, world_.now(), answer.error().message);
    must_succeed(*event);
    world_.tally().add("read failed: " + std::string(name_of(answer.error().code)));
    co_return;
  }
  const bool looked_everywhere = level == model::ReadLevel::kLatest || level == model::ReadLevel::kAll;
  const bool large = answer->record && answer->record->in_pieces();
  history_.read(*event, world_.now(), answer->record, want_value && !large, looked_everywhere && answer->silent == 0);
  world_.tally().add("read done");
  if (large && want_value) co_await read_pieces(lane, event, *answer);
}

// May what one replica alone was told neither be lost, nor lie where nobody looks, nor come again? (A strict operation
// that has passed it over brings it back, above whatever has come meanwhile.)
bool Clients::alone_is_safe() const {
  const Scenario& s = scenario_;
  const std::int64_t losses = s.wipes + s.rollbacks + s.rots + s.flips + s.turns + s.holds + s.relays + s.lones +
                              s.pairs + (s.sync_always ? 0 : s.crashes);
  return losses == 0 && s.reconfigurations == 0 && s.strict_pct == 0 && s.strict_keys_pct == 0;
}

Task<> Clients::flush(Lane* lane, History::Flush* event) {
  const auto host = lane->machine.host;
  replication::Flush flush(lane->loop(), lane->transport(), lane->replicator());
  const auto done = co_await flush.run(world_.now() + api::MemcachedApi::kFlushTime);
  if (!host->alive) co_return;
  if (done) {
    history_.flushed(*event, world_.now(), flush.newest());
    world_.tally().add(*done > 0 ? "flush done" : "flush of nothing done");
  } else {
    event->end = world_.now();
    world_.tally().add("flush failed: " + std::string(name_of(done.error().code)));
  }
}

Task<> Clients::status(Lane* lane, std::size_t index) {
  const auto host = lane->machine.host;
  wire::Request request;
  request.body = wire::StatusQuery{};
  const std::string id = world_.node(index).id;
  const net::Peer node{id, "", 0};
  auto called = co_await lane->transport().call(node, std::move(request), world_.now() + timeout());
  if (!host->alive) co_return;
  const auto answer = net::expect<wire::StatusReply>(std::move(called));
  world_.tally().add(answer ? "status answered" : "status not answered");
}

// All of it or a range, by a reader that may be slow, or lose interest.
Task<> Clients::read_pieces(Lane* lane, Event* event, replication::ReadAnswer answer) {
  const auto host = lane->machine.host;
  Random random = random_.split("reader" + std::to_string(event->id));
  const bool whole = random.chance_ppm(600'000);
  const std::uint64_t begin = whole ? 0 : random.below(answer.record->size);
  const std::uint64_t end = whole ? answer.record->size : random.between(begin, answer.record->size);
  const auto source = lane->replicator().open(event->key, answer, begin, end, timeout());
  const bool slow = random.chance_ppm(150'000);
  std::string bytes;
  while (true) {
    if (slow) co_await lane->loop().sleep(milliseconds(static_cast<std::int64_t>(random.below(3000))));
    const auto piece = co_await source->next();
    if (!host->alive) co_return;
    if (!piece) {
      // Overwritten while it is read: the reader is told.
      if (piece.code() != ErrorCode::kConflict) must_succeed(*event);
      world_.tally().add("download failed: " + std::string(name_of(piece.code())));
      break;
    }
    if (piece->empty()) {
      world_.tally().add("large value read");
      if (bytes.size() != end - begin) world_.problem(event->key + ": a download of another length than was asked for");
      break;
    }
    bytes += piece->view();
    if (slow && random.chance_ppm(50'000)) break;
  }
  history_.read_bytes(*event, begin, bytes);
}

}  // namespace tako::sim
