// Themes: most worlds put one thing together that seldom meets by chance. A theme is a function that sets some of what
// was drawn (scenario.h); a world has one, or none.
#pragma once

#include <string_view>

#include "base/random.h"
#include "sim/scenario.h"

namespace tako::sim {

// wanted: empty, `random` draws one, perhaps none; unknown: none.
void apply_theme(Scenario& scenario, Random random, std::string_view wanted);

}  // namespace tako::sim
