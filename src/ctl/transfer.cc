#include "ctl/transfer.h"

#include <charconv>

#include "model/record.h"

namespace tako::ctl {
namespace {

Error damaged() { return {ErrorCode::kCorrupt, "what arrived does not match the value's checksum; get it again"}; }

// The first byte of a 206's range, and the size of the whole: "bytes 5-9/10".
struct Span {
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};
std::optional<Span> span_in(const wire::HttpResponse& head) {
  std::string_view text = wire::find_header(head.headers, "content-range").value_or("");
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == text.npos || slash == text.npos) return std::nullopt;
  Span span;
  const auto first = std::from_chars(text.data(), text.data() + dash, span.first);
  const auto size = std::from_chars(text.data() + slash + 1, text.data() + text.size(), span.size);
  if (first.ptr != text.data() + dash || size.ptr != text.data() + text.size()) return std::nullopt;
  return span;
}

}  // namespace

std::optional<std::uint64_t> checksum_in(const wire::HttpHeaders& headers) {
  const auto text = wire::find_header(headers, "x-tako-checksum");
  if (!text || text->size() != 16) return std::nullopt;
  std::uint64_t checksum = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), checksum, 16);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return checksum;
}

Task<Result<Bytes>> FileSource::next() {
  if (!ahead_.empty()) {
    Bytes again = std::move(ahead_.front());
    ahead_.pop_front();
    co_return again;
  }
  auto work = [this] { return read_(model::kPieceBytes); };
  Result<std::string> content;
  if (console_.workers)
    content = co_await console_.workers->run(std::move(work));
  else
    content = work();
  if (!content) co_return content.error();
  Bytes piece(std::move(*content));
  if (!piece.empty()) sum_.add(model::piece_checksum(piece.view()));
  progress_.add(piece.size());
  co_return piece;
}

Result<bool> StreamSink::begin(const wire::HttpResponse& head) {
  if (head.status != 200) return false;
  expected_ = checksum_in(head.headers);
  progress_ = std::make_unique<Progress>(console_, head.content_length, 0);
  return true;
}

Status StreamSink::take(Bytes part) {
  console_.out.write(part.view().data(), static_cast<std::streamsize>(part.size()));
  if (!console_.out) return output_failure(console_);
  progress_->add(part.size());
  std::string_view rest = part.view();
  while (!rest.empty()) {
    const std::string_view more = rest.substr(0, model::kPieceBytes - piece_.size());
    piece_ += more;
    rest.remove_prefix(more.size());
    if (piece_.size() < model::kPieceBytes) break;
    sum_.add(model::piece_checksum(piece_));
    piece_.clear();
  }
  return ok_status();
}

Status StreamSink::check() {
  if (progress_) progress_->end();
  if (!piece_.empty()) sum_.add(model::piece_checksum(piece_));
  if (expected_ && *expected_ != sum_.value()) return damaged();
  return ok_status();
}

Result<bool> PartSink::begin(const wire::HttpResponse& head) {
  if (head.status != 200 && head.status != 206) return false;
  expected_ = checksum_in(head.headers);
  const std::string etag(wire::find_header(head.headers, "etag").value_or(""));
  std::optional<std::uint64_t> total = head.content_length;
  if (head.status == 206) {
    const auto span = span_in(head);
    if (!span || span->first != file_.size() || etag != file_.note()) {
      return Error(ErrorCode::kInvalid, "the server answered with another range than was asked for");
    }
    total = span->size;
  } else {
    const Status begun = file_.begin(etag);
    if (!begun) return begun.error();
  }
  progress_ = std::make_unique<Progress>(console_, total, file_.size());
  return true;
}

Status PartSink::take(Bytes part) {
  progress_->add(part.size());
  return file_.append(part.view());
}

Status PartSink::check() {
  if (progress_) progress_->end();
  if (!expected_ || !file_.readable()) return ok_status();
  model::ValueChecksum sum;
  for (std::uint64_t at = 0; at < file_.size(); at += model::kPieceBytes) {
    const auto piece = file_.read(at, model::kPieceBytes);
    if (!piece) return piece.error();
    sum.add(model::piece_checksum(*piece));
  }
  return *expected_ == sum.value() ? ok_status() : Status(damaged());
}

}  // namespace tako::ctl
