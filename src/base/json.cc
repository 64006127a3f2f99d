#include "base/json.h"

#include <nlohmann/json.hpp>

namespace tako {

using nlohmann::json;

std::string json_text(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

json parse_json(std::string_view text) { return json::parse(text, nullptr, false); }

bool is_utf8(std::string_view text) {
  try {
    (void)json(text).dump();
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

}  // namespace tako
