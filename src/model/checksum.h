// Checksums of values: XXH3-64 of one that is at most a piece long, else XXH3-64 over the checksums (big-endian) of its
// pieces, in their order. So each piece is verified by itself, in whatever order it comes and without the others, and
// the pieces' checksums are enough to verify the whole.
//
// Fixed for ever: they are stored. Pure values, on whatever loop.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"

namespace tako::model {

inline std::uint64_t piece_checksum(std::string_view piece) { return xxh3_64(piece); }

// Of a value whose pieces come one after the other. In constant memory.
class ValueChecksum {
 public:
  // The next piece's.
  void add(std::uint64_t piece_checksum);
  // Of the value made of all pieces so far; of the empty one without any.
  std::uint64_t value() const;

 private:
  std::uint64_t pieces_ = 0;
  std::uint64_t first_ = 0;
  Hasher over_all_;
};

// Of a whole value.
std::uint64_t checksum_of(std::string_view value);

}  // namespace tako::model
