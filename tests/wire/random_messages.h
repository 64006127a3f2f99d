// Messages with random contents, and field-by-field comparison, for the tests of the formats.
//
// The comparison reads every field by name: a codec that forgets a field in both directions is noticed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/random.h"
#include "wire/cluster/limits.h"
#include "wire/cluster/message.h"

namespace tako::wire::testing {

inline std::string random_text(Random& random, std::size_t bytes_max) {
  // Often empty or short, sometimes at the limit.
  const std::uint64_t shape = random.below(8);
  std::size_t size = shape == 0 ? 0 : shape == 1 ? bytes_max : random.below(std::min<std::size_t>(bytes_max, 40) + 1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

inline std::uint64_t random_number(Random& random) { return random.next() >> random.below(64); }
inline bool random_flag(Random& random) { return random.below(2) == 1; }

inline model::Version random_version(Random& random) {
  if (random.below(4) == 0) return {};
  return {random_number(random), random_number(random)};
}

inline ConfigStamp random_stamp(Random& random) { return {random_number(random), random.next()}; }

inline model::Record random_record(Random& random, bool with_value) {
  model::Record record;
  record.version = random_version(random);
  record.ballot = random_flag(random) ? record.version : random_version(random);
  record.base = random_version(random);
  record.root = random_flag(random) ? record.version : random_version(random);
  if (random_flag(random)) record.flags = static_cast<std::uint32_t>(random_number(random));
  if (random_flag(random)) record.expires_at = random_number(random);
  record.content_type = random_text(random, model::kContentTypeBytesMax);
  record.checksum = random.next();
  if (random.below(4) == 0) {
    record.kind = model::Kind::kTombstone;
  } else if (with_value || random_flag(random)) {
    record.value = Bytes(random_text(random, 3000));
    record.size = record.value->size();
  } else {
    record.size = random.below(model::kValueBytesMax + 1);
  }
  return record;
}

inline std::vector<Incarnation> random_lives(Random& random, std::size_t lives_max) {
  std::vector<Incarnation> lives(random.below(8) == 0 ? lives_max : random.below(3));
  for (Incarnation& life : lives) life = {random_text(random, kNodeIdBytesMax), random.next()};
  return lives;
}

inline Voter random_voter(Random& random) {
  Voter voter;
  voter.votes = random_flag(random);
  voter.informed = random_flag(random);
  voter.incarnation = random.next();
  voter.renewed = random_lives(random, kRenewedMax);
  voter.met = random_lives(random, kRenewedMax);
  return voter;
}

inline model::Slot random_slot(Random& random) {
  model::Slot slot;
  slot.promise = random_version(random);
  slot.floor = random_number(random);
  if (random_flag(random)) slot.record = random_record(random, false);
  return slot;
}

inline PartitionRun random_run(Random& random) {
  const auto first = static_cast<model::Partition>(random.next());
  return {first, static_cast<model::Partition>(random.between(first, model::kPartitions - 1))};
}

inline CollectQuery random_collect(Random& random) {
  CollectQuery query;
  query.asker = random_text(random, kNodeIdBytesMax);
  query.fence = random_number(random);
  for (std::uint64_t left = random.below(20); left > 0; --left) query.partitions.push_back(random_run(random));
  return query;
}

inline CollectReply random_collected(Random& random) {
  CollectReply reply;
  reply.incarnation = random.next();
  reply.fence = random_number(random);
  reply.clock = random_number(random);
  for (std::uint64_t left = random.below(20); left > 0; --left) {
    CollectReply::Entry entry;
    entry.run = random_run(random);
    entry.synced = random_number(random);
    entry.floor = random_number(random);
    reply.entries.push_back(entry);
  }
  return reply;
}

inline ListReply random_list_reply(Random& random) {
  ListReply reply;
  for (std::uint64_t left = random.below(20); left > 0; --left) {
    ListReply::Entry entry;
    entry.key = random_text(random, model::kKeyBytesMax);
    entry.ballot = random_version(random);
    entry.promise = random_version(random);
    reply.entries.push_back(std::move(entry));
    if (random_flag(random)) reply.entries.back().ends = random_number(random);
    if (random_flag(random)) reply.entries.back().record = random_record(random, true);
  }
  reply.complete = random_flag(random);
  if (!reply.complete) {
    reply.next_position = random.next();
    reply.next_key = random_text(random, model::kKeyBytesMax);
  }
  for (std::uint64_t left = random.below(5); left > 0; --left) {
    reply.not_voting.push_back(random_run(random));
  }
  reply.incarnation = random.next();
  reply.fence = random_number(random);
  for (std::uint64_t left = random.below(5); left > 0; --left) {
    const PartitionRun run = random_run(random);
    reply.floors.push_back({run, random_number(random)});
  }
  return reply;
}

// With its value; or without, and something of where to find it.
inline Write random_write(Random& random) {
  Write write;
  write.key = random_text(random, model::kKeyBytesMax);
  write.record = random_record(random, true);
  write.source = random_flag(random) ? Write::Source::kProposal : Write::Source::kCopy;
  if (write.record.tombstone() || random_flag(random)) return write;
  write.record.value.reset();
  write.record.size = random.between(model::kPieceBytes + 1, model::kValueBytesMax);
  if (random_flag(random)) write.upload = model::UploadId{random.next(), random_number(random)};
  if (random_flag(random)) write.promise = model::Ballot{1 + random_number(random), random.next()};
  if (random_flag(random)) write.value_from = random_text(random, kNodeIdBytesMax);
  return write;
}

inline Bytes random_piece(Random& random) {
  std::string piece = random.below(20) == 0 ? std::string(model::kPieceBytes, 'p') : random_text(random, 3000) + "p";
  return Bytes(std::move(piece));
}

constexpr std::size_t kRequestKinds = std::variant_size_v<RequestBodies>;
constexpr std::size_t kReplyKinds = std::variant_size_v<ReplyBodies>;

inline std::vector<DigestSum> random_sums(Random& random) {
  std::vector<DigestSum> sums(random.below(40));
  for (DigestSum& sum : sums) {
    sum.known = random.below(4) != 0;
    sum.sum = sum.known ? random.next() : 0;
  }
  return sums;
}

inline DigestQuery random_digest(Random& random) {
  DigestQuery digest;
  digest.asker = random_text(random, kNodeIdBytesMax);
  digest.level = static_cast<DigestQuery::Level>(random.between(1, 4));
  if (digest.level == DigestQuery::Level::kRoot) {
    digest.root = DigestSum{true, random.next()};
  } else {
    digest.nodes.resize(random.below(40));
    for (std::uint16_t& node : digest.nodes) node = static_cast<std::uint16_t>(random.next());
  }
  return digest;
}

inline Request random_request(Random& random, std::size_t kind) {
  Request request;
  request.config = random_stamp(random);
  const auto key = [&random] { return random_text(random, model::kKeyBytesMax); };
  switch (kind) {
    case 0: request.body = Ping{}; break;
    case 1: request.body = Read{key(), random_flag(random)}; break;
    case 2: request.body = random_write(random); break;
    case 3: {
      const auto entries_max = static_cast<std::uint32_t>(random.below(kListEntriesMax + 1));
      request.body = List{random_text(random, kNodeIdBytesMax), random.next(), key(), random.next(), entries_max,
                          random_flag(random)};
      break;
    }
    case 4: {
      Announce announce{random_text(random, kNodeIdBytesMax), random.next(), random_flag(random), 0, 0, 0, 0, 0};
      announce.boot = random_number(random);
      announce.nonce = random.next();
      announce.previous_nonce = random.next();
      announce.sequence = random_number(random);
      announce.start_sequence = random_number(random);
      request.body = std::move(announce);
      break;
    }
    case 5: request.body = StatusQuery{}; break;
    case 6: request.body = FetchConfig{random_stamp(random), static_cast<std::uint32_t>(random.next())}; break;
    case 7: request.body = PushConfig{random_number(random), random_text(random, 5000), random_flag(random)}; break;
    case 8: {
      const auto index = static_cast<std::uint32_t>(random.below(model::kPiecesMax));
      WritePiece write{key(), {random.next(), random.next()}, index, random_piece(random), random.next()};
      request.body = std::move(write);
      break;
    }
    case 9: request.body = Discard{key(), {random.next(), random.next()}}; break;
    case 10: {
      const auto index = static_cast<std::uint32_t>(random.below(model::kPiecesMax));
      ReadPiece read{key(), random_version(random), index, {}};
      if (random.below(2) == 0) read.staged = model::UploadId{random.next(), random.next()};
      request.body = std::move(read);
      break;
    }
    case 11: request.body = Prepare{key(), model::Ballot{1 + random_number(random), 1}, random_flag(random)}; break;
    case 12: request.body = ArrivalQuery{random_flag(random)}; break;
    case 13: request.body = random_digest(random); break;
    case 14: request.body = RepairQuery{static_cast<RepairQuery::Action>(random.between(1, 3))}; break;
    default: request.body = random_collect(random); break;
  }
  return request;
}

inline Reply random_reply(Random& random, std::size_t kind) {
  Reply reply;
  reply.config = random_stamp(random);
  switch (kind) {
    case 0: reply.body = Pong{}; break;
    case 1: {
      const auto code = static_cast<ErrorCode>(random.below(static_cast<std::uint64_t>(ErrorCode::kStopping) + 1));
      reply.body = Error{code, random_text(random, kErrorBytesMax)};
      break;
    }
    case 2: {
      ReadReply read;
      read.slot = random_slot(random);
      read.voter = random_voter(random);
      reply.body = std::move(read);
      break;
    }
    case 3: {
      const auto outcome = random_flag(random) ? WriteReply::Outcome::kStored : WriteReply::Outcome::kRefused;
      WriteReply write{outcome, random_version(random), random_version(random), random_version(random), Voter()};
      write.voter = random_voter(random);
      reply.body = std::move(write);
      break;
    }
    case 4: reply.body = random_list_reply(random); break;
    case 5: {
      AnnounceReply announced{random.next(), random.next(), random_flag(random), random.next(), false, 0};
      announced.rolled_back = random_flag(random);
      announced.gains = random_number(random);
      announced.renewed = random_lives(random, kIncarnationsMax);
      reply.body = std::move(announced);
      break;
    }
    case 6: reply.body = StatusReply{random_text(random, 5000)}; break;
    case 7: reply.body = ConfigReply{random_stamp(random), random_text(random, 5000)}; break;
    case 8: reply.body = PieceStored{}; break;
    case 9: reply.body = Discarded{}; break;
    case 10: reply.body = PieceReply{random_piece(random), random.next()}; break;
    case 11: {
      PromiseReply promise;
      promise.promised = random_flag(random);
      promise.slot = random_slot(random);
      promise.voter = random_voter(random);
      reply.body = std::move(promise);
      break;
    }
    case 12: {
      ArrivalReply arrival{random_stamp(random), random_flag(random), 0, 0, random_number(random), 0};
      arrival.owned = static_cast<std::uint32_t>(random.below(model::kPartitions + 1));
      arrival.arrived = static_cast<std::uint32_t>(random.below(arrival.owned + 1));
      arrival.to_read = random_number(random);
      reply.body = arrival;
      break;
    }
    case 13: reply.body = DigestReply{random.below(2) == 0, random.below(2) == 0, random_sums(random)}; break;
    case 14: {
      RepairReply repair;
      repair.dry_run = random_flag(random);
      for (std::uint64_t* number :
           {&repair.cycle, &repair.peers, &repair.peers_done, &repair.peers_away, &repair.partitions,
            &repair.partitions_left, &repair.keys_compared, &repair.keys_differing, &repair.keys_pulled,
            &repair.keys_pushed, &repair.bytes_pulled, &repair.bytes_pushed, &repair.failures}) {
        *number = random_number(random);
      }
      reply.body = repair;
      break;
    }
    default: reply.body = random_collected(random); break;
  }
  return reply;
}

// --- comparison -----------------------------------------------------------------------------------------------

inline bool same(const model::Record& a, const model::Record& b) {
  return a.ballot == b.ballot && a.version == b.version && a.kind == b.kind && a.base == b.base && a.root == b.root &&
         a.flags == b.flags && a.expires_at == b.expires_at && a.content_type == b.content_type && a.size == b.size &&
         a.checksum == b.checksum && a.value == b.value;
}

inline bool same(const std::vector<Incarnation>& a, const std::vector<Incarnation>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Incarnation& one, const Incarnation& other) {
    return one.node == other.node && one.incarnation == other.incarnation;
  });
}

inline bool same(const Voter& a, const Voter& b) {
  return a.votes == b.votes && a.informed == b.informed && a.incarnation == b.incarnation &&
         same(a.renewed, b.renewed) && same(a.met, b.met);
}

inline bool same(const Ping&, const Ping&) { return true; }
inline bool same(const Pong&, const Pong&) { return true; }
inline bool same(const StatusQuery&, const StatusQuery&) { return true; }
inline bool same(const Read& a, const Read& b) { return a.key == b.key && a.want_value == b.want_value; }
inline bool same(const Write& a, const Write& b) {
  return a.key == b.key && a.source == b.source && a.upload == b.upload && a.value_from == b.value_from &&
         a.promise == b.promise &&
         same(a.record, b.record);
}
inline bool same(const WritePiece& a, const WritePiece& b) {
  return a.key == b.key && a.upload == b.upload && a.index == b.index && a.piece == b.piece && a.checksum == b.checksum;
}
inline bool same(const Discard& a, const Discard& b) { return a.key == b.key && a.upload == b.upload; }
inline bool same(const ReadPiece& a, const ReadPiece& b) {
  return a.key == b.key && a.ballot == b.ballot && a.index == b.index && a.staged == b.staged;
}
inline bool same(const Prepare& a, const Prepare& b) {
  return a.key == b.key && a.ballot == b.ballot && a.want_value == b.want_value;
}
inline bool same(const PieceStored&, const PieceStored&) { return true; }
inline bool same(const Discarded&, const Discarded&) { return true; }
inline bool same(const PieceReply& a, const PieceReply& b) { return a.piece == b.piece && a.checksum == b.checksum; }
inline bool same(const DigestSum& a, const DigestSum& b) { return a.known == b.known && a.sum == b.sum; }
inline bool same(const std::vector<DigestSum>& a, const std::vector<DigestSum>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) { return same(x, y); });
}
inline bool same(const RepairQuery& a, const RepairQuery& b) { return a.action == b.action; }
inline bool same(const RepairReply& a, const RepairReply& b) {
  const auto tied = [](const RepairReply& r) {
    return std::tie(r.cycle, r.dry_run, r.peers, r.peers_done, r.peers_away, r.partitions, r.partitions_left,
                    r.keys_compared, r.keys_differing, r.keys_pulled, r.keys_pushed, r.bytes_pulled, r.bytes_pushed,
                    r.failures);
  };
  return tied(a) == tied(b);
}
inline bool same(const DigestQuery& a, const DigestQuery& b) {
  return a.asker == b.asker && a.level == b.level && same(a.root, b.root) && a.nodes == b.nodes;
}
inline bool same(const DigestReply& a, const DigestReply& b) {
  return a.equal == b.equal && a.busy == b.busy && same(a.sums, b.sums);
}
inline bool same(const List& a, const List& b) {
  return a.asker == b.asker && a.position == b.position && a.key == b.key && a.position_last == b.position_last &&
         a.entries_max == b.entries_max && a.values == b.values;
}
inline bool same(const Announce& a, const Announce& b) {
  return a.node == b.node && a.incarnation == b.incarnation && a.blank == b.blank && a.boot == b.boot &&
         a.nonce == b.nonce && a.previous_nonce == b.previous_nonce && a.sequence == b.sequence &&
         a.start_sequence == b.start_sequence;
}
inline bool same(const FetchConfig& a, const FetchConfig& b) { return a.have == b.have && a.wait_ms == b.wait_ms; }
inline bool same(const PushConfig& a, const PushConfig& b) {
  return a.expected_counter == b.expected_counter && a.text == b.text && a.force == b.force;
}
inline bool same(const ArrivalQuery& a, const ArrivalQuery& b) { return a.durably == b.durably; }
inline bool same(const ArrivalReply& a, const ArrivalReply& b) {
  return a.adopted == b.adopted && a.durable == b.durable && a.owned == b.owned && a.arrived == b.arrived &&
         a.read == b.read && a.to_read == b.to_read;
}
inline bool same(const Error& a, const Error& b) { return a.code == b.code && a.message == b.message; }
inline bool same(const model::Slot& a, const model::Slot& b) {
  if (a.promise != b.promise || a.floor != b.floor || a.record.has_value() != b.record.has_value()) return false;
  return !a.record || same(*a.record, *b.record);
}
inline bool same(const ReadReply& a, const ReadReply& b) { return same(a.slot, b.slot) && same(a.voter, b.voter); }
inline bool same(const PromiseReply& a, const PromiseReply& b) {
  return a.promised == b.promised && same(a.slot, b.slot) && same(a.voter, b.voter);
}
inline bool same(const WriteReply& a, const WriteReply& b) {
  return a.outcome == b.outcome && a.stored == b.stored && a.promise == b.promise && a.version == b.version &&
         same(a.voter, b.voter);
}
inline bool same(const CollectQuery& a, const CollectQuery& b) {
  return a.asker == b.asker && a.fence == b.fence && a.partitions == b.partitions;
}
inline bool same(const CollectReply& a, const CollectReply& b) {
  return a.incarnation == b.incarnation && a.fence == b.fence && a.clock == b.clock &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const auto& x, const auto& y) {
                      return x.run == y.run && x.synced == y.synced && x.floor == y.floor;
                    });
}
inline bool same(const ListReply& a, const ListReply& b) {
  if (a.entries.size() != b.entries.size() || a.fence != b.fence || a.floors.size() != b.floors.size()) return false;
  for (std::size_t i = 0; i < a.floors.size(); ++i) {
    if (a.floors[i].run != b.floors[i].run || a.floors[i].floor != b.floors[i].floor) return false;
  }
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    const ListReply::Entry& x = a.entries[i];
    const ListReply::Entry& y = b.entries[i];
    if (x.key != y.key || x.ballot != y.ballot || x.promise != y.promise || x.ends != y.ends) return false;
    if (x.record.has_value() != y.record.has_value() || (x.record && !same(*x.record, *y.record))) return false;
  }
  return a.complete == b.complete && a.next_position == b.next_position && a.next_key == b.next_key &&
         a.not_voting == b.not_voting && a.incarnation == b.incarnation;
}
inline bool same(const AnnounceReply& a, const AnnounceReply& b) {
  return a.known_incarnation == b.known_incarnation && a.incarnation == b.incarnation && a.blank == b.blank &&
         a.session == b.session && a.rolled_back == b.rolled_back && a.gains == b.gains &&
         same(a.renewed, b.renewed);
}
inline bool same(const StatusReply& a, const StatusReply& b) { return a.json == b.json; }
inline bool same(const ConfigReply& a, const ConfigReply& b) { return a.stamp == b.stamp && a.text == b.text; }

// Of Request and Reply.
template <class Message>
bool same_message(const Message& a, const Message& b) {
  if (a.config != b.config || a.body.index() != b.body.index()) return false;
  const auto same_as_in_b = [&b](const auto& body) {
    return same(body, std::get<std::decay_t<decltype(body)>>(b.body));
  };
  return std::visit(same_as_in_b, a.body);
}

}  // namespace tako::wire::testing
