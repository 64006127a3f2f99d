#include "sim/history.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "replication/version_clock.h"
#include "sim/linearize.h"

namespace tako::sim {
namespace {

constexpr std::size_t kProblemsMax = 20;
constexpr std::string_view kTypePrefix = "write/";

const char* name_of(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::kRead: return "read";
    case Event::Kind::kWrite: return "write";
    case Event::Kind::kDelete: return "delete";
  }
  return "?";
}

double milliseconds_of(TimePoint at) { return static_cast<double>(at.time_since_epoch().count()) / 1000.0; }

std::string line_of(const Event& event) {
  char times[80];
  if (event.end) {
    std::snprintf(times, sizeof times, "%12.3f .. %12.3f", milliseconds_of(event.begin), milliseconds_of(*event.end));
  } else {
    std::snprintf(times, sizeof times, "%12.3f .. %12s", milliseconds_of(event.begin), "no answer");
  }
  std::string text = std::string(times) + "  #" + std::to_string(event.id) + " " + name_of(event.kind) + " " +
                     event.level + " by " + event.proxy;
  if (event.kind == Event::Kind::kWrite) text += ", " + std::to_string(event.size) + " bytes";
  if (!event.ok) return text + ": unknown (" + event.error + ")";
  if (event.kind == Event::Kind::kRead) {
    text += event.value ? ": the value of #" + std::to_string(event.value) : std::string(": absent");
  } else {
    text += event.refused ? ": " + event.error : std::string(": done");
  }
  return text + ", version " + to_string(event.version);
}

}  // namespace

std::string value_of(std::string_view key, std::uint64_t id, std::uint64_t size) {
  std::string value;
  value.reserve(size);
  const std::string pattern = std::string(key) + "#" + std::to_string(id) + ";";
  while (value.size() < size) value.append(pattern, 0, std::min<std::size_t>(pattern.size(), size - value.size()));
  return value;
}

std::string content_type_of(std::uint64_t id) { return std::string(kTypePrefix) + std::to_string(id); }

Event* History::begin(Event event) {
  event.id = events_.size() + 1;
  Key& key = keys_[event.key];
  if (event.strict) event.floor = key.strict;
  event.told = key.won;
  const auto told = key.told_by.find({event.proxy, event.proxy_start});
  if (told != key.told_by.end()) event.told_here = told->second;
  events_.push_back(std::make_unique<Event>(std::move(event)));
  key.events.push_back(events_.back().get());
  return events_.back().get();
}

const Event* History::find(std::uint64_t id) const {
  return id == 0 || id > events_.size() ? nullptr : events_[id - 1].get();
}

void History::problem(const std::string& key, const std::string& text) {
  if (problem_key_.empty()) problem_key_ = key;
  if (problems_.size() < kProblemsMax) problems_.push_back(key + ": " + text);
}

void History::wrote(Event& event, TimePoint end, model::Version winner, bool won, bool durable) {
  Key& key = keys_[event.key];
  event.end = end;
  event.version = winner;
  event.ok = won;
  if (!won) event.error = "lost to a newer version";
  if (!event.dated) check_order(key, event);
  if (won) names(event.key, winner, event.kind == Event::Kind::kWrite ? event.id : 0);
  if (won) key.once = std::max(key.once, winner);
  if (!durable) return;
  ++answered_count_;
  if (won) key.won = std::max(key.won, winner);
  key.answered = std::max(key.answered, winner);
  if (event.strict && won) key.strict = std::max(key.strict, winner);
}

// A clock that is further ahead than replication/version_clock.h follows drags nobody along.
void History::check_order(Key& key, const Event& event) {
  const bool followed = event.told_here.timestamp <= event.wall + replication::VersionClock::kFollowMax;
  if (followed && !event.told_here.none() && event.version <= event.told_here) {
    problem(event.key, "#" + std::to_string(event.id) + " has version " + to_string(event.version) + ", and " +
                           event.proxy + " had answered " + to_string(event.told_here) + " before it began");
  }
  model::Version& told = key.told_by[{event.proxy, event.proxy_start}];
  told = std::max(told, event.version);
}

void History::names(const std::string& key, const model::Version& version, std::uint64_t id) {
  const std::uint64_t named = keys_[key].values.emplace(version, id).first->second;
  if (named == id) return;
  const auto what = [](std::uint64_t write) {
    return write == 0 ? std::string("a delete") : "#" + std::to_string(write);
  };
  problem(key, "version " + to_string(version) + " names " + what(named) + ", and " + what(id));
}

std::uint64_t History::id_of(const model::Record& record) {
  if (record.tombstone()) return 0;
  std::uint64_t id = 0;
  const std::string_view type = record.content_type;
  if (type.starts_with(kTypePrefix)) std::from_chars(type.data() + kTypePrefix.size(), type.data() + type.size(), id);
  return id;
}

std::uint64_t History::identify(const std::string& key, const model::Record& record, bool with_value) {
  if (record.tombstone()) return 0;
  const std::uint64_t id = id_of(record);
  const Event* writer = find(id);
  if (!writer || writer->key != key || writer->kind != Event::Kind::kWrite) {
    problem(key, "a value that nobody wrote there: " + record.content_type);
    return id;
  }
  if (writer->breaks) problem(key, "#" + std::to_string(id) + " is visible, whose client had not sent all of it");
  if (writer->nothing) problem(key, "#" + std::to_string(id) + " is visible, which was told that nothing was written");
  const bool same = record.size == writer->size &&
                    (!with_value || (record.value && record.value->view() == value_of(key, id, writer->size)));
  if (!same) problem(key, "other bytes than #" + std::to_string(id) + " wrote");
  names(key, record.version, id);
  return id;
}

History::Flush* History::begin_flush(std::string proxy, TimePoint now, bool alone) {
  flushes_.push_back(std::make_unique<Flush>());
  Flush& flush = *flushes_.back();
  flush.proxy = std::move(proxy);
  flush.begin = now;
  flush.alone = alone;
  return &flush;
}

void History::flushed(Flush& flush, TimePoint end, model::Version newest) {
  flush.end = end;
  flush.ok = true;
  flush.newest = newest;
}

bool History::may_be_flushed(const model::Version& version, TimePoint until) const {
  return std::any_of(flushes_.begin(), flushes_.end(), [&](const auto& flush) {
    return flush->begin <= until && (!flush->ok || flush->newest >= version);
  });
}

// Of a value that is there after all that ended before.
void History::check_flushed(const std::string& key, const Event& writer, TimePoint read_at) {
  if (!writer.ok || !writer.end) return;
  for (const auto& flush : flushes_) {
    if (!flush->ok || *flush->end >= read_at || *writer.end >= flush->begin) continue;
    if (writer.level == "w=one" && !flush->alone) continue;
    problem(key, "#" + std::to_string(writer.id) + " is there after a flush_all of " + flush->proxy + " that began " +
                     "when it had been answered");
    return;
  }
}

void History::check_delete(const std::string& key, const model::Record& record, TimePoint until) {
  const model::Version& version = record.version;
  if (flushes_.empty() || may_be_flushed(version, until)) return;
  const auto& events = keys_[key].events;
  const auto strict = [](const Event* event) { return event->strict; };
  if (std::any_of(events.begin(), events.end(), strict)) return;  // those may write down that nothing is there
  const bool known = std::any_of(events.begin(), events.end(), [&](const Event* event) {
    if (event->expires) return true;
    return event->kind == Event::Kind::kDelete && !event->refused && (!event->ok || event->version == version);
  });
  if (!known) problem(key, "a delete that nobody asked for: " + to_string(version));
}

// How many of its deletes can be told apart: one for each node that is asked, and between any two something is written.
void History::add_flushes(const Key& key, std::vector<Operation>& operations) const {
  constexpr std::size_t kDeletesMax = 4;
  for (const auto& flush : flushes_) {
    std::size_t here = 1;
    for (const Event* event : key.events) {
      const bool during = !flush->end || event->begin <= *flush->end;
      const bool before = event->ok && event->end && *event->end < flush->begin;
      here += event->kind == Event::Kind::kWrite && during && !before;
    }
    Operation remove;
    remove.kind = Operation::Kind::kWrite;
    remove.begin = flush->begin;
    operations.insert(operations.end(), std::min(here, kDeletesMax), remove);
  }
}

bool History::may_be_forgotten(const Key& key, const model::Version& version, TimePoint until) const {
  if (may_be_flushed(version, until)) return true;
  const auto seen = key.values.find(version);
  if (seen != key.values.end() && seen->second == 0) return true;  // of an expiry, by a reader who wrote it down
  return std::any_of(key.events.begin(), key.events.end(), [&](const Event* event) {
    const bool ends = event->kind == Event::Kind::kDelete || event->expires;
    if (!ends || event->refused || event->nothing || event->begin > until) return false;
    return !event->ok || event->version >= version;
  });
}

bool History::may_follow(const Key& key, const std::optional<model::Record>& left, const model::Version& version,
                         TimePoint until) const {
  if (!may_be_forgotten(key, version, until)) return false;
  if (!left) return true;
  if (left->ballot <= version) return false;
  const Event* writer = find(id_of(*left));
  if (writer) return writer->dated;
  return std::any_of(key.events.begin(), key.events.end(),
                     [](const Event* event) { return event->kind == Event::Kind::kDelete && event->dated; });
}

void History::read(Event& event, TimePoint end, const std::optional<model::Record>& record, bool with_value,
                   bool heard_all) {
  event.end = end;
  event.ok = true;
  event.value = record ? identify(event.key, *record, with_value) : 0;
  event.version = record ? record->version : model::Version{};
  if (record && record->tombstone()) {
    names(event.key, record->version, 0);
    check_delete(event.key, *record, end);
  }
  if (const Event* writer = find(event.value); writer && heard_all) check_flushed(event.key, *writer, event.begin);
  const auto forgotten = [&](const model::Version& version) {
    return may_follow(keys_[event.key], record, version, end);
  };
  if (heard_all && event.version < event.told && !forgotten(event.told)) {
    problem(event.key, "read #" + std::to_string(event.id) + " heard all replicas: " + to_string(event.version) +
                           ", but " + to_string(event.told) + " had been answered");
  }
  if (!event.strict) return;
  if (event.version < event.floor && !forgotten(event.floor)) {
    problem(event.key, "read #" + std::to_string(event.id) + " at quorum: " + to_string(event.version) +
                           ", but an earlier one ended with " + to_string(event.floor));
  }
  Key& key = keys_[event.key];
  key.strict = std::max(key.strict, event.version);
}

void History::refused(Event& event, TimePoint end, const std::optional<model::Record>& there) {
  event.refused = event.ok = true;
  event.end = end;
  event.value = there ? identify(event.key, *there, false) : 0;
  event.version = there ? there->version : model::Version{};
  event.error =
      "refused: " + (event.value == 0 ? std::string("nothing") : "#" + std::to_string(event.value)) + " is there";
  if (event.value == event.expected) {
    problem(event.key, "#" + std::to_string(event.id) + " was refused, though it found what it expected");
  }
}

void History::read_bytes(const Event& event, std::uint64_t begin, std::string_view bytes) {
  const Event* writer = find(event.value);
  if (!writer) return;  // read() has complained
  const std::string value = value_of(event.key, writer->id, writer->size);
  if (std::string_view(value).substr(begin, bytes.size()) == bytes) return;
  problem(event.key, "read #" + std::to_string(event.id) + " got other bytes than #" + std::to_string(writer->id) +
                         " wrote, from " + std::to_string(begin) + " on");
}

void History::failed(Event& event, TimePoint end, std::string error) {
  event.end = end;
  event.error = std::move(error);
}

bool History::crowded(const Event& event) const {
  bool quorum = false;
  bool write = false;
  const auto key = keys_.find(event.key);
  if (key == keys_.end()) return false;
  for (const Event* other : key->second.events) {
    const bool apart = other == &event || (other->end && *other->end < event.begin);
    if (apart) continue;
    const bool strict = other->strict || other->conditional;
    quorum |= strict;
    write |= !strict && other->kind != Event::Kind::kRead;
  }
  for (const auto& flush : flushes_) write |= !flush->end || *flush->end >= event.begin;
  return quorum && write;
}

void History::check_final(const std::string& key, const std::optional<model::Record>& left, bool undamaged) {
  const Key& of = keys_[key];
  if (left) (void)identify(key, *left, left->value.has_value());
  if (const Event* writer = left ? find(id_of(*left)) : nullptr) check_flushed(key, *writer, TimePoint::max());
  const model::Version version = left ? left->version : model::Version{};
  const model::Version newest = std::max({undamaged ? of.once : of.answered, of.answered, of.strict});
  if (version < newest && may_follow(of, left, newest, TimePoint::max())) return;
  if (undamaged && version < of.once) {
    problem(key, "lost: " + to_string(of.once) + " was answered (w=one), " + to_string(version) +
                     " is left, and no disk had lost anything");
  } else if (version < of.answered) {
    problem(key, "lost: " + to_string(of.answered) + " was answered, " + to_string(version) + " is left");
  } else if (version < of.strict) {
    problem(key, "lost: " + to_string(of.strict) + " was seen at quorum, " + to_string(version) + " is left");
  }
}

namespace {

Operation operation_of(const Event& event) {
  Operation operation;
  operation.id = event.id;
  operation.begin = event.begin;
  if (event.strict && event.ok) operation.end = event.end;
  const bool read = event.kind == Event::Kind::kRead || event.refused;
  operation.kind = read ? Operation::Kind::kRead : Operation::Kind::kWrite;
  if (event.conditional && !read) operation.kind = Operation::Kind::kCompareAndSet;
  operation.expected = event.expected;
  operation.value = event.kind == Event::Kind::kWrite && !read ? event.id : event.value;
  return operation;
}

// At any time, by anybody's clock, or never.
Operation end_of(const Event& event) {
  Operation operation;
  operation.kind = Operation::Kind::kCompareAndSet;
  operation.id = event.id;
  operation.begin = event.begin;
  operation.expected = event.id;
  return operation;
}

}  // namespace

void History::check_linearizable() {
  for (const auto& [name, key] : keys_) {
    std::vector<Operation> operations;
    bool any = false;
    for (const Event* event : key.events) {
      if (event->kind == Event::Kind::kRead && !(event->strict && event->ok)) continue;
      operations.push_back(operation_of(*event));
      if (event->expires) operations.push_back(end_of(*event));
      any |= event->strict;
    }
    if (!any) continue;
    add_flushes(key, operations);
    const Verdict verdict = sim::check_linearizable(operations);
    if (verdict.gave_up) problem(name, "the linearizability checker gave up");
    if (!verdict.linearizable) problem(name, "not linearizable: " + verdict.explanation);
  }
}

std::string History::tell(const std::string& key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return "";
  std::string text;
  for (const Event* event : found->second.events) text += line_of(*event) + "\n";
  return text;
}

model::Version History::told(const std::string& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? model::Version{} : found->second.won;
}

std::vector<std::string> History::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, key] : keys_) names.push_back(name);
  return names;
}

}  // namespace tako::sim
