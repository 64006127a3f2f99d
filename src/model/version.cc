#include "model/version.h"

namespace tako::model {

std::string to_string(const Version& version) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text(33, '-');
  for (unsigned i = 0; i < 16; ++i) {
    text[i] = kHex[(version.timestamp >> (60 - 4 * i)) & 15];
    text[17 + i] = kHex[(version.writer >> (60 - 4 * i)) & 15];
  }
  return text;
}

}  // namespace tako::model
