// request      := u8 format = 1, config: stamp, u8 body (the alternative's place in the variant), body
// reply        := u8 format = 1, config: stamp, u8 body, body
// stamp        := counter: varint, hash: u64
// run          := first: u16, last: u16 (not below it)
// upload       := high: u64, low: u64
// sum          := known: flag, [u64]
// record, version: record_codec.cc; flag, varint, text: codec.h; the bodies: request_codec.cc, reply_codec.cc
#include "wire/cluster/message_codec.h"

#include "model/placement.h"
#include "wire/cluster/record_codec.h"

namespace tako::wire {

template <class Bodies>
Body<Bodies>::Body() = default;
template <class Bodies>
Body<Bodies>::Body(const Body& other) = default;
template <class Bodies>
Body<Bodies>::Body(Body&& other) noexcept = default;
template <class Bodies>
Body<Bodies>& Body<Bodies>::operator=(const Body& other) = default;
template <class Bodies>
Body<Bodies>& Body<Bodies>::operator=(Body&& other) noexcept = default;
template <class Bodies>
Body<Bodies>::~Body() = default;

template struct Body<RequestBodies>;
template struct Body<ReplyBodies>;

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

void put(Writer& out, const DigestSum& sum) {
  const auto& [known, value] = sum;
  out.flag(known);
  if (known) out.u64(value);
}

DigestSum take_sum(Reader& in) {
  DigestSum sum;
  sum.known = in.flag();
  if (sum.known) sum.sum = in.u64();
  return sum;
}

void put(Writer& out, const PartitionRun& run) {
  const auto& [first, last] = run;
  out.u16(first);
  out.u16(last);
}

PartitionRun take_run(Reader& in) {
  PartitionRun run;
  run.first = in.u16();
  run.second = in.u16();
  if (run.first > run.second) in.fail("a range of partitions that ends before it begins");
  return run;
}

void put(Writer& out, const std::vector<PartitionRun>& runs) {
  out.varint(runs.size());
  for (const PartitionRun& run : runs) put(out, run);
}

std::vector<PartitionRun> take_runs(Reader& in, std::size_t runs_max) {
  std::vector<PartitionRun> runs(in.count(runs_max, 2 + 2));
  for (PartitionRun& run : runs) run = take_run(in);
  return runs;
}

Timestamp take_floor(Reader& in) { return in.varint(model::kNeverEnds - 1); }

Bytes take_piece(Reader& in) {
  const auto size = static_cast<std::size_t>(in.varint(model::kPieceBytes));
  if (size == 0) in.fail("a piece without a byte");
  return in.bytes(size);
}

std::string take_key(Reader& in) { return in.text(model::kKeyBytesMax); }
std::string take_node(Reader& in) { return in.text(kNodeIdBytesMax); }

std::size_t size_of(const model::Record& record) {
  return kRecordHeadBytesMax + record.content_type.size() + (record.value ? record.value->size() : 0);
}

ConfigStamp stamp_of(const model::Configuration& configuration) {
  ConfigStamp stamp;
  stamp.counter = configuration.counter;
  stamp.hash = configuration.hash;
  return stamp;
}

ConfigStamp stamp_of(const model::Placement& placement) { return stamp_of(placement.config()); }

}  // namespace tako::wire
