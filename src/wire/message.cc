// request      := u8 format = 1, config: stamp, u8 body (the alternative's place in the variant), body
// reply        := u8 format = 1, config: stamp, u8 body, body
// stamp        := counter: varint, hash: u64
//
// ping         := (nothing)
// read         := key: text, want_value: flag
// write        := key: text, source: u8, bits: u8 (0 upload, 1 value_from), [upload], [value_from: text], record
// list         := asker: text, position: u64, key: text, position_last: u64, entries_max: varint
// announce     := node: text, incarnation: u64, blank: flag, boot: varint, nonce: u64, previous_nonce: u64,
//                 sequence: varint, start_sequence: varint
// status       := (nothing)
// fetch        := have: stamp, wait_ms: u32
// push         := expected_counter: varint, text: text, force: flag
// write-piece  := key: text, upload, index: varint, checksum: u64, piece: text
// discard      := key: text, upload
// read-piece   := key: text, ballot: version, index: varint
// arrival      := durably: flag
// upload       := high: u64, low: u64
//
// pong         := (nothing)
// error        := code: u8, message: text
// read-reply   := promise: version, there: flag, [record], voter
// write-reply  := outcome: u8, stored: version, promise: version, version: version, voter
// list-reply   := n: varint, n * (key: text, ballot: version, promise: version), complete: flag,
//                 [next_position: u64, next_key: text] (unless complete), n: varint, n * (first: u16, last: u16),
//                 incarnation: u64
// announced    := known_incarnation: u64, incarnation: u64, blank: flag, session: u64, rolled_back: flag,
//                 gains: varint
// status-reply := json: text
// config-reply := stamp, text: text
// piece-stored := (nothing)
// discarded    := (nothing)
// piece-reply  := checksum: u64, piece: text
// arrived      := adopted: stamp, durable: flag, owned: varint, arrived: varint, read: varint, to_read: varint
//
// voter        := votes: flag, informed: flag, incarnation: u64, n: varint, n * (node: text, incarnation: u64)
// record, version: record_codec.cc; flag, varint, text: codec.h
#include "wire/message.h"

#include <type_traits>

#include "wire/codec.h"
#include "wire/limits.h"
#include "wire/record_codec.h"

namespace tako::wire {
namespace {

constexpr std::uint8_t kMessageFormat = 1;

// What a message takes beside the parts counted in size_of().
constexpr std::size_t kMessageHeadBytes = 64;

void put(Writer& out, const ConfigStamp& stamp) {
  const auto& [counter, hash] = stamp;
  out.varint(counter);
  out.u64(hash);
}

ConfigStamp take_stamp(Reader& in) {
  ConfigStamp stamp;
  stamp.counter = in.varint();
  stamp.hash = in.u64();
  return stamp;
}

// The bits of a Write.
constexpr unsigned kUpload = 1 << 0;
constexpr unsigned kValueFrom = 1 << 1;
constexpr unsigned kPromise = 1 << 2;

void put(Writer& out, const model::UploadId& upload) {
  const auto& [high, low] = upload;
  out.u64(high);
  out.u64(low);
}

model::UploadId take_upload(Reader& in) {
  model::UploadId upload;
  upload.high = in.u64();
  upload.low = in.u64();
  return upload;
}

std::uint32_t take_index(Reader& in) { return static_cast<std::uint32_t>(in.varint(model::kPiecesMax - 1)); }

Bytes take_piece(Reader& in) {
  const auto size = static_cast<std::size_t>(in.varint(model::kPieceBytes));
  if (size == 0) in.fail("a piece without a byte");
  return in.bytes(size);
}

std::string take_key(Reader& in) { return in.text(model::kKeyBytesMax); }
std::string take_node(Reader& in) { return in.text(kNodeIdBytesMax); }

// An enum whose values are first..last.
template <class Enum>
Enum take_enum(Reader& in, Enum first, Enum last) {
  const std::uint8_t value = in.u8();
  if (value >= static_cast<std::uint8_t>(first) && value <= static_cast<std::uint8_t>(last)) {
    return static_cast<Enum>(value);
  }
  in.fail("an unknown value of an enumeration");
  return first;
}

// --- requests -------------------------------------------------------------------------------------------------
// Encoders name every field by a structured binding: a field that is added to a message and not here does not compile.

void put(Writer&, const Ping&) {}
void put(Writer&, const StatusQuery&) {}

void put(Writer& out, const Read& read) {
  const auto& [key, want_value] = read;
  out.text(key);
  out.flag(want_value);
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
  const auto& [asker, position, key, position_last, entries_max] = list;
  out.text(asker);
  out.u64(position);
  out.text(key);
  out.u64(position_last);
  out.varint(entries_max);
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

void take(Reader&, Ping&) {}
void take(Reader&, StatusQuery&) {}

void take(Reader& in, Read& read) {
  read.key = take_key(in);
  read.want_value = in.flag();
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

// --- replies --------------------------------------------------------------------------------------------------

void put(Writer& out, const Voter& voter) {
  const auto& [votes, informed, incarnation, renewed] = voter;
  out.flag(votes);
  out.flag(informed);
  out.u64(incarnation);
  out.varint(renewed.size());
  for (const auto& [node, incarnation_now] : renewed) {
    out.text(node);
    out.u64(incarnation_now);
  }
}

Voter take_voter(Reader& in) {
  Voter voter;
  voter.votes = in.flag();
  voter.informed = in.flag();
  voter.incarnation = in.u64();
  voter.renewed.resize(in.count(kRenewedMax, 1 + 8));
  for (Incarnation& renewed : voter.renewed) {
    renewed.node = take_node(in);
    renewed.incarnation = in.u64();
  }
  return voter;
}

void put(Writer&, const Pong&) {}

void put(Writer& out, const Error& error) {
  const auto& [code, message] = error;
  out.u8(static_cast<std::uint8_t>(code));
  out.text(std::string_view(message).substr(0, kErrorBytesMax));
}

void put(Writer& out, const model::Slot& slot) {
  const auto& [promise, record] = slot;
  encode_version(out, promise);
  out.flag(record.has_value());
  if (record) encode_record(out, *record);
}

model::Slot take_slot(Reader& in) {
  model::Slot slot;
  slot.promise = decode_version(in);
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
  const auto& [entries, complete, next_position, next_key, not_voting, incarnation] = reply;
  out.varint(entries.size());
  for (const auto& [key, ballot, promise] : entries) {
    out.text(key);
    encode_version(out, ballot);
    encode_version(out, promise);
  }
  out.flag(complete);
  if (!complete) {
    out.u64(next_position);
    out.text(next_key);
  }
  out.varint(not_voting.size());
  for (const auto& [first, last] : not_voting) {
    out.u16(first);
    out.u16(last);
  }
  out.u64(incarnation);
}

void put(Writer& out, const AnnounceReply& reply) {
  const auto& [known_incarnation, incarnation, blank, session, rolled_back, gains] = reply;
  out.u64(known_incarnation);
  out.u64(incarnation);
  out.flag(blank);
  out.u64(session);
  out.flag(rolled_back);
  out.varint(gains);
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

void put(Writer&, const PieceStored&) {}
void put(Writer&, const Discarded&) {}

void put(Writer& out, const PieceReply& reply) {
  const auto& [piece, checksum] = reply;
  out.u64(checksum);
  out.text(piece.view());
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
  reply.entries.resize(in.count(kListEntriesMax, 1 + 1 + 1));
  for (ListReply::Entry& entry : reply.entries) {
    entry.key = take_key(in);
    entry.ballot = decode_version(in);
    entry.promise = decode_version(in);
    if (!in.ok()) return;
  }
  reply.complete = in.flag();
  if (!reply.complete) {
    reply.next_position = in.u64();
    reply.next_key = take_key(in);
  }
  reply.not_voting.resize(in.count(model::kPartitions, 2 + 2));
  for (auto& [first, last] : reply.not_voting) {
    first = in.u16();
    last = in.u16();
    if (first > last) in.fail("a range of partitions that ends before it begins");
  }
  reply.incarnation = in.u64();
}

void take(Reader& in, AnnounceReply& reply) {
  reply.known_incarnation = in.u64();
  reply.incarnation = in.u64();
  reply.blank = in.flag();
  reply.session = in.u64();
  reply.rolled_back = in.flag();
  reply.gains = in.varint();
}

void take(Reader& in, ArrivalReply& reply) {
  reply.adopted = take_stamp(in);
  reply.durable = in.flag();
  reply.owned = static_cast<std::uint32_t>(in.varint(model::kPartitions));
  reply.arrived = static_cast<std::uint32_t>(in.varint(reply.owned));
  reply.read = in.varint();
  reply.to_read = in.varint();
}

void take(Reader& in, StatusReply& reply) { reply.json = in.text(kStatusBytesMax); }

void take(Reader& in, ConfigReply& reply) {
  reply.stamp = take_stamp(in);
  reply.text = in.text(kConfigBytesMax);
}

// --- the whole ------------------------------------------------------------------------------------------------

// An estimate, so that encoding allocates once.
std::size_t size_of(const model::Record& record) {
  return kRecordHeadBytesMax + record.content_type.size() + (record.value ? record.value->size() : 0);
}
template <class Body>
std::size_t size_of(const Body&) {
  return 0;
}
std::size_t size_of(const Write& write) { return write.key.size() + size_of(write.record); }
std::size_t size_of(const WritePiece& write) { return write.key.size() + write.piece.size(); }
std::size_t size_of(const PieceReply& reply) { return reply.piece.size(); }
std::size_t size_of(const PushConfig& push) { return push.text.size(); }
std::size_t size_of(const model::Slot& slot, const Voter& voter) {
  std::size_t bytes = slot.record ? size_of(*slot.record) : 0;
  for (const Incarnation& renewed : voter.renewed) bytes += renewed.node.size() + 2 + 8;
  return bytes;
}
std::size_t size_of(const ReadReply& reply) { return size_of(reply.slot, reply.voter); }
std::size_t size_of(const PromiseReply& reply) { return size_of(reply.slot, reply.voter); }
std::size_t size_of(const ListReply& reply) { return reply.entries.size() * kMessageHeadBytes; }
std::size_t size_of(const StatusReply& reply) { return reply.json.size(); }
std::size_t size_of(const ConfigReply& reply) { return reply.text.size(); }

template <class Message>
std::string encode_message(const Message& message) {
  Writer out(kMessageHeadBytes + std::visit([](const auto& body) { return size_of(body); }, message.body));
  out.u8(kMessageFormat);
  put(out, message.config);
  out.u8(static_cast<std::uint8_t>(message.body.index()));
  std::visit([&out](const auto& body) { put(out, body); }, message.body);
  return out.take();
}

// Makes the alternative `index` of a variant and reads into it.
template <std::size_t kAt = 0, class... Bodies>
void take_body(Reader& in, std::size_t index, std::variant<Bodies...>& body) {
  if constexpr (kAt < sizeof...(Bodies)) {
    if (index != kAt) return take_body<kAt + 1>(in, index, body);
    take(in, body.template emplace<kAt>());
  } else {
    in.fail("an unknown kind of message");
  }
}

template <class Message>
Result<Message> decode_message(const Bytes& bytes, std::string_view what) {
  Reader in(bytes);
  Message message;
  if (in.u8() != kMessageFormat) in.fail("a message format that this version does not know: upgrade");
  message.config = take_stamp(in);
  const std::uint8_t index = in.u8();
  if (in.ok()) take_body(in, index, message.body);
  const Status status = in.finish(what);
  if (!status.ok()) return status.error();
  return message;
}

}  // namespace

std::string encode(const Request& request) { return encode_message(request); }
std::string encode(const Reply& reply) { return encode_message(reply); }
Result<Request> decode_request(const Bytes& bytes) { return decode_message<Request>(bytes, "request"); }
Result<Reply> decode_reply(const Bytes& bytes) { return decode_message<Reply>(bytes, "reply"); }

}  // namespace tako::wire
