// SessionSet: the connections of one server on one loop, from being accepted to the last answer. A server has one for
// each of its loops, as the takers of its Listener.
//
// A Session is made for each connection, and has run(Accepted), stop() (no further requests) and close().
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "net/listener.h"
#include "runtime/sync.h"

namespace tako::net {

template <class Session>
class SessionSet final : public Taker {
 public:
  SessionSet(Loop& loop, Duration stop_grace, std::function<std::unique_ptr<Session>()> make)
      : loop_(loop), stop_grace_(stop_grace), make_(std::move(make)), left_(loop_), gate_(loop_) {}

  Loop& loop() { return loop_; }

  void take(Accepted connection) override {
    if (!stopping_) loop_.spawn(gate_, serve(std::move(connection)));
  }

  // What is under way is answered, if that takes no longer than the grace.
  Task<> stop() {
    stopping_ = true;
    for (Session* session : sessions_) session->stop();
    const TimePoint deadline = loop_.now() + stop_grace_;
    while (!sessions_.empty()) {
      const bool woken = co_await left_.wait(deadline);
      if (!woken) break;
    }
    for (Session* session : sessions_) session->close();
    co_await gate_.drained();
  }

 private:
  Task<> serve(Accepted connection) {
    const std::unique_ptr<Session> session = make_();
    sessions_.insert(session.get());
    co_await session->run(std::move(connection));
    sessions_.erase(session.get());
    left_.notify();
  }

  Loop& loop_;
  const Duration stop_grace_;
  const std::function<std::unique_ptr<Session>()> make_;
  bool stopping_ = false;
  std::set<Session*> sessions_;
  runtime::Signal left_;
  runtime::Gate gate_;
};

}  // namespace tako::net
