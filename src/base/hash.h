// XXH3 (Collet), the one hash function: positions on the ring, checksums on the wire and in store.
//
// Fixed for ever for positions: a change would move every key.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace tako {

std::uint64_t xxh3_64(std::string_view data);
std::uint64_t xxh3_64(std::string_view data, std::uint64_t seed);

// XXH3-64 of data that comes in parts.
class Hasher {
 public:
  Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void add(std::string_view data);
  std::uint64_t value() const;  // of all so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tako
