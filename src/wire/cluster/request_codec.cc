// ping         := (nothing)
// read         := key: text, want_value: flag, verify: flag
// write        := key: text, source: u8, bits: u8 (0 upload, 1 value_from, 2 promise), [upload], [value_from: text],
//                 [promise: version], record
// list         := asker: text, position: u64, key: text, position_last: u64, entries_max: varint
// announce     := node: text, incarnation: u64, blank: flag, boot: varint, nonce: u64, previous_nonce: u64,
//                 sequence: varint, start_sequence: varint
// status       := (nothing)
// fetch        := have: stamp, wait_ms: u32
// push         := expected_counter: varint, text: text, force: flag
// write-piece  := key: text, upload, index: varint, checksum: u64, piece: text
// discard      := key: text, upload
// read-piece   := key: text, ballot: version, index: varint, staged: flag, [upload]
// prepare      := key: text, ballot: version, want_value: flag
// arrival      := durably: flag
// digest       := asker: text, level: u8, [root: sum] (at the root), n: varint, n * node: u16
// repair       := action: u8
// collect      := asker: text, fence: varint, n: varint, n * (first: u16, last: u16)
//
// Encoders name every field by a structured binding: a field that is added to a message and not here does not compile.
#include "wire/cluster/message_codec.h"
#include "wire/cluster/record_codec.h"

namespace tako::wire {
namespace {

// The bits of a Write.
constexpr unsigned kUpload = 1 << 0;
constexpr unsigned kValueFrom = 1 << 1;
constexpr unsigned kPromise = 1 << 2;

std::uint32_t take_index(Reader& in) { return static_cast<std::uint32_t>(in.varint(model::kPiecesMax - 1)); }

void put(Writer&, const Ping&) {}
void put(Writer&, const StatusQuery&) {}

void put(Writer& out, const Read& read) {
  const auto& [key, want_value, verify] = read;
  out.text(key);
  out.flag(want_value);
  out.flag(verify);
}

void put(Writer& out, const Write& write) {
  const auto& [key, record, source, upload, value_from, promise] = write;
  out.text(key);
  out.u8(static_cast<std::uint8_t>(source));
  out.u8(static_cast<std::uint8_t>((upload ? kUpload : 0) | (value_from.empty() ? 0 : kValueFrom) |
                                   (promise.none() ? 0 : kPromise)));
  if (upload) put(out, *upload);
  if (!value_from.empty()) out.text(value_from);
  if (!promise.none()) encode_version(out, promise);
  encode_record(out, record);
}

void put(Writer& out, const List& list) {
  const auto& [asker, position, key, position_last, entries_max, values] = list;
  out.text(asker);
  out.u64(position);
  out.text(key);
  out.u64(position_last);
  out.varint(entries_max);
  out.flag(values);
}

void put(Writer& out, const Announce& announce) {
  const auto& [node, incarnation, blank, boot, nonce, previous_nonce, sequence, start_sequence] = announce;
  out.text(node);
  out.u64(incarnation);
  out.flag(blank);
  out.varint(boot);
  out.u64(nonce);
  out.u64(previous_nonce);
  out.varint(sequence);
  out.varint(start_sequence);
}

void put(Writer& out, const ArrivalQuery& query) {
  const auto& [durably] = query;
  out.flag(durably);
}

void put(Writer& out, const RepairQuery& query) {
  const auto& [action] = query;
  out.u8(static_cast<std::uint8_t>(action));
}

void put(Writer& out, const FetchConfig& fetch) {
  const auto& [have, wait_ms] = fetch;
  put(out, have);
  out.u32(wait_ms);
}

void put(Writer& out, const PushConfig& push) {
  const auto& [expected_counter, text, force] = push;
  out.varint(expected_counter);
  out.text(text);
  out.flag(force);
}

void put(Writer& out, const WritePiece& write) {
  const auto& [key, upload, index, piece, checksum] = write;
  out.text(key);
  put(out, upload);
  out.varint(index);
  out.u64(checksum);
  out.text(piece.view());
}

void put(Writer& out, const Discard& discard) {
  const auto& [key, upload] = discard;
  out.text(key);
  put(out, upload);
}

void put(Writer& out, const ReadPiece& read) {
  const auto& [key, ballot, index, staged] = read;
  out.text(key);
  encode_version(out, ballot);
  out.varint(index);
  out.flag(staged.has_value());
  if (staged) put(out, *staged);
}

void put(Writer& out, const Prepare& prepare) {
  const auto& [key, ballot, want_value] = prepare;
  out.text(key);
  encode_version(out, ballot);
  out.flag(want_value);
}

void put(Writer& out, const DigestQuery& digest) {
  const auto& [asker, level, root, nodes] = digest;
  out.text(asker);
  out.u8(static_cast<std::uint8_t>(level));
  if (level == DigestQuery::Level::kRoot) put(out, root);
  out.varint(nodes.size());
  for (const std::uint16_t node : nodes) out.u16(node);
}

void put(Writer& out, const CollectQuery& query) {
  const auto& [asker, fence, partitions] = query;
  out.text(asker);
  out.varint(fence);
  put(out, partitions);
}

void take(Reader&, Ping&) {}
void take(Reader&, StatusQuery&) {}

void take(Reader& in, DigestQuery& digest) {
  digest.asker = take_node(in);
  digest.level = take_enum(in, DigestQuery::Level::kRoot, DigestQuery::Level::kLeaf);
  if (digest.level == DigestQuery::Level::kRoot) digest.root = take_sum(in);
  digest.nodes.resize(in.count(kDigestNodesMax, 2));
  for (std::uint16_t& node : digest.nodes) node = in.u16();
  if (digest.level == DigestQuery::Level::kRoot && !digest.nodes.empty()) in.fail("a root that has a number");
}

void take(Reader& in, CollectQuery& query) {
  query.asker = take_node(in);
  query.fence = take_floor(in);
  query.partitions = take_runs(in, kCollectRunsMax);
}

void take(Reader& in, Read& read) {
  read.key = take_key(in);
  read.want_value = in.flag();
  read.verify = in.flag();
}

void take(Reader& in, Write& write) {
  write.key = take_key(in);
  write.source = take_enum(in, Write::Source::kProposal, Write::Source::kCopy);
  const std::uint8_t bits = in.u8();
  if (bits & ~(kUpload | kValueFrom | kPromise)) in.fail("a write with unknown bits");
  if (bits & kUpload) write.upload = take_upload(in);
  if (bits & kValueFrom) {
    write.value_from = take_node(in);
    if (write.value_from.empty()) in.fail("a node id that should have been left out");
  }
  if (bits & kPromise) {
    write.promise = decode_version(in);
    if (write.promise.none()) in.fail("a promise that should have been left out");
  }
  write.record = decode_record(in);
  const bool elsewhere = !write.record.tombstone() && !write.record.value;
  if (elsewhere && !write.record.in_pieces()) in.fail("a write without its value");
  if (!elsewhere && (bits & (kUpload | kValueFrom))) in.fail("a write that says where to find the value that it has");
}

void take(Reader& in, List& list) {
  list.asker = take_node(in);
  list.position = in.u64();
  list.key = take_key(in);
  list.position_last = in.u64();
  list.entries_max = static_cast<std::uint32_t>(in.varint(kListEntriesMax));
  list.values = in.flag();
}

void take(Reader& in, Announce& announce) {
  announce.node = take_node(in);
  announce.incarnation = in.u64();
  announce.blank = in.flag();
  announce.boot = in.varint();
  announce.nonce = in.u64();
  announce.previous_nonce = in.u64();
  announce.sequence = in.varint();
  announce.start_sequence = in.varint();
}

void take(Reader& in, FetchConfig& fetch) {
  fetch.have = take_stamp(in);
  fetch.wait_ms = in.u32();
}

void take(Reader& in, PushConfig& push) {
  push.expected_counter = in.varint();
  push.text = in.text(kConfigBytesMax);
  push.force = in.flag();
}

void take(Reader& in, RepairQuery& query) {
  using Action = RepairQuery::Action;
  query.action = take_enum(in, Action::kProgress, Action::kDryRun);
}

void take(Reader& in, ArrivalQuery& query) { query.durably = in.flag(); }

void take(Reader& in, WritePiece& write) {
  write.key = take_key(in);
  write.upload = take_upload(in);
  write.index = take_index(in);
  write.checksum = in.u64();
  write.piece = take_piece(in);
}

void take(Reader& in, Discard& discard) {
  discard.key = take_key(in);
  discard.upload = take_upload(in);
}

void take(Reader& in, ReadPiece& read) {
  read.key = take_key(in);
  read.ballot = decode_version(in);
  read.index = take_index(in);
  if (in.flag()) read.staged = take_upload(in);
}

void take(Reader& in, Prepare& prepare) {
  prepare.key = take_key(in);
  prepare.ballot = decode_version(in);
  if (prepare.ballot.none()) in.fail("a promise of nothing");
  prepare.want_value = in.flag();
}

template <class Body>
std::size_t size_of(const Body&) {
  return 0;
}
std::size_t size_of(const Write& write) { return write.key.size() + wire::size_of(write.record); }
std::size_t size_of(const WritePiece& write) { return write.key.size() + write.piece.size(); }
std::size_t size_of(const PushConfig& push) { return push.text.size(); }
std::size_t size_of(const DigestQuery& digest) { return digest.nodes.size() * 2; }
std::size_t size_of(const CollectQuery& query) { return query.partitions.size() * 4; }

}  // namespace

std::string encode(const Request& request) {
  const std::size_t bytes = std::visit([](const auto& body) { return size_of(body); }, request.body);
  return encode_message(request, bytes, [](Writer& out, const auto& body) { put(out, body); });
}

Result<Request> decode_request(const Bytes& bytes) {
  return decode_message<Request>(bytes, "request", [](Reader& in, auto& body) { take(in, body); });
}

}  // namespace tako::wire
