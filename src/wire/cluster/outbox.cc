#include "wire/cluster/outbox.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tako::wire {
namespace {

std::uint32_t remaining_ms(TimePoint deadline, TimePoint now) {
  if (deadline <= now) return 0;
  // Compared before it is subtracted from: a deadline may be the end of time.
  constexpr auto kMost = std::chrono::milliseconds(std::numeric_limits<std::uint32_t>::max());
  if (deadline.time_since_epoch() - kMost >= now.time_since_epoch()) return static_cast<std::uint32_t>(kMost.count());
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count());
}

}  // namespace

bool Outbox::push(FrameType type, std::uint64_t id, Bytes message, TimePoint deadline) {
  const bool carries = type == FrameType::kRequest || type == FrameType::kReply;
  ASSERT(message.size() <= kMessageBytesMax && carries == !message.empty());
  const std::size_t cost = kEntryBytes + message.size();
  if (bytes_ > 0 && (cost > bytes_max_ || bytes_ > bytes_max_ - cost)) return false;

  bytes_ += cost;
  Queue& queue = !carries ? control_ : message.size() <= kPieceBytesMax ? small_ : waiting_;
  Entry entry{type, false, id, deadline, std::move(message), 0};
  queue.push_back(std::move(entry));
  return true;
}

Outbox::Cancelled Outbox::cancel(FrameType type, std::uint64_t id) {
  ASSERT(type == FrameType::kRequest || type == FrameType::kReply);
  // From the front: what is given up has usually waited longest.
  const auto is_it = [&](const Entry& entry) { return entry.type == type && entry.id == id; };
  for (Queue* queue : {&begun_, &small_, &waiting_}) {
    const auto found = std::find_if(queue->begin(), queue->end(), is_it);
    if (found == queue->end()) continue;
    bytes_ -= kEntryBytes + found->message.size() - found->sent;
    if (queue == &begun_) begun_bytes_ -= found->message.size();
    const bool partly = found->sent > 0;
    queue->erase(found);
    if (!partly) return Cancelled::kUnsent;
    Entry notice{FrameType::kCancel, type == FrameType::kReply, id, {}, {}, 0};
    control_.push_back(std::move(notice));
    bytes_ += kEntryBytes;
    return Cancelled::kPartly;
  }
  return Cancelled::kNotFound;
}

bool Outbox::next(TimePoint now, std::string& out) {
  const std::size_t start = out.size();
  append_all(now, control_, out, start + kControlBytesMax);
  // The receiver lets go of a cancelled message when it is told, so before another is begun.
  if (control_.empty()) begin_waiting();
  const bool piece = !begun_.empty() && (small_.empty() || piece_is_next_);
  if (piece) append_piece(now, out);
  else append_all(now, small_, out, start + kWriteBytesMax);
  piece_is_next_ = !piece;
  return out.size() > start;
}

void Outbox::append_whole(TimePoint now, const Entry& entry, std::string& out) {
  Frame frame;
  frame.type = entry.type;
  frame.cancels_reply = entry.cancels_reply;
  frame.id = entry.id;
  if (entry.type == FrameType::kRequest) frame.remaining_ms = remaining_ms(entry.deadline, now);
  frame.payload = entry.message.view();
  append_frame(out, frame);
  bytes_ -= kEntryBytes + entry.message.size();
}

// As many whole messages of `queue` as end before `end` bytes of `out`.
void Outbox::append_all(TimePoint now, Queue& queue, std::string& out, std::size_t end) {
  while (!queue.empty() && out.size() + kFrameHeaderBytes + queue.front().message.size() <= end) {
    append_whole(now, queue.front(), out);
    queue.pop_front();
  }
}

// Begins as many long messages as the receiver can be asked to hold.
void Outbox::begin_waiting() {
  while (!waiting_.empty() && begun_.size() < kPartialMessagesMax &&
         begun_bytes_ + waiting_.front().message.size() <= kPartialBytesMax) {
    begun_bytes_ += waiting_.front().message.size();
    begun_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// One piece of the long message whose turn it is.
void Outbox::append_piece(TimePoint now, std::string& out) {
  Entry entry = std::move(begun_.front());
  begun_.pop_front();
  const std::size_t count = std::min(kPieceBytesMax, entry.message.size() - entry.sent);
  Frame frame;
  frame.type = entry.type;
  frame.continued = entry.sent > 0;
  frame.more = entry.sent + count < entry.message.size();
  frame.id = entry.id;
  if (entry.type == FrameType::kRequest) frame.remaining_ms = remaining_ms(entry.deadline, now);
  frame.payload = entry.message.view().substr(entry.sent, count);
  append_frame(out, frame);
  entry.sent += count;
  bytes_ -= count;
  if (frame.more) return begun_.push_back(std::move(entry));
  bytes_ -= kEntryBytes;
  begun_bytes_ -= entry.message.size();
}

}  // namespace tako::wire
