// PartitionSet: a set of partitions, 8 KiB of bits, with its operations a word at a time: 65,536 are too many to ask
// one by one where it happens after every pass. A value; no loop, no sharing.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "model/record.h"

namespace tako::model {

class PartitionSet {
 public:
  static constexpr std::size_t kWords = kPartitions / 64;

  // Those below `end`.
  static PartitionSet first(std::uint32_t end) {
    PartitionSet set;
    for (std::uint32_t i = 0; i < end / 64; ++i) set.words_[i] = ~0ull;
    if (end % 64 != 0) set.words_[end / 64] = (1ull << (end % 64)) - 1;
    return set;
  }
  static PartitionSet all() { return first(kPartitions); }

  bool operator[](std::uint32_t p) const { return (words_[p / 64] >> (p % 64)) & 1; }
  void set(std::uint32_t p) { words_[p / 64] |= 1ull << (p % 64); }
  void reset(std::uint32_t p) { words_[p / 64] &= ~(1ull << (p % 64)); }
  void clear() { words_.fill(0); }
  std::uint64_t word(std::size_t i) const { return words_[i]; }
  void set_word(std::size_t i, std::uint64_t word) { words_[i] = word; }

  bool none() const { return words_ == std::array<std::uint64_t, kWords>{}; }
  std::size_t count() const {
    std::size_t total = 0;
    for (const std::uint64_t word : words_) total += static_cast<std::size_t>(std::popcount(word));
    return total;
  }

  PartitionSet& operator|=(const PartitionSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) words_[i] |= other.words_[i];
    return *this;
  }
  PartitionSet& operator&=(const PartitionSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) words_[i] &= other.words_[i];
    return *this;
  }
  PartitionSet& operator-=(const PartitionSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) words_[i] &= ~other.words_[i];
    return *this;
  }
  friend PartitionSet operator|(PartitionSet a, const PartitionSet& b) { return a |= b; }
  friend PartitionSet operator&(PartitionSet a, const PartitionSet& b) { return a &= b; }
  friend PartitionSet operator-(PartitionSet a, const PartitionSet& b) { return a -= b; }
  friend bool operator==(const PartitionSet&, const PartitionSet&) = default;

  // In ascending order.
  template <class F>
  void for_each(F visit) const {
    for (std::size_t i = 0; i < kWords; ++i) {
      for (std::uint64_t left = words_[i]; left != 0; left &= left - 1) {
        visit(static_cast<Partition>(i * 64 + static_cast<std::size_t>(std::countr_zero(left))));
      }
    }
  }

 private:
  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace tako::model
