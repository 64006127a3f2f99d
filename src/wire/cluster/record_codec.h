// Records as bytes: the one form in which they travel (message.cc) and are stored (store/).
//
// The encoding is canonical: one record has one encoding, so equal bytes mean equal records, and what a decoder takes
// it gives back the same. The first byte is the format's version; a later format gets another number and decoders
// keep reading the old. Errors are kInvalid and stick to the Reader. Grammar: record_codec.cc.
// The encoder checks no lengths: whoever takes a content type or a value from a user refuses it there.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "model/record.h"
#include "wire/cluster/codec.h"

namespace tako::wire {

constexpr std::uint8_t kRecordFormat = 1;

// Everything in a record but its content type and value fits in this.
constexpr std::size_t kRecordHeadBytesMax = 128;

// REQUIRES: a present value has the size that the record says, and a tombstone has none.
void encode_record(Writer& out, const model::Record& record);
// On an error the Reader is no longer ok() and the record means nothing.
model::Record decode_record(Reader& in);

// A whole buffer that is one record: the storage format. The value is a slice of `bytes`.
std::string encode_record(const model::Record& record);
Result<model::Record> decode_record(const Bytes& bytes);

// A version that is often none: 1 byte then, else 17.
void encode_version(Writer& out, const model::Version& version);
model::Version decode_version(Reader& in);

}  // namespace tako::wire
