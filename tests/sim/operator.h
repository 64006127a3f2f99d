// Operator: a person with `tako ctl deploy`: moves the cluster from one deployment to another, promotes it, or undoes
// it. Changes are pushed to the master coordinator, made from the version that was fetched; two operators do not talk
// to each other, and each may be slow between the two.
//
// It is impatient: it asks for the promotion from the first moment on, and the coordinator refuses until all has
// arrived (control/arrival.h).
#pragma once

#include <optional>

#include "sim/damage.h"
#include "sim/scenario.h"
#include "sim/world.h"

namespace tako::sim {

class Operator final : public Machine {
 public:
  Operator(World& world, std::string id, const Scenario& scenario, Damage& damage);
  void boot() override;
  void die(bool machine_crash) override;
  // It begins nothing new, and ends what is under way.
  void retire() { retired_ = true; }
  bool idle() const { return idle_; }

 private:
  Task<> run();
  Task<> change();
  Task<std::optional<model::Configuration>> fetch();
  Task<bool> push(model::Configuration next, std::uint64_t made_from);
  Task<bool> offer(model::Configuration next, std::uint64_t made_from);
  Task<bool> promote(model::Configuration next);
  model::Deployment drawn_deployment(const model::Configuration& in_force);
  Duration hesitation();

  const Scenario& scenario_;
  Damage& damage_;
  Random random_;
  std::unique_ptr<runtime::Gate> work_;
  bool retired_ = false;
  bool idle_ = true;
};

// The deployment as the scenario begins: its nodes dealt out over its buckets. All ids n1, n2, ...
model::Configuration first_configuration(const Scenario& scenario, Random random);
model::NodeSpec node_spec(std::size_t number);

}  // namespace tako::sim
