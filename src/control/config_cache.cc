#include "control/config_cache.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "base/log.h"
#include "control/history.h"
#include "wire/cluster/limits.h"

namespace tako::control {
namespace {

constexpr const char* kFolder = "config";
constexpr std::string_view kSuffix = ".yaml";
constexpr std::size_t kDigits = 20;  // of the largest 64-bit number
constexpr std::size_t kFileBytesMax = wire::kConfigBytesMax + 100;  // and the first line

std::string first_line(const model::Configuration& configuration) {
  return "# tako configuration " + to_text(wire::stamp_of(configuration)) + "\n";
}

std::string name_of(std::uint64_t counter) {
  const std::string digits = std::to_string(counter);
  return std::string(kDigits - digits.size(), '0') + digits + std::string(kSuffix);
}

bool is_ours(const std::string& name) {
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  return name.size() == kDigits + kSuffix.size() && name.ends_with(kSuffix) &&
         std::all_of(name.begin(), name.begin() + kDigits, digit);
}

// Whole: it parses, and is the version that its name and its first line say.
Result<model::Configuration> parse_whole(const std::string& content, const std::string& path, const std::string& name) {
  Result<model::Configuration> parsed = model::parse_config(content, path);
  if (!parsed) return parsed;
  if (name_of(parsed->counter) != name || parsed->counter == 0) {
    return {ErrorCode::kCorrupt, path + ": it says version " + std::to_string(parsed->counter)};
  }
  if (!content.starts_with(first_line(*parsed))) {
    return {ErrorCode::kCorrupt, path + ": its content is not the one of its first line"};
  }
  return parsed;
}

}  // namespace

runtime::Task<std::optional<model::Configuration>> ConfigCache::newest() {
  auto load = [this] { return load_newest(); };
  std::optional<model::Configuration> found = co_await workers_.run(std::move(load));
  co_return found;
}

runtime::Task<Status> ConfigCache::save(model::Configuration configuration) {
  ASSERT(configuration.counter > 0);
  auto save = [this, &configuration] { return store(configuration); };
  Status saved = co_await workers_.run(std::move(save));
  co_return saved;
}

std::optional<model::Configuration> ConfigCache::load_newest() {
  std::vector<std::string> names = files_.list(kFolder);
  std::erase_if(names, [](const std::string& name) { return !is_ours(name); });
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const std::string path = std::string(kFolder) + "/" + *name;
    const Result<std::string> content = files_.read(path, kFileBytesMax);
    Result<model::Configuration> parsed = content ? parse_whole(*content, path, *name) : content.error();
    if (parsed) return std::move(*parsed);
    log::warn("config_file_damaged", {{"file", path}, {"error", parsed.error().message}, {"action", "passed over"}});
  }
  return std::nullopt;
}

Status ConfigCache::store(const model::Configuration& configuration) {
  const std::string content = first_line(configuration) + model::to_yaml(configuration);
  Status written = files_.write(std::string(kFolder) + "/" + name_of(configuration.counter), content);
  if (!written) return written;

  std::vector<std::string> names = files_.list(kFolder);
  std::erase_if(names, [](const std::string& name) { return !is_ours(name); });
  for (std::size_t i = 0; i + kKept < names.size(); ++i) {
    const std::string path = std::string(kFolder) + "/" + names[i];
    const Status removed = files_.remove(path);
    if (!removed) log::warn("config_file_stays", {{"file", path}, {"error", removed.error().message}});
  }
  return written;
}

}  // namespace tako::control
