// Digest: MD5, SHA-256 and SHA-512 of data that comes in parts: what clients send to have their uploads checked by.
//
// Not for anything of our own: checksums of stored values are base/hash.h's. Third party: nettle, in digest.cc alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tako {

class Digest {
 public:
  enum class Kind : unsigned char { kMd5, kSha256, kSha512 };

  explicit Digest(Kind kind);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  static std::size_t bytes_of(Kind kind);  // 16, 32, 64

  Kind kind() const { return kind_; }
  void add(std::string_view data);
  // Of all that was added, as raw bytes. Once.
  std::string value();

 private:
  struct State;

  Kind kind_;
  std::unique_ptr<State> state_;
};

}  // namespace tako
