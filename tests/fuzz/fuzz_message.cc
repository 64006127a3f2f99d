// input := u8 what (0 request, 1 reply, else record), bytes
// Whatever decodes has one encoding: the bytes it came from.
#include "target.h"
#include "wire/cluster/message.h"
#include "wire/cluster/record_codec.h"

namespace tako::fuzz {

void fuzz_message(std::string_view input) {
  if (input.empty()) return;
  const int what = input.front() % 3;
  const Bytes bytes = Bytes::copy_of(input.substr(1));
  if (what == 0) {
    const auto request = wire::decode_request(bytes);
    if (request.ok()) ASSERT(wire::encode(*request) == bytes.view());
  } else if (what == 1) {
    const auto reply = wire::decode_reply(bytes);
    if (reply.ok()) ASSERT(wire::encode(*reply) == bytes.view());
  } else {
    const auto record = wire::decode_record(bytes);
    if (record.ok()) ASSERT(wire::encode_record(*record) == bytes.view());
  }
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_message)
