// History: what clients did and were told, by key, and what must follow from it.
//
// Every write has an id, which its record carries as content type, and from which its bytes follow. So a value that is
// read names its write. Checked here:
//  - what was read was written: for that key, every byte, and by a client that had sent all of it; and one version
//    names one value;
//  - a version seen or stored at `quorum` is never followed by an older one there;
//  - what was answered with w >= two is there at the end, or something newer: a delete too; and what was answered with
//    w = one, if no disk has lost anything. What was deleted, or may have expired, leaves nothing behind one day: then
//    an absence without a version stands for the delete, if there was one, and a write with an older timestamp of its
//    client's own may come after it;
//  - a `latest` read that heard all replicas sees what was answered with w >= two before it began;
//  - a write that was begun after another one of that key was answered, by the same process of a proxy, is above it,
//    whichever of its loops they came to;
//  - what was answered before a flush_all began is not read by a `latest` read that hears all replicas and begins after
//    it has ended, nor is it there at the end; and who reads a delete finds one that somebody asked for, and not one of
//    a flush_all that had ended before, unless operations at quorum may have written down that nothing is there;
//  - operations at `quorum` are linearizable by key (linearize.h), a refusal as the read that it is. All other writes
//    count as of unknown outcome there, and so does the end of what expires, as soon as it was written.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/record.h"
#include "model/verdict.h"
#include "sim/linearize.h"

namespace tako::sim {

struct Event {
  enum class Kind : std::uint8_t { kRead, kWrite, kDelete };
  std::uint64_t id = 0;  // 1, 2, ... in the order of their beginning
  std::string key;
  Kind kind = Kind::kRead;
  bool strict = false;  // at quorum
  std::string level;
  std::string proxy;
  unsigned proxy_start = 0;  // which of that proxy's processes
  Timestamp wall = 0;        // there, at the beginning
  TimePoint begin;
  std::optional<TimePoint> end;  // none: its client was told nothing
  bool ok = false;               // it succeeded; else its outcome is unknown
  std::string error;
  std::uint64_t size = 0;      // of what it writes
  bool breaks = false;         // its client stops in the middle of the value
  bool nothing = false;        // it was told that nothing was written
  bool conditional = false;    // a compare-and-set, on
  std::uint64_t expected = 0;  // the id of a write; 0: absence
  bool refused = false;        // ... and told no: `value` was there
  bool dated = false;          // it carries the client's timestamp
  bool expires = false;        // what it writes is gone one day
  std::uint64_t value = 0;     // the id of the write it read; 0: absent
  model::Version version;      // read, or told to the writer
  model::Version floor;        // strict: what it must not be behind
  model::Version told;         // the newest that a writer had been told of when it began, w >= two
  model::Version told_here;    // ... by the same process, without timestamps of clients
};

// The bytes that write `id` puts under `key`.
std::string value_of(std::string_view key, std::uint64_t id, std::uint64_t size);
std::string content_type_of(std::uint64_t id);

class History {
 public:
  // A flush_all: it deletes every key that is there when it begins, and some of what comes while it lasts.
  struct Flush {
    std::string proxy;
    TimePoint begin;
    std::optional<TimePoint> end;
    bool ok = false;       // else some keys are deleted, perhaps later
    model::Version newest; // ok: of its deletes
    bool alone = false;    // what was answered at w=one goes with it, too
  };
  // The pointer is good for the life of the history.
  Event* begin(Event event);

  // durable: on two replicas at least.
  void wrote(Event& event, TimePoint end, model::Version winner, bool won, bool durable);
  // heard_all: every replica answered, so none may be left that knows more.
  void read(Event& event, TimePoint end, const std::optional<model::Record>& record, bool with_value, bool heard_all);
  // A compare-and-set was told no, and what was there. Or yes: wrote().
  void refused(Event& event, TimePoint end, const std::optional<model::Record>& there);
  // What came, from `begin` on, of the large value that the event read.
  void read_bytes(const Event& event, std::uint64_t begin, std::string_view bytes);
  void failed(Event& event, TimePoint end, std::string error);
  // While it lasted, was there an operation at quorum on its key, and a write other than that?
  bool crowded(const Event& event) const;
  Flush* begin_flush(std::string proxy, TimePoint now, bool alone);
  void flushed(Flush& flush, TimePoint end, model::Version newest);

  // What is left of a key in the end: the newest copy, or none. undamaged: no disk ever lost anything.
  void check_final(const std::string& key, const std::optional<model::Record>& left, bool undamaged);
  void check_linearizable();

  const std::vector<std::string>& problems() const { return problems_; }
  // The key of the first problem; empty: there is none, or it concerns no key.
  const std::string& problem_key() const { return problem_key_; }
  // One line an event.
  std::string tell(const std::string& key) const;
  std::vector<std::string> keys() const;
  // The newest version that a writer was told of, w >= two.
  model::Version told(const std::string& key) const;
  const Event* find(std::uint64_t id) const;
  // Of the write that the record says it is.
  static std::uint64_t id_of(const model::Record& record);
  std::size_t answered() const { return answered_count_; }

 private:
  struct Key {
    std::vector<Event*> events;
    model::Version answered;                         // the newest that a writer was told, w >= two
    model::Version won;                              // ... and that was its own
    model::Version once;                             // likewise, w = one too
    model::Version strict;                           // the newest that an operation at quorum ended with
    std::map<std::pair<std::string, unsigned>, model::Version> told_by;  // by a proxy's process
    std::map<model::Version, std::uint64_t> values;  // the write that a version was seen to name; 0: a delete
  };
  // May a delete as new as that, or an expiry, be what left nothing?
  bool may_be_forgotten(const Key& key, const model::Version& version, TimePoint until) const;
  // May a flush_all that had begun by then have made a delete as new as that?
  bool may_be_flushed(const model::Version& version, TimePoint until) const;
  void check_flushed(const std::string& key, const Event& writer, TimePoint read_at);
  void check_delete(const std::string& key, const model::Record& record, TimePoint until);
  void add_flushes(const Key& key, std::vector<Operation>& operations) const;
  // Is what is there, or nothing, all that can be left, though that version was there before?
  bool may_follow(const Key& key, const std::optional<model::Record>& left, const model::Version& version,
                  TimePoint until) const;
  void problem(const std::string& key, const std::string& text);
  void check_order(Key& key, const Event& event);
  void names(const std::string& key, const model::Version& version, std::uint64_t id);
  // The id of the write that a record says it is; complains if it is none of this key, or other bytes.
  std::uint64_t identify(const std::string& key, const model::Record& record, bool with_value);

  std::vector<std::unique_ptr<Event>> events_;
  std::vector<std::unique_ptr<Flush>> flushes_;
  std::map<std::string, Key> keys_;
  std::vector<std::string> problems_;
  std::string problem_key_;
  std::size_t answered_count_ = 0;
};

}  // namespace tako::sim
