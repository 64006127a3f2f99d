// pong         := (nothing)
// error        := code: u8, message: text
// slot         := promise: version, floor: varint, there: flag, [record]
// read-reply   := slot, voter
// write-reply  := outcome: u8, stored: version, promise: version, version: version, voter
// promise      := promised: flag, slot, voter
// list-reply   := n: varint, n * (key: text, ballot: version, promise: version, ends: varint (+ 1; 0: never)),
//                 complete: flag, [next_position: u64, next_key: text] (unless complete), n: varint, n * run,
//                 incarnation: u64, fence: varint, n: varint, n * (run, floor: varint)
// announced    := known_incarnation: u64, incarnation: u64, blank: flag, session: u64, rolled_back: flag,
//                 gains: varint, renewed: lives
// status-reply := json: text
// config-reply := stamp, text: text
// piece-stored := (nothing)
// discarded    := (nothing)
// piece-reply  := checksum: u64, piece: text
// arrived      := adopted: stamp, durable: flag, owned: varint, arrived: varint, read: varint, to_read: varint
// collected    := incarnation: u64, fence: varint, clock: varint, n: varint, n * (run, synced: varint, floor: varint)
// digest-reply := bits: u8 (0 equal, 1 busy), n: varint, n * sum
// repaired     := dry_run: flag, cycle: varint, 12 counts as in RepairReply, varints
//
// voter        := votes: flag, informed: flag, incarnation: u64, renewed: lives, met: lives
// lives        := n: varint, n * (node: text, incarnation: u64)
#include "wire/cluster/message_codec.h"
#include "wire/cluster/record_codec.h"

namespace tako::wire {
namespace {

// The bits of a DigestReply.
constexpr unsigned kEqual = 1 << 0;
constexpr unsigned kBusy = 1 << 1;

void put_lives(Writer& out, const std::vector<Incarnation>& lives) {
  out.varint(lives.size());
  for (const auto& [node, incarnation] : lives) {
    out.text(node);
    out.u64(incarnation);
  }
}

void take_lives(Reader& in, std::vector<Incarnation>& lives, std::size_t lives_max) {
  lives.resize(in.count(lives_max, 1 + 8));
  for (Incarnation& life : lives) {
    life.node = take_node(in);
    life.incarnation = in.u64();
  }
}

std::size_t size_of(const std::vector<Incarnation>& lives) {
  std::size_t bytes = 2;
  for (const Incarnation& life : lives) bytes += life.node.size() + 2 + 8;
  return bytes;
}

void put(Writer& out, const Voter& voter) {
  const auto& [votes, informed, incarnation, renewed, met] = voter;
  out.flag(votes);
  out.flag(informed);
  out.u64(incarnation);
  put_lives(out, renewed);
  put_lives(out, met);
}

Voter take_voter(Reader& in) {
  Voter voter;
  voter.votes = in.flag();
  voter.informed = in.flag();
  voter.incarnation = in.u64();
  take_lives(in, voter.renewed, kRenewedMax);
  take_lives(in, voter.met, kRenewedMax);
  return voter;
}

void put(Writer&, const Pong&) {}

void put(Writer& out, const Error& error) {
  const auto& [code, message] = error;
  out.u8(static_cast<std::uint8_t>(code));
  out.text(std::string_view(message).substr(0, kErrorBytesMax));
}

void put(Writer& out, const model::Slot& slot) {
  const auto& [promise, record, floor] = slot;
  encode_version(out, promise);
  out.varint(floor);
  out.flag(record.has_value());
  if (record) encode_record(out, *record);
}

model::Slot take_slot(Reader& in) {
  model::Slot slot;
  slot.promise = decode_version(in);
  slot.floor = take_floor(in);
  if (in.flag()) slot.record = decode_record(in);
  return slot;
}

void put(Writer& out, const ReadReply& reply) {
  const auto& [slot, voter] = reply;
  put(out, slot);
  put(out, voter);
}

void put(Writer& out, const PromiseReply& reply) {
  const auto& [promised, slot, voter] = reply;
  out.flag(promised);
  put(out, slot);
  put(out, voter);
}

void put(Writer& out, const WriteReply& reply) {
  const auto& [outcome, stored, promise, version, voter] = reply;
  out.u8(static_cast<std::uint8_t>(outcome));
  encode_version(out, stored);
  encode_version(out, promise);
  encode_version(out, version);
  put(out, voter);
}

void put(Writer& out, const ListReply& reply) {
  const auto& [entries, complete, next_position, next_key, not_voting, incarnation, fence, floors] = reply;
  out.varint(entries.size());
  for (const auto& [key, ballot, promise, ends, record] : entries) {
    out.text(key);
    encode_version(out, ballot);
    encode_version(out, promise);
    out.varint(ends + 1);
    out.flag(record.has_value());
    if (record) encode_record(out, *record);
  }
  out.flag(complete);
  if (!complete) {
    out.u64(next_position);
    out.text(next_key);
  }
  put(out, not_voting);
  out.u64(incarnation);
  out.varint(fence);
  out.varint(floors.size());
  for (const auto& [run, floor] : floors) {
    put(out, run);
    out.varint(floor);
  }
}

void put(Writer& out, const CollectReply& reply) {
  const auto& [incarnation, fence, clock, entries] = reply;
  out.u64(incarnation);
  out.varint(fence);
  out.varint(clock);
  out.varint(entries.size());
  for (const auto& [run, synced, floor] : entries) {
    put(out, run);
    out.varint(synced);
    out.varint(floor);
  }
}

void take(Reader& in, CollectReply& reply) {
  reply.incarnation = in.u64();
  reply.fence = take_floor(in);
  reply.clock = take_floor(in);
  reply.entries.resize(in.count(kCollectRunsMax, 2 + 2 + 1 + 1));
  for (CollectReply::Entry& entry : reply.entries) {
    entry.run = take_run(in);
    entry.synced = take_floor(in);
    entry.floor = take_floor(in);
  }
}

void put(Writer& out, const AnnounceReply& reply) {
  const auto& [known_incarnation, incarnation, blank, session, rolled_back, gains, renewed] = reply;
  out.u64(known_incarnation);
  out.u64(incarnation);
  out.flag(blank);
  out.u64(session);
  out.flag(rolled_back);
  out.varint(gains);
  put_lives(out, renewed);
}

void put(Writer& out, const StatusReply& reply) {
  const auto& [json] = reply;
  out.text(json);
}

void put(Writer& out, const ConfigReply& reply) {
  const auto& [stamp, text] = reply;
  put(out, stamp);
  out.text(text);
}

void put(Writer& out, const ArrivalReply& reply) {
  const auto& [adopted, durable, owned, arrived, read, to_read] = reply;
  put(out, adopted);
  out.flag(durable);
  out.varint(owned);
  out.varint(arrived);
  out.varint(read);
  out.varint(to_read);
}

void put(Writer& out, const RepairReply& reply) {
  const auto& [cycle, dry_run, peers, peers_done, peers_away, partitions, partitions_left, keys_compared,
               keys_differing, keys_pulled, keys_pushed, bytes_pulled, bytes_pushed, failures] = reply;
  out.flag(dry_run);
  for (const std::uint64_t number :
       {cycle, peers, peers_done, peers_away, partitions, partitions_left, keys_compared, keys_differing, keys_pulled,
        keys_pushed, bytes_pulled, bytes_pushed, failures}) {
    out.varint(number);
  }
}

void put(Writer&, const PieceStored&) {}
void put(Writer&, const Discarded&) {}

void put(Writer& out, const PieceReply& reply) {
  const auto& [piece, checksum] = reply;
  out.u64(checksum);
  out.text(piece.view());
}

void put(Writer& out, const DigestReply& reply) {
  const auto& [equal, busy, sums] = reply;
  out.u8(static_cast<std::uint8_t>((equal ? kEqual : 0) | (busy ? kBusy : 0)));
  out.varint(sums.size());
  for (const DigestSum& sum : sums) put(out, sum);
}

void take(Reader& in, DigestReply& reply) {
  const std::uint8_t bits = in.u8();
  if (bits & ~(kEqual | kBusy)) in.fail("a comparison with unknown bits");
  reply.equal = bits & kEqual;
  reply.busy = bits & kBusy;
  reply.sums.resize(in.count(kDigestNodesMax, 1));
  for (DigestSum& sum : reply.sums) sum = take_sum(in);
}

void take(Reader&, Pong&) {}
void take(Reader&, PieceStored&) {}
void take(Reader&, Discarded&) {}

void take(Reader& in, PieceReply& reply) {
  reply.checksum = in.u64();
  reply.piece = take_piece(in);
}

void take(Reader& in, Error& error) {
  error.code = take_enum(in, ErrorCode::kInternal, ErrorCode::kStopping);
  error.message = in.text(kErrorBytesMax);
}

void take(Reader& in, ReadReply& reply) {
  reply.slot = take_slot(in);
  reply.voter = take_voter(in);
}

void take(Reader& in, PromiseReply& reply) {
  reply.promised = in.flag();
  reply.slot = take_slot(in);
  reply.voter = take_voter(in);
}

void take(Reader& in, WriteReply& reply) {
  reply.outcome = take_enum(in, WriteReply::Outcome::kStored, WriteReply::Outcome::kRefused);
  reply.stored = decode_version(in);
  reply.promise = decode_version(in);
  reply.version = decode_version(in);
  reply.voter = take_voter(in);
}

void take(Reader& in, ListReply& reply) {
  reply.entries.resize(in.count(kListEntriesMax, 1 + 1 + 1 + 1 + 1));
  for (ListReply::Entry& entry : reply.entries) {
    entry.key = take_key(in);
    entry.ballot = decode_version(in);
    entry.promise = decode_version(in);
    entry.ends = in.varint() - 1;
    if (in.flag()) entry.record = decode_record(in);
    if (!in.ok()) return;
  }
  reply.complete = in.flag();
  if (!reply.complete) {
    reply.next_position = in.u64();
    reply.next_key = take_key(in);
  }
  reply.not_voting = take_runs(in, model::kPartitions);
  reply.incarnation = in.u64();
  reply.fence = take_floor(in);
  reply.floors.resize(in.count(model::kPartitions, 2 + 2 + 1));
  for (ListReply::Floor& floor : reply.floors) {
    floor.run = take_run(in);
    floor.floor = take_floor(in);
  }
}

void take(Reader& in, AnnounceReply& reply) {
  reply.known_incarnation = in.u64();
  reply.incarnation = in.u64();
  reply.blank = in.flag();
  reply.session = in.u64();
  reply.rolled_back = in.flag();
  reply.gains = in.varint();
  take_lives(in, reply.renewed, kIncarnationsMax);
}

void take(Reader& in, ArrivalReply& reply) {
  reply.adopted = take_stamp(in);
  reply.durable = in.flag();
  reply.owned = static_cast<std::uint32_t>(in.varint(model::kPartitions));
  reply.arrived = static_cast<std::uint32_t>(in.varint(reply.owned));
  reply.read = in.varint();
  reply.to_read = in.varint();
}

void take(Reader& in, RepairReply& reply) {
  reply.dry_run = in.flag();
  for (std::uint64_t* number :
       {&reply.cycle, &reply.peers, &reply.peers_done, &reply.peers_away, &reply.partitions, &reply.partitions_left,
        &reply.keys_compared, &reply.keys_differing, &reply.keys_pulled, &reply.keys_pushed, &reply.bytes_pulled,
        &reply.bytes_pushed, &reply.failures}) {
    *number = in.varint();
  }
}

void take(Reader& in, StatusReply& reply) { reply.json = in.text(kStatusBytesMax); }

void take(Reader& in, ConfigReply& reply) {
  reply.stamp = take_stamp(in);
  reply.text = in.text(kConfigBytesMax);
}

template <class Body>
std::size_t size_of(const Body&) {
  return 0;
}
std::size_t size_of(const PieceReply& reply) { return reply.piece.size(); }
std::size_t size_of(const model::Slot& slot, const Voter& voter) {
  const std::size_t bytes = slot.record ? wire::size_of(*slot.record) : 0;
  return bytes + size_of(voter.renewed) + size_of(voter.met);
}
std::size_t size_of(const ReadReply& reply) { return size_of(reply.slot, reply.voter); }
std::size_t size_of(const PromiseReply& reply) { return size_of(reply.slot, reply.voter); }
std::size_t size_of(const ListReply& reply) {
  std::size_t bytes = reply.entries.size() * kMessageHeadBytes;
  for (const ListReply::Entry& entry : reply.entries) bytes += entry.record ? wire::size_of(*entry.record) : 0;
  return bytes;
}
std::size_t size_of(const AnnounceReply& reply) { return size_of(reply.renewed); }
std::size_t size_of(const DigestReply& reply) { return reply.sums.size() * 9; }
std::size_t size_of(const CollectReply& reply) { return reply.entries.size() * 20; }
std::size_t size_of(const StatusReply& reply) { return reply.json.size(); }
std::size_t size_of(const ConfigReply& reply) { return reply.text.size(); }

}  // namespace

std::string encode(const Reply& reply) {
  const std::size_t bytes = std::visit([](const auto& body) { return size_of(body); }, reply.body);
  return encode_message(reply, bytes, [](Writer& out, const auto& body) { put(out, body); });
}

Result<Reply> decode_reply(const Bytes& bytes) {
  return decode_message<Reply>(bytes, "reply", [](Reader& in, auto& body) { take(in, body); });
}

}  // namespace tako::wire
