// JSON between text and values: the one place that writes and reads it, so that its writer and its parser are compiled
// once. Values are nlohmann's; whoever makes or looks into one includes <nlohmann/json.hpp>.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tako {

constexpr int kOneLine = -1;

// What is no UTF-8 in it is replaced: a program that reads JSON stops at it. `indent`: spaces, or kOneLine.
std::string json_text(const nlohmann::json& value, int indent = kOneLine);

// "discarded" where the text is no JSON.
nlohmann::json parse_json(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace tako
