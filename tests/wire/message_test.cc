#include "wire/cluster/message.h"

#include <doctest/doctest.h>

#include "random_messages.h"
#include "wire/cluster/frame.h"

namespace tako::wire {
namespace {

using testing::kReplyKinds;
using testing::kRequestKinds;
using testing::random_reply;
using testing::random_request;
using testing::same_message;

Request with(decltype(Request::body) body) { return Request{{}, std::move(body)}; }
Reply with(decltype(Reply::body) body) { return Reply{{}, std::move(body)}; }
bool accepted(const Request& request) { return decode_request(Bytes(encode(request))).ok(); }
bool accepted(const Reply& reply) { return decode_reply(Bytes(encode(reply))).ok(); }

TEST_CASE("every request comes back as it was") {
  Random random(10);
  for (int i = 0; i < 500; ++i) {
    for (std::size_t kind = 0; kind < kRequestKinds; ++kind) {
      const Request request = random_request(random, kind);
      REQUIRE(request.body.index() == kind);
      const Result<Request> back = decode_request(Bytes(encode(request)));
      REQUIRE(back.ok());
      REQUIRE(same_message(request, *back));
    }
  }
}

TEST_CASE("every reply comes back as it was") {
  Random random(11);
  for (int i = 0; i < 500; ++i) {
    for (std::size_t kind = 0; kind < kReplyKinds; ++kind) {
      const Reply reply = random_reply(random, kind);
      REQUIRE(reply.body.index() == kind);
      const Result<Reply> back = decode_reply(Bytes(encode(reply)));
      REQUIRE(back.ok());
      REQUIRE(same_message(reply, *back));
    }
  }
}

TEST_CASE("a message that was cut short at any byte is refused, as is one with a byte more") {
  Random random(12);
  for (int i = 0; i < 10; ++i) {
    for (std::size_t kind = 0; kind < kRequestKinds; ++kind) {
      const Bytes bytes(encode(random_request(random, kind)));
      for (std::size_t size = 0; size < bytes.size(); ++size) REQUIRE_FALSE(decode_request(bytes.slice(0, size)).ok());
      CHECK_FALSE(decode_request(Bytes(std::string(bytes.view()) + '\0')).ok());
    }
    for (std::size_t kind = 0; kind < kReplyKinds; ++kind) {
      const Bytes bytes(encode(random_reply(random, kind)));
      for (std::size_t size = 0; size < bytes.size(); ++size) REQUIRE_FALSE(decode_reply(bytes.slice(0, size)).ok());
      CHECK_FALSE(decode_reply(Bytes(std::string(bytes.view()) + '\0')).ok());
    }
  }
}

TEST_CASE("a damaged message is refused or is another message, never a crash") {
  Random random(13);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = encode(random_request(random, random.below(kRequestKinds)));
    bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    const auto request = decode_request(Bytes(bytes));
    if (request.ok()) REQUIRE(encode(*request) == bytes);

    bytes = encode(random_reply(random, random.below(kReplyKinds)));
    bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    const auto reply = decode_reply(Bytes(bytes));
    if (reply.ok()) REQUIRE(encode(*reply) == bytes);
  }
}

TEST_CASE("an unknown kind of message is refused") {
  std::string bytes = encode(with(Ping{}));
  bytes.back() = static_cast<char>(kRequestKinds);
  CHECK_FALSE(decode_request(Bytes(bytes)).ok());
  bytes.back() = '\xff';
  CHECK_FALSE(decode_reply(Bytes(bytes)).ok());
}

TEST_CASE("keys and node ids have their limits") {
  const std::string key(model::kKeyBytesMax, 'k');
  CHECK(accepted(with(Read{key, true})));
  CHECK_FALSE(accepted(with(Read{key + 'k', true})));
  CHECK(accepted(with(Announce{std::string(255, 'n'), 1, false, 1, 2, 3, 4, 5})));
  CHECK_FALSE(accepted(with(Announce{std::string(256, 'n'), 1, false, 1, 2, 3, 4, 5})));
}

TEST_CASE("a write carries its value, or is a tombstone") {
  const model::Record record = model::make_value({1, 2}, Bytes::copy_of("value"));
  CHECK(accepted(with(Write{"k", record, Write::Source::kCopy, {}, ""})));
  CHECK(accepted(with(Write{"k", model::make_tombstone({1, 2}), Write::Source::kCopy, {}, ""})));
  CHECK_FALSE(accepted(with(Write{"k", record.without_value(), Write::Source::kCopy, {}, ""})));
}

TEST_CASE("a write of a large value leaves it out and may say where it is, any other may not") {
  const model::Record large = model::make_value({1, 2}, Bytes(std::string(model::kPieceBytes + 1, 'v')));
  const model::Record head = large.without_value();
  const model::UploadId upload{3, 4};
  CHECK_FALSE(accepted(with(Write{"k", large, Write::Source::kCopy, {}, ""})));
  CHECK(accepted(with(Write{"k", head, Write::Source::kCopy, {}, ""})));
  CHECK(accepted(with(Write{"k", head, Write::Source::kCopy, upload, ""})));
  CHECK(accepted(with(Write{"k", head, Write::Source::kCopy, upload, "n1"})));
  CHECK(accepted(with(Write{"k", head, Write::Source::kCopy, {}, std::string(kNodeIdBytesMax, 'n')})));
  CHECK_FALSE(accepted(with(Write{"k", head, Write::Source::kCopy, {}, std::string(kNodeIdBytesMax + 1, 'n')})));
  CHECK_FALSE(accepted(with(Write{"k", large, Write::Source::kCopy, upload, ""})));
  CHECK_FALSE(accepted(with(Write{"k", large, Write::Source::kCopy, {}, "n1"})));
  CHECK_FALSE(accepted(with(Write{"k", model::make_tombstone({1, 2}), Write::Source::kCopy, upload, ""})));

  model::Record piece = model::make_value({1, 2}, Bytes(std::string(model::kPieceBytes, 'v')));
  CHECK_FALSE(accepted(with(Write{"k", piece.without_value(), Write::Source::kCopy, upload, ""})));
}

TEST_CASE("a piece has its limits, and is not copied when it is decoded") {
  const Bytes whole(std::string(model::kPieceBytes, 'p'));
  const Bytes longer(std::string(model::kPieceBytes + 1, 'p'));
  CHECK(accepted(with(WritePiece{"k", {1, 2}, model::kPiecesMax - 1, whole, 5})));
  CHECK_FALSE(accepted(with(WritePiece{"k", {1, 2}, model::kPiecesMax, whole, 5})));
  CHECK_FALSE(accepted(with(WritePiece{"k", {1, 2}, 0, longer, 5})));
  CHECK_FALSE(accepted(with(WritePiece{"k", {1, 2}, 0, Bytes(), 5})));
  CHECK(accepted(with(ReadPiece{"k", {1, 2}, model::kPiecesMax - 1})));
  CHECK_FALSE(accepted(with(ReadPiece{"k", {1, 2}, model::kPiecesMax})));
  CHECK(accepted(with(PieceReply{whole, 5})));
  CHECK_FALSE(accepted(with(PieceReply{longer, 5})));
  CHECK_FALSE(accepted(with(PieceReply{Bytes(), 5})));

  const Bytes bytes(encode(with(WritePiece{"k", {1, 2}, 7, whole, 5})));
  const auto request = decode_request(bytes);
  REQUIRE(request.ok());
  const auto& piece = std::get<WritePiece>(request->body).piece;
  CHECK(piece.view().data() + piece.size() == bytes.view().data() + bytes.size());
}

TEST_CASE("an unknown source, outcome or error code is refused") {
  CHECK_FALSE(accepted(with(Write{"k", model::make_tombstone({1, 2}), static_cast<Write::Source>(3), {}, ""})));
  CHECK_FALSE(accepted(with(Write{"k", model::make_tombstone({1, 2}), static_cast<Write::Source>(0), {}, ""})));
  WriteReply reply;
  reply.outcome = static_cast<WriteReply::Outcome>(0);
  CHECK_FALSE(accepted(with(reply)));
  const auto last = static_cast<unsigned>(ErrorCode::kStopping);
  CHECK(accepted(with(Error{static_cast<ErrorCode>(last), "stopping"})));
  CHECK_FALSE(accepted(with(Error{static_cast<ErrorCode>(last + 1), "unknown"})));
}

TEST_CASE("an error's message is cut to its limit") {
  const auto reply = decode_reply(Bytes(encode(with(Error{ErrorCode::kIo, std::string(5000, 'e')}))));
  REQUIRE(reply.ok());
  CHECK(std::get<Error>(reply->body).message == std::string(kErrorBytesMax, 'e'));
}

TEST_CASE("texts of configurations and status have their limits") {
  CHECK(accepted(with(PushConfig{0, std::string(kConfigBytesMax, 'c')})));
  CHECK_FALSE(accepted(with(PushConfig{0, std::string(kConfigBytesMax + 1, 'c')})));
  CHECK(accepted(with(ConfigReply{{}, std::string(kConfigBytesMax, 'c')})));
  CHECK_FALSE(accepted(with(ConfigReply{{}, std::string(kConfigBytesMax + 1, 'c')})));
  CHECK(accepted(with(StatusReply{std::string(kStatusBytesMax, 's')})));
  CHECK_FALSE(accepted(with(StatusReply{std::string(kStatusBytesMax + 1, 's')})));
}

TEST_CASE("pages and votes have their limits") {
  ListReply page;
  page.entries.resize(kListEntriesMax);
  CHECK(accepted(with(page)));
  page.entries.emplace_back();
  CHECK_FALSE(accepted(with(page)));
  CHECK(accepted(with(List{"n", 0, "", 1, kListEntriesMax})));
  CHECK_FALSE(accepted(with(List{"n", 0, "", 1, kListEntriesMax + 1})));

  ReadReply reply;
  reply.voter.renewed.resize(kRenewedMax);
  CHECK(accepted(with(reply)));
  reply.voter.renewed.emplace_back();
  CHECK_FALSE(accepted(with(reply)));
  reply.voter.renewed.clear();
  reply.voter.met.resize(kRenewedMax);
  CHECK(accepted(with(reply)));
  reply.voter.met.emplace_back();
  CHECK_FALSE(accepted(with(reply)));

  AnnounceReply announced;
  announced.renewed.resize(kIncarnationsMax);
  CHECK(accepted(with(announced)));
  announced.renewed.emplace_back();
  CHECK_FALSE(accepted(with(announced)));
}

TEST_CASE("a range of partitions that ends before it begins is refused") {
  ListReply page;
  page.not_voting = {{7, 7}};
  CHECK(accepted(with(page)));
  page.not_voting = {{7, 6}};
  CHECK_FALSE(accepted(with(page)));
}

TEST_CASE("the largest whole value fits into a message, and is not copied when it is decoded") {
  const model::Record record = model::make_value({1, 2}, Bytes(std::string(model::kPieceBytes, 'v')));
  const Bytes bytes(
      encode(with(Write{std::string(model::kKeyBytesMax, 'k'), record, Write::Source::kProposal, {}, ""})));
  CHECK(bytes.size() <= kMessageBytesMax);
  const auto request = decode_request(bytes);
  REQUIRE(request.ok());
  const auto& value = *std::get<Write>(request->body).record.value;
  CHECK(value.view().data() >= bytes.view().data());
  CHECK(value.view().data() + value.size() == bytes.view().data() + bytes.size());
}

}  // namespace
}  // namespace tako::wire
