#include "sim/switches.h"

#include <string>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "sim/tally.h"

namespace tako {
namespace {

struct State {
  bool on = false;
  bool buggify = false;
  std::uint64_t seed = 0;
  Plant plant = Plant::kNone;
  sim::Tally* tally = nullptr;
};
State state;

constexpr std::uint64_t kSitesOn = 4;         // one site of so many is on
constexpr std::uint32_t kFiresPpm = 100'000;  // of its visits

}  // namespace

bool planted(Plant plant) { return state.plant == plant; }

bool buggify(Random& random, const char* site) {
  if (!state.buggify || xxh3_64(site, state.seed) % kSitesOn != 0) return false;
  if (!random.chance_ppm(kFiresPpm)) return false;
  state.tally->add("buggify " + std::string(site));
  return true;
}

namespace sim {

Switches::Switches(std::uint64_t seed, bool buggify, Plant plant, Tally& tally) {
  ASSERT(!state.on);
  state = State{true, buggify, seed, plant, &tally};
}

Switches::~Switches() { state = State{}; }

const std::vector<PlantInfo>& plants() {
  static const std::vector<PlantInfo> all = {
#define TAKO_PLANT_INFO(name, rule, text) {Plant::name, #name, rule, text},
      TAKO_PLANTS(TAKO_PLANT_INFO)
#undef TAKO_PLANT_INFO
  };
  return all;
}

}  // namespace sim
}  // namespace tako
