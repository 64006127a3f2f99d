// Clients: they read and write at random through the proxies of a World, for as long as its scenario says, and note in
// the History what they were told. A proxy that dies under an operation leaves its outcome unknown.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/history.h"
#include "sim/scenario.h"
#include "sim/world.h"

namespace tako::sim {

class Clients {
 public:
  Clients(World& world, const Scenario& scenario, History& history);

  // The time of the next operation.
  TimePoint next_operation() const { return finished() ? TimePoint::max() : next_; }
  // Begins those whose time has come, if a proxy is there.
  void tick();
  bool finished() const { return begun_ >= scenario_.operations; }

  // For the checks after the faults: begins this very operation now; its event tells how it ended.
  const Event* begin_write(ProxyMachine& proxy, const std::string& key, model::WriteLevel level, std::uint64_t size);
  const Event* begin_read(ProxyMachine& proxy, const std::string& key, model::ReadLevel level);

  // From now on machines stop, in every world.
  void time_of_peace_is_over() { over_ = true; }

 private:
  struct Write {
    Event* event;
    model::WriteLevel level;
    std::optional<Timestamp> timestamp;
    Timestamp expires_at = 0;
    bool steady = false;  // the client sends all of a large value, and as fast as it is taken
  };
  using Lane = ProxyMachine::Lane;
  void spawn(Lane& lane, Task<> task) { lane.loop().spawn(lane.work, std::move(task)); }
  Task<> write(Lane* lane, Write write);
  Task<> update(Lane* lane, std::string key);
  Task<> read(Lane* lane, Event* event, model::ReadLevel level, bool want_value);
  Task<> flush(Lane* lane, History::Flush* flush);
  // What an operator asks a node: it goes over all its loops.
  Task<> status(Lane* lane, std::size_t node);
  Task<> read_pieces(Lane* lane, Event* event, replication::ReadAnswer answer);

  ProxyMachine* living_proxy();
  std::string draw_key();
  bool strict_only(const std::string& key) const;
  bool bulk_only(const std::string& key) const;
  bool alone_is_safe() const;
  void must_succeed(const Event& event);
  std::uint64_t draw_size();
  void begin_drawn_write(ProxyMachine& proxy, const std::string& key, bool strict);
  void begin_drawn_read(ProxyMachine& proxy, const std::string& key, bool strict);
  Duration timeout() const { return milliseconds(scenario_.timeout_ms); }
  Event* note(Event::Kind kind, ProxyMachine& proxy, const std::string& key, const char* level, bool strict);

  World& world_;
  const Scenario& scenario_;
  History& history_;
  Random random_;
  bool over_ = false;
  TimePoint next_{};
  std::int64_t begun_ = 0;
};

}  // namespace tako::sim
