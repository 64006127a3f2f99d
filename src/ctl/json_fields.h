// Reading what a proxy or a coordinator has said in JSON: nothing is believed about what is there, and of which kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace tako::ctl {

// None: it is absent, or no whole number from 0 on.
std::optional<std::uint64_t> number_in(const nlohmann::json& object, const char* name);

// Ready for a terminal; what is no string as JSON. `otherwise`: it is absent or null.
std::string text_in(const nlohmann::json& object, const char* name, const std::string& otherwise = "-");

// Empty where it is absent, or no object.
const nlohmann::json& object_in(const nlohmann::json& object, const char* name);

}  // namespace tako::ctl
