// FakeCluster: replicas that keep large values as real ones do, in memory, with the faults a test wants. A Transport on
// the test's virtual loop; every call takes a millisecond, pieces as long as the node says.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/log.h"
#include "model/checksum.h"
#include "replication/replicator.h"
#include "support/run_loop.h"

namespace tako::test {

using runtime::Task;
using Body = decltype(wire::Reply::body);

struct FakeNode {
  struct Held {
    model::Record record;
    std::vector<Bytes> pieces;
  };

  bool away = false;
  bool votes = true;
  bool forgets_staged = false;  // all, when it is told to commit
  std::uint64_t incarnation = 1;
  std::uint64_t configuration = 1;
  Duration piece_time = milliseconds(1);
  Duration fetch_time = milliseconds(1);  // of a whole value
  std::set<std::uint32_t> damaged;        // pieces: it knows
  std::set<std::uint32_t> falsified;      // ... and does not

  std::map<model::UploadId, std::map<std::uint32_t, Bytes>> staged;
  std::map<std::string, Held> held;
  std::size_t pieces_taken = 0;
  std::vector<std::uint32_t> pieces_read;
  std::vector<wire::Write> writes;
  std::size_t discards = 0;
  std::map<std::string, model::Ballot> promises;
  std::size_t prepares = 0;
  std::uint32_t page_entries = ~0u;  // of a listing, at most
  Timestamp fence = 0;
  Timestamp floor = 0;  // of all partitions
};

class FakeCluster final : public net::Transport {
 public:
  explicit FakeCluster(runtime::Loop& loop) : loop_(loop) {}

  Task<Result<wire::Reply>> call(net::Peer to, wire::Request request, TimePoint deadline) override {
    const std::string id(to.id);
    FakeNode& node = nodes[id];
    const bool piece =
        std::holds_alternative<wire::WritePiece>(request.body) || std::holds_alternative<wire::ReadPiece>(request.body);
    const auto* write = std::get_if<wire::Write>(&request.body);
    const bool fetch = write && !write->value_from.empty();
    const Duration takes = piece ? node.piece_time : fetch ? node.fetch_time : milliseconds(1);
    if (node.away) co_return Error(ErrorCode::kUnsent, id + " is away");
    const TimePoint done = loop_.now() + takes;
    // What takes longer than its caller waits goes on, as a fetch does.
    if (write) node.writes.push_back(*write);
    if (fetch) done_at_.try_emplace({id, write->record.ballot}, done);
    const TimePoint ready = fetch ? done_at_[{id, write->record.ballot}] : done;
    co_await loop_.sleep_until(std::min(ready, deadline));
    if (loop_.now() < ready) co_return Error(ErrorCode::kTimeout, "late");
    if (node.away) co_return Error(ErrorCode::kUnavailable, id + " went away");
    if (before) before(id, request);
    wire::Reply reply;
    reply.body = answer(node, request);
    co_return reply;
  }
  bool reachable(const net::Peer& peer) const override { return !nodes.at(std::string(peer.id)).away; }

  std::map<std::string, FakeNode> nodes;
  std::function<void(const std::string& node, const wire::Request& request)> before;  // each answer

 private:
  Body answer(FakeNode& node, wire::Request& request) {
    if (votes_in(request) && request.config.counter < node.configuration) return Error(ErrorCode::kStale, "outdated");
    if (auto* read = std::get_if<wire::Read>(&request.body)) return answer(node, *read);
    if (auto* write = std::get_if<wire::Write>(&request.body)) return answer(node, *write);
    if (auto* piece = std::get_if<wire::WritePiece>(&request.body)) {
      REQUIRE(model::piece_checksum(piece->piece.view()) == piece->checksum);
      node.staged[piece->upload][piece->index] = piece->piece;
      ++node.pieces_taken;
      return wire::PieceStored{};
    }
    if (auto* discard = std::get_if<wire::Discard>(&request.body)) {
      node.staged.erase(discard->upload);
      ++node.discards;
      return wire::Discarded{};
    }
    if (auto* prepare = std::get_if<wire::Prepare>(&request.body)) return answer(node, *prepare);
    if (auto* list = std::get_if<wire::List>(&request.body)) return answer(node, *list);
    return answer(node, std::get<wire::ReadPiece>(request.body));
  }

  Body answer(FakeNode& node, const wire::Prepare& prepare) {
    wire::PromiseReply reply;
    const auto found = node.held.find(prepare.key);
    if (found != node.held.end()) reply.slot.record = found->second.record;
    model::Ballot& promise = node.promises[prepare.key];
    promise = std::max(promise, model::promise_of_fence(node.fence));
    reply.slot.floor = node.floor;
    reply.promised = prepare.ballot > reply.slot.ballot() && prepare.ballot > promise;
    if (reply.promised) promise = prepare.ballot;
    reply.slot.promise = promise;
    reply.voter.votes = reply.voter.informed = node.votes;
    reply.voter.incarnation = node.incarnation;
    ++node.prepares;
    return reply;
  }

  static bool votes_in(const wire::Request& request) {
    return std::holds_alternative<wire::Read>(request.body) || std::holds_alternative<wire::Write>(request.body);
  }

  Body answer(FakeNode& node, const wire::Read& read) {
    wire::ReadReply reply;
    const auto found = node.held.find(read.key);
    if (found != node.held.end()) reply.slot.record = found->second.record;
    reply.slot.floor = node.floor;
    reply.slot.promise = model::promise_of_fence(node.fence);
    reply.voter.votes = reply.voter.informed = node.votes;
    reply.voter.incarnation = node.incarnation;
    return reply;
  }

  // In the order of the keys alone.
  Body answer(FakeNode& node, const wire::List& list) {
    wire::ListReply reply;
    const std::uint32_t most = std::min(list.entries_max, node.page_entries);
    for (auto it = node.held.lower_bound(list.key); it != node.held.end() && reply.complete; ++it) {
      reply.complete = reply.entries.size() < most;
      if (reply.complete) {
        reply.entries.push_back({it->first, it->second.record.ballot, {}, model::kNeverEnds, {}});
      } else {
        reply.next_key = it->first;
      }
    }
    return reply;
  }

  Body answer(FakeNode& node, const wire::ReadPiece& read) {
    node.pieces_read.push_back(read.index);
    const auto found = node.held.find(read.key);
    if (found == node.held.end() || found->second.record.ballot != read.ballot) {
      return Error(ErrorCode::kConflict, "another version");
    }
    if (node.damaged.contains(read.index)) return Error(ErrorCode::kCorrupt, "damaged");
    wire::PieceReply reply;
    reply.piece = found->second.pieces.at(read.index);
    reply.checksum = model::piece_checksum(reply.piece.view());
    if (node.falsified.contains(read.index)) {
      std::string bytes(reply.piece.view());
      bytes[7] ^= 1;
      reply.piece = Bytes(std::move(bytes));
    }
    return reply;
  }

  Body answer(FakeNode& node, const wire::Write& write) {
    wire::WriteReply reply;
    reply.voter.votes = reply.voter.informed = node.votes;
    reply.voter.incarnation = node.incarnation;
    const auto found = node.held.find(write.key);
    const model::Ballot ballot = found == node.held.end() ? model::Ballot{} : found->second.record.ballot;
    model::Ballot& promise = node.promises[write.key];
    if (write.source == wire::Write::Source::kProposal) {
      promise = std::max(promise, model::promise_of_fence(node.fence));
    }
    if (ballot < write.record.ballot && write.record.ballot >= promise) {
      promise = std::max(promise, write.promise);
      FakeNode::Held held{write.record, {}};
      if (write.record.in_pieces()) {
        if (write.upload && !write.value_from.empty()) {
          for (auto& [index, piece] : nodes[write.value_from].staged[*write.upload]) held.pieces.push_back(piece);
        } else if (write.upload) {
          if (node.forgets_staged) node.staged.clear();
          for (auto& [index, piece] : node.staged[*write.upload]) held.pieces.push_back(piece);
          node.staged.erase(*write.upload);
        } else {
          REQUIRE_FALSE(write.value_from.empty());
          const auto& from = nodes[write.value_from];
          const auto there = from.held.find(write.key);
          if (from.away || there == from.held.end() || there->second.record.ballot != write.record.ballot) {
            return Error(ErrorCode::kUnavailable, "cannot fetch it");
          }
          held.pieces = there->second.pieces;
        }
        if (held.pieces.size() != model::pieces_of(write.record.size)) return Error(ErrorCode::kNotFound, "no pieces");
      }
      node.held[write.key] = std::move(held);
    }
    const auto left = node.held.find(write.key);
    const model::Record now = left == node.held.end() ? model::Record{} : left->second.record;
    reply.outcome =
        now.ballot == write.record.ballot ? wire::WriteReply::Outcome::kStored : wire::WriteReply::Outcome::kRefused;
    reply.stored = now.ballot;
    reply.version = now.version;
    reply.promise = promise;
    return reply;
  }

  runtime::Loop& loop_;
  std::map<std::pair<std::string, model::Ballot>, TimePoint> done_at_;
};

// The nodes n1, n2, n3 in the active deployment, `targets` in the target one; each a replica of every key.
inline std::shared_ptr<const model::Placement> placement_of(int version, const std::vector<std::string>& targets = {}) {
  const auto deployment = [](const std::string& name, const std::vector<std::string>& nodes) {
    std::string text =
        "  " + name + ":\n    hash: {buckets_per_key: " + std::to_string(nodes.size()) + "}\n    buckets:\n";
    for (const std::string& node : nodes) {
      text += "      b" + node + ": {" + node + ": [localhost, 470" + node.substr(1) + "]}\n";
    }
    return text;
  };
  std::string text = "version: " + std::to_string(version) + "\nactive_deployment: d1\n";
  if (!targets.empty()) text += "target_deployment: d2\n";
  text += "deployments:\n" + deployment("d1", {"n1", "n2", "n3"});
  if (!targets.empty()) text += deployment("d2", targets);
  auto configuration = model::parse_config(text, "test");
  if (!configuration) FAIL(configuration.error().message);
  return model::Placement::make(std::move(*configuration));
}

// A value that differs everywhere.
inline std::string large_value(std::size_t size, unsigned seed = 1) {
  std::string value(size, '\0');
  Random random(seed);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random.next();
    std::copy_n(reinterpret_cast<const char*>(&word), std::min<std::size_t>(8, size - i), value.data() + i);
  }
  return value;
}

class CountingSource final : public net::ByteSource {
 public:
  CountingSource(runtime::Loop& loop, std::string value) : loop_(loop), value_(std::move(value)), left_(value_) {}

  Task<Result<Bytes>> next() override {
    if (before) before(taken);
    if (taken == fails_at) co_return Error(ErrorCode::kUnavailable, "the client went away");
    co_await loop_.sleep(milliseconds(1));
    const std::size_t count = std::min(left_.size(), model::kPieceBytes);
    Bytes piece = Bytes::copy_of(left_.substr(0, count));
    left_.remove_prefix(count);
    if (count > 0) ++taken;
    co_return piece;
  }

  std::size_t taken = 0;
  std::size_t fails_at = ~std::size_t{0};
  std::function<void(std::size_t taken)> before;

 private:
  runtime::Loop& loop_;
  const std::string value_;
  std::string_view left_;
};

struct LargeFixture {
  LargeFixture()
      : cluster(world.loop()),
        replicator(world.loop(), cluster, world.clock(), std::make_shared<replication::VersionMark>(0)) {
    REQUIRE(log::open("off", "").ok());
    for (const char* id : {"n1", "n2", "n3"}) cluster.nodes[id];
    replicator.adopt(placement_of(1));
  }
  ~LargeFixture() {
    world.loop().stop();
    world.run([this]() -> Task<> { co_await replicator.stop(); });
  }

  Result<replication::WriteAnswer> write(const std::string& value, model::WriteLevel level) {
    CountingSource source(world.loop(), value);
    return write(source, level);
  }
  Result<replication::WriteAnswer> write(CountingSource& source, model::WriteLevel level) {
    return world.run([&]() -> Task<Result<replication::WriteAnswer>> {
      replication::Mutation mutation;
      const TimePoint began = world.loop().now();
      auto answer = co_await replicator.write_large("k", std::move(mutation), source, level, seconds(10));
      took = world.loop().now() - began;
      co_return answer;
    });
  }
  void wait(Duration time) {
    world.run([&]() -> Task<> { co_await world.loop().sleep(time); });
  }

  auto read(model::ReadLevel level = model::ReadLevel::kLatest) {
    return world.run([&]() -> Task<Result<replication::ReadAnswer>> {
      co_return co_await replicator.read("k", level, true, world.loop().now() + seconds(5));
    });
  }
  // An error's message in brackets is what follows the bytes that came before it.
  std::string download(const replication::ReadAnswer& answer, std::uint64_t begin, std::uint64_t end,
                       const std::function<void(std::size_t pieces)>& after = {}) {
    return world.run([&]() -> Task<std::string> {
      const auto source = replicator.open("k", answer, begin, end, seconds(10));
      std::string bytes;
      for (std::size_t pieces = 1;; ++pieces) {
        const auto piece = co_await source->next();
        if (!piece) co_return bytes + "[" + name_of(piece.code()) + "]";
        if (piece->empty()) co_return bytes;
        bytes += piece->view();
        if (after) after(pieces);
      }
    });
  }

  FakeNode& node(const std::string& id) { return cluster.nodes[id]; }
  bool holds(const std::string& id, const std::string& value) {
    const auto found = node(id).held.find("k");
    if (found == node(id).held.end()) return false;
    std::string whole;
    for (const Bytes& piece : found->second.pieces) whole += piece.view();
    return whole == value && found->second.record.size == value.size() &&
           found->second.record.checksum == model::checksum_of(value);
  }
  bool nothing_staged() const {
    return std::all_of(cluster.nodes.begin(), cluster.nodes.end(),
                       [](const auto& node) { return node.second.staged.empty(); });
  }

  VirtualLoop world;
  FakeCluster cluster;
  replication::Replicator replicator;
  Duration took{};
};

}  // namespace tako::test
