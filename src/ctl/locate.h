// locate: where a key lives, computed from a configuration alone. Asks nobody.
#pragma once

#include <string>

#include "ctl/console.h"
#include "model/config.h"

namespace tako::ctl {

int locate(Console& console, const model::Configuration& configuration, const std::string& key);

}  // namespace tako::ctl
