#include "wire/cluster/assembler.h"

namespace tako::wire {
namespace {

// A piece of a value has a frame's worth of bytes and a head, so it comes in two frames. Room for both is made at once:
// a string that grows doubles, and each piece in memory would have as much beside it that nobody uses.
constexpr std::size_t kHeadBytesMax = 4 << 10;

Error broken(ErrorCode code, const Frame& frame, std::string_view what) {
  return {code, "the peer sent " + std::string(what) + " (message " + std::to_string(frame.id) + "): close"};
}

Message head_of(const Frame& frame) {
  Message message;
  message.type = frame.type;
  message.cancels_reply = frame.cancels_reply;
  message.id = frame.id;
  message.remaining_ms = frame.remaining_ms;
  return message;
}

}  // namespace

Result<std::optional<Message>> Assembler::add(const Frame& frame) {
  if (frame.type == FrameType::kCancel) {
    drop({frame.cancels_reply ? FrameType::kReply : FrameType::kRequest, frame.id});
    return std::optional<Message>(head_of(frame));
  }
  if (frame.type != FrameType::kRequest && frame.type != FrameType::kReply) {
    return std::optional<Message>(head_of(frame));
  }

  const Key key(frame.type, frame.id);
  auto found = partial_.find(key);
  if (frame.continued != (found != partial_.end())) {
    return broken(ErrorCode::kInvalid, frame, frame.continued ? "a piece of no message" : "an id that is in use");
  }
  if (!frame.more && !frame.continued) {
    Message message = head_of(frame);
    message.bytes = Bytes::copy_of(frame.payload);
    return std::optional<Message>(std::move(message));
  }

  if (found == partial_.end()) {
    if (partial_.size() >= kPartialMessagesMax) {
      return broken(ErrorCode::kTooLarge, frame, "pieces of more than 256 messages at once");
    }
    found = partial_.emplace(key, std::string()).first;
    found->second.reserve(frame.payload.size() + kHeadBytesMax);
  }
  std::string& bytes = found->second;
  if (bytes.size() + frame.payload.size() > kMessageBytesMax) {
    return broken(ErrorCode::kTooLarge, frame, "a message of more than 64 MiB");
  }
  if (partial_bytes_ + frame.payload.size() > kPartialBytesMax) {
    return broken(ErrorCode::kTooLarge, frame, "pieces of more than 256 MiB at once");
  }
  bytes.append(frame.payload);
  partial_bytes_ += frame.payload.size();
  if (frame.more) return std::optional<Message>();

  Message message = head_of(frame);
  partial_bytes_ -= bytes.size();
  message.bytes = Bytes(std::move(bytes));
  partial_.erase(found);
  return std::optional<Message>(std::move(message));
}

void Assembler::drop(const Key& key) {
  const auto found = partial_.find(key);
  if (found == partial_.end()) return;
  partial_bytes_ -= found->second.size();
  partial_.erase(found);
}

}  // namespace tako::wire
