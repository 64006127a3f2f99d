#include "base/base64.h"

#include <algorithm>

namespace tako {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int sextet_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::string_view group = text.substr(i, 4);
    if (i + 4 == text.size()) group = group.substr(0, group.find_last_not_of('=') + 1);
    if (group.size() < 2) return std::nullopt;
    unsigned bits = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const int sextet = j < group.size() ? sextet_of(group[j]) : 0;
      if (sextet < 0) return std::nullopt;
      bits = bits << 6 | static_cast<unsigned>(sextet);
    }
    for (std::size_t j = 0; j + 1 < group.size(); ++j) bytes += static_cast<char>(bits >> (16 - 8 * j));
    const bool exact = group.size() == 4 || (bits & (group.size() == 3 ? 0xffu : 0xffffu)) == 0;
    if (!exact) return std::nullopt;
  }
  return bytes;
}

std::string base64_encode(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t j = i; j < i + 3; ++j) {
      bits = bits << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    }
    const std::size_t count = std::min<std::size_t>(bytes.size() - i, 3);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? kAlphabet[bits >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

}  // namespace tako
