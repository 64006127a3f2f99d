// JSON in and out. Of what a proxy or a coordinator has said nothing is believed: what is there, and of which kind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "ctl/console.h"

namespace tako::ctl {

// None: it is absent, or no whole number from 0 on.
std::optional<std::uint64_t> number_in(const nlohmann::json& object, const char* name);

// Ready for a terminal; what is no string as JSON. `otherwise`: it is absent or null.
std::string text_in(const nlohmann::json& object, const char* name, const std::string& otherwise = "-");

// Empty where it is absent, or no object.
const nlohmann::json& object_in(const nlohmann::json& object, const char* name);

// A verb's answer with --json, and its end (finish()).
int finish_json(Console& console, const nlohmann::json& answer, int exit_code);

}  // namespace tako::ctl
