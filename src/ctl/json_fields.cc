#include "ctl/json_fields.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "ctl/console.h"

namespace tako::ctl {

using nlohmann::json;

std::optional<std::uint64_t> number_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::string text_in(const json& object, const char* name, const std::string& otherwise) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return otherwise;
  const bool text = found->is_string();
  return printable(text ? found->get<std::string>() : json_text(*found));
}

const json& object_in(const json& object, const char* name) {
  static const json kEmpty = json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : kEmpty;
}

int finish_json(Console& console, const json& answer, int exit_code) {
  console.out << json_text(answer, 2) << '\n';
  return finish(console, exit_code);
}

}  // namespace tako::ctl
