#include "model/checksum.h"

#include "model/record.h"

namespace tako::model {

void ValueChecksum::add(std::uint64_t piece_checksum) {
  if (pieces_++ == 0) first_ = piece_checksum;
  char bytes[8];
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<char>(piece_checksum >> (56 - 8 * i));
  over_all_.add(std::string_view(bytes, sizeof bytes));
}

std::uint64_t ValueChecksum::value() const {
  if (pieces_ == 0) return piece_checksum("");
  return pieces_ == 1 ? first_ : over_all_.value();
}

std::uint64_t checksum_of(std::string_view value) {
  if (value.size() <= kPieceBytes) return piece_checksum(value);
  ValueChecksum sum;
  for (std::size_t from = 0; from < value.size(); from += kPieceBytes) {
    sum.add(piece_checksum(value.substr(from, kPieceBytes)));
  }
  return sum.value();
}

}  // namespace tako::model
