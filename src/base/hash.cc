#include "base/hash.h"

#include <xxhash.h>

namespace tako {

std::uint64_t xxh3_64(std::string_view data) { return XXH3_64bits(data.data(), data.size()); }

std::uint64_t xxh3_64(std::string_view data, std::uint64_t seed) {
  return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

struct Hasher::State {
  State() { XXH3_64bits_reset(state); }
  ~State() { XXH3_freeState(state); }
  XXH3_state_t* const state = XXH3_createState();
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::add(std::string_view data) { XXH3_64bits_update(state_->state, data.data(), data.size()); }
std::uint64_t Hasher::value() const { return XXH3_64bits_digest(state_->state); }

}  // namespace tako
