#include "base/digest.h"

#include <nettle/md5.h>
#include <nettle/sha2.h>

#include <cstdint>

namespace tako {
namespace {

const std::uint8_t* bytes_in(std::string_view data) { return reinterpret_cast<const std::uint8_t*>(data.data()); }

}  // namespace

struct Digest::State {
  union {
    md5_ctx md5;
    sha256_ctx sha256;
    sha512_ctx sha512;
  };
};

Digest::Digest(Kind kind) : kind_(kind), state_(std::make_unique<State>()) {
  switch (kind) {
    case Kind::kMd5: md5_init(&state_->md5); break;
    case Kind::kSha256: sha256_init(&state_->sha256); break;
    case Kind::kSha512: sha512_init(&state_->sha512); break;
  }
}

Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

std::size_t Digest::bytes_of(Kind kind) {
  switch (kind) {
    case Kind::kMd5: return MD5_DIGEST_SIZE;
    case Kind::kSha256: return SHA256_DIGEST_SIZE;
    case Kind::kSha512: return SHA512_DIGEST_SIZE;
  }
  return 0;
}

void Digest::add(std::string_view data) {
  switch (kind_) {
    case Kind::kMd5: return md5_update(&state_->md5, data.size(), bytes_in(data));
    case Kind::kSha256: return sha256_update(&state_->sha256, data.size(), bytes_in(data));
    case Kind::kSha512: return sha512_update(&state_->sha512, data.size(), bytes_in(data));
  }
}

std::string Digest::value() {
  std::string digest(bytes_of(kind_), '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(digest.data());
  switch (kind_) {
    case Kind::kMd5: md5_digest(&state_->md5, digest.size(), out); break;
    case Kind::kSha256: sha256_digest(&state_->sha256, digest.size(), out); break;
    case Kind::kSha512: sha512_digest(&state_->sha512, digest.size(), out); break;
  }
  return digest;
}

}  // namespace tako
