#include "model/config_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

namespace tako::model::fields {
namespace {

constexpr std::string_view kNodeForms = "[host, port], [host, http_port, port] or {host, port, http, zone}";

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? printable(key) : path + "." + printable(key);
}

bool is_map(const Tree& tree) { return tree.kind == Tree::Kind::kMap; }
bool is_list(const Tree& tree) { return tree.kind == Tree::Kind::kList; }

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::uint16_t read_port(const Tree& tree, const std::string& path, const std::string& what) {
  return static_cast<std::uint16_t>(read_number(tree, path, what, {1, 65'535}));
}

std::string read_host(const Tree& tree, const std::string& path) {
  const std::string hint = "; expected a host name or address";
  if (!is_scalar(tree) || (!tree.quoted && digits(tree.text))) fail(tree.line, path, "host is " + kind_of(tree) + hint);
  auto host = parse_host(tree.text);
  if (!host) fail(tree.line, path, "host is " + cited(tree.text) + hint);
  return std::move(*host);
}

NodeSpec read_node_map(const Entry& entry) {
  const Entries parts = entries_of(entry.value, entry.path, "host and port");
  check_known(parts, entry.path, {"host", "port", "http", "zone"});
  const Entry* host = find(parts, "host");
  const Entry* port = find(parts, "port");
  if (host == nullptr) fail(entry.value.line, entry.path, "host is missing; expected a host name or address");
  if (port == nullptr) fail(entry.value.line, entry.path, "port is missing; expected 1 to 65535");
  NodeSpec node;
  node.host = read_host(host->value, entry.path);
  node.port = read_port(port->value, entry.path, "port");
  if (const Entry* http = find(parts, "http")) node.http_port = read_port(http->value, entry.path, "http port");
  if (const Entry* zone = find(parts, "zone")) node.zone = read_id(zone->value, entry.path, "zone");
  return node;
}

}  // namespace

std::string kind_of(const Tree& tree) {
  switch (tree.kind) {
    case Tree::Kind::kNull: return "nothing";
    case Tree::Kind::kScalar: return cited(tree.text);
    case Tree::Kind::kList: return "a list";
    case Tree::Kind::kMap: return "a mapping";
  }
  return "?";
}

void fail(unsigned line, const std::string& path, const std::string& what) {
  throw Fault{line, path.empty() ? what : path + ": " + what};
}

std::string cited(std::string_view text) { return "'" + printable(text) + "'"; }

Entries entries_of(const Tree& map, const std::string& path, const std::string& expected) {
  if (!is_map(map)) fail(map.line, path, "is " + kind_of(map) + "; expected a mapping of " + expected);
  if (map.items.empty()) fail(map.line, path, "is empty; expected " + expected);
  Entries entries;
  std::unordered_map<std::string_view, unsigned> lines;
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    const Tree& key = map.items[i];
    if (!is_scalar(key)) fail(key.line, path, "a key is " + kind_of(key) + "; expected " + expected);
    const auto [first, fresh] = lines.try_emplace(key.text, key.line);
    const std::string here = join(path, key.text);
    if (!fresh) {
      fail(key.line, here, "given twice (first in line " + std::to_string(first->second) + "); expected once");
    }
    entries.push_back({key, map.items[i + 1], here});
  }
  return entries;
}

void check_known(const Entries& entries, const std::string& path, std::initializer_list<std::string_view> known) {
  for (const Entry& entry : entries) {
    if (std::find(known.begin(), known.end(), entry.key.text) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    fail(entry.key.line, path, "unknown key " + cited(entry.key.text) + "; expected one of " + names);
  }
}

const Entry* find(const Entries& entries, std::string_view key) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key.text == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string read_id(const Tree& tree, const std::string& path, const std::string& what) {
  if (!is_scalar(tree)) fail(tree.line, path, what + " is " + kind_of(tree) + "; expected a string or an integer");
  const Status sane = check_id(tree.text);
  if (!sane) fail(tree.line, path, what + " " + sane.error().message);
  return tree.text;
}

std::uint64_t read_number(const Tree& tree, const std::string& path, const std::string& what, Range range) {
  const std::string limits = std::to_string(range.low) + " to " + std::to_string(range.high);
  const std::string prefix = what.empty() ? "" : what + " ";
  const std::string_view text = tree.text;
  const bool whole = digits(text) || (text.starts_with("-") && digits(text.substr(1)));
  if (!is_scalar(tree) || tree.quoted || !whole) {
    fail(tree.line, path, prefix + "is " + kind_of(tree) + "; expected a whole number from " + limits);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < range.low || number > range.high) {
    fail(tree.line, path, prefix + printable(text) + " is out of range; expected " + limits);
  }
  return number;
}

bool read_bool(const Entry& entry) {
  static constexpr std::array<std::string_view, 9> kYes = {"yes",  "Yes", "YES", "true", "True",
                                                           "TRUE", "on",  "On",  "ON"};
  static constexpr std::array<std::string_view, 9> kNo = {"no",    "No",  "NO",  "false", "False",
                                                          "FALSE", "off", "Off", "OFF"};
  const Tree& tree = entry.value;
  if (is_scalar(tree) && !tree.quoted) {
    if (std::find(kYes.begin(), kYes.end(), tree.text) != kYes.end()) return true;
    if (std::find(kNo.begin(), kNo.end(), tree.text) != kNo.end()) return false;
  }
  fail(tree.line, entry.path, "is " + kind_of(tree) + "; expected yes or no");
}

std::uint64_t read_bytes(const Entry& entry, Range range) {
  const Tree& tree = entry.value;
  const std::string hint = "; expected a number of bytes like 16GiB, 64MiB, 100KiB or 4096";
  std::string_view text = is_scalar(tree) ? std::string_view(tree.text) : std::string_view();
  std::uint64_t unit = 1;
  for (const ByteUnit& known : kByteUnits) {
    if (!text.ends_with(known.name)) continue;
    unit = known.size;
    text.remove_suffix(known.name.size());
    break;
  }
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (!digits(text)) fail(tree.line, entry.path, "is " + kind_of(tree) + hint);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > range.high / unit || number * unit < range.low) {
    fail(tree.line, entry.path, printable(tree.text) + " is out of range; expected " + std::to_string(range.low) +
                                    " to " + std::to_string(range.high) + " bytes");
  }
  return number * unit;
}

Duration read_interval(const Entry& entry) {
  const Tree& tree = entry.value;
  if (!is_scalar(tree)) fail(tree.line, entry.path, "is " + kind_of(tree) + "; expected an interval like 12h");
  const Result<Duration> interval = parse_interval(tree.text);
  if (!interval) fail(tree.line, entry.path, interval.error().message);
  return *interval;
}

Address read_address(const Entry& entry) {
  const Tree& tree = entry.value;
  if (!is_list(tree) || tree.items.size() != 2) {
    fail(tree.line, entry.path, "is " + kind_of(tree) + "; expected [host, port]");
  }
  return {read_host(tree.items[0], entry.path), read_port(tree.items[1], entry.path, "port")};
}

NodeSpec read_node(const Entry& entry) {
  const Tree& tree = entry.value;
  NodeSpec node;
  if (is_map(tree)) {
    node = read_node_map(entry);
  } else if (is_list(tree) && (tree.items.size() == 2 || tree.items.size() == 3)) {
    node.host = read_host(tree.items[0], entry.path);
    if (tree.items.size() == 3) node.http_port = read_port(tree.items[1], entry.path, "http port");
    node.port = read_port(tree.items.back(), entry.path, "port");
  } else {
    fail(tree.line, entry.path, "is " + kind_of(tree) + "; expected " + std::string(kNodeForms));
  }
  node.id = read_id(entry.key, entry.path, "the node's id");
  return node;
}

}  // namespace tako::model::fields
