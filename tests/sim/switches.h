// The simulator's side of base/plant.h: which plant is in force, and which rare branches are common in this seed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/plant.h"

namespace tako::sim {

class Tally;

// For the life of the object. One at a time.
class Switches {
 public:
  Switches(std::uint64_t seed, bool buggify, Plant plant, Tally& tally);
  ~Switches();
  Switches(const Switches&) = delete;
  Switches& operator=(const Switches&) = delete;
};

struct PlantInfo {
  Plant plant;
  std::string_view name;
  std::string_view rule;
  std::string_view text;
};
const std::vector<PlantInfo>& plants();

}  // namespace tako::sim
