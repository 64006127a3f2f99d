// Tree: a YAML or JSON document as plain values with the lines they stand on, before anybody asks what it means.
//
// Reading is yaml-cpp's and happens in tree.cc alone (JSON is a subset). What comes from a file or a network is
// believed nothing: size, depth and number of nodes are limited, aliases count as what they stand for, and an error
// is one line with the line number. Writing gives one canonical form, so that equal trees are equal bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tako::model {

constexpr std::size_t kTreeBytesMax = 4u << 20;
constexpr std::size_t kTreeNodesMax = 400'000;  // with aliases written out
constexpr unsigned kTreeDepthMax = 16;

struct Tree {
  enum class Kind : unsigned char { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  bool quoted = false;      // a scalar that can only be a string
  bool flow = false;        // written on one line
  unsigned line = 1;
  std::string text;         // of a scalar
  std::vector<Tree> items;  // of a list; of a map: key, value, key, value

  static Tree plain(std::string text) { return {Kind::kScalar, false, false, 1, std::move(text), {}}; }
  static Tree string(std::string text) { return {Kind::kScalar, true, false, 1, std::move(text), {}}; }
  static Tree list() { return {Kind::kList, false, true, 1, {}, {}}; }
  static Tree map() { return {Kind::kMap, false, false, 1, {}, {}}; }
  void add(std::string key, Tree value) {
    items.push_back(string(std::move(key)));
    items.push_back(std::move(value));
  }
};

// `name` stands before the line in messages. Errors: kInvalid, kTooLarge. Duplicate keys are kept: the reader knows
// the path that makes their message useful.
Result<Tree> parse_tree(std::string_view text, std::string_view name);

std::string to_yaml(const Tree& tree);
std::string to_json(const Tree& tree);

// For messages: on one line, without control codes, cut at some 60 bytes.
std::string printable(std::string_view text);

}  // namespace tako::model
