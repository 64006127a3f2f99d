// The vocabulary of config_read.cc: single values of a configuration file, each with the message for a wrong one.
//
// Everything here throws a Fault, which parse_config catches: a value, not an exception, leaves the model. `path` is
// where a value stands: `deployments.d.buckets.b1`.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/config.h"
#include "model/tree.h"

namespace tako::model {

struct ByteUnit {
  std::string_view name;
  std::uint64_t size;
};
constexpr std::array<ByteUnit, 3> kByteUnits = {{{"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}}};

}  // namespace tako::model

namespace tako::model::fields {

struct Fault {
  unsigned line;
  std::string message;
};

struct Entry {
  const Tree& key;
  const Tree& value;
  std::string path;
};
using Entries = std::vector<Entry>;

[[noreturn]] void fail(unsigned line, const std::string& path, const std::string& what);

inline bool is_scalar(const Tree& tree) { return tree.kind == Tree::Kind::kScalar; }
std::string kind_of(const Tree& tree);  // `nothing`, `'text'`, `a list`, `a mapping`
std::string cited(std::string_view text);

// The entries of a mapping that is not empty, each key once.
Entries entries_of(const Tree& map, const std::string& path, const std::string& expected);
void check_known(const Entries& entries, const std::string& path, std::initializer_list<std::string_view> known);
const Entry* find(const Entries& entries, std::string_view key);

struct Range {
  std::uint64_t low;
  std::uint64_t high;
};
// `what` names the value in the message where the path does not.
std::string read_id(const Tree& tree, const std::string& path, const std::string& what);
std::uint64_t read_number(const Tree& tree, const std::string& path, const std::string& what, Range range);
bool read_bool(const Entry& entry);
// "64MiB", "1000".
std::uint64_t read_bytes(const Entry& entry, Range range);
Duration read_interval(const Entry& entry);
Address read_address(const Entry& entry);
NodeSpec read_node(const Entry& entry);

}  // namespace tako::model::fields
