// What peers know of a node's life, and that a disk that went back in time is seen (src/node/membership/peer_memory.h).
#include <doctest/doctest.h>

#include "node/membership/peer_memory.h"
#include "store/engine/sim_engine.h"
#include "support/run_loop.h"
#include "wire/cluster/codec.h"

namespace tako::test {
namespace {

using node::PeerMemory;

struct Peer {
  VirtualLoop loop;
  store::SimDisk disk{loop.clock()};
  store::SimEngine engine{loop.loop(), disk, {}};
  std::unique_ptr<PeerMemory> memory;

  Peer() { start(); }
  ~Peer() {
    loop.run([this]() -> Task<> { co_await engine.close(); });
  }
  void start() {
    memory = std::make_unique<PeerMemory>(loop.loop(), engine);
    REQUIRE(loop.run([this]() -> Task<Status> { co_return co_await memory->load(); }).ok());
  }
  void run_for(Duration duration) {
    loop.run([&]() -> Task<> { co_await loop.loop().sleep(duration); });
  }
  Result<PeerMemory::Heard> hear(wire::Announce announce) {
    return loop.run([&]() -> Task<Result<PeerMemory::Heard>> { co_return co_await memory->hear(announce); });
  }
  // "known incarnation", and "!" where the announcer went back.
  std::string say(wire::Announce announce) {
    const auto heard = hear(std::move(announce));
    if (!heard) return name_of(heard.code());
    return std::to_string(heard->known_incarnation) + (heard->rolled_back ? "!" : "");
  }
};

wire::Announce announce(std::uint64_t incarnation, std::uint64_t boot, std::uint64_t nonce, std::uint64_t sequence,
                        std::uint64_t previous_nonce = 0) {
  wire::Announce announce;
  announce.node = "n1";
  announce.incarnation = incarnation;
  announce.boot = boot;
  announce.nonce = nonce;
  announce.sequence = announce.start_sequence = sequence;
  announce.previous_nonce = previous_nonce;
  return announce;
}

}  // namespace

TEST_CASE("a node that lives on, restarts and writes is never said to have gone back") {
  Peer peer;
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "0");
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "7");
  CHECK(peer.say(announce(7, 3, 0xa, 15)) == "7");
  CHECK(peer.say(announce(7, 3, 0xa, 12)) == "7");  // an announcement that was overtaken
  CHECK(peer.say(announce(7, 4, 0xb, 15, 0xa)) == "7");
  CHECK(peer.say(announce(7, 7, 0xe, 30, 0xd)) == "7");  // not met for two starts
}

TEST_CASE("a disk that went back is known by its starts, their succession, and its writes") {
  Peer peer;
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "0");
  SUBCASE("an earlier start") { CHECK(peer.say(announce(7, 2, 0x9, 50)) == "7!"); }
  SUBCASE("the same start, again") { CHECK(peer.say(announce(7, 3, 0xb, 50)) == "7!"); }
  SUBCASE("the next start, after another one") { CHECK(peer.say(announce(7, 4, 0xc, 50, 0xb)) == "7!"); }
  SUBCASE("the next start, with fewer writes") { CHECK(peer.say(announce(7, 4, 0xb, 9, 0xa)) == "7!"); }
  SUBCASE("a later start, with fewer writes") { CHECK(peer.say(announce(7, 9, 0xb, 9, 0x1)) == "7!"); }
  // It is told so until it comes under another incarnation, with which its memory begins anew.
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "7");
  CHECK(peer.say(announce(8, 1, 0xf, 1)) == "7");
  CHECK(peer.say(announce(8, 1, 0xf, 2)) == "8");
  CHECK(peer.say(announce(7, 3, 0xa, 20)) == "8");  // who names an older one learns that from the reply
  CHECK(peer.say(announce(8, 2, 0x1, 2, 0xf)) == "8");
}

TEST_CASE("a peer that restarts remembers") {
  Peer peer;
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "0");
  CHECK(peer.memory->is_news("n1", 8));
  CHECK(peer.say(announce(8, 4, 0xb, 10)) == "7");
  peer.start();
  CHECK_FALSE(peer.memory->is_news("n1", 8));
  CHECK(peer.memory->incarnations().at("n1") == 8);
  CHECK(peer.say(announce(8, 3, 0xa, 10)) == "8!");
  CHECK(peer.say(announce(8, 5, 0xc, 9, 0xb)) == "8!");
}

TEST_CASE("what a third one knows of a peer is kept like its own announcement, and says nothing of its disk") {
  Peer peer;
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "0");
  const auto learn = [&](std::uint64_t incarnation) {
    return peer.loop.run(
        [&]() -> Task<Status> { co_return co_await peer.memory->learn("n1", incarnation); });
  };
  REQUIRE(learn(6).ok());  // late news
  CHECK(peer.memory->incarnations().at("n1") == 7);
  peer.disk.fail_writes(ErrorCode::kIo);
  CHECK_FALSE(learn(9).ok());
  CHECK(peer.memory->is_news("n1", 9));
  peer.disk.heal_writes();
  REQUIRE(learn(9).ok());
  CHECK_FALSE(peer.memory->is_news("n1", 9));
  peer.start();
  CHECK(peer.memory->incarnations().at("n1") == 9);
  CHECK(peer.say(announce(7, 4, 0xb, 11, 0xa)) == "9");
  SUBCASE("that it restarted often and wrote little is nothing new") {
    CHECK(peer.say(announce(9, 5, 0xc, 0, 0xb)) == "9");
    CHECK(peer.say(announce(9, 4, 0xd, 0, 0xb)) == "9!");
  }
  SUBCASE("the same, of its first start") { CHECK(peer.say(announce(9, 1, 0xc, 0, 0x5)) == "9"); }
}

TEST_CASE("the number of writes is saved now and then only, all else at once") {
  Peer peer;
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "0");
  const std::uint64_t before = peer.engine.sequence();
  for (std::uint64_t i = 0; i < 50; ++i) {
    CHECK(peer.say(announce(7, 3, 0xa, 11 + i)) == "7");
    peer.run_for(milliseconds(1000));
  }
  CHECK(peer.engine.sequence() - before == 4);
  CHECK(peer.say(announce(7, 4, 0xb, 99, 0xa)) == "7");
  CHECK(peer.engine.sequence() - before == 5);
  peer.start();
  CHECK(peer.say(announce(7, 5, 0xc, 98, 0xb)) == "7!");
}

TEST_CASE("what cannot be made durable is not answered, and tried again") {
  Peer peer;
  peer.disk.fail_writes(ErrorCode::kIo);
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == name_of(ErrorCode::kIo));
  CHECK(peer.memory->is_news("n1", 7));
  peer.disk.heal_writes();
  CHECK(peer.say(announce(7, 3, 0xa, 10)) == "7");
  peer.start();
  CHECK(peer.memory->incarnations().at("n1") == 7);
}

TEST_CASE("a row of the release before says the incarnation alone") {
  Peer peer;
  wire::Writer row;
  row.u64(7);
  store::Batch batch;
  batch.put(store::Family::kSystem, "peer/n1", row.take());
  REQUIRE(peer.loop.run([&]() -> Task<Status> { co_return co_await peer.engine.write(std::move(batch)); }).ok());
  peer.start();
  CHECK(peer.say(announce(7, 1, 0xa, 5)) == "7");
  CHECK(peer.say(announce(7, 1, 0xb, 5)) == "7!");
}

}  // namespace tako::test
