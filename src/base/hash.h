// XXH3 (Collet), the one hash function: positions on the ring, checksums on the wire and in store.
//
// Fixed for ever for positions: a change would move every key.
#pragma once

#include <cstdint>
#include <string_view>

namespace tako {

std::uint64_t xxh3_64(std::string_view data);
std::uint64_t xxh3_64(std::string_view data, std::uint64_t seed);

}  // namespace tako
