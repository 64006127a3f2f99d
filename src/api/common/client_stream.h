// ClientStream: the bytes of one client's connection, both ways: what the sessions of text protocols share.
//
// In: a buffer that is large only while much is coming. Out: text that gathers until it is sent, so that small answers
// to requests that came together leave together, and large bodies that are sent from where they are. One watchdog for
// whatever is waited for: whoever receives sets it, send() sets its own, by the pace of the client.
// Owned by a session, in the frame of the task that serves it; lives on one loop. One receive() or send() at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/common/pace.h"
#include "base/bytes.h"
#include "net/socket.h"
#include "net/watchdog.h"
#include "runtime/sync.h"

namespace tako::api {

using runtime::Loop;
using runtime::Task;

inline constexpr std::size_t kOutBytesMax = 64 << 10;     // gathered answers beyond it leave at once
inline constexpr std::size_t kCopiedBytesMax = 16 << 10;  // bodies up to it are sent from `out`, with others

class ClientStream {
 public:
  ClientStream(Loop& loop, PaceLimits pace);

  bool adopt(net::UniqueFd fd) { return net::adopt(socket_, std::move(fd)); }
  void close() { net::close(socket_); }
  // REQUIRES: it is closed. Nothing of it is posted any more then.
  Task<> drained() { co_await gate_.drained(); }

  // --- in
  std::string_view received() const { return {in_.get() + in_begin_, in_end_ - in_begin_}; }
  void take(std::size_t bytes) { in_begin_ += bytes; }
  // For the next receive(). A large buffer is kept only while `large` bodies come.
  void make_room(std::size_t wanted, bool large);
  // When receive() gives up; it keeps its place between calls.
  net::Watchdog& watch() { return watch_; }
  // More bytes, when all are taken. False: the client is gone, or timed_out().
  Task<bool> receive();
  bool timed_out() const { return timed_out_; }
  // Before the next wait: whether the watchdog fired between two of them, where there was nothing to cancel.
  bool forget_time_out() { return std::exchange(timed_out_, false); }

  // --- out
  std::string& out() { return out_; }
  bool unsent() const { return out_sent_ < out_.size(); }
  // All of `out`, and then of `body`. False: the client is gone, or too slow.
  Task<bool> send(Bytes body);
  // What the kernel takes of `out` without waiting. False: some is left, or the client is gone.
  bool send_now();
  // What gathers in `out` leaves without what comes next, if that takes more than this turn of the loop.
  void flush_soon();
  // From now on the kernel holds little of what the client is slow to take.
  void hold_unsent();
  // No more will be sent.
  void shut_down_sending();
  std::uint64_t written() const { return written_; }

 private:
  enum class Sent : unsigned char { kAll, kSome, kFailed };
  Sent send_some(std::string_view body, std::size_t& sent_of_body);
  std::uint64_t taken();
  void on_watch();

  Loop& loop_;
  net::Socket socket_;
  const Duration look_every_;
  bool timed_out_ = false;

  std::unique_ptr<char[]> in_;  // received and not yet taken: [in_begin_, in_end_)
  std::size_t in_size_ = 0;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::string out_;  // to be sent, from out_sent_ on
  std::size_t out_sent_ = 0;
  std::uint64_t written_ = 0;
  Pace pace_;
  bool failed_ = false;  // nothing more can be sent
  bool flush_posted_ = false;

  net::Watchdog watch_;
  runtime::Gate gate_;
};

}  // namespace tako::api
