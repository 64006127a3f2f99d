#include "model/tree.h"

#include <algorithm>
#include <array>

namespace tako::model {
namespace {

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool word_byte(char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-'; }

// Whether every YAML reader takes the bare text for a string.
bool plain_is_string(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kReserved = {"yes", "no", "true", "false", "on",
                                                                "off", "y",  "n",    "null"};
  if (text.empty() || !letter(text[0]) || !std::all_of(text.begin(), text.end(), word_byte)) return false;
  std::string lower;
  for (const char c : text) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end();
}

// Within double quotes, by the escapes that JSON and YAML share.
std::string in_quotes(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

enum class Language { kYaml, kJson };

std::string scalar(const Tree& tree, Language language) {
  if (tree.kind == Tree::Kind::kNull) return "null";
  if (!tree.quoted) return tree.text;
  return language == Language::kYaml && plain_is_string(tree.text) ? tree.text : in_quotes(tree.text);
}

bool is_leaf(const Tree& tree) { return tree.kind == Tree::Kind::kNull || tree.kind == Tree::Kind::kScalar; }

// JSON, and YAML's flow style on one line.
std::string inline_form(const Tree& tree, Language language) {
  if (is_leaf(tree)) return scalar(tree, language);
  const bool map = tree.kind == Tree::Kind::kMap;
  std::string out = map ? "{" : "[";
  for (std::size_t i = 0; i < tree.items.size(); ++i) {
    if (i > 0) out += map && i % 2 == 1 ? ": " : ", ";
    out += inline_form(tree.items[i], language);
  }
  return out + (map ? "}" : "]");
}

void write_yaml(const Tree& map, std::size_t indent, std::string& out) {
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    const Tree& value = map.items[i + 1];
    out.append(indent, ' ');
    out += scalar(map.items[i], Language::kYaml) + ":";
    if (value.kind == Tree::Kind::kMap && !value.flow && !value.items.empty()) {
      out += '\n';
      write_yaml(value, indent + 2, out);
    } else {
      out += ' ' + inline_form(value, Language::kYaml) + '\n';
    }
  }
}

void write_json(const Tree& tree, std::size_t indent, std::string& out) {
  if (tree.kind != Tree::Kind::kMap || tree.flow || tree.items.empty()) {
    out += inline_form(tree, Language::kJson);
    return;
  }
  out += "{\n";
  for (std::size_t i = 0; i + 1 < tree.items.size(); i += 2) {
    out.append(indent + 2, ' ');
    out += in_quotes(tree.items[i].text) + ": ";
    write_json(tree.items[i + 1], indent + 2, out);
    out += i + 2 < tree.items.size() ? ",\n" : "\n";
  }
  out.append(indent, ' ');
  out += '}';
}

}  // namespace

std::string to_yaml(const Tree& tree) {
  const bool block = tree.kind == Tree::Kind::kMap && !tree.flow && !tree.items.empty();
  if (!block) return inline_form(tree, Language::kYaml) + "\n";
  std::string out;
  write_yaml(tree, 0, out);
  return out;
}

std::string to_json(const Tree& tree) {
  std::string out;
  write_json(tree, 0, out);
  return out + "\n";
}

std::string printable(std::string_view text) {
  constexpr std::size_t kShownMax = 60;
  const bool cut = text.size() > kShownMax;
  text = text.substr(0, kShownMax);
  const auto in_group = [&](unsigned mask, unsigned group) {
    return !text.empty() && (static_cast<unsigned char>(text.back()) & mask) == group;
  };
  if (cut && in_group(0x80, 0x80)) {  // not in the middle of a character
    while (in_group(0xc0, 0x80)) text.remove_suffix(1);
    text.remove_suffix(text.empty() ? 0 : 1);
  }
  std::string out;
  for (const char c : text) out += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
  return out + (cut ? "..." : "");
}

}  // namespace tako::model
