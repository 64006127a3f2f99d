// Base64 with its padding (RFC 4648 §4), strictly: one text for each run of bytes. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tako {

// Nothing: not base64, or not the one text that encodes these bytes.
std::optional<std::string> base64_decode(std::string_view text);
std::string base64_encode(std::string_view bytes);

}  // namespace tako
