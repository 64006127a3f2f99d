// ConfigCache: the last configurations of the history (history.h) that this process adopted, on its disk.
//
// One file a version, `config/<counter, 20 digits>.yaml`: a line with the version, `# tako configuration 17-<hash>`,
// and the YAML, which can be given to -f as it is. The newest that is whole is loaded at start; a damaged one is
// passed over with a warning, for the hash of what it says must be the one it names. Owned by the feed or the
// coordinator of the process, on loop 0; the disk is touched on the workers.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "model/config.h"
#include "runtime/files.h"
#include "runtime/task.h"
#include "runtime/workers.h"

namespace tako::control {

class ConfigCache {
 public:
  static constexpr std::size_t kKept = 10;

  // REQUIRES: both outlive it
  ConfigCache(runtime::Files& files, runtime::Workers& workers) : files_(files), workers_(workers) {}

  // The newest whole one; none if there is none.
  runtime::Task<std::optional<model::Configuration>> newest();

  // Durable when it returns. Then older ones beyond kKept are removed. REQUIRES: counter > 0
  runtime::Task<Status> save(model::Configuration configuration);

 private:
  std::optional<model::Configuration> load_newest();
  Status store(const model::Configuration& configuration);

  runtime::Files& files_;
  runtime::Workers& workers_;
};

}  // namespace tako::control
