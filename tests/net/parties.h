// What tests of calls share: a service whose answers are chosen by the key, and requests for it.
//
//   "value:N"  a value of N bytes     "wait"   answers at the deadline     "hold"   answers when released
// A write is answered with the version it had, and its size is remembered.
#pragma once

#include <charconv>
#include <string>

#include "net/transport.h"
#include "runtime/loop.h"
#include "runtime/sync.h"
#include "wire/cluster/frame.h"

namespace tako::test {

using runtime::Task;

class KeyedService final : public net::Service {
 public:
  explicit KeyedService(runtime::Loop& loop) : loop_(loop) {}

  Task<wire::Reply> handle(wire::Request request, TimePoint deadline) override {
    loop_.check_here();
    ++handled;
    wire::Reply reply;
    reply.body = wire::Pong{};
    if (auto* read = std::get_if<wire::Read>(&request.body)) {
      if (read->key == "wait") co_await loop_.sleep_until(deadline);
      if (read->key == "hold") co_await wait_for_release();
      reply.body = answer(*read);
    }
    if (auto* write = std::get_if<wire::Write>(&request.body)) {
      wire::WriteReply stored;
      stored.outcome = wire::WriteReply::Outcome::kStored;
      stored.version = write->record.version;
      last_written = write->record;
      reply.body = stored;
    }
    co_return reply;
  }

  void release() { released_ = true; }

  std::size_t handled = 0;
  model::Record last_written;

 private:
  Task<> wait_for_release() {
    bool running = true;
    while (!released_ && running) running = co_await loop_.sleep(milliseconds(1));
  }

  static wire::ReadReply answer(const wire::Read& read) {
    wire::ReadReply reply;
    if (!read.key.starts_with("value:")) return reply;
    std::size_t size = 0;
    std::from_chars(read.key.data() + 6, read.key.data() + read.key.size(), size);
    model::Version version;
    version.timestamp = size + 1;
    reply.slot.record = model::make_value(version, Bytes(std::string(size, 'v')));
    return reply;
  }

  runtime::Loop& loop_;
  bool released_ = false;
};

inline wire::Request read_of(std::string key) {
  wire::Read read;
  read.key = std::move(key);
  wire::Request request;
  request.body = std::move(read);
  return request;
}

inline wire::Request write_of(std::string key, std::size_t size) {
  model::Version version;
  version.timestamp = 7;
  wire::Write write;
  write.key = std::move(key);
  write.record = model::make_value(version, Bytes(std::string(size, 'w')));
  wire::Request request;
  request.body = std::move(write);
  return request;
}

inline wire::Request ping() {
  wire::Request request;
  request.body = wire::Ping{};
  return request;
}

inline wire::Hello hello_of(std::string role, std::string id) {
  wire::Hello hello;
  hello.role = std::move(role);
  hello.id = std::move(id);
  return hello;
}

}  // namespace tako::test
