// row := incarnation: u64, boot: u64, nonce: u64, sequence: u64; of older releases the incarnation alone
#include "node/membership/peer_memory.h"

#include "base/plant.h"
#include "wire/cluster/codec.h"

namespace tako::node {
namespace {

constexpr char kRowPrefix[] = "peer/";
constexpr char kRowsEnd[] = "peer0";  // '0' follows '/'
constexpr std::size_t kLoadBytesMax = 64 << 20;

}  // namespace

Task<Status> PeerMemory::load() {
  store::Range range{kRowPrefix, kRowsEnd};
  const store::ScanLimits limits{kPeersMax, kLoadBytesMax};
  auto page = co_await engine_.scan(store::Family::kSystem, std::move(range), limits);
  if (!page) co_return page.error();
  if (page->unreadable) {
    co_return Error(
        ErrorCode::kCorrupt,
        "a row of the node's own in its database is unreadable; wipe the data folder to start as a new node");
  }
  for (const auto& [key, value] : page->entries) {
    wire::Reader reader{std::string_view(value)};
    Life life;
    life.incarnation = reader.u64();
    if (reader.remaining() > 0) {
      life.boot = reader.u64();
      life.nonce = reader.u64();
      life.sequence = reader.u64();
    }
    Peer& peer = peers_[key.substr(sizeof kRowPrefix - 1)];
    peer.known = peer.saved = life;
    peer.saved_at = loop_.now();
  }
  co_return ok_status();
}

std::map<std::string, std::uint64_t> PeerMemory::incarnations() const {
  std::map<std::string, std::uint64_t> all;
  for (const auto& [node, peer] : peers_) all[node] = peer.known.incarnation;
  return all;
}

bool PeerMemory::is_news(const std::string& node, std::uint64_t incarnation) const {
  const auto known = peers_.find(node);
  return known == peers_.end() || incarnation > known->second.saved.incarnation;
}

Task<Status> PeerMemory::learn(std::string node, std::uint64_t incarnation) {
  Peer& peer = peers_[node];
  if (incarnation > peer.known.incarnation) peer.known = Life{incarnation, 0, 0, 0};
  if (incarnation <= peer.saved.incarnation) co_return ok_status();
  co_return co_await save(std::move(node));
}

bool PeerMemory::went_back(const Life& known, const wire::Announce& announce) {
  if (known.boot == 0) return false;
  if (announce.boot < known.boot) return true;
  if (announce.boot == known.boot) return announce.nonce != known.nonce;
  const bool next = announce.boot == known.boot + 1;
  return announce.start_sequence < known.sequence || (next && announce.previous_nonce != known.nonce);
}

Task<Result<PeerMemory::Heard>> PeerMemory::hear(wire::Announce announce) {
  Peer& peer = peers_[announce.node];
  Life& known = peer.known;
  Heard heard;
  heard.known_incarnation = known.incarnation;
  if (announce.incarnation < known.incarnation) co_return heard;
  const bool anew = announce.incarnation > known.incarnation;
  if (!anew && went_back(known, announce) && !planted(Plant::kRollbackUnseen)) {
    heard.rolled_back = true;
    co_return heard;
  }
  const bool same_start = !anew && announce.boot == known.boot;
  const std::uint64_t sequence = same_start ? std::max(known.sequence, announce.sequence) : announce.sequence;
  known = Life{announce.incarnation, announce.boot, announce.nonce, sequence};
  if (to_be_saved(peer)) {
    const Status saved = co_await save(announce.node);
    if (!saved) co_return saved.error();
  }
  co_return heard;
}

bool PeerMemory::to_be_saved(const Peer& peer) const {
  const Life& known = peer.known;
  const Life& saved = peer.saved;
  if (known.incarnation != saved.incarnation || known.boot != saved.boot || known.nonce != saved.nonce) return true;
  if (known.sequence == saved.sequence) return false;
  return buggify(loop_.random(), "peers/save") || loop_.now() >= peer.saved_at + kSequenceSaveInterval;
}

// Its own kind of batch: a full disk must not keep a peer from being believed.
Task<Status> PeerMemory::save(std::string node) {
  Peer& peer = peers_[node];
  const Life life = peer.known;
  wire::Writer writer;
  writer.u64(life.incarnation);
  writer.u64(life.boot);
  writer.u64(life.nonce);
  writer.u64(life.sequence);
  Status written = ok_status();
  if (!planted(Plant::kIncarnationForgotten)) {
    store::Batch batch;
    batch.frees_space = true;
    batch.put(store::Family::kSystem, kRowPrefix + node, writer.take());
    written = co_await engine_.write(std::move(batch));
  }
  if (written) {
    peer.saved = life;
    peer.saved_at = loop_.now();
  }
  co_return written;
}

}  // namespace tako::node
