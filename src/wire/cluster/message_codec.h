// The parts that messages have in common, and the frame around a message's body. For request_codec.cc and
// reply_codec.cc alone.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.h"
#include "wire/cluster/codec.h"
#include "wire/cluster/limits.h"
#include "wire/cluster/message.h"

namespace tako::wire {

constexpr std::uint8_t kMessageFormat = 1;

// What a message takes beside the parts counted in size_of().
constexpr std::size_t kMessageHeadBytes = 64;

void put(Writer& out, const ConfigStamp& stamp);
void put(Writer& out, const model::UploadId& upload);
void put(Writer& out, const DigestSum& sum);
void put(Writer& out, const PartitionRun& run);
void put(Writer& out, const std::vector<PartitionRun>& runs);
ConfigStamp take_stamp(Reader& in);
model::UploadId take_upload(Reader& in);
DigestSum take_sum(Reader& in);
PartitionRun take_run(Reader& in);
Timestamp take_floor(Reader& in);  // or a fence
std::vector<PartitionRun> take_runs(Reader& in, std::size_t runs_max);
Bytes take_piece(Reader& in);
std::string take_key(Reader& in);
std::string take_node(Reader& in);

// An estimate.
std::size_t size_of(const model::Record& record);

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

// `bytes`: about as many as it will be, so that it allocates once. `put_body(out, body)` writes an alternative.
template <class Message, class PutBody>
std::string encode_message(const Message& message, std::size_t bytes, PutBody put_body) {
  Writer out(kMessageHeadBytes + bytes);
  out.u8(kMessageFormat);
  put(out, message.config);
  out.u8(static_cast<std::uint8_t>(message.body.index()));
  std::visit([&](const auto& body) { put_body(out, body); }, message.body);
  return out.take();
}

// Makes the alternative `index` of a variant and reads into it.
template <std::size_t kAt = 0, class TakeBody, class... Bodies>
void take_alternative(Reader& in, std::size_t index, std::variant<Bodies...>& body, TakeBody take_body) {
  if constexpr (kAt < sizeof...(Bodies)) {
    if (index != kAt) return take_alternative<kAt + 1>(in, index, body, take_body);
    take_body(in, body.template emplace<kAt>());
  } else {
    in.fail("an unknown kind of message");
  }
}

template <class Message, class TakeBody>
Result<Message> decode_message(const Bytes& bytes, std::string_view what, TakeBody take_body) {
  Reader in(bytes);
  Message message;
  if (in.u8() != kMessageFormat) in.fail("a message format that this version does not know: upgrade");
  message.config = take_stamp(in);
  const std::uint8_t index = in.u8();
  if (in.ok()) take_alternative(in, index, message.body, take_body);
  const Status status = in.finish(what);
  if (!status.ok()) return status.error();
  return message;
}

}  // namespace tako::wire
