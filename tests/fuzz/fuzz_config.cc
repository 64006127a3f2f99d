// input := the text of a configuration file. What is taken can be written, read again, and is the same.
#include "model/config.h"
#include "target.h"

namespace tako::fuzz {

void fuzz_config(std::string_view input) {
  const auto configuration = model::parse_config(input, "fuzz.yaml");
  if (!configuration.ok()) {
    ASSERT(configuration.error().message.find('\n') == std::string::npos);
    return;
  }
  ASSERT(configuration->hash == model::content_hash(*configuration));
  const auto from_yaml = model::parse_config(model::to_yaml(*configuration), "fuzz.yaml");
  ASSERT(from_yaml.ok() && *from_yaml == *configuration);
  const auto from_json = model::parse_config(model::to_json(*configuration), "fuzz.json");
  ASSERT(from_json.ok() && *from_json == *configuration);
}

}  // namespace tako::fuzz

TAKO_FUZZ_TARGET(fuzz_config)
